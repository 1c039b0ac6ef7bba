"""Records what Captum computes for the calls of tests/captum_cases.py, in tests/fixtures/attr_captum.json.

.venv-oracle/bin/python tools/attribution_fixtures.py
"""

import json
import sys
import warnings
from pathlib import Path

import captum.attr
import torch
from captum.attr._utils import lrp_rules

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from captum_cases import calls, flat  # noqa: E402


def main():
    warnings.simplefilter("ignore")
    found = {}
    for model, name, call in calls(torch, captum.attr, lrp_rules):
        shapes, numbers = flat(call())
        found[f"{model}: {name}"] = [shapes, [float(f"{n:.6g}") for n in numbers]]
    lines = ",\n".join(f"{json.dumps(key)}: {json.dumps(value, separators=(',', ':'))}" for key, value in found.items())
    (ROOT / "tests" / "fixtures" / "attr_captum.json").write_text("{\n" + lines + "\n}\n")


if __name__ == "__main__":
    main()
