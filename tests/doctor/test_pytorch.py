"""The doctor on PyTorch's own modules, where PyTorch is installed: findings, explained errors, nothing left behind."""

import gc
import linecache
import os
import random
import re
import subprocess
import sys
import weakref

import numpy as np
import pytest

torch = pytest.importorskip("torch")
if torch.__name__ == "flambeau":
    pytest.skip("torch is flambeau here", allow_module_level=True)

from torch import nn, optim  # noqa: E402
from torch.nn import functional as F  # noqa: E402
from torch.utils.data import DataLoader, TensorDataset  # noqa: E402

from flambeau import doctor  # noqa: E402
from flambeau.checks import collect  # noqa: E402

CORRECT = os.path.join(os.path.dirname(__file__), "..", "checks", "correct")
# PyTorch refuses an argument of this one: betas of an int and a float.
NOT_FOR_PYTORCH = {"wgan_gp.py"}


@pytest.fixture(autouse=True)
def _seed(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(0)
    torch.set_default_dtype(torch.float32)


def watched(program):
    """The findings of a function that runs under a watch."""
    with collect(fresh=True) as findings, doctor.watch(quiet=True) as w:
        program()
    assert not w.failed
    return [f for f in findings if f.level != "H"]


def train(net, x, y, steps=4, lr=0.1, clear=True, loss_fn=F.cross_entropy):
    opt = optim.SGD(net.parameters(), lr)
    for _ in range(steps):
        if clear:
            opt.zero_grad()
        loss_fn(net(x), y).backward()
        opt.step()


def test_gradients_that_are_never_cleared():
    (f,) = watched(lambda: train(nn.Linear(4, 3), torch.randn(8, 4), torch.randint(0, 3, (8,)), clear=False))
    assert f.code == "FB-LOOP-01" and "`opt.zero_grad()`" in f.fix


def test_softmax_before_the_loss_by_the_users_names():
    net = nn.Sequential(nn.Linear(4, 3), nn.Softmax(1))
    (f,) = watched(lambda: train(net, torch.randn(8, 4), torch.randint(0, 3, (8,))))
    assert f.code == "FB-LOSS-01" and "nn.Softmax(1)" in f.fix + f.saw or "net.1" in f.fix + f.saw


def test_layers_in_a_plain_list():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = [nn.Linear(4, 4), nn.Linear(4, 3)]
            self.head = nn.Linear(3, 3)

        def forward(self, x):
            for layer in self.layers:
                x = layer(x).relu()
            return self.head(x)

    found = watched(lambda: train(Net(), torch.randn(8, 4), torch.randint(0, 3, (8,))))
    assert [f.code for f in found] == ["FB-MOD-01"] and "ModuleList" in found[0].fix


def test_training_goes_on_in_eval_mode():
    net = nn.Sequential(nn.Linear(4, 8), nn.Dropout(0.5), nn.Linear(8, 3))
    x, y = torch.randn(8, 4), torch.randint(0, 3, (8,))

    def program():
        opt = optim.SGD(net.parameters(), 0.1)
        for _ in range(3):
            net.eval()
            for _ in range(2):
                opt.zero_grad()
                F.cross_entropy(net(x), y).backward()
                opt.step()

    assert [f.code for f in watched(program) if f.code.startswith("FB-MODE")] in (["FB-MODE-02"], [])


def test_an_error_of_pytorch_is_explained_and_goes_on():
    w = doctor.watch(quiet=True)
    with pytest.raises(RuntimeError, match="mat1 and mat2 shapes cannot be multiplied") as caught, w:
        nn.Sequential(nn.Conv2d(1, 4, 3), nn.Flatten(), nn.Linear(99, 2))(torch.randn(2, 1, 8, 8))
    assert type(caught.value) is RuntimeError
    (f,) = w.report().findings
    assert f.code == "FB-SHAPE-01" and "nn.Linear(144, 2)" in f.fix


def test_a_checkpoint_that_does_not_fit():
    w = doctor.watch(quiet=True)
    with pytest.raises(RuntimeError, match="Missing key"), w:
        nn.Linear(2, 1).load_state_dict({"module.weight": torch.ones(1, 2), "module.bias": torch.ones(1)})
    assert [(f.code, f.cause) for f in w.report().findings] == [("FB-SAVE-03", "prefix")]


def test_examine():
    x, y = torch.randn(64, 4), torch.randint(0, 3, (64,))
    net = nn.Sequential(nn.Linear(4, 16), nn.Linear(16, 3))
    before = {k: v.clone() for k, v in net.state_dict().items()}
    state = torch.get_rng_state()
    report = doctor.examine(net, (x, y), nn.CrossEntropyLoss(), optim.SGD(net.parameters(), 0.1))
    assert report.codes("EW") == ["FB-MOD-07"]
    assert all(torch.equal(v, before[k]) for k, v in net.state_dict().items())
    assert torch.equal(state, torch.get_rng_state()) and all(p.grad is None for p in net.parameters())


def surface():
    """Everything that a watch patches, as it is."""
    kinds = (
        torch, torch.Tensor, torch.nn.Module, torch.optim.Optimizer, torch.nn.utils, torch.autograd, DataLoader,
        torch.optim.lr_scheduler.LRScheduler, nn.Sequential, torch.no_grad, nn.CrossEntropyLoss,
    )  # fmt: skip
    return [dict(vars(k)) for k in kinds]


def test_patches_are_taken_back_after_errors_too():
    before = surface()
    with pytest.raises(ZeroDivisionError), doctor.watch(quiet=True):
        train(nn.Linear(4, 3), torch.randn(8, 4), torch.randint(0, 3, (8,)))
        raise ZeroDivisionError
    assert surface() == before


def test_twins_go_with_their_tensors():
    with doctor.watch(quiet=True) as w:
        net, x = nn.Linear(4, 3), torch.randn(8, 4)
        gone = weakref.ref(net(x).relu())
        assert gone() is None
        train(net, x, torch.randint(0, 3, (8,)))
        alive = weakref.ref(net)
        del net, x
        gc.collect()
        assert alive() is None
    assert w.report().ok


def test_what_is_saved_is_the_same(tmp_path):
    net = nn.Linear(2, 2)
    torch.save(net.state_dict(), tmp_path / "a.pt")
    with doctor.watch(quiet=True):
        net(torch.ones(1, 2))
        torch.save(net.state_dict(), tmp_path / "b.pt")
    assert (tmp_path / "b.pt").stat().st_size == (tmp_path / "a.pt").stat().st_size
    torch.load(tmp_path / "b.pt", weights_only=True)


def run(source, name, watch):
    """(what a program computed, its findings) on PyTorch, with or without a watch."""
    linecache.cache[name] = len(source), None, source.splitlines(True), name
    torch.manual_seed(0)
    np.random.seed(0)
    random.seed(0)
    space = {"__name__": "__main__"}
    with collect(fresh=True) as findings:
        w = doctor.watch(quiet=True) if watch else None
        try:
            exec(compile(source, name, "exec"), space)
        finally:
            if w is not None:
                w.close()
    assert w is None or not w.failed
    values = [t.clone() for v in space.values() if isinstance(v, nn.Module) for t in v.state_dict().values()]
    return values, [f for f in findings if f.level != "H"]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("file", sorted(set(os.listdir(CORRECT)) - NOT_FOR_PYTORCH))
def test_correct_programs_compute_the_same_and_nothing_is_found(file):
    if not file.endswith(".py"):
        pytest.skip("no program")
    with open(os.path.join(CORRECT, file), encoding="utf-8") as f:
        source = re.sub(r"\bflambeau\b", "torch", f.read().replace("import flambeau as torch", "import torch"))
    (plain, _), (seen, found) = run(source, file, False), run(source, file, True)
    assert not found
    assert len(plain) == len(seen) and all(torch.equal(a, b) for a, b in zip(plain, seen))


def test_a_loader_is_followed():
    data = TensorDataset(torch.randn(64, 20, 6))

    def program():
        lstm = nn.LSTM(6, 32)
        for (x,) in DataLoader(data, batch_size=16):
            lstm(x)

    assert [f.code for f in watched(program)] == ["FB-SHAPE-07"]


def test_a_script_on_pytorch(tmp_path):
    (tmp_path / "train.py").write_text(
        "import torch\nassert not hasattr(torch, 'as_torch')\nfrom torch import nn, optim\n"
        "net = nn.Linear(4, 3); opt = optim.SGD(net.parameters(), 0.1)\n"
        "for _ in range(4):\n"
        "    nn.functional.cross_entropy(net(torch.randn(8, 4)), torch.randint(0, 3, (8,))).backward()\n"
        "    opt.step()\n"
    )
    done = subprocess.run([sys.executable, "-m", "flambeau", "doctor", "--torch", "train.py"], cwd=tmp_path,
                          capture_output=True, text=True)  # fmt: skip
    assert done.returncode == 1 and "FB-LOOP-01" in done.stdout, done.stderr
