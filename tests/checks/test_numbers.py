"""FB-NUM-01 to 04: losses and gradients that are not finite, reductions over nothing, the range of float16."""

import pytest
from checks.cases import Mistake, check, correct, run

from flambeau import doctor

MISTAKES = [
    Mistake(
        "FB-NUM-01",
        """
z = torch.tensor([[200., 0.]], requires_grad=True)
p = torch.softmax(z, dim=1)
loss = -torch.log(p)[0, 1]  # HERE
loss.backward(); print(z.grad)
""",
        "log0",
        [("p = torch.softmax(z, dim=1)\nloss = -torch.log(p)", "loss = -F.log_softmax(z, 1)", "F.log_softmax(")],
        says=("log (line 3) received 0 in 1 of 2 values of `p`",),
    ),
    Mistake(
        "FB-NUM-01",
        """
net = nn.Sequential(nn.Linear(4, 3), nn.ReLU())
opt = optim.SGD(net.parameters(), .1)
for i in range(2):
    out = net(torch.randn(8, 4))
    loss = -out.log().mean()  # HERE
    opt.zero_grad(); loss.backward(); opt.step()
""",
        "log0",
        [("out.log()", "out.clamp(min=1e-08).log()")],
    ),
    Mistake(
        "FB-NUM-01",
        """
class M(nn.Module):
    def __init__(self):
        super().__init__(); self.l = nn.Linear(4, 1)
    def forward(self, x):
        return torch.sigmoid(self.l(x) * 1000)
m = M(); y = torch.ones(8, 1)
p = m(torch.randn(8, 4))
loss = -(y * torch.log(p) + (1 - y) * torch.log(1 - p)).mean()  # HERE
loss.backward()
""",
        "log0",
        says=("`1 - p`",),
    ),
    Mistake(
        "FB-NUM-01",
        """
def normalise(h):
    mask = torch.zeros(4)
    return (h * mask).sum() / mask.sum()  # HERE
net = nn.Linear(4, 4)
loss = normalise(net(torch.randn(4)))
loss.backward()
""",
        "div0",
        [("(h * mask).sum() / mask.sum()", "(h * mask).sum() / (mask.sum() + 1e-08)")],
    ),
    Mistake(
        "FB-NUM-01",
        """
w = torch.full((2,), 100.0, requires_grad=True)
y = torch.exp(w)  # HERE
y.mean().backward()
""",
        "exp-overflow",
        [("torch.exp(w)", "torch.exp(w.clamp(max=80))")],
        says=("received 100 in 2 of 2 values of `w`",),
    ),
    Mistake(
        "FB-NUM-01",
        """
net = nn.Linear(4, 1)
loss = torch.sqrt(net(torch.randn(8, 4))).mean()  # HERE
loss.backward()
""",
        "sqrt-neg",
        [("torch.sqrt(net(torch.randn(8, 4)))", "torch.sqrt(net(torch.randn(8, 4)).clamp(min=1e-08))")],
    ),
    Mistake(
        "FB-NUM-01",
        """
net = nn.Linear(4, 1)
loss = (net(torch.randn(8, 4)) ** 0.5).mean()
loss.backward()
""",
        "pow",
        [("net(torch.randn(8, 4)) **", "net(torch.randn(8, 4)).clamp(min=1e-08) **")],
    ),
    Mistake(
        "FB-NUM-02",
        """
x = torch.tensor([0.0, 1.0], requires_grad=True)
y = torch.where(x > 0, x.sqrt(), torch.zeros_like(x)).sum()  # HERE
y.backward()
print(y, x.grad)
""",
        "where-branch",
        [("x.sqrt()", "(x + 1e-08).sqrt()")],
        says=("sqrt (line 2) at 0", "1 of 2 elements"),
    ),
    Mistake(
        "FB-NUM-02",
        """
net = nn.Linear(4, 3); opt = optim.SGD(net.parameters(), .1)
for i in range(3):
    d = net(torch.randn(8, 4)) * torch.zeros(8, 1)
    loss = torch.sqrt((d ** 2).sum(1)).mean()  # HERE
    opt.zero_grad(); loss.backward(); opt.step()
""",
        "sqrt",
        [("torch.sqrt((d ** 2).sum(1))", "torch.sqrt((d ** 2).sum(1) + 1e-08)")],
    ),
    Mistake(
        "FB-NUM-02",
        """
x = torch.tensor([1.0, 0.5], requires_grad=True)
def angle(c):
    return torch.acos(c).sum()  # HERE
angle(x).backward()
""",
        "acos",
        [("torch.acos(c)", "torch.acos(c.clamp(-0.999999, 0.999999))")],
    ),
    Mistake(
        "FB-NUM-03",
        """
net = nn.Linear(4, 4)
mask = torch.tensor([[1, 1, 0, 0], [0, 0, 0, 0]]).bool()
attn = torch.softmax(net(torch.randn(2, 4)).masked_fill(~mask, float("-inf")), dim=1)  # HERE
loss = attn.pow(2).sum()
loss.backward()
""",
        "masked-row",
        [('float("-inf")', "-1e9", "-1e9")],
        says=("1 of 2 rows", "row 1"),
    ),
    Mistake(
        "FB-NUM-03",
        """
scores = torch.randn(2, 4)
mask = torch.tensor([[1, 1, 0, 0], [0, 0, 0, 0]]).bool()
attn = torch.softmax(scores.masked_fill(~mask, float("-inf")), dim=1)  # HERE
print(attn[1])
""",
        "masked-row",
        [("print(attn", "attn = torch.nan_to_num(attn)\nprint(attn", "attn = torch.nan_to_num(attn)")],
    ),
    Mistake(
        "FB-NUM-03",
        """
net = nn.Linear(4, 3); y = torch.full((8,), -100)
criterion = nn.CrossEntropyLoss()
loss = criterion(net(torch.randn(8, 4)), y)  # HERE
loss.backward()
""",
        "ignored-targets",
        [("loss.backward()", "if (y != -100).any(): loss.backward()", "!= -100).any()")],
    ),
    Mistake(
        "FB-NUM-03",
        """
net = nn.Linear(4, 3)
out = net(torch.randn(8, 4))
loss = out[out > 100].mean()  # HERE
loss.backward()
""",
        "empty",
    ),
    Mistake(
        "FB-NUM-03",
        """
net = nn.Linear(4, 1)
def masked(p, t, m):
    return F.mse_loss(p[m], t[m])  # HERE
loss = masked(net(torch.randn(8, 4)), torch.randn(8, 1), torch.zeros(8, 1).bool())
loss.backward()
""",
        "empty",
    ),
    Mistake(
        "FB-NUM-03",
        """
class Attention(nn.Module):
    def __init__(self):
        super().__init__(); self.q = nn.Linear(8, 8); self.k = nn.Linear(8, 8); self.v = nn.Linear(8, 8)
    def forward(self, x, pad):
        s = self.q(x) @ self.k(x).transpose(-2, -1) / 8 ** 0.5
        s = s.masked_fill(pad[:, None, :], float("-inf"))
        w = s.softmax(dim=-1)  # HERE
        return w @ self.v(x)
a = Attention(); pad = torch.tensor([[False, True, True], [True, True, True]])
loss = a(torch.randn(2, 3, 8), pad).mean()
loss.backward()
""",
        "masked-row",
        [('float("-inf")', "-1e9", "-1e9")],
        says=("3 of 6 rows",),
    ),
    Mistake(
        "FB-NUM-04",
        """
w = nn.Parameter(torch.ones(16, 16).half())
out = torch.full((4, 16), 100.0).half() @ w
loss = (out * 100.0).float().mean()  # HERE
loss.backward()
""",
        "overflow",
    ),
    Mistake(
        "FB-NUM-01",
        """
def cosine(a, b):
    return (a * b).sum(1) / (a.norm(dim=1) * b.norm(dim=1))  # HERE
net = nn.Linear(4, 4, bias=False)
x = torch.randn(8, 4); x[3] = 0
loss = 1 - cosine(net(x), torch.randn(8, 4)).mean()
loss.backward()
""",
        "div0",
    ),
    Mistake(
        "FB-NUM-03",
        """
net = nn.Linear(4, 3)
out = net(torch.randn(1, 4))
loss = (out - out.std(0)).mean()  # HERE
loss.backward()
""",
        "one-value",
        [("out.std(0)", "out.std(0, correction=0)", "correction=0")],
    ),
    Mistake(
        "FB-NUM-04",
        """
x = torch.full((1, 4096), 8.0, dtype=torch.float16)
energy = (x * x).sum()  # HERE
""",
        "overflow",
        [("(x * x).sum()", "(x * x).sum(dtype=torch.float32)")],
        says=("262144", "65504"),
    ),
    Mistake(
        "FB-NUM-04",
        """
net = nn.Linear(4, 3).half()
opt = optim.Adam(net.parameters())  # HERE
""",
        "eps",
        [("net.parameters())", "net.parameters(), eps=1e-4)", "eps=1e-4")],
        level="W",
    ),
]


@pytest.mark.parametrize("mistake", MISTAKES, ids=range(len(MISTAKES)))
def test_mistake(mistake):
    check(mistake)


@pytest.mark.parametrize(
    "code, program",
    [(m.code, m.program) for m in MISTAKES if m.code in ("FB-NUM-01", "FB-NUM-02")],
    ids=range(sum(m.code in ("FB-NUM-01", "FB-NUM-02") for m in MISTAKES)),
)
def test_doctor_stops_before_the_step(code, program):
    outcome = run(program.strip("\n") + "\n", around=lambda: doctor.watch(quiet=True))
    assert getattr(outcome.error, "code", "") == code, repr(outcome.error)
    assert isinstance(outcome.error, RuntimeError)


def test_weights_that_a_nan_gradient_has_destroyed():
    outcome = run("""
net = nn.Linear(2, 1); opt = optim.SGD(net.parameters(), .01)
for i in range(60):
    loss = net(torch.ones(1, 2)).pow(2).mean()
    opt.zero_grad(); loss.backward()
    if i == 40:
        net.weight.grad.fill_(float("nan"))
    opt.step()
""")
    assert [f.code for f in outcome.findings if f.level == "W"] == ["FB-NUM-02"]
    assert "net.weight" in outcome.findings[-1].saw


FINE = [
    """
net = nn.Linear(4, 4)
scores = net(torch.randn(4, 4)) + torch.triu(torch.full((4, 4), float("-inf")), 1)
loss = torch.softmax(scores, -1).pow(2).sum()
loss.backward()
""",
    """
w = torch.zeros(3, requires_grad=True)
loss = w.log().sum()
if torch.isfinite(loss): loss.backward()
""",
    """
w = torch.full((3,), 300.0, requires_grad=True)
scaler = torch.amp.GradScaler("cpu"); opt = optim.SGD([w], .1)
for i in range(2):
    loss = torch.exp(w).sum()
    scaler.scale(loss).backward()
    scaler.step(opt); scaler.update()
""",
    """
scores = torch.randn(2, 4)
mask = torch.tensor([[1, 1, 0, 0], [0, 0, 0, 0]]).bool()
attn = torch.softmax(scores.masked_fill(~mask, float("-inf")), dim=1)
print(torch.where(mask.any(1, keepdim=True), attn, torch.zeros(())))
x = torch.full((1, 4096), 8.0, dtype=torch.float16)
print((x * x).sum(dtype=torch.float32), x.masked_fill(x > 1, float("-inf")).sum())
""",
    """
x = torch.tensor([0.0, 1.0], requires_grad=True)
y = torch.where(x > 0, torch.where(x > 0, x, 1.0).sqrt(), 0.0).sum()
y.backward()
""",
    """
net = nn.Linear(4, 3).half()
opt = optim.SGD(net.parameters(), 0.1)
""",
]


@pytest.mark.parametrize("program", FINE, ids=range(len(FINE)))
def test_fine(program):
    correct(program)


HALVES = [
    Mistake("FB-NUM-04", "eps = torch.tensor(1e-8, dtype=torch.float16)  # HERE\n", "underflow",
            [("1e-8", "1e-4", "1e-4")], says=("1e-08 is stored as 0 in float16",)),
    Mistake("FB-NUM-04", "big = torch.tensor(1e5, dtype=torch.float16)  # HERE\n", "overflow"),
    Mistake("FB-NUM-04", """
w = torch.ones(4, dtype=torch.float16, requires_grad=True)
h = torch.full((4,), 90000.).half()  # HERE
(h * w).sum().backward()
""", "cast", says=("inf of 4 of 4 values: they reach 90000",)),
    Mistake("FB-NUM-04", """
x = torch.ones(2, dtype=torch.float16, requires_grad=True)
n = x / ((x - x).sum() + 1e-8)  # HERE
n.sum().backward()
""", "underflow", [("1e-8", "1e-4", "1e-4")]),
]  # fmt: skip


@pytest.mark.parametrize("mistake", HALVES, ids=lambda m: m.cause)
def test_range_of_float16(mistake):
    check(mistake)


def test_mean_of_float16_needs_no_room_for_the_sum():
    outcome = run("x = torch.full((64,), 40000., dtype=torch.float16)\nm, n = x.mean(), x.view(8, 8).mean(1)\n")
    assert outcome.error is None and outcome.findings == []
    assert outcome.names["m"].item() == 40000 and outcome.names["n"].tolist() == [40000] * 8


def test_constants_of_float16():
    correct("""
mask = torch.tensor(float("-inf"), dtype=torch.float16)
zero, one = torch.tensor(0.0, dtype=torch.float16), torch.tensor(0.1, dtype=torch.float16)
x = torch.full((4,), float("inf")).half()
""")
