"""Records what Captum says of the cases in tests/attr/perturbation_cases.py (run with PyTorch and Captum installed)."""

import json
import sys
import warnings
from pathlib import Path

import captum
import captum.attr
import torch

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tests" / "attr"))

from perturbation_cases import cases  # noqa: E402


def main() -> None:
    warnings.simplefilter("ignore")
    found = {}
    for name, call in cases(torch, captum.attr).items():
        result = call()
        parts = result if isinstance(result, tuple) else (result,)
        found[name] = [
            {"shape": list(part.shape), "values": [float(f"{value:.6g}") for value in part.flatten().tolist()]}
            for part in parts
        ]
    rows = ",\n".join(f"{json.dumps(name)}: {json.dumps(parts)}" for name, parts in found.items())
    target = ROOT / "tests" / "fixtures" / "captum_perturbation.json"
    target.write_text(f'{{"captum": "{captum.__version__}",\n{rows}}}\n')
    print(f"{len(found)} cases, {target.stat().st_size} bytes")


if __name__ == "__main__":
    main()
