"""FB-DTYPE: float64 from NumPy, whole numbers where floats are needed, overflow, masks as indices."""

import pytest
from checks.cases import Mistake, check, correct, run

FLOATS = [
    Mistake(
        "FB-DTYPE-01",
        "x = torch.from_numpy(np.random.rand(8, 4))\nnet = nn.Linear(4, 1)\nnet(x)  # HERE\n",
        "numpy",
        [("net(x)", "x = x.float(); net(x)", "x = x.float()")],
        says=("must have the same dtype, but got Double and Float", "`net.weight` is float32, but `x` is float64",
              "a NumPy array (line 1)"),
    ),
    Mistake(
        "FB-DTYPE-01",
        "data = np.ones((2, 1, 8, 8))\nimages = torch.tensor(data)\nprint(nn.Conv2d(1, 2, 3)(images).shape)  # HERE\n",
        "numpy",
        [("(images)", "(images.float())", "images.float()")],
        says=("Input type (double) and bias type (float) should be the same",),
    ),
    Mistake(
        "FB-DTYPE-01",
        """
class Rows(Dataset):
    def __len__(self): return 4
    def __getitem__(self, i): return np.full(3, i / 2), i
net = nn.Linear(3, 2)
for x, y in DataLoader(Rows(), batch_size=2):
    net(x)  # HERE
""",
        "loader",
        [("net(x)", "net(x.float())", "x.float()")],
    ),
    Mistake(
        "FB-DTYPE-01",
        "a, b = torch.ones(2, 3, dtype=torch.float64), torch.ones(3, 2)\nc = a @ b  # HERE\n",
        "mixed",
        [("a @ b", "a.float() @ b", "a.float()")],
    ),
    Mistake(
        "FB-DTYPE-01",
        "net = nn.Linear(3, 2).double()\nnet(torch.ones(1, 3))  # HERE\n",
        "mixed",
        [("torch.ones(1, 3)", "torch.ones(1, 3).double()")],
    ),
    Mistake("FB-DTYPE-01", "nn.LSTM(3, 2)(torch.ones(4, 2, 3).double())  # HERE\n"),
    Mistake("FB-DTYPE-01", "torch.bmm(torch.ones(1, 2, 3), torch.ones(1, 3, 2).double())  # HERE\n", "mixed"),
]  # fmt: skip
WHOLE = [
    Mistake(
        "FB-DTYPE-02",
        "img = torch.randint(0, 256, (4, 1, 8, 8), dtype=torch.uint8)\nconv = nn.Conv2d(1, 2, 3)\nconv(img)  # HERE\n",
        "image",
        [("conv(img)", "conv(img.float() / 255)", "img.float() / 255")],
        says=("Input type (unsigned char) and bias type (float) should be the same", "`img` is uint8 with values "),
    ),
    Mistake(
        "FB-DTYPE-02",
        "def step(net, x):\n    return net(x)  # HERE\nstep(nn.Linear(2, 1), torch.tensor([[0, 1], [1, 0]]))\n",
        "integers",
        [("net(x)", "net(x.float())", "x.float()")],
    ),
    Mistake(
        "FB-DTYPE-02",
        "ids = torch.tensor([[3, 17, 99]])\nnn.Linear(3, 8)(ids)  # HERE\n",
        "ids",
        [("nn.Linear(3, 8)(ids)", "nn.Embedding(100, 8)(ids)", "nn.Embedding(100, ")],
    ),
    Mistake(
        "FB-DTYPE-02",
        "x = torch.arange(4)\nprint(x.mean())  # HERE\n",
        "integers",
        [("x.mean()", "x.float().mean()")],
        says=("mean(): could not infer output dtype.",),
    ),
    Mistake("FB-DTYPE-02", "torch.arange(4).std()  # HERE\n", "integers"),
    Mistake("FB-DTYPE-02", "torch.arange(4).softmax(0)  # HERE\n", "integers", says=("torch.arange(4).float()",)),
    Mistake(
        "FB-DTYPE-02",
        "w = torch.tensor([1, 2], requires_grad=True)  # HERE\n",
        "integers",
        [("[1, 2]", "[1.0, 2.0]", "`1.0` instead of `1`")],
        says=("Only Tensors of floating point and complex dtype can require gradients",),
    ),
    Mistake("FB-DTYPE-02", "w = torch.ones(2).long()\nw.requires_grad_()  # HERE\n", "integers"),
    Mistake("FB-DTYPE-02", "torch.ones(2, 3) @ torch.ones(3, 2).long()  # HERE\n", "integers"),
]  # fmt: skip


@pytest.mark.parametrize("mistake", FLOATS)
def test_floats(mistake):
    assert isinstance(check(mistake).error, (RuntimeError, ValueError))


@pytest.mark.parametrize("mistake", WHOLE)
def test_whole_numbers(mistake):
    assert isinstance(check(mistake).error, RuntimeError)


def test_one_dtype_is_nothing():
    correct("""
net = nn.Linear(3, 2).double()
net(torch.from_numpy(np.ones((4, 3))))
torch.arange(4).sum(), torch.arange(4).float().mean()
""")
    assert run("torch.ones(2).requires_grad_()\n").error is None


SILENT = [
    Mistake(
        "FB-DTYPE-01",
        """
net = nn.Linear(3, 1)
y = torch.from_numpy(np.random.rand(8, 1))
pred = net(torch.randn(8, 3))
loss = F.mse_loss(pred, y)  # HERE
loss.backward()
""",
        "promoted",
        [("F.mse_loss(pred, y)", "F.mse_loss(pred, y.float())", "y = y.float()")],
        level="W",
        says=("a NumPy array (line 2)",),
    ),
    Mistake(
        "FB-DTYPE-01",
        "w = torch.ones(4, requires_grad=True)\nt = torch.tensor(np.ones(4))\n(w - t).abs().sum().backward()  # HERE\n",
        "promoted",
        [("(w - t)", "(w - t.float())", "t = t.float()")],
    ),
    Mistake(
        "FB-DTYPE-03",
        """
img = torch.full((2, 2), 250, dtype=torch.uint8)
bright = img + 10  # HERE
""",
        "overflow",
        [("img + 10", "img.float() + 10")],
        level="W",
        says=("overflowed for 4 of 4 elements (250 + 10 = 260 is stored as 4)",),
    ),
    Mistake(
        "FB-DTYPE-03",
        "def difference(a, b):\n    return torch.sub(a, b)  # HERE\n"
        "difference(torch.tensor([3], dtype=torch.uint8), torch.tensor([5], dtype=torch.uint8))\n",
        "overflow",
        [("torch.sub(a, b)", "a.float() - b", "a.float() - b")],
        says=("3 - 5 = -2 is stored as 254",),
    ),
    Mistake("FB-DTYPE-03", "x = torch.tensor([100], dtype=torch.int8)\ny = x * x  # HERE\n", says=("-128..127",)),
    Mistake(
        "FB-DTYPE-04",
        """
scores = torch.tensor([0.9, 0.1, 0.8, 0.2])
mask = (scores > 0.5).long()
picked = scores[mask]  # HERE
""",
        "mask",
        [("scores[mask]", "scores[mask.bool()]", "mask.bool()")],
        level="W",
        says=("used the integers [1, 0, 1, 0] as row numbers",),
    ),
    Mistake(
        "FB-DTYPE-04",
        "rows = torch.rand(5, 3)\nkeep = rows.sum(1).gt(1).to(torch.int64)\n"
        "def select(x, m):\n    return x.index_select(0, m)  # HERE\nselect(rows, keep)\n",
        "mask",
    ),
    Mistake(
        "FB-DEV-02",
        "x = torch.ones(4, 3)\nx.double()  # HERE\nprint(x.sum())\n",
        fix=[("x.double()", "x = x.double()")],
        level="W",
        says=("`x` is still float32 on cpu",),
    ),
    Mistake(
        "FB-DEV-02",
        "def prepare(batch):\n    batch.to('meta')  # HERE\n    return batch * 2\nprepare(torch.ones(2))\n",
        fix=[("batch.to('meta')", "batch = batch.to('meta')")],
    ),
]  # fmt: skip


@pytest.mark.parametrize("mistake", SILENT, ids=lambda m: m.code)
def test_silent_mistakes(mistake):
    check(mistake)


RIGHT = [
    "torch.set_default_dtype(torch.float64)\nw = torch.ones(3, requires_grad=True)\n"
    "(w.float() * torch.from_numpy(np.ones(3))).sum().backward()",
    "w = torch.ones(2, requires_grad=True, dtype=torch.float64)\n(w.float() * torch.from_numpy(np.ones(2))).sum()",
    "a = torch.ones(3) * torch.from_numpy(np.ones(3))",  # nothing is trained
    "w = torch.ones(3, requires_grad=True)\n(w * torch.from_numpy(np.ones(3)).float()).sum().backward()",
    "x = torch.tensor([250], dtype=torch.uint8)\n(x + 10) % 16, (x + 10) & 15, x + 5, x.int() + 10",
    "m = torch.tensor([1, 0, 1], dtype=torch.uint8)\nm * m, m - m",
    "x, y = torch.rand(4), torch.tensor([0, 1, 1, 0])\nx[y], x[(x > 0.5)], x[(x > 2).long()[:2]]",
    "table = torch.rand(2, 3)\nflags = (torch.rand(2) > 0.5).long()\ntable[flags]",
    "x = torch.ones(3)\nx = x.double()\ny = x.float().sum()",
    "net = nn.Linear(2, 1)\nnet.to('cpu')\nnet.float()\nnet(torch.ones(1, 2))",
    "x = torch.ones(3)\nx.float()\nx.to('cpu')\nprint(x)",  # nothing to convert
]


@pytest.mark.parametrize("program", RIGHT)
def test_right_programs_are_left_alone(program):
    correct(program)


OTHERS = [
    Mistake("FB-DTYPE-04", """
v = torch.rand(8)
flags = torch.where(v > 0.5, 1, 0)
print(torch.index_select(v, 0, flags))  # HERE
""", "mask"),
    Mistake("FB-DEV-02", """
x = torch.randn(6, 2).double()
x.float()
print(nn.Linear(2, 2)(x))  # HERE
""", fix=[("x.float()", "x = x.float()")], says=("`x.float()` on line 2 returned a new tensor",)),
    Mistake("FB-DEV-02", """
labels = torch.tensor([0., 1., 2.])
labels.long()
F.cross_entropy(torch.randn(3, 3, requires_grad=True), labels)  # HERE
""", fix=[("labels.long()", "labels = labels.long()")]),
]  # fmt: skip


@pytest.mark.parametrize("mistake", OTHERS, ids=lambda m: m.code)
def test_other_forms(mistake):
    check(mistake)
