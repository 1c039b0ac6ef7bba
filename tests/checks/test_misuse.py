"""Calls that cannot work: of backward, in-place operations, views, modules, losses, optimizers and files."""

import pytest
from checks.cases import Mistake, check, correct

GRAPHS = [
    Mistake(
        "FB-GRAD-01",
        "pred = nn.Linear(3, 1)(torch.randn(8, 3))\nloss = (pred - torch.zeros(8, 1)) ** 2\nloss.backward()  # HERE\n",
        "",
        [("loss.backward()", "loss.mean().backward()")],
        says=("grad can be implicitly created only for scalar outputs", "PowBackward0, has shape (8, 1)"),
    ),
    Mistake(
        "FB-GRAD-01",
        "criterion = nn.MSELoss(reduction='none')\nw = torch.ones(4, requires_grad=True)\n"
        "criterion(w, torch.zeros(4)).backward()  # HERE\n",
        "",
        [(".backward()", ".mean().backward()")],
    ),
    Mistake(
        "FB-INPL-01",
        "w = torch.zeros(3, requires_grad=True)\n(w - 1).pow(2).sum().backward()\nw -= 0.1 * w.grad  # HERE\n",
        "update",
        [("w -= 0.1 * w.grad", "with torch.no_grad(): w -= 0.1 * w.grad")],
        says=("a leaf Variable that requires grad is being used in an in-place operation.",),
    ),
    Mistake(
        "FB-INPL-01",
        "net = nn.Linear(2, 1)\nnet(torch.ones(1, 2)).sum().backward()\nfor p in net.parameters():\n"
        "    p.add_(p.grad, alpha=-0.1)  # HERE\n",
        "update",
        [("p.add_(p.grad, alpha=-0.1)", "with torch.no_grad(): p.add_(p.grad, alpha=-0.1)")],
    ),
    Mistake(
        "FB-INPL-01",
        "w = nn.Parameter(torch.zeros(3))\nw.zero_()  # HERE\n",
        "change",
        [("w.zero_()", "with torch.no_grad(): w.zero_()")],
    ),
    Mistake(
        "FB-INPL-03",
        "x = torch.randn(2, 3, 4)\nt = x.transpose(1, 2)\nt.view(2, 12)  # HERE\n",
        "transposed",
        [("t.view(2, 12)", "t.reshape(2, 12)")],
        says=("view size is not compatible", "was transposed on line 2"),
    ),
    Mistake(
        "FB-INPL-03",
        "def flat(maps):\n    return maps.permute(0, 2, 3, 1).view(2, -1)  # HERE\nflat(torch.ones(2, 3, 4, 5))\n",
        "permuted",
        [(".view(2, -1)", ".reshape(2, 60)")],
    ),
]
MODULES = [
    Mistake(
        "FB-MOD-06",
        """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 2)
    def forward(self, x):
        y = self.fc(x)
F.cross_entropy(Net()(torch.randn(3, 4)), torch.tensor([0, 1, 0]))  # HERE
""",
        fix=[("y = self.fc(x)\n", "y = self.fc(x)\n        return y\n", "return y")],
        says=("argument 'input' (position 1) must be Tensor, not NoneType", "Net.forward has no return statement"),
    ),
    Mistake(
        "FB-MOD-06",
        """
class Block(nn.Module):
    def forward(self, x):
        x = x * 2
net = nn.Sequential(Block(), nn.ReLU(), nn.Linear(2, 2))
net(torch.ones(1, 2))  # HERE
""",
        fix=[("x = x * 2\n", "x = x * 2\n        return x\n", "return x")],
    ),
    Mistake("FB-MOD-04", "net = nn.Linear(4, 2)\nnet.test()  # HERE\n", fix=[("net.test()", "net.eval()")]),
    Mistake("FB-MOD-04", "net = nn.Linear(4, 2)\nnet.freeze()  # HERE\n",
            fix=[("net.freeze()", "net.requires_grad_(False)")]),
    Mistake("FB-MOD-04", "net = nn.Linear(4, 2)\nprint(net.wieght)  # HERE\n", fix=[("net.wieght", "net.weight")]),
    Mistake("FB-MOD-04", "net = nn.Linear(4, 2)\nnet.predict(torch.ones(1, 4))  # HERE\n",
            fix=[("net.predict(", "net(", "`net(x)`")]),
    Mistake(
        "FB-LOSS-10",
        "x, y = torch.randn(8, 3, requires_grad=True), torch.randint(0, 3, (8,))\n"
        "loss = nn.CrossEntropyLoss(x, y)  # HERE\nloss.backward()\n",
        "built-with-data",
        [("nn.CrossEntropyLoss(x, y)", "nn.CrossEntropyLoss()(x, y)")],
        says=("Boolean value of Tensor with more than one value is ambiguous",),
    ),
    Mistake(
        "FB-LOSS-10",
        "out = nn.Linear(2, 1)(torch.ones(3, 2))\nloss = nn.MSELoss(out, torch.ones(3, 1))  # HERE\n",
        "built-with-data",
        [("nn.MSELoss(out, torch.ones(3, 1))", "nn.MSELoss()(out, torch.ones(3, 1))")],
    ),
    Mistake(
        "FB-OPT-01",
        """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.parts = [nn.Linear(4, 4)]
    def forward(self, x):
        return self.parts[0](x)
opt = optim.SGD(Net().parameters(), lr=0.1)  # HERE
""",
        "plain-list",
        [("[nn.Linear(4, 4)]", "nn.ModuleList([nn.Linear(4, 4)])", "nn.ModuleList")],
        says=("optimizer got an empty parameter list", "Net.parts is a plain list of 1 module(s)"),
    ),
    Mistake(
        "FB-OPT-01",
        "net = nn.Linear(2, 2)\nps = net.parameters()\nprint(len(list(ps)))\nopt = optim.Adam(ps)  # HERE\n",
        "used-up",
        [("ps = net.parameters()", "ps = list(net.parameters())", "list(model.parameters())")],
    ),
    Mistake(
        "FB-OPT-01",
        "net = nn.Linear(2, 2).requires_grad_(False)\n"
        "opt = optim.Adam(filter(lambda p: p.requires_grad, net.parameters()))  # HERE\n",
        "frozen",
    ),
    Mistake(
        "FB-OPT-01",
        """
class Line(nn.Module):
    def __init__(self):
        super().__init__()
        self.slope = torch.zeros(1, requires_grad=True)
model = Line()
opt = optim.SGD(model.parameters(), lr=0.1)  # HERE
""",
        "plain-tensor",
        [("torch.zeros(1, requires_grad=True)", "nn.Parameter(torch.zeros(1))", "self.slope = nn.Parameter(")],
    ),
    Mistake(
        "FB-OPT-07",
        "opt = optim.SGD(nn.Linear(2, 1).parameters(), 0.1)\n"
        'scheduler = optim.lr_scheduler.ReduceLROnPlateau(opt, "min")\nval_loss = 1.0\nopt.step()\n'
        "scheduler.step()  # HERE\n",
        "",
        [("scheduler.step()", "scheduler.step(val_loss)")],
        says=("ReduceLROnPlateau.step() missing 1 required positional argument: 'metrics'",),
    ),
    Mistake("FB-OPT-07", "opt = optim.LBFGS(nn.Linear(2, 1).parameters())\nopt.step()  # HERE\n",
            says=("LBFGS.step() missing 1 required positional argument: 'closure'", "`optimizer.step(closure)`")),
]  # fmt: skip
FILES = [
    Mistake(
        "FB-SAVE-03",
        'saved = {"module." + k: v for k, v in nn.Linear(2, 1).state_dict().items()}\nnet = nn.Linear(2, 1)\n'
        "net.load_state_dict(saved)  # HERE\n",
        "prefix",
        [("load_state_dict(saved)", 'load_state_dict({k.removeprefix("module."): v for k, v in saved.items()})',
          '{k.removeprefix("module."): v for k, v in saved.items()}')],
        says=("Error(s) in loading state_dict for Linear:", "all 2 keys match once 'module.' is removed"),
    ),
    Mistake(
        "FB-SAVE-03",
        "saved = nn.Linear(2, 1).state_dict()\nnet = nn.Sequential(nn.Linear(2, 1))\n"
        "net.load_state_dict(saved)  # HERE\n",
        "prefix",
        [("load_state_dict(saved)", 'load_state_dict({"0." + k: v for k, v in saved.items()})',
          '{"0." + k: v for k, v in saved.items()}')],
    ),
    Mistake("FB-SAVE-03", "net = nn.Linear(2, 1)\nnet.load_state_dict('model.pt')  # HERE\n", "path",
            says=("Expected state_dict to be dict-like, got <class 'str'>.", "torch.load('model.pt')")),
    Mistake(
        "FB-SAVE-03",
        "old, net = nn.Linear(2, 1), nn.Linear(2, 1)\nnet.load_state_dict(old)  # HERE\n",
        "whole-object",
        [("(old)", "(old.state_dict())", "net.load_state_dict(old.state_dict())")],
    ),
    Mistake(
        "FB-SAVE-03",
        "net = nn.Linear(2, 1)\ndata = {'epoch': 3, 'model': net.state_dict()}\nnet.load_state_dict(data)  # HERE\n",
        "nested",
        [("(data)", "(data['model'])", "data['model']")],
    ),
    Mistake(
        "FB-SAVE-03",
        "def build(n):\n    return nn.Sequential(nn.Linear(2, 3), nn.Linear(3, n))\nsaved = build(5).state_dict()\n"
        "build(4).load_state_dict(saved)  # HERE\n",
        "size",
        says=("only the last layer, `1`", "(5, 3) in the file and (4, 3) here"),
    ),
    Mistake(
        "FB-SAVE-03",
        "a = nn.Sequential()\na.fc1 = nn.Linear(2, 2)\nb = nn.Sequential()\nb.fc = nn.Linear(2, 2)\n"
        "saved = b.state_dict()\na.load_state_dict(saved)  # HERE\n",
        "renamed",
        [("(saved)", "({k.replace('fc', 'fc1'): v for k, v in saved.items()})",
          "{k.replace('fc', 'fc1'): v for k, v in saved.items()}")],
    ),
]  # fmt: skip


@pytest.mark.parametrize("mistake", GRAPHS, ids=lambda m: m.code)
def test_graphs(mistake):
    assert isinstance(check(mistake).error, RuntimeError)


@pytest.mark.parametrize("mistake", MODULES, ids=lambda m: f"{m.code} {m.cause}")
def test_modules(mistake):
    base = {"FB-MOD-06": TypeError, "FB-MOD-04": AttributeError, "FB-LOSS-10": RuntimeError, "FB-OPT-01": ValueError,
            "FB-OPT-07": TypeError}[mistake.code]  # fmt: skip
    assert isinstance(check(mistake).error, base)


@pytest.mark.parametrize("mistake", FILES, ids=lambda m: m.cause)
def test_files(mistake):
    assert isinstance(check(mistake).error, (RuntimeError, TypeError))


def test_what_is_right_stays_so():
    correct("""
w = torch.ones(3, requires_grad=True)
(w * 2).backward(gradient=torch.ones(3))
nn.CrossEntropyLoss(torch.ones(3)), nn.BCEWithLogitsLoss(pos_weight=torch.ones(3)), nn.NLLLoss(weight=torch.ones(2))
net = nn.Linear(2, 1)
assert not hasattr(net, "test") and getattr(net, "nothing", 5) == 5
net.load_state_dict(nn.Linear(2, 1).state_dict())
torch.ones(2, 3).T.reshape(6)
""")
