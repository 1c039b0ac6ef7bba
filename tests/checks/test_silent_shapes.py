"""FB-SHAPE: shapes that fit and are wrong; and what must be left alone."""

import pytest
from checks.cases import Mistake, check, correct

SILENT = [
    Mistake(
        "FB-SHAPE-04",
        """
pred = nn.Linear(5, 1)(torch.randn(100, 5))
y = torch.randn(100)
loss = ((pred - y) ** 2).mean()  # HERE
loss.backward()
""",
        fix=[("pred - y", "pred.squeeze(1) - y", "pred.squeeze(1)")],
        says=("`pred - y` combined (100, 1) with (100,) into (100, 100)",),
        level="W",
    ),
    Mistake(
        "FB-SHAPE-04",
        """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.out = nn.Linear(3, 1)
    def forward(self, x):
        return self.out(x)
net = Net()
opt = optim.SGD(net.parameters(), lr=0.01)
def cost(p, t):
    return (t - p).abs().sum()  # HERE
for x, y in DataLoader(TensorDataset(torch.randn(32, 3), torch.randn(32)), batch_size=16):
    opt.zero_grad()
    cost(net(x), y).backward()
    opt.step()
""",
        fix=[("t - p", "t - p.squeeze(1)", "p.squeeze(1)")],
        says=("(16, 16)",),
    ),
    Mistake(
        "FB-SHAPE-04",
        "w = torch.ones(8, requires_grad=True)\ny = torch.randn(8).reshape(8, 1)\n"
        "torch.mean(torch.mul(w, y)).backward()  # HERE\n",
        fix=[("torch.mul(w, y)", "torch.mul(w, y.squeeze(1))", "y.squeeze(1)")],
    ),
    Mistake(
        "FB-SHAPE-05",
        """
x = torch.randn(8, 3, 32, 32)
nhwc = x.view(8, 32, 32, 3)  # HERE
gray = nhwc.mean(dim=-1)
""",
        "permute",
        [("x.view(8, 32, 32, 3)", "x.permute(0, 2, 3, 1)")],
        says=("view((8, 3, 32, 32) -> (8, 32, 32, 3)) of `x` does not move axes",),
        level="W",
    ),
    Mistake(
        "FB-SHAPE-05",
        """
lstm = nn.LSTM(6, 8, bidirectional=True, batch_first=True)
out, (h, c) = lstm(torch.randn(5, 7, 6))
last = torch.reshape(h, (5, 16))  # HERE
""",
        "merge",
        [("torch.reshape(h, (5, 16))", "h.transpose(0, 1).reshape(5, 16)", "h.transpose(...)")],
    ),
    Mistake(
        "FB-SHAPE-05",
        "def channels_last(images):\n    n, c, h, w = images.shape\n    return images.reshape(n, h, w, c)  # HERE\n"
        "channels_last(torch.rand(2, 3, 16, 20))\n",
        "permute",
        [("images.reshape(n, h, w, c)", "images.permute(0, 2, 3, 1)")],
    ),
    Mistake(
        "FB-SHAPE-07",
        """
loader = DataLoader(TensorDataset(torch.randn(64, 20, 6)), batch_size=16)
lstm = nn.LSTM(6, 32)
for (x,) in loader:
    out, (h, c) = lstm(x)  # HERE
""",
        fix=[("nn.LSTM(6, 32)", "nn.LSTM(6, 32, batch_first=True)", "batch_first=True")],
        says=("LSTM(batch_first=False) received (16, 20, 6) from a loader with batch size 16", "x.transpose(0, 1)"),
        level="W",
    ),
    Mistake(
        "FB-SHAPE-07",
        """
class Tagger(nn.Module):
    def __init__(self):
        super().__init__()
        self.emb, self.rnn = nn.Embedding(30, 8), nn.GRU(8, 8)
    def forward(self, ids):
        e = self.emb(ids)
        return self.rnn(e)[0]  # HERE
net = Tagger()
for ids, tags in DataLoader(TensorDataset(torch.randint(0, 30, (12, 5)), torch.zeros(12)), batch_size=4):
    net(ids)
""",
        fix=[("self.rnn(e)", "self.rnn(e.transpose(0, 1))", "e.transpose(0, 1)")],
    ),
    Mistake(
        "FB-SHAPE-07",
        """
layer = nn.TransformerEncoderLayer(8, 2, 16)
for (x,) in DataLoader(TensorDataset(torch.randn(12, 5, 8)), batch_size=4):
    layer(x)  # HERE
""",
        fix=[("8, 2, 16)", "8, 2, 16, batch_first=True)", "`batch_first=True` to TransformerEncoderLayer")],
    ),
    Mistake(
        "FB-SHAPE-03",
        """
net = nn.Linear(4, 1)
for (x,) in DataLoader(TensorDataset(torch.randn(9, 4)), batch_size=4):
    out = net(x).squeeze()  # HERE
""",
        "squeezed",
        [("squeeze()", "squeeze(1)", "squeeze(1)")],
        level="W",
        says=("a batch of one sample loses its batch dimension too",),
    ),
]


@pytest.mark.parametrize("mistake", SILENT, ids=lambda m: m.code)
def test_silent_mistakes(mistake):
    check(mistake)


RIGHT = [
    # outer products, distances, results that are not trained on
    "w = torch.ones(8, requires_grad=True)\n(w[:, None] * torch.randn(8)).sum().backward()",
    "w = torch.ones(8, requires_grad=True)\n(w.unsqueeze(1) - torch.randn(8)).sum().backward()",
    "x = torch.randn(8, 3, requires_grad=True)\ns = x * x\n(s.sum(1, keepdim=True) + s.sum(1)).sum().backward()",
    "p = nn.Linear(2, 1)(torch.randn(8, 2))\ntable = p - torch.randn(8)",
    "net = nn.Linear(5, 1)\n((net(torch.randn(9, 5)).squeeze(1) - torch.randn(9)) ** 2).mean().backward()",
    "net = nn.Linear(5, 1)\n((net(torch.randn(9, 5)) - torch.randn(9, 1)) ** 2).mean().backward()",
    "w, b = torch.ones(4, 3, requires_grad=True), torch.ones(3)\n(w + b).sum().backward()",
    # ordinary reshapes
    "x = torch.randn(8, 3, 32, 32)\nx.view(8, -1), x.flatten(1), x.view(-1, 96)\nx.permute(0, 2, 3, 1).reshape(-1, 3)",
    "x = torch.randn(4, 10, 64)\nx.view(4, 10, 8, 8).transpose(1, 2).reshape(4 * 8, 10, 8), x.view(40, 64)",
    "x = torch.randn(4, 6, 5, 7)\nx.view(4, 2, 3, 5, 7).transpose(1, 2).reshape(4, 6, 5, 7)",
    "torch.arange(24).view(2, 3, 4).view(4, 3, 2), torch.zeros(2, 3, 4).reshape(4, 3, 2), torch.arange(6).view(2, 3)",
    "torch.rand(2, 3).view(3, 2), torch.randn(4, 6).view(6, 4), torch.randn(12).view(3, 4)",
    "net = nn.Linear(6, 12)\nnet(torch.randn(5, 6)).view(5, 3, 4), net(torch.randn(5, 2, 6)).view(10, 12)",
    # time first on purpose
    "for (x,) in DataLoader(TensorDataset(torch.randn(8, 5, 3)), batch_size=4):\n    nn.LSTM(3, 4)(x.transpose(0, 1))",
    "for x, in DataLoader(TensorDataset(torch.randn(8, 5, 3)), 4):\n    nn.LSTM(3, 4, batch_first=True)(x)",
    "for (x,) in DataLoader(TensorDataset(torch.randn(8, 4, 3)), batch_size=4):\n    nn.LSTM(3, 4)(x)",
    "for (x,) in DataLoader(TensorDataset(torch.randn(8, 3)), batch_size=4):\n    nn.LSTM(3, 4)(x.unsqueeze(1))",
    "nn.LSTM(3, 4)(torch.randn(16, 20, 3))",
    # squeeze
    "for n in (4, 1):\n    torch.randn(n, 1, 3).squeeze(1)",
    "for n in (4, 3):\n    torch.randn(n, 1).squeeze()",
    "torch.randn(1, 3).squeeze(), torch.tensor([[2.0]]).squeeze()",
]


@pytest.mark.parametrize("program", RIGHT)
def test_right_programs_are_left_alone(program):
    correct(program)


FAR = [
    ("nn.Conv1d(3, 1, 3, padding=1)(torch.randn(5, 3, 7))", "torch.randn(5, 7)", "squeeze(1)", "unsqueeze(1)"),
    ("nn.Linear(3, 1)(torch.randn(6, 6, 3))", "torch.randn(6, 6)", "squeeze(2)", "unsqueeze(2)"),
    ("nn.Conv2d(3, 1, 4)(torch.randn(5, 3, 4, 4))", "torch.randn(5)", "squeeze((1, 2, 3))", "reshape((5, 1, 1, 1))"),
]


@pytest.mark.parametrize("pred, y, squeezed, widened", FAR)
def test_a_dimension_of_one_in_another_place(pred, y, squeezed, widened):
    program = f"pred, y = {pred}, {y}\nloss = (pred - y).pow(2).mean()  # HERE\nloss.backward()\n"
    for old, new in (("pred - y", f"pred.{squeezed} - y"), ("pred - y", f"pred - y.{widened}")):
        check(Mistake("FB-SHAPE-04", program, "column", [(old, new, squeezed, widened)], "W"))


def test_targets_made_a_column_far_away():
    check(Mistake("FB-SHAPE-04", """
net, x = nn.Linear(3, 1), torch.randn(9, 3)
y = torch.from_numpy(np.random.rand(9)).float().unsqueeze(1)
opt = optim.SGD(net.parameters(), 0.1)
for step in range(3):
    pred = net(x).squeeze(1)
    loss = ((pred - y) ** 2).mean()  # HERE
    opt.zero_grad(); loss.backward(); opt.step()
""", "column", [("pred - y", "pred - y.squeeze(1)", "y.squeeze(1)")], "W"))  # fmt: skip


def test_pairs_that_are_written_where_they_are():
    correct("""
centres, x = torch.randn(9, requires_grad=True), torch.randn(9)
((x[:, None] - centres) ** 2).mean().backward()
((x.unsqueeze(1) - centres) ** 2).min(1).values.mean().backward()
""")
