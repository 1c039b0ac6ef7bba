"""Rules about where training starts: parameters without a value, and a first loss far from what guessing costs."""

import pytest
from checks.cases import Mistake, check, correct

MISTAKES = [
    Mistake(
        "FB-LOOP-06",
        """
net = nn.Sequential(nn.Linear(20, 50), nn.Tanh(), nn.Linear(50, 10))
nn.init.normal_(net[2].weight, std=3.0)
loss = F.cross_entropy(net(torch.randn(256, 20)), torch.randint(0, 10, (256,)))  # HERE
""",
        fix=[("nn.init.normal_(net[2].weight, std=3.0)", "nn.init.xavier_uniform_(net[2].weight)")],
        says=("2.3", "net[2].weight has std"),
    ),
    Mistake(
        "FB-LOOP-06",
        """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body, self.out = nn.Linear(8, 64), nn.Linear(64, 4)
        self.out.weight.data.normal_(0, 5)
    def forward(self, x): return self.out(torch.relu(self.body(x)))
net, criterion = Net(), nn.CrossEntropyLoss()
opt = optim.Adam(net.parameters())
x, y = torch.randn(64, 8), torch.randint(0, 4, (64,))
for _ in range(2):
    opt.zero_grad()
    loss = criterion(net(x), y)  # HERE
    loss.backward()
    opt.step()
""",
    ),
    Mistake(
        "FB-LOOP-06",
        """
net = nn.Linear(16, 3)
nn.init.uniform_(net.weight, -4, 4)
F.binary_cross_entropy_with_logits(net(torch.randn(32, 16)), torch.randint(0, 2, (32, 3)).float())  # HERE
""",
    ),
    Mistake(
        "FB-INIT-04",
        """
w = nn.Parameter(torch.empty(64, 64))  # HERE
x = torch.randn(8, 64)
(x @ w).pow(2).mean().backward()
""",
        cause="uninitialised",
        fix=[("nn.Parameter(torch.empty(64, 64))", "nn.Parameter(torch.randn(64, 64) / 8)")],
    ),
    Mistake(
        "FB-INIT-04",
        """
class Scale(nn.Module):
    def __init__(self, n):
        super().__init__()
        self.gain = nn.Parameter(torch.Tensor(n))  # HERE
    def forward(self, x): return x * self.gain
net = nn.Sequential(nn.Linear(4, 8), Scale(8), nn.Linear(8, 1))
opt = optim.SGD(net.parameters(), 0.01)
net(torch.randn(5, 4)).mean().backward()
""",
        cause="uninitialised",
        fix=[("torch.Tensor(n)", "torch.zeros(n)", "torch.zeros(8,)")],
    ),
]

CORRECT = [
    # written to before use, in whatever way
    """
a, b, c = (nn.Parameter(torch.empty(6, 6)) for _ in range(3))
nn.init.kaiming_uniform_(a)
b.data.normal_()
with torch.no_grad(): c.copy_(torch.eye(6))
d = nn.Parameter(torch.empty(6, 6))
d.data = torch.eye(6)
e = nn.Parameter(torch.empty(6, 6))
e.detach().numpy()[...] = 1.0
f = nn.Parameter(torch.Tensor([1.0, 2.0]))
(torch.randn(2, 6) @ a @ b @ c @ d @ e).sum().backward()
(f * 2).sum().backward()
""",
    # similarities as scores; a head that shares its weight with the embedding; label smoothing; weights per class
    """
z = F.normalize(nn.Linear(8, 4)(torch.randn(32, 8)), dim=1)
F.cross_entropy(z @ z.detach().flip(0).T / 0.01, torch.arange(32)).backward()
emb, out = nn.Embedding(50, 64), nn.Linear(64, 50, bias=False)
out.weight = emb.weight
ids = torch.randint(0, 50, (8, 6))
F.cross_entropy(out(emb(ids)).flatten(0, 1), torch.randint(0, 50, (48,))).backward()
""",
    # a trained model
    """
net = nn.Linear(10, 3)
net.load_state_dict({"weight": torch.randn(3, 10) * 20, "bias": torch.zeros(3)})
F.cross_entropy(net(torch.randn(32, 10)), torch.randint(0, 3, (32,))).backward()
""",
    # the default initialisation
    """
net = nn.Sequential(nn.Linear(10, 64), nn.ReLU(), nn.Linear(64, 100))
F.cross_entropy(net(torch.randn(32, 10)), torch.randint(0, 100, (32,))).backward()
""",
]


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda m: m.code)
def test_found_and_fixed(mistake):
    check(mistake)


@pytest.mark.parametrize("program", CORRECT)
def test_correct_programs_are_left_alone(program):
    correct(program)
