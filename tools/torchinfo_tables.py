"""Write tests/fixtures/torchinfo.json: what torchinfo prints for the models of tests/viz/summary_models.py.

Runs in an environment with PyTorch and torchinfo: `.venv-oracle/bin/python tools/torchinfo_tables.py`.
"""

import json
import sys
from pathlib import Path

import torch
from torchinfo import summary

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "viz"))
from summary_models import cases  # noqa: E402

tables = {}
for name, (model, options) in cases(torch).items():
    verbose = options.pop("verbose", 0)
    made = summary(model, **options, verbose=0)
    made.formatting.verbose = verbose
    # From Python 3.11 on, torchinfo prints the name of an enum's member where it used to print "M".
    tables[name] = str(made).replace("Units.MEGABYTES", "M").replace("Units.GIGABYTES", "G")
path = ROOT / "tests" / "fixtures" / "torchinfo.json"
path.write_text(json.dumps(tables, indent=0, ensure_ascii=False) + "\n", encoding="utf-8")
print(f"{len(tables)} tables in {path}")
