"""FB-GRAD-02 to 04: graphs used twice, losses and parameters that are cut off."""

import pytest
from checks.cases import Mistake, check, correct, run

# ---------------------------------------------------------------------- FB-GRAD-02

USED_TWICE = [
    Mistake(
        "FB-GRAD-02",
        """
cell, h = nn.RNNCell(4, 8), torch.zeros(2, 8)
for step in range(2):
    h = cell(torch.randn(2, 4), h)
    h.pow(2).mean().backward()  # HERE
""",
        "carried-state",
        [("    h = cell(", "    h = h.detach()\n    h = cell(", "h = h.detach()")],
        says=("`h`", "line 3"),
    ),
    Mistake(
        "FB-GRAD-02",
        """
lstm, head = nn.LSTM(4, 8, batch_first=True), nn.Linear(8, 1)
opt = optim.SGD([*lstm.parameters(), *head.parameters()], 0.1)
def train():
    state = (torch.zeros(1, 2, 8), torch.zeros(1, 2, 8))
    for step in range(3):
        out, state = lstm(torch.randn(2, 5, 4), state)
        loss = head(out).pow(2).mean()
        opt.zero_grad()
        loss.backward()  # HERE
        opt.step()
train()
""",
        "carried-state",
        [
            (
                "        loss = head",
                "        state = tuple(s.detach() for s in state)\n        loss = head",
                "state = tuple(s.detach() for s in state)",
            )
        ],
        says=("`state`", "line 6"),
    ),
    Mistake(
        "FB-GRAD-02",
        """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.cell, self.h = nn.GRUCell(4, 8), torch.zeros(2, 8)
    def forward(self, x):
        self.h = self.cell(x, self.h)
        return self.h
net = Net()
for i in range(3):
    loss = net(torch.randn(2, 4)).mean()
    loss.backward()  # HERE
""",
        "carried-state",
        [
            (
                "        self.h = self.cell",
                "        self.h = self.h.detach()\n        self.h = self.cell",
                "self.h = self.h.detach()",
            )
        ],
        says=("`self.h`", "line 6"),
    ),  # fmt: skip
    Mistake(
        "FB-GRAD-02",
        """
net = nn.Sequential(nn.Linear(4, 4), nn.Tanh(), nn.Linear(4, 1))
total = 0
for i in range(3):
    loss = net(torch.randn(2, 4)).pow(2).mean()
    total += loss
    total.backward()
""",
        "carried-state",
        [
            (
                "    total += loss\n    total.backward()",
                "    loss.backward()\n    total += loss.item()",
                "total += loss.item()",
            )
        ],
        says=("`total`", "line 5"),
    ),
    Mistake(
        "FB-GRAD-02",
        """
enc, head = nn.Sequential(nn.Linear(4, 4), nn.Tanh()), nn.Linear(4, 1)
emb = enc(torch.randn(8, 4))
for i in range(3):
    loss = head(emb).pow(2).mean()
    loss.backward()
""",
        "carried-state",
        [("for i", "emb = emb.detach()\nfor i", "emb = emb.detach()")],
        says=("`emb`", "line 2"),
    ),
    Mistake(
        "FB-GRAD-02",
        """
cell, h = nn.RNNCell(4, 8), torch.zeros(2, 8)
h = cell(torch.randn(2, 4), h)
h.pow(2).mean().backward()
h = cell(torch.randn(2, 4), h)
h.pow(2).mean().backward()  # HERE
""",
        "carried-state",
    ),
    Mistake(
        "FB-GRAD-02",
        """
net = nn.Sequential(nn.Linear(4, 4), nn.Tanh(), nn.Linear(4, 1))
loss = net(torch.randn(2, 4)).pow(2).mean()
loss.backward()
print(loss)
loss.backward()  # HERE
""",
        "called-twice",
        [("loss.backward()\nprint", "loss.backward(retain_graph=True)\nprint", "loss.backward(retain_graph=True)")],
        says=("line 3", "line 5"),
    ),
    Mistake(
        "FB-GRAD-02",
        """
enc, a, b = nn.Sequential(nn.Linear(4, 4), nn.Tanh()), nn.Linear(4, 1), nn.Linear(4, 1)
z = enc(torch.randn(8, 4))
loss_a = a(z).pow(2).mean()
loss_b = b(z).pow(2).mean()
loss_a.backward()
loss_b.backward()  # HERE
""",
        "shared-subgraph",
        [("loss_a.backward()\nloss_b.backward()", "(loss_a + loss_b).backward()")],
        says=("`z`", "line 5"),
    ),
    Mistake(
        "FB-GRAD-02",
        """
G, D = nn.Sequential(nn.Linear(4, 4), nn.Tanh()), nn.Sequential(nn.Linear(4, 1), nn.Sigmoid())
og, od = optim.SGD(G.parameters(), .1), optim.SGD(D.parameters(), .1)
for i in range(2):
    fake = G(torch.randn(8, 4))
    d_loss = F.binary_cross_entropy(D(fake), torch.zeros(8, 1))
    od.zero_grad(); d_loss.backward(); od.step()
    g_loss = F.binary_cross_entropy(D(fake), torch.ones(8, 1))
    og.zero_grad(); g_loss.backward(); og.step()  # HERE
""",
        "shared-subgraph",
        [("D(fake), torch.zeros", "D(fake.detach()), torch.zeros", "fake.detach()")],
        says=("`fake`",),
    ),
]


@pytest.mark.parametrize("mistake", USED_TWICE, ids=range(len(USED_TWICE)))
def test_used_twice(mistake):
    check(mistake)


def test_used_twice_keeps_the_known_sentence():
    outcome = run("x = torch.ones(3, requires_grad=True)\ny = (x * x).sum()\ny.backward()\ny.backward()\n")
    assert isinstance(outcome.error, RuntimeError)
    assert str(outcome.error).startswith("Trying to backward through the graph a second time")


# ---------------------------------------------------------------------- FB-GRAD-03

NO_PATH = [
    Mistake(
        "FB-GRAD-03",
        """
net = nn.Linear(4, 2)
out = net(torch.randn(8, 4))
loss = torch.tensor(F.mse_loss(out, torch.zeros(8, 2)).item())
loss.backward()  # HERE
""",
        "item/float",
        [("torch.tensor(F.mse_loss(out, torch.zeros(8, 2)).item())", "F.mse_loss(out, torch.zeros(8, 2))")],
        says=("`.item()`", "line 3"),
    ),
    Mistake(
        "FB-GRAD-03",
        """
net = nn.Linear(4, 1)
def train(model, n):
    for i in range(n):
        out = model(torch.randn(8, 4))
        value = float(out.pow(2).mean())
        print(out.mean().item())
        loss = torch.as_tensor(value)
        loss.backward()  # HERE
train(net, 2)
""",
        "item/float",
        [
            ("value = float(out.pow(2).mean())", "value = out.pow(2).mean()"),
            ("loss = torch.as_tensor(value)", "loss = value"),
        ],
        says=("`float()`", "line 5"),
    ),
    Mistake(
        "FB-GRAD-03",
        """
net = nn.Linear(4, 1)
losses = []
for i in range(3):
    losses.append(net(torch.randn(8, 4)).mean().item())
total = sum(losses) / len(losses)
torch.tensor(total).backward()
""",
        "item/float",
        [
            ("mean().item())", "mean())", "losses.append(net(torch.randn(8, 4)).mean())"),
            ("torch.tensor(total).backward()", "total.backward()"),
        ],
    ),  # fmt: skip
    Mistake(
        "FB-GRAD-03",
        """
net = nn.Sequential(nn.Linear(4, 2), nn.ReLU())
pred = net(torch.randn(8, 4))
err = np.mean((pred.detach().numpy() - 1) ** 2)
loss = torch.tensor(err)
loss.backward()
""",
        "numpy",
        [
            ("np.mean((pred.detach().numpy() - 1) ** 2)", "torch.mean((pred - 1) ** 2)"),
            ("loss = torch.tensor(err)", "loss = err"),
        ],
        says=("line 3",),
    ),  # fmt: skip
    Mistake(
        "FB-GRAD-03",
        """
class M(nn.Module):
    def __init__(self):
        super().__init__(); self.l = nn.Linear(4, 4); self.b = nn.Linear(4, 1)
    def features(self, x):
        return self.l(x)
    def forward(self, x):
        h = self.features(x)
        return self.b(h).detach()
m = M()
def step(loss):
    loss.backward()  # HERE
for i in range(2):
    out = m(torch.randn(8, 4))
    step(F.mse_loss(out, torch.zeros(8, 1)))
""",
        "detach/.data",
        [("return self.b(h).detach()", "return self.b(h)")],
        says=("line 8",),
    ),
    Mistake(
        "FB-GRAD-03",
        """
net = nn.Linear(4, 1)
losses = [net(torch.randn(8, 4)).mean() for _ in range(3)]
loss = torch.tensor(losses).mean()
loss.backward()
""",
        "tensor()",
        [("torch.tensor(losses)", "torch.stack(losses)", "loss = torch.stack(losses).mean()")],
        says=("line 3",),
    ),
    Mistake(
        "FB-GRAD-03",
        """
net = nn.Linear(4, 3); y = torch.zeros(8).long()
out = net(torch.randn(8, 4))
hard = out.argmax(dim=1)
loss = 1 - (hard == y).float().mean()
loss.backward()
""",
        "argmax/compare/cast",
        says=("`argmax()`", "line 3"),
    ),
    Mistake(
        "FB-GRAD-03",
        """
net = nn.Linear(4, 1)
p = torch.sigmoid(net(torch.randn(8, 4)))
loss = F.mse_loss((p > 0.5).float(), torch.zeros(8, 1))
loss.backward()
""",
        "argmax/compare/cast",
        says=("`p > 0.5`", "line 3"),
    ),
    Mistake(
        "FB-GRAD-03",
        """
net = nn.Linear(4, 1)
with torch.no_grad():
    out = net(torch.randn(8, 4))
loss = out.mean()
loss.backward()
""",
        "no_grad",
        [("with torch.no_grad():\n    out", "out", "with torch.no_grad()")],
        says=("line 2",),
    ),
    Mistake(
        "FB-GRAD-03",
        """
net = nn.Linear(4, 1)
@torch.no_grad()
def predict(x):
    return net(x)
predict(torch.randn(8, 4)).mean().backward()
""",
        "no_grad",
        [("@torch.no_grad()\n", "", "@torch.no_grad()")],
    ),
    Mistake(
        "FB-GRAD-03",
        """
net = nn.Linear(4, 1)
def evaluate():
    torch.set_grad_enabled(False)
    return net(torch.randn(8, 4))
evaluate()
loss = net(torch.randn(8, 4)).mean()
loss.backward()
""",
        "no_grad",
        [("loss =", "torch.set_grad_enabled(True)\nloss =", "torch.set_grad_enabled(True)")],
        says=("line 3",),
    ),
    Mistake(
        "FB-GRAD-03",
        """
net = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 1))
for p in net.parameters():
    p.requires_grad = False
loss = net(torch.randn(8, 4)).mean()
loss.backward()
""",
        "all-frozen",
        [("loss =", "net.requires_grad_(True)\nloss =", "net.requires_grad_(True)")],
        says=("all 4 parameters",),
    ),
    Mistake(
        "FB-GRAD-03",
        """
w = torch.randn(3); x = torch.randn(5, 3)
y = x @ w
((y - 1) ** 2).mean().backward()
""",
        "no-leaf",
        [("; x = torch", "; w.requires_grad_(); x = torch", "w.requires_grad_()")],
    ),
]


@pytest.mark.parametrize("mistake", NO_PATH, ids=range(len(NO_PATH)))
def test_no_path(mistake):
    check(mistake)


# ---------------------------------------------------------------------- FB-GRAD-04

CUT_OFF = [
    Mistake(
        "FB-GRAD-04",
        """
enc, dec = nn.Linear(4, 8), nn.Linear(8, 2)
opt = optim.SGD([*enc.parameters(), *dec.parameters()], 0.1)
for _ in range(3):
    h = torch.from_numpy(enc(torch.randn(5, 4)).detach().numpy() * 2.0)  # HERE
    opt.zero_grad(); dec(h).pow(2).mean().backward()
    opt.step()
""",
        "cut",
        [("torch.from_numpy(enc(torch.randn(5, 4)).detach().numpy() * 2.0)", "enc(torch.randn(5, 4)) * 2.0")],
        level="W",
        says=("enc.weight, enc.bias", "`.detach().numpy()`"),
    ),
    Mistake(
        "FB-GRAD-04",
        """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(4, 8), nn.ReLU()); self.head = nn.Linear(8, 1)
    def forward(self, x):
        h = self.body(x).data  # HERE
        return self.head(h)
net = Net()
opt = optim.Adam(net.parameters())
def step(x):
    loss = net(x).pow(2).mean()
    opt.zero_grad()
    loss.backward()
    opt.step()
for _ in range(3):
    step(torch.randn(3, 4))
""",
        "cut",
        [("h = self.body(x).data", "h = self.body(x)")],
        says=("net.body.0.weight",),
    ),
    Mistake(
        "FB-GRAD-04",
        """
net = nn.Linear(4, 2)
opt = optim.SGD(net.parameters(), 0.1)
for _ in range(3):
    loss = torch.tensor(net(torch.randn(5, 4)).pow(2).mean().item(), requires_grad=True)  # HERE
    opt.zero_grad(); loss.backward()
    opt.step()
""",
        "cut",
        [
            (
                "torch.tensor(net(torch.randn(5, 4)).pow(2).mean().item(), requires_grad=True)",
                "net(torch.randn(5, 4)).pow(2).mean()",
            )
        ],
    ),  # fmt: skip
    Mistake(
        "FB-GRAD-04",
        """
emb, dec = nn.Embedding(10, 4), nn.Linear(4, 2)
opt = optim.SGD([*emb.parameters(), *dec.parameters()], 0.1)
for _ in range(3):
    e = emb(torch.randint(0, 10, (5,)))
    out = dec(torch.tensor(e))  # HERE
    opt.zero_grad()
    F.mse_loss(out, torch.zeros(5, 2)).backward()
    opt.step()
""",
        "cut",
        [("dec(torch.tensor(e))", "dec(e)")],
    ),
]


CUT_OFF += [
    Mistake(
        "FB-GRAD-04",
        """
enc, clf = nn.Linear(4, 4), nn.Linear(4, 2)
opt, crit = optim.Adam(list(enc.parameters()) + list(clf.parameters()), lr=1e-3), nn.CrossEntropyLoss()
def features(x):
    z = torch.relu(enc(x))
    return torch.tensor(z.tolist())  # HERE
for epoch in range(3):
    loss = crit(clf(features(torch.randn(8, 4))), torch.randint(0, 2, (8,)))
    opt.zero_grad(); loss.backward(); opt.step()
""",
        "cut",
        [("return torch.tensor(z.tolist())", "return z")],
    ),
    Mistake(
        "FB-GRAD-04",
        """
enc, rnn, head = nn.Linear(4, 4), nn.RNN(4, 4, batch_first=True), nn.Linear(4, 1)
opt = optim.SGD([*enc.parameters(), *rnn.parameters(), *head.parameters()], 0.01)
for epoch in range(3):
    steps = []
    for t in range(5):
        steps.append(enc(torch.randn(2, 4)).detach())  # HERE
    out, _ = rnn(torch.stack(steps, 1))
    loss = head(out[:, -1]).pow(2).mean()
    opt.zero_grad(); loss.backward(); opt.step()
""",
        "cut",
        [("steps.append(enc(torch.randn(2, 4)).detach())", "steps.append(enc(torch.randn(2, 4)))")],
    ),
    Mistake(
        "FB-GRAD-04",
        """
net = nn.Linear(4, 1); opt = optim.SGD(net.parameters(), 0.1); crit = nn.MSELoss()
for i in range(3):
    pred = net(torch.randn(8, 4)).detach()  # HERE
    pred.requires_grad = True
    loss = crit(pred, torch.zeros(8, 1))
    opt.zero_grad(); loss.backward(); opt.step()
""",
        "cut",
        [("pred = net(torch.randn(8, 4)).detach()", "pred = net(torch.randn(8, 4))"),
         ("    pred.requires_grad = True\n", "", "leave out `pred.requires_grad = True`")],
    ),
]  # fmt: skip


@pytest.mark.parametrize("mistake", CUT_OFF, ids=range(len(CUT_OFF)))
def test_cut_off(mistake):
    check(mistake)


def test_never_used_is_a_hint_after_twenty_steps():
    outcome = run("""
net, aux = nn.Linear(4, 4), nn.Linear(4, 1)
opt = optim.SGD([*net.parameters(), *aux.parameters()], .1)
for i in range(21):
    h = net(torch.randn(8, 4))
    monitor = aux(h).mean().item()
    loss = h.pow(2).mean()
    opt.zero_grad(); loss.backward(); opt.step()
""")
    assert [(f.code, f.level, f.cause) for f in outcome.findings] == [("FB-GRAD-04", "H", "unused")]
    assert "aux.weight" in outcome.findings[0].saw


REACHED = [
    """
G, D = nn.Sequential(nn.Linear(4, 4), nn.Tanh()), nn.Sequential(nn.Linear(4, 1), nn.Sigmoid())
og, od = optim.SGD(G.parameters(), .1), optim.SGD(D.parameters(), .1)
for i in range(22):
    fake = G(torch.randn(8, 4))
    d_loss = F.binary_cross_entropy(D(fake.detach()), torch.zeros(8, 1))
    od.zero_grad(); d_loss.backward(); od.step()
    g_loss = F.binary_cross_entropy(D(fake), torch.ones(8, 1))
    og.zero_grad(); g_loss.backward(); og.step()
""",
    """
net, proj = nn.Linear(4, 4), nn.Linear(4, 4)
opt = optim.SGD([*net.parameters(), *proj.parameters()], .1)
for i in range(3):
    z = net(torch.randn(8, 4))
    loss = -F.cosine_similarity(proj(z), z.detach()).mean()
    opt.zero_grad(); loss.backward(); opt.step()
""",
    """
net = nn.Linear(4, 4); target = copy.deepcopy(net)
opt = optim.SGD(net.parameters(), .1)
for i in range(3):
    x = torch.randn(8, 4)
    with torch.no_grad():
        t = target(x)
    loss = F.mse_loss(net(x), t)
    opt.zero_grad(); loss.backward(); opt.step()
    for a, b in zip(target.parameters(), net.parameters()):
        a.data.mul_(0.9).add_(b.data, alpha=0.1)
""",
    """
net = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 1))
for p in net[0].parameters(): p.requires_grad_(False)
opt = optim.SGD(net.parameters(), .1)
for i in range(3):
    with torch.no_grad():
        h = net[0](torch.randn(8, 4))
    loss = net[2](net[1](h)).mean()
    opt.zero_grad(); loss.backward(); opt.step()
""",
    """
backbone, head = nn.Linear(4, 4), nn.Linear(4, 1)
opt = optim.SGD([*backbone.parameters(), *head.parameters()], .1)
for epoch in range(4):
    x = torch.randn(8, 4)
    features = backbone(x)
    if epoch < 2:
        features = features.detach()
    loss = head(features).pow(2).mean()
    opt.zero_grad(); loss.backward(); opt.step()
""",
]


@pytest.mark.parametrize("program", REACHED, ids=range(len(REACHED)))
def test_reached(program):
    correct(program)
