"""FB-LOOP-08 and 09 of a watched run: losses that climb, stand still, or fall only in training."""

import functools

import pytest
from checks.cases import Mistake, check, correct

from flambeau import doctor

WATCH = functools.partial(doctor.watch, quiet=True, every=1, stop_at_nan=False)
NET = "net = nn.Linear(4, 1); opt = optim.SGD(net.parameters(), 0.05)\nx, y = torch.randn(64, 4), torch.randn(64, 1)\n"
STEP = "    opt.zero_grad(); loss = F.mse_loss(net(x), y); loss.backward(); opt.step()\n"
OVERFIT = """
net = nn.Sequential(nn.Linear(10, 256), nn.ReLU(), nn.Linear(256, 1)); opt = optim.Adam(net.parameters(), 3e-3)
x, xv = torch.randn(40, 10), torch.randn(400, 10)
y, yv = x[:, :1] + torch.randn(40, 1), xv[:, :1] + torch.randn(400, 1)
vals = []
"""

MISTAKES = {
    "diverging": Mistake(
        "FB-LOOP-08",
        NET + "for i in range(270):\n    if i == 60: opt.param_groups[0]['lr'] = -0.03\n" + STEP,
        cause="diverging",
        level="W",
    ),
    "plateau": Mistake(
        "FB-LOOP-08",
        NET.replace("0.05", "1e-9") + "for i in range(260):\n" + STEP,
        cause="plateau",
        level="H",
        says=("FB-OPT-04",),
    ),
    "validation gets worse": Mistake(
        "FB-LOOP-09",
        OVERFIT
        + """
for e in range(120):
    opt.zero_grad(); tl = F.mse_loss(net(x), y); tl.backward(); opt.step()
    vals.append(F.mse_loss(net(xv), yv).item())
""",
        level="H",
    ),
    "validation without gradients, by batches": Mistake(
        "FB-LOOP-09",
        OVERFIT
        + """
criterion = nn.MSELoss()
def evaluate():
    net.eval()
    total = 0.0
    with torch.no_grad():
        for i in range(4):
            loss = criterion(net(xv[i::4]), yv[i::4])
            total += float(loss)
    net.train()
    return total / 4
for e in range(12):
    for _ in range(12):
        opt.zero_grad(); tl = criterion(net(x), y); tl.backward(); opt.step()
    vals.append(evaluate())
""",
        level="H",
        says=("validation loss was lowest at step",),
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_found(name):
    mistake = MISTAKES[name]
    mistake.around = WATCH
    check(mistake)


def hints(program):
    from checks.cases import run

    return [f.code for f in run(program, WATCH).findings if f.code in ("FB-LOOP-08", "FB-LOOP-09")]


CORRECT = {
    "it learns": NET + "for i in range(260):\n" + STEP + "    opt.param_groups[0]['lr'] *= 0.99\n    v = loss.item()\n",
    "a plateau after progress": "net = nn.Linear(4, 1); opt = optim.SGD(net.parameters(), 0.1)\n"
    "x = torch.randn(64, 4); y = x.sum(1, keepdim=True) + 1\nfor i in range(400):\n" + STEP,
    "a game": """
g, d = nn.Parameter(torch.ones(1)), nn.Parameter(torch.ones(1))
og, od = optim.SGD([g], 0.1), optim.SGD([d], 0.1)
for i in range(150):
    og.zero_grad(); (g * d.detach()).sum().backward(); og.step()
    od.zero_grad(); (-g.detach() * d).sum().backward(); od.step()
""",
    "the validation loss falls": OVERFIT
    + """
x, yv = torch.randn(400, 10), xv[:, :1]; y = x[:, :1]
for e in range(40):
    opt.zero_grad(); tl = F.mse_loss(net(x), y); tl.backward(); opt.step()
    vals.append(F.mse_loss(net(xv), yv).item())
""",
}


@pytest.mark.parametrize("name", CORRECT)
def test_silent(name):
    correct(CORRECT[name], WATCH)
    assert hints(CORRECT[name]) == []
