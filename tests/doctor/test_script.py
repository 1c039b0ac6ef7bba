"""`flambeau doctor script.py`: a report of a whole script, exit codes, files, scripts that fail."""

import importlib.util
import json
import os
import subprocess
import sys

import pytest

BAD = """
import torch
from torch import nn
torch.manual_seed(0)
net = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3), nn.Softmax(dim=1))
opt = torch.optim.SGD(net.parameters(), lr=0.1)
x, y = torch.randn(64, 4), torch.randint(0, 3, (64,))
for _ in range(5):
    loss = nn.functional.cross_entropy(net(x), y)
    loss.backward()
    opt.step()
print("done")
"""
GOOD = BAD.replace(", nn.Softmax(dim=1)", "").replace("    loss.backward()", "    opt.zero_grad(); loss.backward()")


def doctor(tmp_path, program, *options):
    (tmp_path / "train.py").write_text(program)
    command = [sys.executable, "-m", "flambeau", "doctor", *options, "train.py", "--epochs", "3"]
    return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)


def test_what_is_wrong_is_reported_at_its_lines_and_the_exit_code_says_so(tmp_path):
    done = doctor(tmp_path, BAD, "--json", "r.json", "--html", "r.html")
    assert done.returncode == 1 and done.stdout.startswith("done\n"), done.stderr
    report = json.loads((tmp_path / "r.json").read_text(encoding="utf-8"))
    found = [(f["code"], f["line"]) for f in report["findings"] if f["level"] in "EW"]
    assert found == [("FB-LOSS-01", 9), ("FB-LOOP-01", 11)]
    assert "FB-LOSS-01" in done.stdout and "FB-LOOP-01" in (tmp_path / "r.html").read_text(encoding="utf-8")
    assert "FB_" not in done.stderr  # said once, in the report


def test_a_script_without_mistakes_passes(tmp_path):
    done = doctor(tmp_path, GOOD, "--json", "r.json")
    assert done.returncode == 0, done.stdout
    assert json.loads((tmp_path / "r.json").read_text(encoding="utf-8"))["ok"]


def test_a_script_that_stops_with_a_known_mistake(tmp_path):
    done = doctor(tmp_path, "import torch\nlayer = torch.nn.Linear(3, 2)\nlayer(torch.ones(4, 5))\n")
    assert done.returncode == 1
    assert "FB-SHAPE-01" in done.stdout and "Traceback" in done.stderr and "train.py" in done.stderr


def test_forward_called_directly_and_what_comes_after_an_examination(tmp_path):
    program = (
        GOOD.replace("net(x)", "net.forward(x)")
        + """
losses = []
for _ in range(12):
    loss = nn.functional.cross_entropy(net(x), y)
    opt.zero_grad(); loss.backward(); opt.step()
    losses.append(loss)
"""
    )
    done = doctor(tmp_path, program, "--json", "r.json")
    report = json.loads((tmp_path / "r.json").read_text(encoding="utf-8"))
    found = [(f["code"], f["level"], f["line"]) for f in report["findings"]]
    assert ("FB-MOD-04", "H", 9) in found and ("FB-MEM-01", "W", 18) in found, (found, done.stderr)


def test_none_that_a_forward_gave_is_explained(tmp_path):
    program = """
import torch
class Net(torch.nn.Module):
    def __init__(self): super().__init__(); self.a = torch.nn.Linear(4, 1)
    def forward(self, x, mode="train"):
        if mode == "test":
            return self.a(x)
        h = self.a(x)
pred = Net()(torch.randn(5, 4))
error = pred - torch.zeros(5, 1)
"""
    done = doctor(tmp_path, program)
    assert done.returncode == 1 and "FB-MOD-06" in done.stdout and "Net.forward" in done.stdout


def test_one_cause_is_one_finding(tmp_path):
    program = """
import torch
from torch import nn
torch.manual_seed(0)
x, y = torch.randn(64, 5), torch.randn(64, 1); x[3, 2] = float("nan")
net = nn.Linear(5, 1); opt = torch.optim.SGD(net.parameters(), lr=0.01)
for _ in range(3):
    opt.zero_grad(); nn.functional.mse_loss(net(x), y).backward(); opt.step()
"""
    doctor(tmp_path, program, "--json", "r.json")
    report = json.loads((tmp_path / "r.json").read_text(encoding="utf-8"))
    assert [f["code"] for f in report["findings"] if f["level"] in "EW"] == ["FB-DATA-04"]


def test_a_script_that_fails_by_itself_or_exits(tmp_path):
    done = doctor(tmp_path, "raise ValueError('my own')\n")
    assert done.returncode == 1 and "my own" in done.stderr and "ValueError: my own" in done.stdout
    assert doctor(tmp_path, "raise SystemExit(3)\n").returncode == 3
    assert doctor(tmp_path, "import sys; assert sys.argv[1:] == ['--epochs', '3']\n").returncode == 0


def test_no_such_script(tmp_path):
    done = subprocess.run([sys.executable, "-m", "flambeau", "doctor", "no.py"], cwd=tmp_path, capture_output=True,
                          text=True)  # fmt: skip
    assert done.returncode == 2 and "there is no script 'no.py'" in done.stderr and "Traceback" not in done.stderr


STREAMS = """
import torch
torch.nn.Linear(2, 1)(torch.ones(3, 2)).sum().backward()
import io, sys
"""


@pytest.mark.parametrize("last", ["sys.stdout = sys.stderr = None", "sys.stdout = io.StringIO()", "sys.stdout.close()"])
def test_a_script_that_puts_other_streams_in_place_or_closes_them_is_reported(tmp_path, last):
    done = doctor(tmp_path, STREAMS + last + "\n")
    assert done.returncode == 0 and "Traceback" not in done.stderr, done.stderr
    assert "The doctor found nothing wrong." in done.stdout + done.stderr


def test_a_forked_child_of_the_script_ends_without_a_report(tmp_path):
    forks = "pid = os.fork()\nif not pid: sys.exit(7)\nprint('child', os.waitpid(pid, 0)[1] >> 8)\n"
    done = doctor(tmp_path, "import os, sys\n" + forks)
    assert "child 7" in done.stdout and done.stdout.count("The doctor found nothing wrong.") == 1
    assert done.returncode == 0 and not done.stderr, done.stderr


def test_threads_that_train_are_left_to_go_on(tmp_path):
    program = """
import threading, torch
done = []
def work():
    net = torch.nn.Linear(3, 1)
    opt = torch.optim.Adam(net.parameters(), 0.01)
    for _ in range(10):
        opt.zero_grad(); (net(torch.ones(4, 3)) ** 2).mean().backward(); opt.step()
    done.append(1)
threads = [threading.Thread(target=work) for _ in range(4)]
[t.start() for t in threads]; [t.join() for t in threads]
print(len(done), "threads")
"""
    done = doctor(tmp_path, program)
    assert done.returncode == 0 and "4 threads" in done.stdout and not done.stderr, done.stderr


def test_letters_that_the_terminal_cannot_write_are_escaped(tmp_path):
    program = BAD.replace("net", "\u0441\u0435\u0442\u044c").encode()
    (tmp_path / "train.py").write_bytes(program)
    environment = os.environ | {"PYTHONIOENCODING": "ascii", "FLAMBEAU_LANG": "zh_CN"}
    for command in (["doctor", "train.py"], ["explain", "FB-LOSS-01"], ["explain"], []):
        line = [sys.executable, "-m", "flambeau", *command]
        done = subprocess.run(line, cwd=tmp_path, capture_output=True, text=True, env=environment)
        assert "Traceback" not in done.stderr and "\\u" in done.stdout, done.stderr


def test_files_are_written_where_the_command_was_given(tmp_path):
    (tmp_path / "other").mkdir()
    done = doctor(tmp_path, "import os; os.chdir('other')\n", "--json", "r.json")
    assert done.returncode == 0 and (tmp_path / "r.json").is_file()


@pytest.mark.skipif(importlib.util.find_spec("torch") is not None, reason="PyTorch is installed")
def test_a_script_on_pytorch_where_there_is_none(tmp_path):
    (tmp_path / "train.py").write_text("import torch\n")
    done = subprocess.run([sys.executable, "-m", "flambeau", "doctor", "--torch", "train.py"], cwd=tmp_path,
                          capture_output=True, text=True)  # fmt: skip
    assert done.returncode == 2 and "PyTorch is not installed" in done.stderr and "Traceback" not in done.stderr
