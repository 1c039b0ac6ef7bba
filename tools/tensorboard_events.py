"""Write tests/fixtures/tensorboard.json: what PyTorch's SummaryWriter writes for tests/utils/tensorboard_calls.py.

Runs in an environment with PyTorch and tensorboard: `.venv-oracle/bin/python tools/tensorboard_events.py`.
"""

import json
import sys
import tempfile
from pathlib import Path

import torch
import torch.utils.tensorboard

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "utils"))
from tensorboard_calls import stored, write  # noqa: E402

with tempfile.TemporaryDirectory() as folder:
    write(torch, folder)
    found = stored(folder)
path = ROOT / "tests" / "fixtures" / "tensorboard.json"
path.write_text(json.dumps(found, indent=0, ensure_ascii=False) + "\n", encoding="utf-8")
print(f"{len(found)} files in {path}")
