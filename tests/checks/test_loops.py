"""FB-LOOP-01 to 05: the order of backward, zero_grad, clipping and step; iterators of loaders."""

# ruff: noqa: E501

import pytest
from checks.cases import Mistake, check, correct

NET = "net = nn.Linear(4, 1); opt = optim.SGD(net.parameters(), 0.1)\n"
LOSS = "F.mse_loss(net(torch.randn(8, 4)), torch.zeros(8, 1))"

MISTAKES = {
    "never cleared": Mistake(
        "FB-LOOP-01",
        NET
        + """
for _ in range(20):
    loss = F.mse_loss(net(torch.randn(8, 4)), torch.zeros(8, 1))
    loss.backward()
    opt.step()  # HERE
""",
        says=("`opt` (SGD)", "2 steps before"),
        fix=[("loss.backward()", "opt.zero_grad(); loss.backward()", "opt.zero_grad()")],
    ),
    "cleared once per epoch": Mistake(
        "FB-LOOP-01",
        """
class Trainer:
    def __init__(self, model):
        self.model, self.optimizer = model, optim.Adam(model.parameters(), lr=1e-3)
    def epoch(self, loader):
        self.optimizer.zero_grad()
        for x, y in loader:
            loss = F.cross_entropy(self.model(x), y)
            loss.backward()
            nn.utils.clip_grad_norm_(self.model.parameters(), 0.1)
            self.optimizer.step()  # HERE
data = TensorDataset(torch.randn(40, 4), torch.randint(0, 3, (40,)))
trainer = Trainer(nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3)))
for _ in range(2):
    trainer.epoch(DataLoader(data, batch_size=8))
""",
        says=("`self.optimizer` (Adam)", "last called"),
        fix=[("            loss.backward()", "            self.optimizer.zero_grad()\n            loss.backward()", "self.optimizer.zero_grad()")],
    ),
    "a closure that does not clear": Mistake(
        "FB-LOOP-01",
        """
x, y = torch.randn(20, 3), torch.randn(20, 1)
net = nn.Linear(3, 1)
opt = optim.SGD(net.parameters(), lr=0.01)
def closure():
    loss = F.l1_loss(net(x), y)
    loss.backward()
    return loss
for i in range(8):
    opt.step(closure)
""",
    ),
    "updates by hand": Mistake(
        "FB-LOOP-01",
        """
w = torch.zeros(3, requires_grad=True)
x = torch.randn(16, 3); y = x @ torch.tensor([1.0, 2.0, 3.0])
for i in range(6):
    loss = ((x @ w - y) ** 2).mean()
    loss.backward()  # HERE
    with torch.no_grad():
        w -= 0.05 * w.grad
""",
        says=("`w`",),
        fix=[("w -= 0.05 * w.grad", "w -= 0.05 * w.grad\n        w.grad = None", "w.grad = None")],
    ),
    "cleared after backward": Mistake(
        "FB-LOOP-02",
        """
net = nn.Linear(4, 1); opt = optim.Adam(net.parameters())
for _ in range(3):
    loss = F.mse_loss(net(torch.randn(8, 4)), torch.zeros(8, 1)); loss.backward()
    opt.zero_grad()  # HERE
    opt.step()
""",
        says=("`loss.backward()`", "`opt.step()`"),
        fix=[("    opt.zero_grad()  # HERE\n", ""), ("loss.backward()", "opt.zero_grad(); loss.backward()", "opt.zero_grad()", "loss.backward()")],
    ),
    "cleared through the model, filled with zeros": Mistake(
        "FB-LOOP-02",
        """
model = nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 2))
optimizer = optim.SGD(model.parameters(), lr=0.1)
def train(x, y):
    out = model(x)
    loss = F.cross_entropy(out, y)
    loss.backward()
    model.zero_grad(set_to_none=False)
    accuracy = (out.argmax(1) == y).float().mean().item()
    optimizer.step()
    return loss.item(), accuracy
for _ in range(5):
    train(torch.randn(8, 4), torch.randint(0, 2, (8,)))
""",
    ),
    "no step": Mistake(
        "FB-LOOP-03",
        NET
        + """
for _ in range(20):
    opt.zero_grad()
    loss = F.mse_loss(net(torch.randn(8, 4)), torch.zeros(8, 1))
    loss.backward()  # HERE
""",
        cause="no-step",
        says=("3 backward passes", "`opt` (SGD)"),
        fix=[("loss.backward()", "loss.backward(); opt.step()", "opt.step()")],
    ),
    "no step, the scheduler instead": Mistake(
        "FB-LOOP-03",
        """
net = nn.Linear(4, 2)
optimizer = optim.AdamW(net.parameters(), lr=1e-3)
criterion = nn.CrossEntropyLoss()
loader = DataLoader(TensorDataset(torch.randn(32, 4), torch.randint(0, 2, (32,))), batch_size=8, shuffle=True)
def run():
    for epoch in range(3):
        for xb, yb in loader:
            net.zero_grad()
            criterion(net(xb), yb).backward()
run()
""",
        cause="no-step",
    ),
    "no backward": Mistake(
        "FB-LOOP-03",
        NET
        + """
for _ in range(5):
    opt.zero_grad()
    loss = F.mse_loss(net(torch.randn(8, 4)), torch.zeros(8, 1))
    opt.step()  # HERE
""",
        cause="no-backward",
        fix=[("    opt.step()", "    loss.backward()\n    opt.step()", "loss.backward()")],
    ),
    "neither backward nor step": Mistake(
        "FB-LOOP-03",
        NET + "for _ in range(20):\n    opt.zero_grad()\n    loss = " + LOSS + "\n    total = loss.item()\n",
        cause="no-backward",
    ),
    "step first": Mistake(
        "FB-LOOP-03",
        NET
        + """
for _ in range(6):
    opt.zero_grad()
    loss = F.mse_loss(net(torch.randn(8, 4)), torch.zeros(8, 1))
    opt.step()  # HERE
    loss.backward()
""",
        cause="step-first",
        fix=[("    opt.step()  # HERE\n    loss.backward()", "    loss.backward()\n    opt.step()", "`loss.backward()` first")],
    ),
    "clipped after the step": Mistake(
        "FB-LOOP-04",
        NET
        + """
for _ in range(3):
    opt.zero_grad(); F.mse_loss(net(torch.randn(8, 4)), torch.zeros(8, 1)).backward()
    opt.step()
    nn.utils.clip_grad_norm_(net.parameters(), 1.0)  # HERE
""",
        cause="after-step",
        says=("`clip_grad_norm_()`", "`opt.step()`"),
        fix=[("    opt.step()\n", ""), ("1.0)", "1.0); opt.step()", "between", "opt.step()")],
    ),
    "clipped before backward": Mistake(
        "FB-LOOP-04",
        """
from flambeau.nn.utils import clip_grad_value_
model = nn.GRU(3, 5)
optimizer = optim.RMSprop(model.parameters())
for _ in range(4):
    optimizer.zero_grad()
    out, _ = model(torch.randn(7, 2, 3))
    loss = out.pow(2).mean()
    clip_grad_value_(model.parameters(), 0.5)  # HERE
    loss.backward()
    optimizer.step()
""",
        cause="before-backward",
        says=("`clip_grad_value_()`",),
    ),
    "the first batch again and again": Mistake(
        "FB-LOOP-05",
        """
loader = DataLoader(TensorDataset(torch.arange(100.)[:, None]), batch_size=10)
for step in range(5):
    (x,) = next(iter(loader))  # HERE
""",
        level="W",
        says=("10 of 100 samples",),
        fix=[("for step in range(5):\n", "for (x,) in loader:\n    pass\n", "for batch in loader:"), ("    (x,) = next(iter(loader))  # HERE\n", "")],
    ),
    "the first batch, trained on": Mistake(
        "FB-LOOP-05",
        NET
        + """
train_loader = DataLoader(TensorDataset(torch.randn(64, 4), torch.randn(64, 1)), batch_size=16)
def get_batch():
    it = iter(train_loader)
    return next(it)
for step in range(20):
    x, y = get_batch()
    opt.zero_grad(); F.mse_loss(net(x), y).backward(); opt.step()
""",
        says=("16 of 64 samples", "`train_loader`"),
    ),
    "erased by hand": Mistake(
        "FB-LOOP-02",
        NET
        + """
def update(x, y):
    e = F.huber_loss(net(x), y)
    e.backward()
    for p in net.parameters(): p.grad = None  # HERE
    opt.step()
for _ in range(5): update(torch.randn(8, 4), torch.randn(8, 1))
""",
        says=("`e.backward()`",),
    ),
    "only backward": Mistake(
        "FB-LOOP-03",
        NET
        + """
for i in range(30):
    x = torch.randn(8, 4)
    loss = F.mse_loss(net(x), x.sum(1, keepdim=True))
    loss.backward()  # HERE
""",
        cause="no-step",
        fix=[("loss.backward()", "opt.zero_grad(); loss.backward(); opt.step()", "opt.zero_grad()", "opt.step()")],
    ),
    "only losses": Mistake(
        "FB-LOOP-03",
        """
class Fit:
    def __init__(self):
        self.net = nn.Linear(4, 1); self.optimizer = optim.Adam(self.net.parameters())
    def epoch(self, loss_fn, x, y):
        for k in range(0, 64, 8):
            loss = loss_fn(self.net(x[k:k + 8]), y[k:k + 8])  # HERE
fit = Fit()
for _ in range(4): fit.epoch(nn.MSELoss(), torch.randn(64, 4), torch.randn(64, 1))
""",
        cause="no-backward",
        says=("`self.optimizer` (Adam)",),
    ),
    "clipped by hand, after the step": Mistake(
        "FB-LOOP-04",
        NET
        + """
for _ in range(6):
    loss = F.mse_loss(net(torch.randn(8, 4)), torch.randn(8, 1))
    opt.zero_grad()
    loss.backward()
    opt.step()
    for p in net.parameters():
        p.grad.data.clamp_(-1, 1)  # HERE
""",
        cause="after-step",
        fix=[
            ("    opt.step()\n", "", "between `loss.backward()` and `opt.step()`"),
            ("        p.grad.data.clamp_(-1, 1)  # HERE\n", "        p.grad.data.clamp_(-1, 1)\n    opt.step()\n", "opt.step()"),
        ],
    ),
    "rescaled by hand, after the step": Mistake(
        "FB-LOOP-04",
        NET
        + """
def train_step(x, y, limit=0.1):
    opt.zero_grad(); F.mse_loss(net(x), y).backward()
    opt.step()
    total = sum(p.grad.norm() ** 2 for p in net.parameters()) ** 0.5
    for p in net.parameters():
        p.grad *= limit / total  # HERE
for _ in range(6): train_step(torch.randn(8, 4), torch.randn(8, 1))
""",
        cause="after-step",
    ),
    "the first batch, shuffled": Mistake(
        "FB-LOOP-05",
        """
loader = DataLoader(TensorDataset(torch.arange(100.)[:, None]), batch_size=10, shuffle=True)
for step in range(5):
    x = next(iter(loader))[0]
""",
        level="H",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", MISTAKES)
def test_found(name):
    check(MISTAKES[name])


CORRECT = {
    "accumulation": NET
    + """
for i in range(24):
    (F.mse_loss(net(torch.randn(8, 4)), torch.zeros(8, 1)) / 4).backward()
    if (i + 1) % 4 == 0:
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        opt.step()
        opt.zero_grad()
""",
    "cleared by hand": NET
    + """
for how in range(4):
    for _ in range(5):
        F.mse_loss(net(torch.randn(8, 4)), torch.zeros(8, 1)).backward()
        opt.step()
        for p in net.parameters():
            if how == 0:
                p.grad = None
            elif how == 1:
                p.grad.zero_()
            elif how == 2:
                p.grad.data.zero_()
            else:
                p.grad *= 0.5  # a momentum of one's own
""",
    "the model's zero_grad": NET
    + """
for _ in range(9):
    net.zero_grad(set_to_none=False)
    F.mse_loss(net(torch.randn(8, 4)), torch.zeros(8, 1)).backward()
    opt.step()
""",
    "updates by hand": """
w = torch.zeros(3, requires_grad=True)
x = torch.randn(16, 3); y = x @ torch.tensor([1.0, 2.0, 3.0])
for i in range(6):
    loss = ((x @ w - y) ** 2).mean()
    loss.backward()
    w.data -= 0.05 * w.grad
    w.grad.zero_()
""",
    "a GAN": """
G = nn.Sequential(nn.Linear(2, 8), nn.ReLU(), nn.Linear(8, 2))
D = nn.Sequential(nn.Linear(2, 8), nn.LeakyReLU(), nn.Linear(8, 1))
og, od = optim.Adam(G.parameters(), 1e-3), optim.Adam(D.parameters(), 1e-3)
bce = nn.BCEWithLogitsLoss()
for i in range(12):
    real, z = torch.randn(16, 2) + 3, torch.randn(16, 2)
    fake = G(z)
    od.zero_grad()
    d = bce(D(real), torch.ones(16, 1)) + bce(D(fake.detach()), torch.zeros(16, 1))
    d.backward(); od.step()
    og.zero_grad()
    bce(D(fake), torch.ones(16, 1)).backward(); og.step()
""",
    "several critic steps": """
G, D = nn.Linear(2, 2), nn.Linear(2, 1)
og, od = optim.RMSprop(G.parameters(), 1e-3), optim.RMSprop(D.parameters(), 1e-3)
for i in range(4):
    for k in range(5):
        og.zero_grad(); od.zero_grad()
        loss = D(G(torch.randn(8, 2))).mean() - D(torch.randn(8, 2) + 1).mean()
        loss.backward(); od.step()
        for p in D.parameters():
            p.data.clamp_(-0.1, 0.1)
    og.zero_grad()
    (-D(G(torch.randn(8, 2))).mean()).backward(); og.step()
""",
    "LBFGS": """
net = nn.Linear(3, 1); x, y = torch.randn(20, 3), torch.randn(20, 1)
opt = optim.LBFGS(net.parameters(), max_iter=4)
def closure():
    opt.zero_grad()
    loss = F.mse_loss(net(x), y)
    loss.backward()
    return loss
for _ in range(6):
    opt.step(closure)
""",
    "a scaler that skips": NET
    + """
scaler = torch.amp.GradScaler("cpu", init_scale=3e38)
sched = optim.lr_scheduler.StepLR(opt, 10)
for _ in range(8):
    opt.zero_grad()
    scaler.scale(100 * F.mse_loss(net(torch.randn(8, 4)), torch.ones(8, 1))).backward()
    scaler.unscale_(opt)
    nn.utils.clip_grad_norm_(net.parameters(), 1.0)
    scaler.step(opt); scaler.update(); sched.step()
""",
    "rates without training": """
opt = optim.SGD(nn.Linear(2, 1).parameters(), 0.1)
sched = optim.lr_scheduler.StepLR(opt, step_size=30)
rates = []
for _ in range(50):
    opt.step(); sched.step(); rates.append(sched.get_last_lr())
""",
    "gradients for their own sake": NET
    + """
fisher = [torch.zeros_like(p) for p in net.parameters()]
for _ in range(30):
    opt.zero_grad()
    F.mse_loss(net(torch.randn(8, 4)), torch.zeros(8, 1)).backward()
    for f, p in zip(fisher, net.parameters()):
        f += p.grad ** 2
""",
    "MAML": """
net = nn.Linear(3, 1); meta = optim.Adam(net.parameters(), 1e-2)
for _ in range(6):
    meta.zero_grad()
    w, b = net.weight, net.bias
    for _ in range(3):
        loss = F.mse_loss(F.linear(torch.randn(8, 3), w, b), torch.zeros(8, 1))
        gw, gb = torch.autograd.grad(loss, (w, b), create_graph=True)
        w, b = w - 0.1 * gw, b - 0.1 * gb
    F.mse_loss(F.linear(torch.randn(8, 3), w, b), torch.zeros(8, 1)).backward()
    meta.step()
""",
    "baseline losses before training": NET
    + "for _ in range(30):\n    loss = "
    + LOSS
    + "\nfor _ in range(3):\n    opt.zero_grad(); ("
    + LOSS
    + ").backward(); opt.step()\n",
    "a loaded model is only evaluated": NET
    + """
net.load_state_dict(copy.deepcopy(net.state_dict()))
total = sum(F.mse_loss(net(torch.randn(8, 4)), torch.zeros(8, 1)).item() for _ in range(30))
""",
    "many batches before the first step": NET
    + """
for i in range(1, 13):
    loss = F.mse_loss(net(torch.randn(8, 4)), torch.zeros(8, 1)) / 6
    loss.backward()
    if i % 6 == 0: opt.step(); opt.zero_grad()
""",
    "gradients scaled by hand, before the step and between passes": NET
    + """
for _ in range(6):
    opt.zero_grad()
    F.mse_loss(net(torch.randn(8, 4)), torch.zeros(8, 1)).backward()
    for p in net.parameters(): p.grad.mul_(0.5)
    opt.step()
    for p in net.parameters(): p.grad.zero_()
""",
    "frozen backbone": """
body, head = nn.Linear(4, 8), nn.Linear(8, 2)
body.requires_grad_(False)
opt = optim.SGD([*body.parameters(), *head.parameters()], 0.1)
for _ in range(5):
    loss = F.cross_entropy(head(body(torch.randn(6, 4)).relu()), torch.zeros(6).long())
    opt.zero_grad(set_to_none=False); loss.backward(); opt.step()
""",
    "infinite iterator": NET
    + """
loader = DataLoader(TensorDataset(torch.randn(30, 4), torch.randn(30, 1)), batch_size=10)
it = iter(loader)
for step in range(12):
    try:
        x, y = next(it)
    except StopIteration:
        it = iter(loader)
        x, y = next(it)
    opt.zero_grad(); F.mse_loss(net(x), y).backward(); opt.step()
""",
    "one batch to look at": NET
    + """
train = DataLoader(TensorDataset(torch.randn(64, 4), torch.randn(64, 1)), batch_size=8, shuffle=True)
val = DataLoader(TensorDataset(torch.randn(64, 4), torch.randn(64, 1)), batch_size=8)
for epoch in range(6):
    for x, y in train:
        opt.zero_grad(); F.mse_loss(net(x), y).backward(); opt.step()
    x, y = next(iter(val))
    shown = net(x).detach()
""",
    "a short run": NET
    + """
loader = DataLoader(TensorDataset(torch.randn(64, 4), torch.randn(64, 1)), batch_size=8)
for epoch in range(6):
    for x, y in loader:
        opt.zero_grad(); F.mse_loss(net(x), y).backward(); opt.step()
        break
""",
    "one batch is all there is": "loader = DataLoader(TensorDataset(torch.randn(8, 4)), batch_size=8)\n"
    "for _ in range(6):\n    (x,) = next(iter(loader))\n",
}


@pytest.mark.parametrize("name", CORRECT)
def test_silent(name):
    correct(CORRECT[name])


def test_nothing_is_followed_for_ever():
    from flambeau.checks import events, follow

    correct(NET + "for _ in range(60):\n    opt.zero_grad(); " + LOSS + ".backward(); opt.step()\n")
    events._take_out()
    assert follow._begins not in events.before_backward and follow._steps not in events.before_step
