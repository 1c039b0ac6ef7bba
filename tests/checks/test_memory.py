"""FB-MEM-01 and 02: graphs of old steps that are kept, hooks registered again and again."""

import pytest
from checks.cases import Mistake, check, correct

MISTAKES = [
    Mistake(
        "FB-MEM-01",
        """
net, total = nn.Linear(64, 64), 0.0
for _ in range(50):
    loss = net(torch.randn(8, 64)).pow(2).mean()
    loss.backward()
    total = total + loss  # HERE
""",
        "accumulator",
        [("total = total + loss", "total = total + loss.item()")],
        says=("`total`", "5 earlier steps"),
    ),
    Mistake(
        "FB-MEM-01",
        """
class Trainer:
    def __init__(self):
        self.net = nn.Linear(4, 1); self.losses = []; self.opt = optim.SGD(self.net.parameters(), .01)
    def step(self, x):
        loss = self.net(x).pow(2).mean()
        self.opt.zero_grad(); loss.backward(); self.opt.step()
        self.losses.append(loss)  # HERE
t = Trainer()
for _ in range(20): t.step(torch.randn(8, 4))
""",
        "container",
        [("self.losses.append(loss)", "self.losses.append(loss.item())")],
    ),
    Mistake(
        "FB-MEM-01",
        """
net = nn.Linear(4, 1); history = {"loss": []}
def train(n):
    for i in range(n):
        loss = net(torch.randn(8, 4)).mean()
        loss.backward()
        history["loss"].append(loss)  # HERE
train(20)
""",
        "container",
        [('history["loss"].append(loss)', "history['loss'].append(loss.item())")],
    ),
    Mistake(
        "FB-MEM-01",
        """
net = nn.Linear(4, 1)
def epoch():
    running = 0
    for i in range(20):
        loss = net(torch.randn(8, 4)).pow(2).mean()
        running += loss  # HERE
        loss.backward(retain_graph=True)
    return running / 20
epoch()
""",
        "accumulator",
        [("running += loss", "running += loss.item()")],
    ),
    Mistake(
        "FB-MEM-02",
        """
net, log = nn.Linear(4, 4), []
for _ in range(20):
    net.register_forward_hook(lambda m, i, o: log.append(o))  # HERE
    net(torch.randn(2, 4))
""",
        "forward",
        [("net.register_forward_hook(", "handle = net.register_forward_hook(", "handle = "),
         ("    net(torch.randn(2, 4))", "    net(torch.randn(2, 4)); handle.remove()", "handle.remove()")],
    ),
    Mistake(
        "FB-MEM-02",
        """
w = torch.ones(3, requires_grad=True)
def step():
    w.register_hook(lambda g: g.clamp(-1, 1))  # HERE
    (w * 2).sum().backward()
for _ in range(8): step()
""",
        "gradient",
    ),
]  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES, ids=range(len(MISTAKES)))
def test_mistake(mistake):
    check(mistake)


FINE = [
    """
net = nn.Linear(4, 1); losses = []; total = 0
for i in range(30):
    loss = net(torch.randn(8, 4)).pow(2).mean(); loss.backward(); losses.append(loss.detach()); total += loss.item()
""",
    """
models = [nn.Linear(4, 1) for _ in range(12)]
losses = [m(torch.randn(8, 4)).mean() for m in models]
for loss in losses: loss.backward()
""",
    """
from collections import deque
net = nn.Linear(4, 1); recent = deque(maxlen=10)
for i in range(30):
    loss = net(torch.randn(8, 4)).pow(2).mean(); loss.backward(); recent.append(loss)
""",
    """
cell, h = nn.RNNCell(4, 8), torch.zeros(2, 8)
for window in range(10):
    h = h.detach()
    for step in range(12):
        h = cell(torch.randn(2, 4), h)
    h.pow(2).mean().backward()
""",
    """
net = nn.Sequential(*[nn.Linear(4, 4) for _ in range(9)])
for m in net: m.register_forward_hook(lambda m, i, o: None)
for _ in range(10):
    h = net.register_forward_hook(lambda m, i, o: None); net(torch.randn(2, 4)); h.remove()
for _ in range(6): net.register_forward_hook(lambda m, i, o: None)
""",
]


@pytest.mark.parametrize("program", FINE, ids=range(len(FINE)))
def test_fine(program):
    correct(program)
