"""doctor.examine: each mistake that it is to find before training, and that nothing is changed by it."""

import random

import numpy as np
import pytest
from checks.cases import Mistake, check

import flambeau as torch
from flambeau import doctor, nn, optim
from flambeau.checks import collect
from flambeau.checks.log import log
from flambeau.utils.data import DataLoader, TensorDataset


def examined(outcome):
    """Run `examine` on what a program has left under the usual names."""
    n = outcome.names
    outcome.report = doctor.examine(
        n["net"], n["data"], n.get("loss_fn"), n.get("opt"), validation=n.get("val"), forward=n.get("forward")
    )


def mistake(code, program, **more):
    """A mistake that `examine` finds."""
    return Mistake(code, program, after=examined, **more)


MISTAKES = [
    mistake(
        "FB-INIT-01",
        """
net = nn.Sequential(*[m for _ in range(12) for m in (nn.Linear(32, 32), nn.Sigmoid())], nn.Linear(32, 1))
data, loss_fn = (torch.randn(16, 32), torch.ones(16, 1)), F.mse_loss
""",
        cause="vanishing",
        fix=[("nn.Sigmoid()", "nn.ReLU()")],
        says=("model[0].weight", "13 layers"),
    ),
    mistake(
        "FB-INIT-01",
        """
class Deep(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(16, 16) for _ in range(4)])
        for layer in self.layers: nn.init.normal_(layer.weight, std=1.2)
    def forward(self, x):
        for layer in self.layers: x = torch.tanh(layer(x * 4))
        return x.sum(1, keepdim=True)
net, data, loss_fn = Deep(), (torch.randn(64, 16), torch.randn(64, 1)), nn.MSELoss()
""",
        cause="saturated",
    ),
    mistake(
        "FB-INIT-02",
        """
net = nn.Sequential(*[m for _ in range(20) for m in (nn.Linear(64, 64), nn.ReLU())], nn.Linear(64, 1))
for m in net:
    if isinstance(m, nn.Linear): nn.init.normal_(m.weight, std=0.5)
data, loss_fn = torch.randn(8, 64), lambda out: out.pow(2).mean()
""",
        fix=[("nn.init.normal_(m.weight, std=0.5)", "nn.init.kaiming_normal_(m.weight)", "nn.init.kaiming_normal_")],
    ),
    mistake(
        "FB-INIT-03",
        """
net = nn.Sequential(nn.Linear(8, 64), nn.ReLU(), nn.Linear(64, 1))
with torch.no_grad(): net[0].bias.fill_(-10.0)
data, loss_fn = torch.randn(256, 8), lambda out: out.sum()
""",
        fix=[("fill_(-10.0)", "fill_(0.0)", "bias of 0")],
        says=("64 of 64 units", "-10"),
    ),
    mistake(
        "FB-INIT-04",
        """
net = nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, 1))
for p in net.parameters(): nn.init.constant_(p, 0.5)
data, loss_fn = (torch.randn(32, 8), torch.randn(32, 1)), nn.MSELoss()
""",
        cause="symmetric",
        fix=[
            (
                "nn.init.constant_(p, 0.5)",
                "p.ndim > 1 and nn.init.xavier_uniform_(p)",
                "nn.init.xavier_uniform_(model[0].weight)",
            )
        ],
    ),
    mistake(
        "FB-INIT-04",
        """
net = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 1))
for p in net.parameters(): p.data.zero_()
data, loss_fn = (torch.randn(32, 8), torch.randn(32, 1)), nn.MSELoss()
""",
        cause="all-zero",
    ),
    mistake(
        "FB-MOD-07",
        """
net = nn.Sequential(nn.Linear(10, 64), nn.Linear(64, 64), nn.Linear(64, 1))
x = torch.randn(32, 10)
data, loss_fn = (x, x.prod(1, keepdim=True)), F.mse_loss
""",
        level="W",
        fix=[("nn.Linear(64, 64),", "nn.ReLU(), nn.Linear(64, 64), nn.ReLU(),", "nn.ReLU()")],
    ),
    mistake(
        "FB-LOOP-07",
        """
class Net(nn.Module):
    def __init__(self): super().__init__(); self.a, self.b = nn.Linear(8, 16), nn.Linear(16, 3)
    def forward(self, x):
        return self.b(torch.relu(self.a(torch.zeros_like(x))))
net, data, loss_fn = Net(), (torch.randn(64, 8), torch.randint(0, 3, (64,))), nn.CrossEntropyLoss()
""",
        cause="ignores-input",
        fix=[("torch.zeros_like(x)", "x", "zeros_like(x)")],
    ),
    mistake(
        "FB-OPT-03",
        """
net = nn.Sequential(nn.Linear(8, 64), nn.ReLU(), nn.Linear(64, 1))
opt = optim.SGD(net.parameters(), lr=10.0)
data, loss_fn = (torch.randn(64, 8), torch.randn(64, 1)), nn.MSELoss()
""",
        fix=[("lr=10.0", "lr=0.1")],
    ),
    mistake(
        "FB-OPT-02",
        """
net = nn.Linear(8, 2)
opt = optim.Adam(net.parameters(), 1e-3)
net = nn.Linear(8, 2)
data, loss_fn = (torch.randn(16, 8), torch.zeros(16).long()), F.cross_entropy
""",
        cause="stale",
    ),
    mistake(
        "FB-OPT-02",
        """
net = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 2))
opt = optim.SGD(net[0].parameters(), 0.1)
data, loss_fn = (torch.randn(16, 8), torch.randint(0, 2, (16,))), nn.CrossEntropyLoss()
""",
        cause="missing",
        fix=[("net[0].parameters()", "net.parameters()", "optim.SGD(model.parameters(), ...)")],
    ),
    mistake(
        "FB-GRAD-04",
        """
class Net(nn.Module):
    def __init__(self): super().__init__(); self.enc, self.dec = nn.Linear(4, 8), nn.Linear(8, 2)
    def forward(self, x):
        h = self.enc(x).detach()  # HERE
        return self.dec(h)
net, data, loss_fn = Net(), (torch.randn(16, 4), torch.randn(16, 2)), nn.MSELoss()
""",
        cause="cut",
        fix=[(".detach()", "", "no `.detach()`")],
    ),
    mistake(
        "FB-MOD-01",
        """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.blocks = [nn.Linear(8, 8) for _ in range(3)]
        self.head = nn.Linear(8, 2)
    def forward(self, x):
        for block in self.blocks: x = torch.relu(block(x))
        return self.head(x)
net, data, loss_fn = Net(), (torch.randn(16, 8), torch.randint(0, 2, (16,))), nn.CrossEntropyLoss()
""",
        fix=[
            (
                "[nn.Linear(8, 8) for _ in range(3)]",
                "nn.ModuleList([nn.Linear(8, 8) for _ in range(3)])",
                "self.blocks = nn.ModuleList(",
            )
        ],
    ),
    mistake(
        "FB-DATA-02",
        """
net = nn.Sequential(nn.Linear(784, 64), nn.ReLU(), nn.Linear(64, 10))
x = torch.randint(0, 256, (256, 784)).float()
data, loss_fn = TensorDataset(x, torch.randint(0, 10, (256,))), nn.CrossEntropyLoss()
""",
    ),
    mistake(
        "FB-DATA-03",
        """
mean, std = 0.1307, 0.3081
data = TensorDataset((torch.rand(512, 784) - mean) / std, torch.randint(0, 10, (512,)))
val = TensorDataset(torch.rand(128, 784), torch.randint(0, 10, (128,)))
net, loss_fn = nn.Linear(784, 10), nn.CrossEntropyLoss()
""",
        cause="scale",
        fix=[("torch.rand(128, 784)", "(torch.rand(128, 784) - mean) / std", "same normalisation")],
    ),
    mistake(
        "FB-DATA-03",
        """
class Noisy(Dataset):
    def __init__(self, x, y): self.x, self.y = x, y
    def __len__(self): return len(self.x)
    def __getitem__(self, i): return self.x[i] + 0.1 * torch.randn(8), self.y[i]
x, y = torch.randn(160, 8), torch.randint(0, 2, (160,))
data, val = Noisy(x[:80], y[:80]), Noisy(x[80:], y[80:])
net, loss_fn = nn.Linear(8, 2), nn.CrossEntropyLoss()
""",
        cause="random",
    ),
    mistake(
        "FB-DATA-04",
        """
x = torch.randn(64, 6); x[5, 2] = float("nan")
data, net, loss_fn = (x, torch.randn(64, 1)), nn.Linear(6, 1), nn.MSELoss()
""",
    ),
    mistake(
        "FB-DATA-06",
        """
x, y = torch.randn(1000, 8), torch.arange(10).repeat_interleave(100)
data = DataLoader(TensorDataset(x, y), batch_size=50)  # HERE
net, loss_fn = nn.Linear(8, 10), nn.CrossEntropyLoss()
""",
        fix=[("batch_size=50", "batch_size=50, shuffle=True")],
    ),
    mistake(
        "FB-DATA-07",
        """
x, y = torch.randn(200, 6), torch.randint(0, 2, (200,))
data, val = TensorDataset(x[:160], y[:160]), TensorDataset(x[120:], y[120:])
net, loss_fn = nn.Linear(6, 2), nn.CrossEntropyLoss()
""",
        says=("40 of 80", "120 to 159"),
        fix=[("x[120:], y[120:]", "x[160:], y[160:]", "do not overlap")],
    ),
    mistake(
        "FB-DATA-07",
        """
from flambeau.utils.data import Subset
whole = TensorDataset(torch.randn(100, 4), torch.randint(0, 2, (100,)))
data, val = Subset(whole, range(0, 80)), Subset(whole, range(70, 100))
net, loss_fn = nn.Linear(4, 2), nn.CrossEntropyLoss()
""",
        says=("10 of 30",),
    ),
    mistake(
        "FB-DATA-08",
        """
y = torch.zeros(1000, dtype=torch.long); y[:13] = 1
data = TensorDataset(torch.randn(1000, 4), y[torch.randperm(1000)])
net, loss_fn = nn.Linear(4, 2), nn.CrossEntropyLoss()
""",
        level="H",
        says=("98.7 %", "0.987"),
        fix=[
            (
                "nn.CrossEntropyLoss()",
                "nn.CrossEntropyLoss(weight=torch.tensor([1.0, 70.0]))",
                "CrossEntropyLoss(weight=",
            )
        ],
    ),
    mistake(
        "FB-DATA-08",
        """
data, net, loss_fn = TensorDataset(torch.randn(50, 4), torch.zeros(50).long()), nn.Linear(4, 2), nn.CrossEntropyLoss()
""",
        cause="single-class",
        level="W",
    ),
    mistake(
        "FB-DATA-09",
        """
net = nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 2))
data = DataLoader(TensorDataset(torch.randn(33, 6), torch.randn(33, 2)), batch_size=16, shuffle=True)  # HERE
loss_fn = nn.MSELoss()
""",
        fix=[("batch_size=16", "batch_size=16, drop_last=True")],
    ),
    mistake(
        "FB-DATA-10",
        """
class Aug(Dataset):
    def __init__(self): self.rng = np.random.default_rng(0)
    def __len__(self): return 8
    def __getitem__(self, i): return torch.randn(3) + self.rng.normal(), torch.zeros(1)
data = DataLoader(Aug(), batch_size=2, num_workers=1)  # HERE
net, loss_fn = nn.Linear(3, 1), nn.MSELoss()
""",
        says=("Aug.rng",),
    ),
    mistake(
        "FB-SHAPE-07",
        """
class Net(nn.Module):
    def __init__(self): super().__init__(); self.rnn, self.head = nn.GRU(6, 32), nn.Linear(32, 1)
    def forward(self, x): return self.head(self.rnn(x)[0][:, -1])
net, loss_fn = Net(), nn.MSELoss()
data = DataLoader(TensorDataset(torch.randn(64, 20, 6), torch.randn(64, 1)), batch_size=16)
""",
        fix=[("nn.GRU(6, 32)", "nn.GRU(6, 32, batch_first=True)", "batch_first=True")],
    ),
    mistake(
        "FB-MOD-03",
        """
class Net(nn.Module):
    def __init__(self): super().__init__(); self.a = nn.Linear(6, 8)
    def forward(self, x): return nn.Linear(8, 1)(torch.relu(self.a(x)))
net, data, loss_fn = Net(), (torch.randn(32, 6), torch.randn(32, 1)), nn.MSELoss()
""",
    ),
    mistake(
        "FB-MOD-06",
        """
class Net(nn.Module):
    def __init__(self): super().__init__(); self.a = nn.Linear(6, 1)
    def forward(self, x): self.a(x)
net, data, loss_fn = Net(), (torch.randn(32, 6), torch.randn(32, 1)), nn.MSELoss()
""",
        fix=[("self.a(x)", "return self.a(x)", "`return`")],
    ),
    mistake(
        "FB-DATA-01",
        """
class Pairs(Dataset):
    def __len__(self): return 40
    def __getitem__(self, i):
        if i != 20: return torch.zeros(3), torch.zeros(1)
net, data, loss_fn = nn.Linear(3, 1), DataLoader(Pairs(), batch_size=4), nn.MSELoss()
""",
        level="E",
    ),
    mistake(
        "FB-INIT-03",
        """
net = nn.Sequential(nn.Conv2d(1, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 36, 2))
net[0].bias.data.fill_(-20.0)
data = DataLoader(TensorDataset(torch.randn(64, 1, 8, 8), torch.randn(64, 2)), batch_size=8)
loss_fn = F.mse_loss
""",
    ),
    mistake(
        "FB-INIT-03",
        """
net = nn.Sequential(nn.Linear(8, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Linear(32, 2))
net[1].bias.data.fill_(-9.0)
data = DataLoader(TensorDataset(torch.randn(512, 8), torch.randn(512, 2)), batch_size=64, shuffle=True)
loss_fn = F.mse_loss
""",
        level="W",
    ),
    mistake(
        "FB-NUM-01",
        """
class Net(nn.Module):
    def __init__(self): super().__init__(); self.a = nn.Linear(6, 2)
    def forward(self, x): return torch.log(torch.softmax(self.a(x) * 1000, 1))
net, data, loss_fn = Net(), (torch.randn(32, 6), torch.randint(0, 2, (32,))), nn.NLLLoss()
""",
        level="E",
    ),
    mistake(
        "FB-NUM-02",
        """
class Net(nn.Module):
    def __init__(self): super().__init__(); self.a = nn.Linear(6, 4)
    def forward(self, x): return (self.a(x) * 0).pow(2).sum(1).sqrt()
net, data, loss_fn = Net(), (torch.randn(8, 6), torch.randn(8)), nn.MSELoss()
""",
    ),
    mistake(
        "FB-LOSS-03",
        """
net, loss_fn = nn.Linear(6, 4), nn.CrossEntropyLoss()
data = (torch.randn(8, 6), torch.arange(8))
""",
        level="E",
    ),
    mistake(
        "FB-DTYPE-02",
        """
net, loss_fn = nn.Linear(6, 4), lambda out: out.mean()
data = torch.randint(0, 9, (8, 6))
""",
        level="E",
    ),
    mistake(
        "FB-SHAPE-02",
        """
net, loss_fn = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU()), lambda out: out.mean()
data = torch.rand(4, 28, 28, 3)
""",
        level="E",
    ),
    mistake(
        "FB-LOSS-01",
        """
class Net(nn.Module):
    def __init__(self): super().__init__(); self.a, self.b = nn.Linear(6, 16), nn.Linear(16, 4)
    def forward(self, x): return F.softmax(self.b(torch.tanh(self.a(x))), dim=1)
net, loss_fn = Net(), nn.CrossEntropyLoss()
data = (torch.randn(32, 6), torch.randint(0, 4, (32,)))
""",
    ),
    mistake(
        "FB-REPRO-01",
        """
net = nn.Linear(4, 2)
torch.manual_seed(0)  # HERE
data, loss_fn = (torch.randn(8, 4), torch.randn(8, 2)), nn.MSELoss()
""",
        level="H",
        cause="late",
    ),
    mistake(
        "FB-GRAD-07",
        """
class Cube(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x): ctx.save_for_backward(x); return x ** 3
    @staticmethod
    def backward(ctx, g): return g * 2 * ctx.saved_tensors[0]
cube = Cube.apply
class Net(nn.Module):
    def __init__(self): super().__init__(); self.a, self.b = nn.Linear(4, 8), nn.Linear(8, 1)
    def forward(self, x): return self.b(cube(self.a(x)))
net, data, loss_fn = Net(), (torch.randn(16, 4), torch.randn(16, 1)), nn.MSELoss()
""",
        fix=[("g * 2 * ctx.saved_tensors[0]", "g * 3 * ctx.saved_tensors[0] ** 2", "check the formula")],
    ),
    mistake(
        "FB-INIT-03",
        """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(8, 32), nn.Linear(32, 2)
        nn.init.constant_(self.a.bias, -50)
    def forward(self, x): return self.b(F.relu(self.a(x)))
net, data, loss_fn = Net(), (torch.randn(32, 8), torch.randint(0, 2, (32,))), nn.CrossEntropyLoss()
""",
        level="W",
        fix=[("-50", "0", "bias of 0")],
    ),
    mistake(
        "FB-INIT-04",
        """
net = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
for m in net:
    if isinstance(m, nn.Linear): nn.init.normal_(m.weight, std=1e-4)
data, loss_fn = (torch.randn(64, 64), torch.randint(0, 10, (64,))), nn.CrossEntropyLoss()
""",
        cause="scale",
        level="W",
        fix=[("nn.init.normal_(m.weight, std=1e-4)", "nn.init.kaiming_normal_(m.weight)", "nn.init.kaiming_normal_(")],
    ),
    mistake(
        "FB-INIT-04",
        """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.w, self.b = nn.Parameter(torch.empty(4, 2)), nn.Parameter(torch.zeros(2))  # HERE
    def forward(self, x): return x @ self.w + self.b
net, data, loss_fn = Net(), (torch.randn(64, 4), torch.randint(0, 2, (64,))), nn.CrossEntropyLoss()
""",
        cause="uninitialised",
    ),
    mistake(
        "FB-INIT-02",
        """
net = nn.Sequential(*[m for _ in range(10) for m in (nn.Conv2d(8, 8, 3, padding=1), nn.ReLU())], nn.Flatten(),
                    nn.Linear(8 * 64, 2))
for m in net:
    if isinstance(m, nn.Conv2d): nn.init.normal_(m.weight, 0, 0.5)
data, loss_fn = (torch.randn(8, 8, 8, 8), torch.randint(0, 2, (8,))), nn.CrossEntropyLoss()
""",
    ),
    mistake(
        "FB-LOOP-07",
        """
class Net(nn.Module):
    def __init__(self): super().__init__(); self.emb, self.out = nn.Embedding(10, 16), nn.Linear(16, 2)
    def forward(self, ids): return self.out(self.emb(torch.ones_like(ids)).mean(1))
net, data, loss_fn = Net(), (torch.randint(0, 10, (64, 5)), torch.randint(0, 2, (64,))), nn.CrossEntropyLoss()
""",
    ),
    mistake(
        "FB-OPT-03",
        """
net = nn.Sequential(nn.Linear(8, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 1))
opt = optim.Adam(net.parameters(), lr=5.0)
data, loss_fn = (torch.randn(64, 8), torch.randn(64, 1)), nn.MSELoss()
""",
        fix=[("lr=5.0", "lr=0.05")],
    ),
    mistake(
        "FB-LOOP-06",
        """
net = nn.Sequential(nn.Linear(20, 50), nn.Tanh(), nn.Linear(50, 10))
nn.init.normal_(net[2].weight, std=3.0)
data, loss_fn = (torch.randn(256, 20), torch.randint(0, 10, (256,))), F.cross_entropy
""",
    ),
    mistake(
        "FB-DATA-05",
        """
x, y = torch.randn(200, 3), torch.randint(0, 2, (200,))
first, second = random.sample(range(200), 200), random.sample(range(200), 200)
data = TensorDataset(x[first], y[second])  # HERE
net, loss_fn = nn.Linear(3, 2), nn.CrossEntropyLoss()
""",
    ),
    mistake(
        "FB-DATA-08",
        """
y = torch.zeros(500, 1); y[:6] = 1.0
net, data, loss_fn = nn.Linear(4, 1), TensorDataset(torch.randn(500, 4), y), nn.BCEWithLogitsLoss()
""",
        level="H",
    ),
    mistake(
        "FB-DATA-08",
        "net, data, loss_fn = nn.Linear(4, 3), (torch.randn(300, 4), torch.zeros(300).long()), nn.CrossEntropyLoss()\n",
        cause="single-class",
        level="W",
    ),
    mistake(
        "FB-DATA-09",
        """
loader = DataLoader(TensorDataset(torch.randn(21, 3, 8, 8), torch.randn(21, 1)), batch_size=10)
pool = nn.AdaptiveAvgPool2d(1)
net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), pool, nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(4, 1))
data, loss_fn = loader, nn.MSELoss()
""",
    ),
    mistake(
        "FB-DATA-10",
        """
class Noise(Dataset):
    def __init__(self, seed): self.tools = {"rng": np.random.RandomState(seed)}
    def __len__(self): return 16
    def __getitem__(self, i): return torch.tensor(self.tools["rng"].randn(4), dtype=torch.float32), torch.zeros(1)
net, data, loss_fn = nn.Linear(4, 1), DataLoader(Noise(3), batch_size=4, num_workers=2), nn.MSELoss()
""",
        says=("Noise.tools['rng']",),
    ),
    mistake(
        "FB-DATA-10",
        """
rng = np.random.default_rng(7)
class Noisy(Dataset):
    def __init__(self): self.x = torch.randn(16, 4)
    def __len__(self): return 16
    def __getitem__(self, i): return self.x[i] + float(rng.normal()), torch.zeros(1)
net, data, loss_fn = nn.Linear(4, 1), DataLoader(Noisy(), batch_size=4, num_workers=2), nn.MSELoss()
""",
        says=("`rng`", "Noisy.__getitem__"),
    ),
    mistake(
        "FB-LOOP-08",
        """
net, data = nn.Linear(4, 1), (torch.randn(64, 4), torch.randn(64, 1))
def loss_fn(output, target): return -F.mse_loss(output, target)
""",
        cause="sign",
        fix=[("-F.mse", "F.mse", "remove the minus")],
    ),
]


@pytest.mark.parametrize("case", MISTAKES, ids=lambda m: m.code)
def test_found_before_training(case):
    check(case)


def test_every_layer_that_does_not_fit_is_named():
    net = nn.Sequential(
        nn.Conv2d(3, 16, 3, padding=1), nn.ReLU(), nn.Linear(16384, 10), nn.ReLU(), nn.Linear(11, 5), nn.BatchNorm1d(6)
    )
    x, y = torch.randn(8, 3, 32, 32), torch.zeros(8).long()
    report = doctor.examine(net, (x, y), nn.CrossEntropyLoss())
    places = [f.place.split(" = ")[0] for f in report.findings if f.level == "E"]
    assert sorted(places) == ["net[2]", "net[4]", "net[5]"]


def test_errors_of_the_users_code_are_findings():
    class Broken(nn.Module):
        def forward(self, x):
            return x + missing  # noqa: F821

    report = doctor.examine(Broken(), torch.randn(4, 2), lambda out: out.sum())
    assert [f.level for f in report.findings] == ["E"]
    assert "NameError" in report.findings[0].saw and "missing" in report.findings[0].site.source
    assert "NameError" in str(report)


def everything(net, opt, loader, rng):
    """All that an examination could change, as plain bytes."""
    tensors = [*net.parameters(), *net.buffers(), *[p.grad for p in net.parameters() if p.grad is not None]]
    state = [v for s in opt.state.values() for v in s.values()]
    return (
        [t.detach().numpy().tobytes() for t in tensors],
        [np.asarray(v).tobytes() for v in state],
        [sorted(m.__dict__) for m in net.modules()],
        [m.training for m in net.modules()],
        [p._version for p in net.parameters()],
        [g["lr"] for g in opt.param_groups],
        torch.get_rng_state().numpy().tobytes(),
        loader.generator.get_state().numpy().tobytes(),
        str(np.random.get_state()),
        random.getstate(),
        str(rng.bit_generator.state),
        (log.steps, log.backwards, len(log.events)),
        torch.is_grad_enabled(),
    )


def test_nothing_is_changed():
    rng = np.random.default_rng(3)

    class Noisy(TensorDataset):
        def __init__(self, *tensors):
            super().__init__(*tensors)
            self.rng, self.read = rng, []

        def __getitem__(self, i):
            self.read.append(i)
            return self.tensors[0][i] + self.rng.normal() + random.random() + np.random.rand(), self.tensors[1][i]

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.body = nn.Sequential(nn.Linear(6, 16), nn.BatchNorm1d(16), nn.Dropout(0.5), nn.ReLU())
            self.head, self.calls, self.seen = nn.Linear(16, 3), 0, []
            self.last = None

        def forward(self, x):
            self.calls += 1
            self.seen.append(x.shape)
            self.last = x
            return self.head(self.body(x))

    net = Net()
    opt = optim.Adam(net.parameters(), 0.01)
    x, y = torch.randn(64, 6), torch.randint(0, 3, (64,))
    nn.functional.cross_entropy(net(x), y).backward()
    opt.step()
    net.body[1].eval()
    dataset = Noisy(x, y)
    loader = DataLoader(dataset, batch_size=16, shuffle=True, generator=torch.Generator().manual_seed(5))
    before = everything(net, opt, loader, rng)
    with collect():
        report = doctor.examine(net, loader, nn.CrossEntropyLoss(), opt, validation=dataset)
    assert everything(net, opt, loader, rng) == before
    assert (net.calls, len(net.seen), dataset.read) == (1, 1, []) and net.last is x
    assert report.facts["loss"] > 0


def test_a_second_look_sees_the_same():
    net = nn.Sequential(nn.Linear(6, 16), nn.Dropout(0.5), nn.ReLU(), nn.Linear(16, 1))
    data = (torch.randn(32, 6), torch.randn(32, 1))
    first = doctor.examine(net, data, nn.MSELoss())
    second = doctor.examine(net, data, nn.MSELoss())
    assert first.facts["loss"] == second.facts["loss"] and first.codes() == second.codes()
