"""FB-INPL-02, 04 and 05: values that were overwritten although somebody needs them."""

import pytest
from checks.cases import Mistake, check, correct

MISTAKES = [
    Mistake(
        "FB-INPL-02",
        """
x = torch.randn(4, requires_grad=True)
y = torch.sigmoid(x)
y.mul_(2)
y.sum().backward()  # HERE
""",
        fix=[("y.mul_(2)", "y = y * 2")],
        says=("sigmoid (line 2)", "`y.mul_(2)` (line 3)"),
    ),
    Mistake(
        "FB-INPL-02",
        """
class Net(nn.Module):
    def __init__(self):
        super().__init__(); self.a = nn.Linear(4, 4); self.b = nn.Linear(4, 1)
    def forward(self, x):
        h = self.a(x)
        s = h ** 2
        h[:, 0] = 0
        return self.b(s + h)
net = Net()
loss = net(torch.randn(3, 4)).mean()
loss.backward()
""",
        fix=[("h[:, 0] = 0", "h = h.clone(); h[:, 0] = 0")],
        says=("pow (line 6)", "`h[:, 0] = 0` (line 7)"),
    ),
    Mistake(
        "FB-INPL-02",
        """
net = nn.Sequential(nn.Linear(4, 4), nn.Sigmoid())
out = net(torch.randn(3, 4))
out += 1
out.mean().backward()
""",
        fix=[("out += 1", "out = out + 1")],
        says=("sigmoid (line 2)", "`out += 1` (line 3)"),
    ),
    Mistake(
        "FB-INPL-02",
        """
x = torch.randn(4, requires_grad=True); m = torch.ones(4)
y = x * m
m.mul_(0)
y.sum().backward()
""",
        fix=[("m.mul_(0)", "m = m * 0")],
        says=("(line 2)", "`m.mul_(0)` (line 3)"),
    ),
    Mistake(
        "FB-INPL-02",
        """
w = torch.randn(4, 4, requires_grad=True); v = torch.randn(4, 1, requires_grad=True)
loss = ((torch.randn(3, 4) @ w) @ v).mean()
with torch.no_grad():
    v -= 0.1
loss.backward()
""",
        says=("`v -= 0.1` (line 4)",),
    ),
    Mistake(
        "FB-INPL-02",
        """
x = torch.randn(4, requires_grad=True)
y = torch.sigmoid(x)
z = nn.ReLU(inplace=True)(y)
z.sum().backward()
""",
        fix=[("nn.ReLU(inplace=True)", "nn.ReLU()", "without `inplace=True`")],
        says=("(line 2)", "(line 3)"),
    ),
    Mistake(
        "FB-INPL-02",
        """
net = nn.Sequential(nn.Linear(4, 4), nn.Tanh(), nn.Linear(4, 1)); opt = optim.SGD(net.parameters(), .1)
out = net(torch.randn(3, 4))
a, b = out.mean(), out.pow(2).mean()
a.backward(retain_graph=True)
opt.step()
b.backward()
""",
        "optimizer-step",
        says=("`net.2.weight`", "optimizer.step()"),
    ),
    Mistake(
        "FB-INPL-05",
        """
x = torch.randn(4, requires_grad=True)
y = x.exp()
y.data.mul_(0)
y.sum().backward()  # HERE
""",
        ".data",
        [("y.data.mul_(0)", "y = y * 0")],
        says=("exp (line 2)", "`y.data.mul_(0)` (line 3)"),
    ),
    Mistake(
        "FB-INPL-05",
        """
def f(x):
    h = torch.tanh(x)
    z = h.detach()
    z += 1
    return h.sum()
x = torch.randn(4, requires_grad=True)
f(x).backward()
""",
        "detach",
        [("z += 1", "z = z + 1")],
        says=("`z += 1` (line 4)",),
    ),
    Mistake(
        "FB-INPL-05",
        """
net = nn.Sequential(nn.Linear(4, 4), nn.Tanh(), nn.Linear(4, 1))
loss = net(torch.randn(3, 4)).pow(2).mean()
for p in net.parameters():
    p.data *= 0.5
loss.backward()
""",
        ".data",
        says=("(line 4)",),
    ),
]


@pytest.mark.parametrize("mistake", MISTAKES, ids=range(len(MISTAKES)))
def test_overwritten(mistake):
    outcome = check(mistake)
    assert str(outcome.error).startswith("one of the variables needed for gradient computation has been modified by")


NOT_NEEDED = [
    """
net = nn.Linear(4, 1); ema = copy.deepcopy(net); opt = optim.SGD(net.parameters(), .1)
nn.init.zeros_(net.bias)
for i in range(3):
    loss = net(torch.randn(3, 4)).pow(2).mean()
    opt.zero_grad(); loss.backward(); opt.step()
    for p in net.parameters(): p.data.clamp_(-0.1, 0.1)
    for a, b in zip(ema.parameters(), net.parameters()): a.data.mul_(.9).add_(b.data, alpha=.1)
""",
    """
x = torch.randn(4, requires_grad=True)
y = x.exp()
z = y.detach().clone(); z.mul_(0)
y.sum().backward()
""",
    """
x = torch.randn(4, requires_grad=True)
y = x + 1
y.data.mul_(0)
y.sum().backward()
""",
]


@pytest.mark.parametrize("program", NOT_NEEDED, ids=range(len(NOT_NEEDED)))
def test_not_needed(program):
    correct(program)


# ---------------------------------------------------------------------- FB-INPL-04

SHARED = [
    Mistake(
        "FB-INPL-04",
        """
buf, frames = np.zeros((2, 3), dtype=np.float32), []
for i in range(3):
    buf[:] = i
    frames.append(torch.from_numpy(buf))  # HERE
print(frames[0])
""",
        fix=[("torch.from_numpy(buf)", "torch.from_numpy(buf.copy())")],
        level="W",
        says=("`buf`",),
    ),
    Mistake(
        "FB-INPL-04",
        """
class Camera:
    def __init__(self):
        self.image = np.zeros((4, 4), np.float32)
    def read(self, n):
        self.image += n + 1
        return torch.as_tensor(self.image)  # HERE
camera = Camera()
batch = torch.stack([camera.read(i) for i in range(4)])
""",
        fix=[("torch.as_tensor(self.image)", "torch.tensor(self.image)")],
    ),
    Mistake(
        "FB-INPL-04",
        """
frame = np.zeros(6, dtype=np.float32)
before = torch.from_numpy(frame)
frame[:] = 1
after = torch.from_numpy(frame)  # HERE
print((after - before).abs().sum())
""",
        fix=[("torch.from_numpy(frame)", "torch.from_numpy(frame.copy())")],
    ),
]


@pytest.mark.parametrize("mistake", SHARED, ids=range(len(SHARED)))
def test_shared_buffer(mistake):
    check(mistake)


NOT_SHARED = [
    """
buf = np.zeros((2, 3), dtype=np.float32)
for i in range(5):
    buf[:] = i
    x = torch.from_numpy(buf)
    y = x.sum()
""",
    """
data = np.random.rand(10, 3).astype(np.float32)
rows = [torch.from_numpy(data[i]) for i in range(10)]
again = [torch.from_numpy(data[i]) for i in range(10)]
""",
    """
a = np.zeros(3)
x, y = torch.from_numpy(a), torch.from_numpy(a)
x += 1
z = torch.from_numpy(a)
print(x + y + z)
""",
    """
class Data(Dataset):
    def __init__(self): self.x = np.random.rand(8, 3).astype(np.float32)
    def __len__(self): return 8
    def __getitem__(self, i): return self.x[i], i
for x, y in DataLoader(Data(), batch_size=2):
    x.sum()
""",
    """
def act(state):
    return torch.from_numpy(state).sum().item()
state = np.zeros(4, np.float32)
for i in range(20):
    state += 1
    act(state)
""",
]


@pytest.mark.parametrize("program", NOT_SHARED, ids=range(len(NOT_SHARED)))
def test_not_shared(program):
    correct(program)


# ---------------------------------------------------------------------- the same mistakes, written in other ways

OTHERS = [
    Mistake("FB-INPL-02", """
mask, lin = torch.ones(4), nn.Linear(4, 4)
h = lin(torch.ones(2, 4)) * mask
mask.zero_()
h.sum().backward()  # HERE
""", "in-place", [("mask.zero_()", "mask = torch.zeros_like(mask)")], says=("`mask.zero_()` (line 3)",)),
    Mistake("FB-INPL-05", """
net = nn.Sequential(nn.Linear(3, 3), nn.Tanh(), nn.Linear(3, 1))
out = net(torch.randn(2, 3))
net[2].weight.data.mul_(0.5)
out.sum().backward()  # HERE
""", ".data", [("net[2].weight.data.mul_(0.5)\nout.sum().backward()",
                "out.sum().backward()\nnet[2].weight.data.mul_(0.5)", "below backward()")]),
    Mistake("FB-INPL-04", """
net = nn.Linear(2, 1); opt = optim.SGD(net.parameters(), 0.1); history = []
for _ in range(5):
    opt.zero_grad(); net(torch.ones(3, 2)).pow(2).mean().backward(); opt.step()
    history.append(net.weight.detach().numpy())  # HERE
print(np.stack(history))
""", "shared-tensor", [("net.weight.detach().numpy()", "net.weight.detach().numpy().copy()")]),
]  # fmt: skip


@pytest.mark.parametrize("mistake", OTHERS, ids=lambda m: f"{m.code} {m.cause}")
def test_other_forms(mistake):
    check(mistake)


def test_arrays_that_are_looked_at_and_let_go():
    correct("""
net = nn.Linear(2, 1); opt = optim.SGD(net.parameters(), 0.1); outs, norms = [], []
for _ in range(5):
    opt.zero_grad(); net(torch.ones(3, 2)).pow(2).mean().backward(); opt.step()
    w = net.weight.detach().numpy()
    norms.append(np.linalg.norm(w)); outs.append(net(torch.ones(3, 2)).detach().numpy())
""")
