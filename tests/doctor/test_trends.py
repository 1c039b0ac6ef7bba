"""doctor.watch: gradients that vanish or burst, and units that die, while a model trains."""

import pytest
from checks.cases import Mistake, check, correct, run

MISTAKES = {
    "vanishing": Mistake(
        "FB-INIT-01",
        """
from flambeau import doctor
net = nn.Sequential(*[m for _ in range(10) for m in (nn.Linear(16, 16), nn.Sigmoid())], nn.Linear(16, 1))
opt = optim.SGD(net.parameters(), 1e-3)
x, y = torch.randn(32, 16), torch.randn(32, 1)
with doctor.watch(net, opt, every=1, quiet=True):
    for _ in range(12):
        opt.zero_grad()
        F.mse_loss(net(x), y).backward()
        opt.step()
""",
        cause="vanishing",
        fix=[("nn.Sigmoid()", "nn.ReLU()")],
    ),
    "bursts": Mistake(
        "FB-INIT-02",
        """
from flambeau import doctor
net = nn.Linear(8, 1)
opt = optim.SGD(net.parameters(), 1e-9)
y = torch.randn(64, 1)
with doctor.watch(net, opt, every=1, quiet=True):
    for step in range(40):
        x = torch.randn(64, 8)
        if step % 10 == 9: y = y * 0 + 1e4
        else: y = torch.randn(64, 1)
        opt.zero_grad()
        F.mse_loss(net(x), y).backward()
        opt.step()
""",
        cause="bursts",
    ),
    "units die": Mistake(
        "FB-INIT-03",
        """
from flambeau import doctor
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.act, self.b = nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 1)
        self.a.bias.data[:24] = -100.0
    def forward(self, x): return self.b(self.act(self.a(x)))
net = Net()
opt = optim.Adam(net.parameters(), 1e-3)
with doctor.watch(net, opt, every=1, quiet=True):
    for _ in range(12):
        x = torch.randn(64, 8)
        opt.zero_grad()
        F.mse_loss(net(x), x[:, :1]).backward()
        opt.step()
""",
        cause="training",
        says=("24 of 32 units",),
        fix=[("-100.0", "0.0", "bias of 0")],
    ),
}

CORRECT = {
    "a deep network with skip connections that begin at zero": """
from flambeau import doctor
class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(16, 16), nn.Linear(16, 16)
        nn.init.zeros_(self.b.weight)
    def forward(self, x): return x + self.b(torch.relu(self.a(x)))
net = nn.Sequential(*[Block() for _ in range(6)], nn.Linear(16, 1))
opt = optim.Adam(net.parameters(), 1e-3)
with doctor.watch(net, opt, every=1, quiet=True):
    for _ in range(20):
        x = torch.randn(32, 16)
        opt.zero_grad(); F.mse_loss(net(x), x.sum(1, keepdim=True)).backward(); opt.step()
""",
    "words that do not occur in a batch": """
from flambeau import doctor
net = nn.Sequential(nn.Embedding(500, 8), nn.Flatten(), nn.Linear(24, 16), nn.ReLU(), nn.Linear(16, 2))
opt = optim.Adam(net.parameters(), 1e-2)
with doctor.watch(net, opt, every=1, quiet=True):
    for _ in range(20):
        opt.zero_grad()
        F.cross_entropy(net(torch.randint(0, 500, (32, 3))), torch.randint(0, 2, (32,))).backward()
        opt.step()
""",
}


@pytest.mark.parametrize("name", MISTAKES)
def test_found_while_training(name):
    check(MISTAKES[name])


@pytest.mark.parametrize("name", CORRECT)
def test_correct_programs_are_left_alone(name):
    correct(CORRECT[name])


def test_bursts_of_gradients_that_are_clipped_are_a_hint():
    program = MISTAKES["bursts"].program.replace(
        "        opt.step()", "        nn.utils.clip_grad_value_(net.parameters(), 1e9)\n        opt.step()"
    )
    outcome = run(program.strip() + "\n")
    assert [f.level for f in outcome.findings if f.code == "FB-INIT-02"] == ["H"]
