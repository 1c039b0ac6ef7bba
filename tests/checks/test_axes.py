"""softmax and argmax over a dimension that does not hold the classes."""

import pytest
from checks.cases import Mistake, check, correct

MISTAKES = [
    Mistake("FB-LOSS-09", """
logits = nn.Linear(6, 10)(torch.randn(32, 6))
p = torch.softmax(logits, dim=0)  # HERE
classes = p.argmax(dim=1)
""", cause="batch", says=("(32, 10)", "32 samples", "row 0"), fix=[("dim=0", "dim=1")]),
    Mistake("FB-LOSS-09", """
head = nn.Sequential(nn.Linear(6, 1), nn.Softmax(dim=1))
q = head(torch.randn(32, 6))  # HERE
""", cause="one-score", says=("head.1", "always 1"), fix=[("nn.Softmax(dim=1)", "nn.Sigmoid()")]),
    Mistake("FB-LOSS-09", """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(4, 8), nn.Linear(8, 3)
    def forward(self, x):
        x = F.relu(self.fc1(x))
        x = F.log_softmax(self.fc2(x), dim=0)  # HERE
        return x
net, y = Net(), torch.randint(0, 3, (16,))
for _ in range(2):
    F.nll_loss(net(torch.randn(16, 4)), y).backward()
""", cause="batch", fix=[("dim=0", "dim=1")]),
    Mistake("FB-LOSS-09", """
net = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Sequential(nn.Linear(8, 3), nn.Softmax(dim=0)))
net.eval()
with torch.no_grad():
    out = net(torch.randn(16, 4))  # HERE
print(out.sum(1))
""", cause="batch", fix=[("nn.Softmax(dim=0)", "nn.Softmax(dim=1)")]),
    Mistake("FB-LOSS-09", """
class Head(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(8, 4)
    def forward(self, x):
        return torch.softmax(self.fc(x), 0)  # HERE
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body, self.head = nn.Linear(4, 8), Head()
    def forward(self, x):
        return self.head(self.body(x))
probabilities = Net()(torch.randn(5, 4))
""", cause="batch"),
    Mistake("FB-LOSS-09", """
net = nn.Linear(4, 3)
with torch.no_grad():
    p = net(torch.randn(9, 4)).softmax(0)  # HERE
    conf, cls = torch.max(p, 1)
""", cause="batch", fix=[(".softmax(0)", ".softmax(dim=1)", "dim=1")]),
    Mistake("FB-LOSS-09", """
net = nn.Conv2d(3, 1, 3)
with torch.inference_mode():
    mask = F.softmax(net(torch.randn(2, 3, 8, 8)), dim=1)  # HERE
""", cause="one-score", says=("(2, 1, 6, 6)",)),
    Mistake("FB-LOSS-09", """
net = nn.Sequential(nn.Linear(6, 4), nn.Softmax())
p = net(torch.randn(3, 6))  # HERE
""", cause="implicit", says=("Implicit dimension choice for softmax has been deprecated.",),
            fix=[("nn.Softmax()", "nn.Softmax(dim=1)", "dim=1")]),
    Mistake("FB-LOSS-09", """
def predict(w, x):
    return F.log_softmax(x @ w)  # HERE
w = torch.randn(6, 4, requires_grad=True)
F.nll_loss(predict(w, torch.randn(5, 6)), torch.zeros(5).long()).backward()
""", cause="implicit", fix=[("x @ w", "x @ w, dim=1", "dim=1")]),
    Mistake("FB-LOOP-10", """
logit = nn.Linear(8, 1)(torch.randn(64, 8))
y = torch.randint(0, 2, (64,))
pred = logit.argmax(dim=1)  # HERE
acc = (pred == y).float().mean()
""", cause="one-score", says=("always 0", "(64, 1)"),
            fix=[("logit.argmax(dim=1)", "(logit.squeeze(1) > 0)")]),
    Mistake("FB-LOOP-10", """
net = nn.Sequential(nn.Linear(4, 1), nn.Sigmoid()).eval()
y = torch.randint(0, 2, (64,))
correct = 0
with torch.no_grad():
    outputs = net(torch.randn(64, 4))
    _, predicted = torch.max(outputs.data, 1)  # HERE
    correct += (predicted == y).sum().item()
""", cause="one-score", says=("outputs.data",)),
    Mistake("FB-LOOP-10", """
def accuracy(out, y):
    return (out.argmax(0) == y).float().mean().item()  # HERE
net = nn.Linear(4, 10)
print(accuracy(net(torch.randn(10, 4)), torch.randint(0, 10, (10,))))
""", cause="batch", fix=[("out.argmax(0)", "out.argmax(dim=1)", "dim=1")]),
    Mistake("FB-LOOP-10", """
net = nn.Linear(4, 6)
loader = DataLoader(TensorDataset(torch.randn(12, 4), torch.randint(0, 6, (12,))), batch_size=6)
hits = 0
for x, y in loader:
    with torch.no_grad():
        pred = torch.argmax(net(x), dim=0)  # HERE
    hits += pred.eq(y).sum()
""", cause="batch"),
]  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda m: f"{m.code}-{m.cause}")
def test_mistake_is_found_and_its_fix_removes_it(mistake):
    check(mistake)


CORRECT = {
    "attention over instances": """
class Pool(nn.Module):
    def __init__(self):
        super().__init__()
        self.att, self.multi, self.fc = nn.Linear(8, 1), nn.Linear(8, 3), nn.Linear(8, 2)
    def forward(self, h):
        w = torch.softmax(self.att(h), dim=0)
        v = torch.softmax(self.multi(h), dim=0)
        a = torch.softmax(self.att(h).transpose(0, 1), dim=1)
        return self.fc((w * h).sum(0)), v, v.t() @ h, a @ h
for n in (7, 1):
    Pool()(torch.randn(n, 8))
""",
    "three dimensions": """
scores = nn.Linear(8, 5)(torch.randn(3, 4, 8))
for d in range(3):
    torch.softmax(scores, dim=d).argmax(-1)
q = torch.randn(2, 1, 8, requires_grad=True)
(torch.softmax(q @ q.mT, -1) @ q).sum().backward()
energy = nn.Linear(8, 1)(torch.randn(2, 1, 8)).squeeze(-1)
F.softmax(energy, dim=1)
""",
    "one sample, and one vector of scores": """
net = nn.Linear(4, 3)
torch.softmax(net(torch.randn(4)), dim=0)
net(torch.randn(4)).argmax(0)
net(torch.randn(1, 4)).argmax(1)
F.log_softmax(net(torch.randn(5, 4)), dim=-1).argmax(1)
""",
    "the best sample of each class": """
best = nn.Linear(4, 3)(torch.randn(12, 4)).argmax(0)
top = torch.randn(12, 3).max(0).values
""",
    "sizes of 1 that no layer made": """
x = torch.randn(6, 1)
x.argmax(1); x.max(1); torch.softmax(x, 1)
beams = torch.randn(2, 5, 1).argmax(-1)
values = torch.zeros(3, 1).max(dim=1).values
""",
}  # fmt: skip


@pytest.mark.parametrize("name", CORRECT)
def test_correct_programs_are_left_alone(name):
    correct(CORRECT[name])
