"""FB-OPT-02, 03, 04, 08, 09 and the sign of FB-LOOP-08: what an optimizer holds and how far it moves."""

# ruff: noqa: E501

import pytest
from checks.cases import Mistake, check, correct

XY = "x = torch.randn(64, 8); y = x.sum(1, keepdim=True)\n"
STEP = "opt.zero_grad(); loss = F.mse_loss(net(x), y); loss.backward(); opt.step()\n"

MISTAKES = {
    "built again": Mistake(
        "FB-OPT-02",
        """
net = nn.Linear(8, 2)
opt = optim.Adam(net.parameters(), 1e-3)  # HERE
net = nn.Linear(8, 2)
for _ in range(2):
    opt.zero_grad(); F.cross_entropy(net(torch.randn(4, 8)), torch.zeros(4).long()).backward()
    opt.step()
""",
        cause="stale",
        level="W",
        says=("2 parameters of `net`", "`opt` (Adam)"),
        fix=[
            (
                "net = nn.Linear(8, 2)\nfor",
                "opt = optim.Adam(net.parameters(), lr=0.001)\nfor",
                "opt = optim.Adam(net.parameters(), lr=0.001)",
            )
        ],
    ),
    "a copy is trained": Mistake(
        "FB-OPT-02",
        """
class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(3, 5), nn.Linear(5, 1)
    def forward(self, x):
        return self.b(self.a(x).tanh())
def fit():
    base = Model()
    optimizer = optim.SGD(base.parameters(), lr=0.1, momentum=0.9)
    model = copy.deepcopy(base)
    for _ in range(5):
        optimizer.zero_grad()
        model(torch.randn(10, 3)).pow(2).mean().backward()
        optimizer.step()
fit()
""",
        cause="stale",
        says=("4 parameters of `model`",),
    ),
    "a part left out": Mistake(
        "FB-OPT-02",
        """
enc, dec = nn.Linear(4, 8), nn.Linear(8, 2)
opt = optim.SGD(dec.parameters(), 0.1)
for _ in range(3):
    opt.zero_grad(); dec(enc(torch.randn(5, 4))).pow(2).mean().backward(); opt.step()
""",
        cause="missing",
        says=("enc.weight",),
        fix=[
            (
                "opt = optim.SGD(dec.parameters(), 0.1)",
                "opt = optim.SGD([*dec.parameters(), *enc.parameters()], 0.1)",
                "enc.parameters()",
            )
        ],
    ),
    "too high": Mistake(
        "FB-OPT-03",
        """
net = nn.Sequential(nn.Linear(8, 64), nn.ReLU(), nn.Linear(64, 1))
opt = optim.SGD(net.parameters(), lr=10.0)  # HERE
x, y = torch.randn(64, 8), torch.randn(64, 1)
for _ in range(6):
    opt.zero_grad(); loss = F.mse_loss(net(x), y); loss.backward(); opt.step()
""",
        level="W",
        says=("lr=10", "times its own size"),
        fix=[("lr=10.0", "lr=0.01", "lr=0.01")],
    ),
    "too high for plain tensors": Mistake(
        "FB-OPT-03",
        """
w, b = torch.randn(3, requires_grad=True), torch.zeros(1, requires_grad=True)
optimizer = optim.SGD([w, b], lr=2.0)
x = torch.randn(50, 3); y = x @ torch.tensor([1.0, -2.0, 0.5]) + 0.1
history = []
for epoch in range(30):
    loss = ((x @ w + b - y) ** 2).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    history.append(loss.item())
""",
    ),
    "too low": Mistake(
        "FB-OPT-04",
        "net = nn.Linear(8, 1)\n"
        + XY
        + "opt = optim.SGD(net.parameters(), lr=1e-8)\nfor _ in range(100):\n    "
        + STEP,
        level="H",
        says=("lr=1e-08",),
        fix=[("lr=1e-8", "lr=0.01", "lr=0.01")],
    ),
    "new at every step": Mistake(
        "FB-OPT-08",
        """
net = nn.Linear(4, 1)
for _ in range(10):
    opt = optim.Adam(net.parameters(), 1e-3)  # HERE
    opt.zero_grad(); F.mse_loss(net(torch.randn(8, 4)), torch.zeros(8, 1)).backward(); opt.step()
""",
        level="W",
        says=("3 times",),
        fix=[
            ("for _ in range(10):\n", ""),
            (
                "    opt = optim.Adam(net.parameters(), 1e-3)  # HERE\n",
                "opt = optim.Adam(net.parameters(), 1e-3)\nfor _ in range(10):\n",
                "before the loop",
            ),
        ],
    ),
    "new in every call of a function": Mistake(
        "FB-OPT-08",
        """
def train_step(model, x, y):
    optimizer = optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    loss = F.cross_entropy(model(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()
model = nn.Sequential(nn.Flatten(), nn.Linear(16, 3))
for batch in range(6):
    train_step(model, torch.randn(5, 4, 4), torch.randint(0, 3, (5,)))
""",
        level="W",
    ),
    "decay too strong": Mistake(
        "FB-OPT-09",
        """
net = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 1))
opt = optim.SGD(net.parameters(), lr=0.1, weight_decay=5.0)
x = torch.randn(64, 8); y = x.sum(1, keepdim=True)
for _ in range(20):
    opt.zero_grad(); loss = F.mse_loss(net(x), y); loss.backward(); opt.step()
""",
        level="W",
        says=("weight_decay=5",),
        fix=[("weight_decay=5.0", "weight_decay=1e-4", "weight_decay=1e-4")],
    ),
    "decay too strong, decoupled": Mistake(
        "FB-OPT-09",
        """
model = nn.Sequential(nn.Linear(8, 32), nn.GELU(), nn.Linear(32, 4))
groups = [{"params": [p for p in model.parameters() if p.ndim > 1], "weight_decay": 30.0}, {"params": [p for p in model.parameters() if p.ndim < 2], "weight_decay": 0.0}]
opt = optim.AdamW(groups, lr=1e-3)
x, y = torch.randn(64, 8), torch.randint(0, 4, (64,))
for _ in range(45):
    loss = F.cross_entropy(model(x), y)
    opt.zero_grad(); loss.backward(); opt.step()
""",
    ),
    "minus": Mistake(
        "FB-LOOP-08",
        """
net = nn.Linear(4, 1); opt = optim.SGD(net.parameters(), 0.05)
x, y = torch.randn(64, 4), torch.randn(64, 1)
for _ in range(30):
    opt.zero_grad(); loss = -F.mse_loss(net(x), y); loss.backward(); opt.step()
""",
        cause="sign",
        level="W",
        says=("`loss.backward()`", "mse_loss"),
        fix=[("-F.mse_loss", "F.mse_loss", "remove the minus before `mse_loss`")],
    ),
    "minus, in other words": Mistake(
        "FB-LOOP-08",
        """
model = nn.Sequential(nn.Linear(5, 8), nn.ReLU(), nn.Linear(8, 3))
optimizer = optim.Adam(model.parameters(), lr=1e-3)
def objective(x, y):
    return -1 * F.cross_entropy(model(x), y) - 0.1 * (model(x) - 1.0).abs().mean()
for _ in range(8):
    optimizer.zero_grad()
    score = objective(torch.randn(6, 5), torch.randint(0, 3, (6,)))
    score.backward()
    optimizer.step()
""",
        cause="sign",
    ),
    "the squared error, negated": Mistake(
        "FB-LOOP-08",
        """
w = torch.zeros(3, requires_grad=True)
opt = optim.SGD([w], lr=0.01)
x = torch.randn(16, 3); y = x @ torch.tensor([1.0, 2.0, 3.0])
for _ in range(6):
    loss = 0 - ((y - x @ w) ** 2).mean()
    opt.zero_grad(); loss.backward(); opt.step()
""",
        cause="sign",
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_found(name):
    check(MISTAKES[name])


CORRECT = {
    "GAN": """
G = nn.Sequential(nn.Linear(2, 8), nn.ReLU(), nn.Linear(8, 2))
D = nn.Sequential(nn.Linear(2, 8), nn.LeakyReLU(), nn.Linear(8, 1))
og, od = optim.Adam(G.parameters(), 1e-3), optim.Adam(D.parameters(), 1e-3)
for i in range(8):
    od.zero_grad()
    d = F.binary_cross_entropy_with_logits(D(torch.randn(16, 2) + 3), torch.ones(16, 1)) + F.binary_cross_entropy_with_logits(D(G(torch.randn(16, 2)).detach()), torch.zeros(16, 1))
    d.backward(); od.step()
    og.zero_grad()
    (-F.binary_cross_entropy_with_logits(D(G(torch.randn(16, 2))), torch.zeros(16, 1))).backward(); og.step()
""",
    "perceptual loss in eval": """
vgg = nn.Sequential(nn.Linear(6, 12), nn.ReLU()).eval()
vgg.load_state_dict(vgg.state_dict())
image = torch.randn(4, 6, requires_grad=True); target = torch.randn(4, 12)
opt = optim.Adam([image], lr=0.1)
for _ in range(5):
    opt.zero_grad(); F.mse_loss(vgg(image), target).backward(); opt.step()
""",
    "adversarial attack on a frozen model": """
model = nn.Linear(6, 3).requires_grad_(False)
x, y = torch.randn(4, 6), torch.randint(0, 3, (4,))
delta = torch.zeros_like(x, requires_grad=True)
opt = optim.SGD([delta], lr=1.0)
for _ in range(6):
    opt.zero_grad(); loss = -F.cross_entropy(model(x + delta), y); loss.backward(); opt.step()
    delta.data.clamp_(-0.1, 0.1)
""",
    "maximize": """
net = nn.Linear(4, 1); opt = optim.SGD(net.parameters(), 0.05, maximize=True)
x, y = torch.randn(64, 4), torch.randn(64, 1)
for _ in range(6):
    opt.zero_grad(); loss = -F.mse_loss(net(x), y); loss.backward(); opt.step()
""",
    "ELBO: minus minus": """
net = nn.Linear(4, 4); opt = optim.Adam(net.parameters(), 1e-2)
x = torch.randn(64, 4)
for _ in range(6):
    elbo = -F.mse_loss(net(x), x) - 0.1 * net.weight.pow(2).sum()
    opt.zero_grad(); (-elbo).backward(); opt.step()
""",
    "policy gradient": """
policy = nn.Linear(4, 2); opt = optim.Adam(policy.parameters(), 1e-2)
for _ in range(6):
    dist = torch.distributions.Categorical(logits=policy(torch.randn(16, 4)))
    a = dist.sample()
    loss = -(dist.log_prob(a) * torch.randn(16)).mean()
    opt.zero_grad(); loss.backward(); opt.step()
""",
    "second phase trains the head only": """
body, head = nn.Linear(4, 8), nn.Linear(8, 2)
x, y = torch.randn(16, 4), torch.randint(0, 2, (16,))
def phase(params):
    opt = optim.Adam(params, 1e-2)
    for _ in range(5):
        opt.zero_grad(); F.cross_entropy(head(body(x).relu()), y).backward(); opt.step()
phase([*body.parameters(), *head.parameters()])
phase(head.parameters())
""",
    "updated by hand": """
net, scale = nn.Linear(4, 1), nn.Parameter(torch.ones(1))
opt = optim.SGD(net.parameters(), 0.1)
for _ in range(5):
    opt.zero_grad(); scale.grad = None
    F.mse_loss(net(torch.randn(8, 4)) * scale, torch.ones(8, 1)).backward(); opt.step()
    with torch.no_grad():
        scale -= 0.1 * scale.grad
""",
    "one optimizer per fold": """
data = torch.randn(40, 4), torch.randn(40, 1)
for fold in range(4):
    net = nn.Linear(4, 1)
    opt = optim.Adam(net.parameters(), 1e-2)
    for _ in range(2):
        opt.zero_grad(); F.mse_loss(net(data[0]), data[1]).backward(); opt.step()
""",
    "one optimizer per setting, the weights set back": """
net = nn.Linear(4, 1); start = copy.deepcopy(net.state_dict()); x, y = torch.randn(40, 4), torch.randn(40, 1)
for lr in (1e-3, 1e-2, 1e-1, 1.0):
    net.load_state_dict(start)
    opt = optim.Adam(net.parameters(), lr)
    opt.zero_grad(); F.mse_loss(net(x), y).backward(); opt.step()
""",
    "Reptile": """
net = nn.Linear(4, 1)
for task in range(5):
    old = [p.detach().clone() for p in net.parameters()]
    opt = optim.Adam(net.parameters(), 1e-2)
    for _ in range(2):
        opt.zero_grad(); F.mse_loss(net(torch.randn(8, 4)), torch.ones(8, 1)).backward(); opt.step()
    with torch.no_grad():
        for p, o in zip(net.parameters(), old):
            p.copy_(o + 0.1 * (p - o))
""",
    "a hard batch": """
net = nn.Linear(4, 1); opt = optim.SGD(net.parameters(), 1e-3)
for i in range(20):
    x = torch.randn(8, 4); y = torch.ones(8, 1) * (10 if i % 7 == 6 else 1)
    opt.zero_grad(); F.mse_loss(net(x), y).backward(); opt.step()
""",
    "Adam from small weights": """
net = nn.Sequential(nn.Linear(200, 100), nn.ReLU(), nn.Linear(100, 2)); opt = optim.Adam(net.parameters(), 1e-2, weight_decay=1e-2)
for p in net.parameters():
    p.data.mul_(0.01)
x, y = torch.randn(64, 200), torch.randint(0, 2, (64,))
for i in range(30):
    opt.zero_grad(); F.cross_entropy(net(x), y).backward(); opt.step()
""",
    "warm-up": "net = nn.Linear(8, 1)\n" + XY + "opt = optim.SGD(net.parameters(), lr=1e-2)\n"
    "sched = optim.lr_scheduler.LambdaLR(opt, lambda s: 1e-9 * s)\nfor _ in range(60):\n    "
    + STEP.strip()
    + "; sched.step()\n",
}


@pytest.mark.parametrize("name", CORRECT)
def test_silent(name):
    correct(CORRECT[name])
