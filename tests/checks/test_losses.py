"""Losses that are fed what they do not expect."""

import pytest
from checks.cases import Mistake, check, correct, run

MISTAKES = [
    Mistake("FB-LOSS-01", """
net = nn.Sequential(nn.Linear(20, 5), nn.Softmax(dim=1))
x, y = torch.randn(32, 20), torch.randint(0, 5, (32,))
loss = nn.CrossEntropyLoss()(net(x), y)  # HERE
loss.backward()
""", cause="layer", says=("net(x)", "net.1", "0.90", "Softmax(dim=1)"),
            fix=[(", nn.Softmax(dim=1)", "", "nn.Softmax(dim=1)")]),
    Mistake("FB-LOSS-01", """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 3)
    def forward(self, x):
        return F.softmax(self.fc(x), dim=-1)
net = Net()
with torch.no_grad():
    loss = F.cross_entropy(net(torch.randn(6, 4)).double(), torch.tensor([0, 1, 2, 0, 1, 2]))  # HERE
""", cause="function", says=("program", ":6", "F.softmax(self.fc(x), dim=-1)"),
            fix=[("F.softmax(self.fc(x), dim=-1)", "self.fc(x)")]),
    Mistake("FB-LOSS-01", """
def probabilities(scores):
    e = (scores - scores.max(1, keepdim=True).values).exp()
    return e / e.sum(1, keepdim=True)
class Trainer:
    def __init__(self, net):
        self.net, self.criterion = net, nn.CrossEntropyLoss(label_smoothing=0.1)
    def step(self, x, y):
        out = probabilities(self.net(x))
        return self.criterion(out, y)  # HERE
Trainer(nn.Linear(4, 5)).step(torch.randn(40, 4), torch.randint(0, 5, (40,))).backward()
""", cause="by-hand", says=("`out`",)),
    Mistake("FB-LOSS-01", """
net = nn.Sequential(nn.Conv2d(3, 4, 1), nn.Softmax2d())
masks = torch.randint(0, 4, (2, 5, 5))
out = net(torch.randn(2, 3, 5, 5)).detach()
print(F.cross_entropy(out, masks))  # HERE
""", cause="layer", says=("net.1", "Softmax2d()")),
    Mistake("FB-LOSS-01", """
net = nn.Sequential(nn.Linear(5, 3), nn.LogSoftmax(dim=1))
nn.CrossEntropyLoss()(net(torch.randn(6, 5)), torch.zeros(6).long()).backward()  # HERE
""", cause="log-softmax", level="H", fix=[("nn.CrossEntropyLoss()", "nn.NLLLoss()")]),
    Mistake("FB-LOSS-05", """
net = nn.Sequential(nn.Linear(6, 1), nn.Sigmoid())
loss = nn.BCEWithLogitsLoss()(net(torch.randn(8, 6)), torch.ones(8, 1))  # HERE
loss.backward()
""", cause="layer", says=("net.1", "0.73"), fix=[(", nn.Sigmoid()", "", "nn.Sigmoid()")]),
    Mistake("FB-LOSS-05", """
fc = nn.Linear(6, 1)
def predict(x):
    return torch.sigmoid(fc(x)).squeeze(1)
criterion = nn.BCEWithLogitsLoss(pos_weight=torch.tensor(2.0))
with torch.no_grad():
    p = predict(torch.randn(8, 6))
    criterion(p, torch.ones(8))  # HERE
""", cause="function", says=("`p`", "torch.sigmoid(fc(x))"),
            fix=[("nn.BCEWithLogitsLoss(pos_weight=torch.tensor(2.0))", "nn.BCELoss()")]),
    Mistake("FB-LOSS-05", """
x = torch.randn(8, 4, requires_grad=True)
for _ in range(2):
    p = F.softmax(x, 1)[:, 1]
    F.binary_cross_entropy_with_logits(p, torch.ones(8)).backward()  # HERE
""", cause="function"),
    Mistake("FB-LOSS-05", """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 1)
    def forward(self, x):
        return torch.sigmoid(self.fc(x)).clamp(1e-6, 1 - 1e-6)
net, outputs = Net(), []
for _ in range(3):
    outputs.append(net(torch.randn(4, 4)))
F.binary_cross_entropy_with_logits(torch.cat(outputs), torch.ones(12, 1)).backward()  # HERE
with torch.no_grad():
    p = torch.stack([net.fc(torch.randn(4, 4)).sigmoid() for _ in range(2)])
    q = F.binary_cross_entropy_with_logits(p, torch.ones(2, 4, 1))
""", cause="function", says=("torch.sigmoid(self.fc(x))",)),
    Mistake("FB-LOSS-05", """
net = nn.Sequential(nn.Linear(4, 3), nn.Sigmoid())
nn.MultiLabelSoftMarginLoss()(net(torch.randn(5, 4)), torch.ones(5, 3)).backward()  # HERE
""", cause="layer"),
    Mistake("FB-LOSS-06", """
score = nn.Linear(6, 4)(torch.randn(8, 6))
loss = F.nll_loss(score, torch.randint(0, 4, (8,)))  # HERE
loss.backward()
""", cause="scores", says=("raw scores",), fix=[("F.nll_loss(score, ", "F.cross_entropy(score, ")]),
    Mistake("FB-LOSS-06", """
net = nn.Sequential(nn.Linear(6, 4), nn.Softmax(dim=1))
criterion = nn.NLLLoss()
labels = torch.randint(0, 4, (8,))
criterion(net(torch.randn(8, 6)), labels).backward()  # HERE
""", cause="probabilities", fix=[("nn.Softmax(dim=1)", "nn.LogSoftmax(dim=1)")]),
    Mistake("FB-LOSS-06", """
p = F.softmax(torch.randn(8, 5, requires_grad=True), dim=1)
q = F.softmax(torch.randn(8, 5), dim=1)
F.kl_div(p, q, reduction="batchmean").backward()  # HERE
""", cause="probabilities", fix=[("F.kl_div(p, ", "F.kl_div(p.log(), ", "p.log()")]),
    Mistake("FB-LOSS-06", """
student, teacher = nn.Linear(3, 5), nn.Linear(3, 5)
x = torch.randn(9, 3)
with torch.no_grad():
    soft = teacher(x).softmax(1)
nn.KLDivLoss(reduction="batchmean")(student(x), soft).backward()  # HERE
""", cause="scores", fix=[("student(x), soft", "F.log_softmax(student(x), dim=1), soft",
                           "F.log_softmax(student(x), dim=1)")]),
    Mistake("FB-LOSS-06", """
a, b = torch.randn(9, 3, requires_grad=True), torch.randn(9, 3)
F.kl_div(a.log_softmax(1), b.log_softmax(1), reduction="sum")  # HERE
""", cause="target", fix=[('reduction="sum"', 'reduction="sum", log_target=True', "log_target=True")]),
    Mistake("FB-LOSS-07", """
pred = nn.Linear(3, 1)(torch.randn(16, 3))
y = torch.randn(16)
nn.MSELoss()(pred, y).backward()  # HERE
""", cause="two-sided", says=("Using a target size (torch.Size([16])) that is different to the input size "
                              "(torch.Size([16, 1])).", "256"),
            fix=[("(pred, y)", "(pred.squeeze(1), y)", "pred.squeeze(1)")]),
    Mistake("FB-LOSS-07", """
class Fit:
    def __init__(self): self.net, self.loss = nn.Linear(2, 1), F.smooth_l1_loss
    def run(self, x, targets):
        return self.loss(self.net(x), targets)  # HERE
Fit().run(torch.randn(8, 2), torch.randn(8)).backward()
""", fix=[("targets)  #", "targets.unsqueeze(1))  #", "targets.unsqueeze(1)")]),
    Mistake("FB-LOSS-07", """
def train(net, x, y):
    with torch.no_grad():
        return F.l1_loss(input=net(x).squeeze(), target=y)  # HERE
train(nn.Linear(2, 1), torch.randn(8, 2), torch.randn(8, 1))
""", fix=[("target=y", "target=y.squeeze(1)", "y.squeeze(1)")]),
    Mistake("FB-LOSS-04", """
head = nn.Linear(16, 7)
logits = head(torch.randn(4, 7, 16))
y = torch.randint(0, 7, (4, 7))
loss = F.cross_entropy(logits, y)  # HERE
""", fix=[("(logits, y)", "(logits.transpose(1, 2), y)", "logits.transpose(1, 2)")]),
    Mistake("FB-LOSS-04", """
class Tagger(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn, self.out = nn.GRU(5, 8, batch_first=True), nn.Linear(8, 6)
    def forward(self, x):
        return F.log_softmax(self.out(self.rnn(x)[0]), dim=-1)
net, tags = Tagger(), torch.randint(0, 6, (3, 6))
with torch.no_grad():
    scores = net(torch.randn(3, 6, 5))
    nn.NLLLoss()(scores, tags)  # HERE
""", fix=[("(scores, tags)", "(scores.flatten(0, 1), tags.flatten())", "scores.flatten(0, 1)", "tags.flatten()")]),
    Mistake("FB-LOSS-04", """
class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.head = nn.Linear(16, 30)
    def forward(self, x):
        return self.head(x)
model, words = Model(), torch.randint(0, 30, (4, 12))
for _ in range(2):
    out = model(torch.randn(4, 12, 16))
    nn.CrossEntropyLoss()(out, words)  # HERE
""", level="E", says=("Expected target size [4, 30], got [4, 12]",),
            fix=[("(out, words)", "(out.transpose(1, 2), words)", "out.transpose(1, 2)")]),
    Mistake("FB-LOSS-06", """
net = nn.Linear(3, 1)
x, y = torch.randn(64, 3), torch.ones(64, 1)
nn.BCELoss()(net(x), y)  # HERE
""", level="E", says=("all elements of input should be between 0 and 1",),
            fix=[("nn.BCELoss()", "nn.BCEWithLogitsLoss()")]),
    Mistake("FB-LOSS-07", """
net, y = nn.Linear(3, 1), torch.ones(64)
out = net(torch.randn(64, 3))
F.binary_cross_entropy_with_logits(out, y)  # HERE
""", level="E", says=("must be the same as input size",), fix=[("(out, y)", "(out.squeeze(1), y)", "out.squeeze(1)")]),
    Mistake("FB-LOSS-07", """
net, y = nn.Sequential(nn.Linear(3, 1), nn.Sigmoid()), torch.ones(64)
criterion = nn.BCELoss()
criterion(net(torch.randn(64, 3)), y).backward()  # HERE
""", level="E", fix=[(", y)", ", y.unsqueeze(1))", "y.unsqueeze(1)")]),
    Mistake("FB-LOSS-08", """
digit = torch.randint(0, 10, (64, 1))
out = nn.Linear(8, 1)(torch.randn(64, 8))
loss = nn.MSELoss()(out, digit.float())  # HERE
loss.backward()
""", level="H", cause="label", says=("0..9",)),
    Mistake("FB-LOSS-08", """
loader = DataLoader(TensorDataset(torch.randn(64, 4), torch.arange(64) % 5), batch_size=8)
net = nn.Linear(4, 1)
for x, y in loader:
    F.smooth_l1_loss(net(x).squeeze(1), y.float()).backward()  # HERE
""", level="H", cause="label", says=("0..4",)),
    Mistake("FB-LOSS-08", """
net = nn.Linear(8, 4)
for _ in range(3):
    y = torch.arange(32).remainder(4).float()[:, None]
    F.l1_loss(net(torch.randn(32, 8)), y).backward()  # HERE
""", level="W", cause="columns",
            fix=[("F.l1_loss(net(torch.randn(32, 8)), y)",
                  "F.cross_entropy(net(torch.randn(32, 8)), y.flatten().long())")]),
    Mistake("FB-LOSS-10", """
pred = torch.sigmoid(nn.Linear(3, 1)(torch.randn(8, 3)))
y = torch.ones(8, 1)
nn.BCELoss()(y, pred).backward()  # HERE
""", cause="swapped", fix=[("(y, pred)", "(pred, y)")]),
    Mistake("FB-LOSS-10", """
student, teacher = torch.randn(8, 3, requires_grad=True), torch.randn(8, 3)
def distil(s, t):
    return F.kl_div(t, s, reduction="batchmean")  # HERE
distil(student.log_softmax(1).exp(), teacher.log_softmax(1))
""", cause="swapped"),
    Mistake("FB-LOSS-11", """
emb, head = nn.Embedding(50, 8, padding_idx=0), nn.Linear(8, 50)
ids = torch.randint(1, 50, (4, 10)); ids[:, 6:] = 0
logits = head(emb(ids[:, :-1]))
loss = F.cross_entropy(logits.flatten(0, 1), ids[:, 1:].flatten())  # HERE
""", cause="padding_idx", says=("44%",), fix=[(".flatten())", ".flatten(), ignore_index=0)", "ignore_index=0")]),
    Mistake("FB-LOSS-11", """
class Tagger(nn.Module):
    def __init__(self):
        super().__init__()
        self.emb, self.out = nn.Embedding(30, 6, padding_idx=1), nn.Linear(8, 5)
        self.rnn = nn.LSTM(6, 8, batch_first=True)
    def forward(self, x):
        return self.out(self.rnn(self.emb(x))[0])
net, criterion = Tagger(), nn.CrossEntropyLoss()
words, tags = torch.randint(2, 30, (4, 8)), torch.randint(1, 5, (4, 8))
for i, n in enumerate([8, 6, 5, 3]):
    words[i, n:], tags[i, n:] = 1, 0
out = net(words)
criterion(out.view(-1, 5), tags.view(-1)).backward()  # HERE
""", cause="padding_idx", fix=[("nn.CrossEntropyLoss()", "nn.CrossEntropyLoss(ignore_index=0)")]),
    Mistake("FB-LOSS-11", """
emb, head = nn.Embedding(20, 6), nn.Linear(6, 20)
for step in range(3):
    ids = torch.randint(1, 20, (6, 9))
    for i, n in enumerate([3, 4, 5, 6, 7, 8]):
        ids[i, n:] = 0
    logits = head(emb(ids[:, :-1]))
    F.cross_entropy(logits.reshape(-1, 20), ids[:, 1:].reshape(-1)).backward()  # HERE
""", cause="row-ends"),
]  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda m: f"{m.code}-{m.cause}")
def test_mistake_is_found_and_its_fix_removes_it(mistake):
    check(mistake)


CORRECT = {
    "log of softmax, with and without a small number": """
x, y = torch.randn(32, 5, requires_grad=True), torch.randint(0, 5, (32,))
p = torch.softmax(x, 1)
F.nll_loss(torch.log(p), y); F.nll_loss((p + 1e-8).log(), y); F.cross_entropy(torch.log(p + 1e-9), y)
nn.NLLLoss()(nn.LogSoftmax(dim=1)(x), y)
""",
    "soft targets and one-hot scores": """
x, y = torch.randn(32, 5, requires_grad=True), torch.randint(0, 5, (32,))
F.cross_entropy(x, torch.softmax(torch.randn(32, 5), 1)); F.cross_entropy(x, F.one_hot(y, 5).float())
F.cross_entropy(10 * F.one_hot(y, 5).float(), y); F.cross_entropy(F.one_hot(y, 5).float(), y)
""",
    "a temperature, a logit and a changed tag": """
x, y = torch.randn(8, 1, requires_grad=True), torch.ones(8, 1)
F.binary_cross_entropy_with_logits(torch.logit(torch.sigmoid(x), 1e-6), y)
F.binary_cross_entropy_with_logits(torch.sigmoid(x) * 8 - 4, y)
F.binary_cross_entropy(torch.sigmoid(x), y)
with torch.no_grad():
    p = torch.softmax(torch.randn(32, 4), 1)
    p.log_()
    F.cross_entropy(p, torch.randint(0, 4, (32,)))
""",
    "divergences": """
a, b = torch.randn(9, 3, requires_grad=True), torch.randn(9, 3, requires_grad=True)
F.kl_div(a.log_softmax(1), b.softmax(1), reduction="batchmean")
F.kl_div(a.log_softmax(1), b.log_softmax(1), reduction="batchmean", log_target=True)
F.kl_div(a.softmax(1).log(), b.detach().softmax(1), reduction="batchmean")
F.kl_div(b.detach().log_softmax(1), a.log_softmax(1), reduction="batchmean", log_target=True)
F.kl_div(F.log_softmax(a / 4, 1), F.softmax(b / 4, 1).detach(), reduction="sum")
""",
    "images, and classes in dimension 1": """
net = nn.Conv2d(3, 5, 3, padding=1)
F.cross_entropy(net(torch.randn(2, 3, 5, 5)), torch.randint(0, 5, (2, 5, 5)))
logits = nn.Linear(4, 6)(torch.randn(3, 6, 4))
F.cross_entropy(logits.transpose(1, 2), torch.randint(0, 6, (3, 6)))
F.cross_entropy(logits.permute(0, 2, 1), torch.randint(0, 6, (3, 6)))
F.cross_entropy(logits.view(-1, 6), torch.randint(0, 6, (18,)))
F.cross_entropy(nn.Conv1d(4, 6, 1)(torch.randn(3, 4, 6)), torch.randint(0, 6, (3, 6)))
""",
    "one target for many predictions, and the same shape": """
x = torch.randn(8, 3, requires_grad=True)
F.mse_loss(x, torch.zeros(1)); F.mse_loss(x, torch.randn(8, 1)); nn.L1Loss()(x, torch.randn(8, 3))
""",
    "two values, counts with gaps, ratings and one-hot targets": """
out = torch.randn(64, 1, requires_grad=True)
for y in (torch.randint(0, 2, (64, 1)), torch.randint(0, 10, (64, 1)) * 2 + 1, torch.randint(1, 6, (64, 1))):
    F.mse_loss(out, y.float())
F.mse_loss(torch.randn(64, 4, requires_grad=True), F.one_hot(torch.arange(64) % 4, 4).float())
""",
    "padding that is ignored, masked or weighted": """
emb, head = nn.Embedding(50, 8, padding_idx=0), nn.Linear(8, 50)
ids = torch.randint(1, 50, (4, 10)); ids[:, 6:] = 0
logits, y = head(emb(ids[:, :-1])).flatten(0, 1), ids[:, 1:].flatten()
F.cross_entropy(logits, y, ignore_index=0)
(F.cross_entropy(logits, y, reduction="none") * (y != 0)).sum() / (y != 0).sum()
w = torch.ones(50); w[0] = 0
nn.CrossEntropyLoss(weight=w)(logits, y)
""",
    "text classes that begin at the padding's number": """
class Classifier(nn.Module):
    def __init__(self):
        super().__init__()
        self.emb, self.fc = nn.Embedding(50, 8, padding_idx=0), nn.Linear(8, 3)
    def forward(self, x):
        return self.fc(self.emb(x).mean(1))
ids = torch.randint(1, 50, (16, 10)); ids[:, 6:] = 0
net, y = Classifier(), torch.randint(0, 3, (16,))
for _ in range(3):
    F.cross_entropy(net(ids), y).backward()
""",
    "tags whose commonest value ends many rows": """
emb, head = nn.Embedding(50, 8), nn.Linear(8, 4)
for _ in range(3):
    ids, tags = torch.randint(0, 50, (8, 10)), torch.randint(0, 4, (8, 10))
    tags[:, 5:] = 0
    F.cross_entropy(head(emb(ids)).flatten(0, 1), tags.flatten()).backward()
""",
    "two predictions that both carry gradients": """
a, b = torch.randn(9, 3, requires_grad=True), torch.randn(9, 3, requires_grad=True)
F.binary_cross_entropy(a.sigmoid(), b.sigmoid()).backward()
F.mse_loss(torch.zeros(9, 3), a).backward()
""",
}  # fmt: skip


@pytest.mark.parametrize("name", CORRECT)
def test_correct_programs_are_left_alone(name):
    correct(CORRECT[name])


# ---------------------------------------------------------------------- the same mistakes, written in other ways

TOKENS = """
def batch():
    ids = torch.randint(3, 25, (6, 12))
    for row, n in enumerate((12, 9, 7, 6, 5, 4)):
        ids[row, n:] = 0
    return ids
emb, head = nn.Embedding(25, 8, padding_idx=0), nn.Linear(8, 25)
opt = optim.SGD(head.parameters(), 0.1)
"""
OTHERS = [
    Mistake("FB-LOSS-01", """
net = nn.Linear(8, 3)
p = net(torch.randn(6, 8)).softmax(1).clamp(min=1e-7)
F.cross_entropy(input=p, target=torch.zeros(6, dtype=torch.long)).backward()  # HERE
""", "function", [("net(torch.randn(6, 8)).softmax(1).clamp(min=1e-7)", "net(torch.randn(6, 8))")]),
    Mistake("FB-LOSS-05", """
net = nn.Conv2d(1, 1, 1)
p = 1 / (1 + torch.exp(-net(torch.rand(2, 1, 4, 4))))
F.binary_cross_entropy_with_logits(p, torch.ones_like(p)).backward()  # HERE
""", "by-hand", [("binary_cross_entropy_with_logits", "binary_cross_entropy", "F.binary_cross_entropy")]),
    Mistake("FB-LOSS-05", """
z = nn.Linear(3, 1)(torch.randn(4, 3))
F.binary_cross_entropy_with_logits(z.exp() / (1 + z.exp()), torch.ones(4, 1)).backward()  # HERE
""", "by-hand"),
    Mistake("FB-LOSS-06", """
student, teacher, x = nn.Linear(5, 3), nn.Linear(5, 3), torch.randn(4, 5)
soft = F.log_softmax(teacher(x).detach(), 1)
F.kl_div(F.log_softmax(student(x), 1), soft, reduction="batchmean").backward()  # HERE
""", "target", [('reduction="batchmean"', 'reduction="batchmean", log_target=True', "log_target=True")]),
    Mistake("FB-LOSS-07", """
net, x, y = nn.Linear(3, 1), torch.randn(5, 3), torch.rand(5)
F.poisson_nll_loss(net(x), y).backward()  # HERE
""", "two-sided", [("net(x), y)", "net(x).squeeze(1), y)", "net(x).squeeze(1)")]),
    Mistake("FB-LOSS-07", """
net, x, y = nn.Linear(3, 1), torch.randn(5, 3), torch.rand(5)
nn.GaussianNLLLoss()(net(x), y, torch.ones(5, 1)).backward()  # HERE
""", "two-sided", [("net(x), y,", "net(x), y.unsqueeze(1),", "y.unsqueeze(1)")]),
    Mistake("FB-LOSS-10", """
net, criterion, y = nn.Linear(3, 3), nn.CrossEntropyLoss(), torch.tensor([0, 1, 2, 0])
scores = net(torch.randn(4, 3))
loss = criterion(y, scores)  # HERE
""", "swapped", [("(y, scores)", "(scores, y)")]),
    Mistake("FB-DTYPE-01", """
weights = np.array([0.2, 0.8])
scores = nn.Linear(3, 2)(torch.randn(4, 3))
F.cross_entropy(scores, torch.tensor([0, 1, 1, 0]), weight=torch.from_numpy(weights))  # HERE
""", "mixed", [("torch.from_numpy(weights)", "torch.from_numpy(weights).to(torch.float32)")]),
    Mistake("FB-LOSS-11", TOKENS + """
emb.weight.requires_grad_(False)
for step in range(3):
    ids = batch()
    F.cross_entropy(head(emb(ids[:, :-1])).flatten(0, 1), ids[:, 1:].flatten()).backward()  # HERE
""", "padding_idx", [("ids[:, 1:].flatten())", "ids[:, 1:].flatten(), ignore_index=0)", "ignore_index=0")]),
    Mistake("FB-LOSS-11", TOKENS + """
for step in range(3):
    ids = batch()
    with torch.no_grad():
        features = emb(ids[:, :-1])
    F.cross_entropy(head(features).flatten(0, 1), ids[:, 1:].flatten()).backward()  # HERE
""", "padding_idx"),
]  # fmt: skip


@pytest.mark.parametrize("mistake", OTHERS, ids=lambda m: f"{m.code} {m.cause}")
def test_other_forms(mistake):
    check(mistake)


def test_class_numbers_from_numpy_as_amounts():
    outcome = run("""
labels = np.random.randint(0, 6, size=100)
y = torch.tensor(labels, dtype=torch.float32).view(-1, 1)
F.mse_loss(nn.Linear(4, 1)(torch.randn(100, 4)), y).backward()
""")
    assert outcome.codes("EW") == [] and "FB-LOSS-08" in outcome.codes("H")


def test_what_looks_like_a_sigmoid_and_is_none():
    correct("""
z = nn.Linear(3, 1)(torch.randn(8, 3))
for scores in (z / (1 + z.abs()), 5 / (1 + torch.exp(-z)), 1 / (1 + z ** 2)):
    F.binary_cross_entropy_with_logits(scores, torch.ones(8, 1)).backward(retain_graph=True)
""")
