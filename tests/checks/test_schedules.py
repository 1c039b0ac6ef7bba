"""FB-OPT-05 and 06: schedulers stepped too early, too often, too rarely."""

# ruff: noqa: E501

import pytest
from checks.cases import Mistake, check, correct

NET = "net = nn.Linear(4, 1); opt = optim.SGD(net.parameters(), 0.1)\n"
DATA = "loader = DataLoader(TensorDataset(torch.randn(200, 4), torch.randn(200, 1)), batch_size=2)\n"
EPOCH = """
    for x, y in loader:
        opt.zero_grad(); F.mse_loss(net(x), y).backward(); opt.step()
"""

MISTAKES = {
    "before the optimizer": Mistake(
        "FB-OPT-05",
        """
net = nn.Linear(2, 1); opt = optim.SGD(net.parameters(), 0.1)
sched = optim.lr_scheduler.StepLR(opt, step_size=1, gamma=0.1)
sched.step()  # HERE
opt.step()
""",
        level="W",
        says=("0.1, is never used: training starts at 0.01", "`sched.step()`"),
        fix=[
            ("sched.step()  # HERE\nopt.step()", "opt.step()\nsched.step()", "`opt.step()` first, then `sched.step()`")
        ],
    ),
    "at the start of each epoch": Mistake(
        "FB-OPT-05",
        NET
        + DATA
        + """
warmup = optim.lr_scheduler.LinearLR(opt, 0.1, total_iters=5)
scheduler = optim.lr_scheduler.SequentialLR(opt, [warmup, optim.lr_scheduler.ExponentialLR(opt, 0.9)], milestones=[5])
for epoch in range(2):
    scheduler.step()  # HERE
    for x, y in loader:
        opt.zero_grad(); F.mse_loss(net(x), y).backward(); opt.step()
""",
    ),
    "nothing changes yet": Mistake(
        "FB-OPT-05",
        NET
        + """
class Loop:
    def __init__(self):
        self.sched = optim.lr_scheduler.MultiStepLR(opt, [10, 20])
    def run(self):
        for _ in range(3):
            self.sched.step()
            opt.zero_grad(); F.mse_loss(net(torch.randn(8, 4)), torch.zeros(8, 1)).backward(); opt.step()
Loop().run()
""",
        says=("`self.sched.step()`", "still 0.1"),
    ),
    "once per batch": Mistake(
        "FB-OPT-06",
        """
opt = optim.SGD(nn.Linear(2, 1).parameters(), 0.1)
sched = optim.lr_scheduler.StepLR(opt, step_size=30, gamma=0.1)   # 30 epochs were meant
for batch in range(200):
    opt.step(); sched.step()  # HERE
""",
        cause="too-often",
        says=("StepLR(step_size=30)", "started at 0.1"),
        fix=[("step_size=30", "step_size=30 * 100", "step_size=30 * len(loader)")],
    ),
    "once per batch, with a loader": Mistake(
        "FB-OPT-06",
        NET
        + DATA
        + """
scheduler = optim.lr_scheduler.ExponentialLR(opt, gamma=0.8)
def train_one_epoch():
    for x, y in loader:
        opt.zero_grad()
        F.mse_loss(net(x), y).backward()
        opt.step()
        scheduler.step()
for epoch in range(2):
    train_one_epoch()
""",
        cause="too-often",
        says=("still in the first epoch of 100",),
    ),
    "a cosine of epochs, per batch": Mistake(
        "FB-OPT-06",
        NET
        + DATA
        + "sched = optim.lr_scheduler.CosineAnnealingLR(opt, T_max=10)\nfor epoch in range(10):"
        + EPOCH.rstrip()
        + "; sched.step()\n",
        cause="too-often",
        says=("CosineAnnealingLR(T_max=10)",),
    ),
    "one cycle, once per epoch": Mistake(
        "FB-OPT-06",
        NET
        + DATA
        + "epochs = 3\nsched = optim.lr_scheduler.OneCycleLR(opt, 0.1, epochs=epochs, steps_per_epoch=len(loader))\n"
        + "for epoch in range(epochs):"
        + EPOCH
        + "    sched.step()  # HERE\n",
        cause="too-rarely",
        says=("OneCycleLR(total_steps=300)", "only 3 of its 300 steps"),
        fix=[
            ("    sched.step()  # HERE\n", ""),
            ("opt.step()\n", "opt.step(); sched.step()\n", "`sched.step()`", "after each `opt.step()`"),
        ],
    ),
    "a cosine of batches, once per epoch": Mistake(
        "FB-OPT-06",
        NET
        + DATA
        + "total = 4 * len(loader)\nsched = optim.lr_scheduler.CosineAnnealingLR(opt, total)\nepoch = 0\nwhile epoch < 4:"
        + EPOCH
        + "    sched.step(); epoch += 1\n",
        cause="too-rarely",
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_found(name):
    check(MISTAKES[name])


def program(make, inner="", outer="", epochs=4):
    inner = f"; {inner}" if inner else ""
    return f"{NET}{DATA}{make}\nfor epoch in range({epochs}):{EPOCH.rstrip()}{inner}\n    {outer or 'pass'}\n"


CORRECT = {
    "per epoch": program("s = optim.lr_scheduler.StepLR(opt, 1, 0.01)", outer="s.step()"),
    "a cosine over all batches": program(
        "s = optim.lr_scheduler.CosineAnnealingLR(opt, 4 * len(loader))", inner="s.step()"
    ),
    "a cosine over one epoch": program(
        "s = optim.lr_scheduler.CosineAnnealingLR(opt, len(loader))", inner="s.step()", epochs=1
    ),
    "one cycle per batch": program(
        "s = optim.lr_scheduler.OneCycleLR(opt, 0.1, total_steps=4 * len(loader))", inner="s.step()"
    ),
    "one cycle per epoch": program("s = optim.lr_scheduler.OneCycleLR(opt, 0.1, total_steps=4)", outer="s.step()"),
    "a cosine of epochs": program("s = optim.lr_scheduler.CosineAnnealingLR(opt, T_max=100)", outer="s.step()"),
    "warm-up per batch": program("s = optim.lr_scheduler.LambdaLR(opt, lambda i: min(1.0, i / 200))", inner="s.step()"),
    "restarts": program("s = optim.lr_scheduler.CosineAnnealingWarmRestarts(opt, T_0=20)", inner="s.step()"),
    "plateau": program("s = optim.lr_scheduler.ReduceLROnPlateau(opt)", outer="s.step(1.0)"),
    "resumed": NET
    + """
s = optim.lr_scheduler.StepLR(opt, 3)
opt.step(); s.step()
saved = s.state_dict()
opt = optim.SGD(net.parameters(), 0.1)
s = optim.lr_scheduler.StepLR(opt, 3)
s.load_state_dict(saved)
s.step()
""",
    "a rate held as a tensor": """
net = nn.Linear(4, 1); opt = optim.Adam(net.parameters(), torch.tensor(1e-2))
s = optim.lr_scheduler.ExponentialLR(opt, 0.9)
for _ in range(5):
    opt.zero_grad(); net(torch.randn(3, 4)).pow(2).mean().backward(); opt.step(); s.step()
""",
}


@pytest.mark.parametrize("name", CORRECT)
def test_silent(name):
    correct(CORRECT[name])
