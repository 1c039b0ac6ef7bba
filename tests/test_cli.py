"""The command line: PyTorch scripts run unchanged, in a process of their own; what is missing is said."""

import subprocess
import sys

import pytest

SCRIPT = """
import sys
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch import optim
from torch.utils.data import DataLoader, TensorDataset
from torchvision import transforms
import torch.backends.cudnn as cudnn
import torch.distributed as dist
import torch.multiprocessing as mp
import torchvision.models as models

assert torch.__name__ == "flambeau" and sys.argv[1:] == ["--epochs", "2"], (torch, sys.argv)
cudnn.benchmark = True
assert torch.backends.cudnn.benchmark and not dist.is_initialized() and mp.Process
assert torch.nn is nn and torch.nn.functional is F and __name__ == "__main__"
torch.manual_seed(0)
x = torch.randn(64, 3)
y = (x.sum(1) > 0).long()
model = nn.Sequential(nn.Linear(3, 16), nn.ReLU(), nn.Linear(16, 2))
optimizer = optim.Adam(model.parameters(), lr=0.05)
for epoch in range(int(sys.argv[2])):
    for a, b in DataLoader(TensorDataset(x, y), batch_size=16, shuffle=True):
        optimizer.zero_grad()
        F.cross_entropy(model(a), b).backward()
        optimizer.step()
print("accuracy", (model(x).argmax(1) == y).float().mean().item() > 0.8)
"""


def flambeau(*args, **kwargs):
    return subprocess.run([sys.executable, "-m", "flambeau", *args], capture_output=True, text=True, **kwargs)


def test_a_script_runs_unchanged(tmp_path):
    script = tmp_path / "train.py"
    script.write_text(SCRIPT)
    done = flambeau("run", str(script), "--epochs", "2")
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "accuracy True"


def test_a_script_for_captum_runs_unchanged(tmp_path):
    script = tmp_path / "explain.py"
    script.write_text(
        "import torch\nimport captum.attr\nfrom captum.attr import IntegratedGradients, visualization as viz\n"
        "found = IntegratedGradients(lambda x: (x**2).sum(1)).attribute(torch.ones(1, 2))\n"
        "print(found.round().tolist(), captum.attr.IntegratedGradients is IntegratedGradients, viz.visualize_text)"
    )
    done = flambeau("run", str(script))
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("[[1.0, 1.0]] True <function visualize_text")


@pytest.mark.parametrize(
    "line, said",
    [
        ("import torch.does_not_exist", "No module named 'torch.does_not_exist': the script runs on flambeau"),
        ("import torch; torch.does_not_exist", "flambeau does not have this name"),
        ("from torch import does_not_exist", "cannot import name 'does_not_exist' from 'flambeau'"),
    ],
)
def test_missing_names_are_said(tmp_path, line, said):
    script = tmp_path / "script.py"
    script.write_text(line + "\n")
    done = flambeau("run", str(script))
    assert done.returncode != 0 and said in done.stderr


def test_no_such_script():
    done = flambeau("run", "nowhere.py")
    assert done.returncode != 0 and "there is no file 'nowhere.py'" in done.stderr


def test_run_without_a_script():
    done = flambeau("run")
    assert done.returncode == 2 and done.stderr.rstrip().endswith("required: script")


def test_info_and_help():
    done = flambeau("info")
    assert done.returncode == 0
    for word in ("flambeau", "numpy", "CPU features", "threads", "BLAS", "kernel cache", "devices"):
        assert word in done.stdout
    assert flambeau().returncode == 2 and "usage" in flambeau("--help").stdout
