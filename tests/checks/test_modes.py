"""Training mode and evaluation."""

import pytest
from checks.cases import Mistake, check, correct, run

NET = """
net = nn.Sequential(nn.Linear(8, 32), nn.BatchNorm1d(32), nn.Dropout(0.5), nn.Linear(32, 2))
opt = optim.SGD(net.parameters(), 0.1)
def steps(net, opt, n=2):
    for _ in range(n):
        opt.zero_grad()
        F.cross_entropy(net(torch.randn(16, 8)), torch.randint(0, 2, (16,))).backward()
        opt.step()
"""
MISTAKES = [
    Mistake("FB-MODE-01", NET + """
val = DataLoader(TensorDataset(torch.randn(96, 8)), batch_size=32)
with torch.no_grad():
    preds = [net(x).argmax(1) for (x,) in val]  # HERE
""", cause="both", says=("`net`", "Dropout(p=0.5", "BatchNorm1d(32)"),
            fix=[("with torch.no_grad():", "net.eval()\nwith torch.no_grad():", "net.eval()")]),
    Mistake("FB-MODE-01", """
class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1, self.drop, self.fc2 = nn.Linear(4, 8), nn.Dropout(0.3), nn.Linear(8, 2)
    def forward(self, x):
        return self.fc2(self.drop(self.fc1(x).relu()))
class Trainer:
    def __init__(self):
        self.model = Model()
        self.opt = optim.Adam(self.model.parameters(), 1e-2)
    def fit(self, x, y):
        self.model.train()
        for i in range(3):
            self.opt.zero_grad(); F.cross_entropy(self.model(x), y).backward(); self.opt.step()
    @torch.inference_mode()
    def validate(self, batches):
        total = 0.0
        for x, y in batches:
            total += F.cross_entropy(self.model(x), y).item()  # HERE
        return total
t = Trainer()
for epoch in range(2):
    t.fit(torch.randn(8, 4), torch.randint(0, 2, (8,)))
    t.validate([(torch.randn(8, 4), torch.randint(0, 2, (8,))) for _ in range(3)])
""", cause="dropout", says=("`self.model`",),
            fix=[("total = 0.0", "total = 0.0; self.model.eval()", "self.model.eval()")]),
    Mistake("FB-MODE-01", """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 8)
    def forward(self, x, *, scale=1.0):
        return F.dropout(self.fc(x), 0.2, training=self.training) * scale
net = Net()
opt = optim.SGD(net.parameters(), 0.1)
net(torch.randn(3, 4)).sum().backward(); opt.step()
torch.set_grad_enabled(False)
for i in range(4):
    out = net(torch.randn(3, 4), scale=2.0)  # HERE
""", cause="dropout", says=("F.dropout",)),
    Mistake("FB-MODE-01", """
class Tagger(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn, self.out = nn.LSTM(4, 6, num_layers=2, dropout=0.3), nn.Linear(6, 2)
    def forward(self, x):
        return self.out(self.rnn(x["words"])[0])
tagger = Tagger()
opt = optim.AdamW(tagger.parameters())
tagger({"words": torch.randn(5, 2, 4)}).sum().backward(); opt.step()
@torch.no_grad()
def error(batch):
    return tagger.forward(batch).abs().mean().item()  # HERE
print([error({"words": torch.randn(5, 2, 4)}) for _ in range(3)])
""", cause="dropout", says=("`tagger`", "LSTM(4, 6, num_layers=2")),
    Mistake("FB-MODE-02", """
net = nn.Sequential(nn.Linear(8, 16), nn.Dropout(0.5), nn.Linear(16, 2)); opt = optim.SGD(net.parameters(), 0.1)
for epoch in range(3):
    for _ in range(4):
        opt.zero_grad(); net(torch.randn(8, 8)).sum().backward(); opt.step()
    net.eval()  # HERE
""", cause="dropout", level="W", says=("`net.eval()`", "after step 4"),
            fix=[("    for _ in range(4)", "    net.train()\n    for _ in range(4)", "net.train()")]),
    Mistake("FB-MODE-02", NET + """
def evaluate(model):
    model.eval()  # HERE
    with torch.no_grad():
        return model(torch.randn(4, 8)).argmax(1)
for epoch in range(2):
    steps(net, opt, 3)
    evaluate(net)
""", cause="norm", level="W", says=("`model.train()`",)),
    Mistake("FB-MODE-02", """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(4, 8), nn.Linear(8, 2)
    def forward(self, x):
        return self.fc2(F.dropout(self.fc1(x), 0.4, training=self.training))
class Fit:
    def __init__(self, model):
        self.model, self.opt = model, optim.Adam(model.parameters(), 1e-3)
    def epoch(self):
        for _ in range(3):
            self.opt.zero_grad()
            F.cross_entropy(self.model(torch.randn(8, 4)), torch.randint(0, 2, (8,))).backward()
            self.opt.step()
        self.model.train(False)  # HERE
fit = Fit(Net())
for _ in range(2):
    fit.epoch()
""", cause="dropout", level="W", says=("`self.model.eval()`", "after step 3")),
    Mistake("FB-MODE-02", NET + """
net.eval()
steps(net, opt, 4)
""", cause="from-the-start", level="H"),
    Mistake("FB-MODE-03", """
net = nn.Linear(64, 64).eval()
preds = []
for _ in range(20):
    preds.append(net(torch.randn(256, 64)))  # HERE
""", cause="kept", level="W", says=("outputs and their graphs are alive",),
            fix=[("for _ in range(20):\n    preds", "with torch.no_grad():\n  for _ in range(20):\n    preds",
                  "with torch.no_grad():")]),
    Mistake("FB-MODE-03", NET + """
steps(net, opt)
def validate(net, batches):
    net.eval()
    total = 0
    for x, y in batches:
        total += F.cross_entropy(net(x), y)  # HERE
    net.train()
    return total
validate(net, [(torch.randn(8, 8), torch.randint(0, 2, (8,))) for _ in range(5)])
""", cause="kept", level="W", says=("`net`",)),
    Mistake("FB-MODE-03", NET + """
steps(net, opt)
net.eval()
right = 0
for i in range(8):
    out = net(torch.randn(8, 8))  # HERE
    right += (out.argmax(1) == 0).sum().item()
""", cause="unused", level="H"),
    Mistake("FB-MODE-04", """
class Net(nn.Module):
    def __init__(self): super().__init__(); self.fc = nn.Linear(8, 8)
    def forward(self, x): return F.dropout(self.fc(x), 0.5)  # HERE
net = Net().eval(); x = torch.randn(2, 8)
print(torch.equal(net(x), net(x)))
""", says=("p=0.5", "Net.forward"),
            fix=[("F.dropout(self.fc(x), 0.5)", "F.dropout(self.fc(x), 0.5, training=self.training)",
                  "training=self.training")]),
    Mistake("FB-MODE-04", """
def block(x, p):
    return F.dropout2d(F.relu(x), p=p)  # HERE
class Body(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 4, 3)
    def forward(self, x):
        return block(self.conv(x), 0.25)
net = nn.Sequential(Body(), nn.Flatten())
net.eval()
with torch.no_grad():
    net(torch.randn(2, 1, 5, 5))
""", says=("F.dropout2d(p=0.25)", "Body")),
    Mistake("FB-MODE-05", """
net = nn.Sequential(nn.Linear(8, 16), nn.BatchNorm1d(16), nn.Linear(16, 2))
for _ in range(3): net(torch.randn(32, 8) * 5 + 20)
net.eval()
out = net(torch.randn(32, 8) * 5 + 20)  # HERE
""", says=("net.1", "BatchNorm1d(16)", "3 batches", "73%"),
            fix=[("nn.BatchNorm1d(16)", "nn.BatchNorm1d(16, momentum=None)", "momentum=None")]),
    Mistake("FB-MODE-05", """
net = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Linear(8, 1))
for p in net[1].parameters():
    p.requires_grad_(False)
opt = optim.SGD([p for p in net.parameters() if p.requires_grad], 0.01)
for _ in range(3):
    opt.zero_grad(); net(torch.randn(8, 4)).pow(2).mean().backward(); opt.step()  # HERE
""", cause="frozen", level="H", says=("net.1",)),
    Mistake("FB-MODE-05", """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.bn = nn.Conv2d(3, 16, 3), nn.BatchNorm2d(16, momentum=0.01)
    def forward(self, x):
        return self.bn(self.conv(x))  # HERE
net = Net()
opt = optim.SGD(net.parameters(), 1e-3)
for _ in range(12):
    opt.zero_grad(); net(torch.randn(8, 3, 8, 8) + 6).mean().backward(); opt.step()
with torch.no_grad():
    net.eval()(torch.randn(8, 3, 8, 8) + 6)
""", says=("12 batches",)),
]  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda m: f"{m.code}-{m.cause}")
def test_mistake_is_found_and_its_fix_removes_it(mistake):
    check(mistake)


CORRECT = {
    "a loop as it should be": NET + """
for epoch in range(2):
    net.train()
    steps(net, opt, 15)
    net.eval()
    with torch.no_grad():
        for _ in range(3):
            net(torch.randn(16, 8))
""",
    "dropout that is wanted": NET + """
steps(net, opt, 30)
net.eval()
for m in net.modules():
    if isinstance(m, nn.Dropout):
        m.train()
x = torch.randn(4, 8)
with torch.no_grad():
    for _ in range(3):
        net(torch.randn(4, 8))
plain = nn.Sequential(nn.Linear(8, 4), nn.Dropout(0.5))
opt = optim.SGD(plain.parameters(), 0.1)
plain(x).sum().backward(); opt.step()
plain.train()
with torch.no_grad():
    samples = torch.stack([plain(x) for _ in range(20)])
""",
    "a teacher that nobody trains": NET + """
teacher = copy.deepcopy(net)
for _ in range(3):
    with torch.no_grad():
        soft = teacher(torch.randn(16, 8))
        soft = teacher(torch.randn(16, 8))
    steps(net, opt, 1)
""",
    "two views of a batch as each other's target": NET + """
for _ in range(3):
    a, b = torch.randn(16, 8), torch.randn(16, 8)
    with torch.no_grad():
        ta = net(a)
        tb = net(b)
    loss = F.mse_loss(net(a), tb) + F.mse_loss(net(b), ta)
    opt.zero_grad(); loss.backward(); opt.step()
""",
    "statistics measured anew": NET + """
steps(net, opt)
with torch.no_grad():
    for _ in range(4):
        net(torch.randn(16, 8))
""",
    "generated samples between the steps of another": NET + """
d = nn.Linear(2, 1); dopt = optim.SGD(d.parameters(), 0.1)
for _ in range(3):
    with torch.no_grad():
        fake = net(torch.randn(16, 8))
    dopt.zero_grad(); d(fake).mean().backward(); dopt.step()
""",
    "a part in eval mode": """
body, head = nn.Sequential(nn.Linear(8, 8), nn.BatchNorm1d(8)), nn.Linear(8, 2)
net = nn.Sequential(body, head); opt = optim.SGD(net.parameters(), 0.1)
for i in range(40):
    opt.zero_grad(); net(torch.randn(16, 8)).mean().backward(); opt.step()
    if i == 20: body.eval()
""",
    "saliency, attacks and gradients asked for": NET + """
steps(net, opt, 30)
net.eval()
for _ in range(4):
    x = torch.randn(4, 8, requires_grad=True)
    (g,) = torch.autograd.grad(net(x).sum(), x)
kept = []
for _ in range(4):
    x = torch.randn(4, 8, requires_grad=True)
    kept.append(net(x))
""",
    "several views in one loss": NET + """
net.eval()
for _ in range(2):
    views = [net(torch.randn(4, 8)) for _ in range(4)]
    sum(v.mean() for v in views).backward(); opt.step(); opt.zero_grad()
""",
    "dropout that is told": """
class Net(nn.Module):
    def forward(self, x):
        return F.dropout(x, 0.5, True) + F.dropout(x, training=self.training) + F.alpha_dropout(x)
net = Net().eval()
net(torch.randn(3)); F.dropout(torch.randn(3))
""",
    "young statistics near the data, and loaded ones": """
net = nn.Sequential(nn.Linear(8, 16), nn.BatchNorm1d(16))
for _ in range(3): net(torch.randn(64, 8))
state = net.state_dict()
net.eval()(torch.randn(64, 8))
deep = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 16), nn.BatchNorm1d(16))
image = nn.Sequential(nn.Conv2d(3, 16, 3), nn.BatchNorm2d(16))
for _ in range(4): deep(torch.randn(32, 8)); image(torch.rand(8, 3, 8, 8))
deep.eval()(torch.randn(32, 8)); image.eval()(torch.rand(8, 3, 8, 8))
other = nn.Sequential(nn.Linear(8, 16), nn.BatchNorm1d(16))
other.load_state_dict(state); other.eval()(torch.randn(64, 8) * 9 + 30)
fresh = nn.BatchNorm1d(8).eval(); fresh(torch.randn(64, 8) * 9 + 30)
plain = nn.BatchNorm1d(8, track_running_stats=False)
plain(torch.randn(9, 8) + 30); plain.eval()(torch.randn(9, 8) + 30)
""",
}  # fmt: skip


@pytest.mark.parametrize("name", CORRECT)
def test_correct_programs_are_left_alone(name):
    correct(CORRECT[name])


def test_the_default_of_dropout_reads_as_true():
    outcome = run("import inspect\ns = inspect.signature(F.dropout)\nd = s.parameters['training'].default\n")
    assert str(outcome.names["s"]) == "(input, p=0.5, training=True, inplace=False)" and outcome.names["d"] == True  # noqa: E712


def test_a_module_in_eval_mode_is_called_as_ever():
    outcome = run("""
net = nn.Linear(2, 2)
net.eval(); watched = net._hooked
calls = []
h = net.register_forward_hook(lambda m, a, o: calls.append(1)); net(torch.ones(1, 2))
other = nn.Linear(2, 2); other.eval(); other.train(); plain = "_hooked" in vars(other)
""")
    assert outcome.error is None and outcome.names["calls"] == [1] and not outcome.names["plain"]


# ---------------------------------------------------------------------- evaluations of all data at once

FULL = """
net = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 1))
opt = optim.SGD(net.parameters(), 0.01)
x, y, xv, yv = torch.randn(20, 4), torch.randn(20, 1), torch.randn(10, 4), torch.randn(10, 1)
"""
ONCE = [
    FULL + """
for epoch in range(4):
    loss = F.mse_loss(net(x), y); opt.zero_grad(); loss.backward(); opt.step()
    with torch.no_grad():
        val = F.mse_loss(net(xv), yv)  # HERE
    print(epoch, val.item())
""",
    FULL + """
for epoch in range(4):
    loss = F.mse_loss(net(x), y); opt.zero_grad(); loss.backward(); opt.step()
with torch.no_grad():
    print("train", F.mse_loss(net(x), y).item())
    print("validation", F.mse_loss(net(xv), yv).item())  # HERE
""",
    FULL + """
@torch.no_grad()
def validate(model, inputs, targets):
    return F.mse_loss(model(inputs), targets)  # HERE
history = []
for epoch in range(4):
    loss = F.mse_loss(net(x), y); opt.zero_grad(); loss.backward(); opt.step()
    history.append(validate(net, xv, yv).item())
""",
]  # fmt: skip


@pytest.mark.parametrize("program", ONCE)
def test_evaluation_of_all_data_at_once(program):
    call = "val = F.mse_loss(net(xv), yv)"
    fix = [(call, f"net.eval(); {call}; net.train()", "`net.eval()`", "`net.train()`")] if call in program else []
    check(Mistake("FB-MODE-01", program, "norm", fix, "W"))


USED = [
    # a generator whose samples another network learns from
    """
g = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 2)); d = nn.Linear(2, 1)
og, od = optim.Adam(g.parameters()), optim.Adam(d.parameters())
for i in range(6):
    with torch.no_grad():
        fake = g(torch.randn(8, 4))
    bad = F.softplus(d(fake)).mean() + F.softplus(-d(torch.randn(8, 2))).mean()
    od.zero_grad(); bad.backward(); od.step()
    good = F.softplus(-d(g(torch.randn(8, 4)))).mean()
    og.zero_grad(); good.backward(); og.step()
    print(bad.item(), good.item())
""",
    # labels that the model gives itself
    """
net = nn.Sequential(nn.Linear(4, 8), nn.Dropout(0.1), nn.Linear(8, 3)); opt = optim.SGD(net.parameters(), 0.1)
for i in range(6):
    x = torch.randn(8, 4)
    with torch.no_grad():
        sure, labels = net(x).softmax(1).max(1); mask = (sure > 0.5).float()
    loss = (F.cross_entropy(net(x + 0.1), labels, reduction="none") * mask).mean()
    opt.zero_grad(); loss.backward(); opt.step()
    print(mask.mean().item())
""",
    # targets that a method gives
    """
class Agent:
    def __init__(self):
        self.q = nn.Sequential(nn.Linear(4, 8), nn.Dropout(0.1), nn.Linear(8, 3))
        self.opt = optim.SGD(self.q.parameters(), 0.1)
    def target(self, state, reward):
        with torch.no_grad():
            return reward + 0.9 * self.q(state).max(1).values
    def learn(self):
        target = self.target(torch.randn(8, 4), torch.randn(8))
        loss = F.mse_loss(self.q(torch.randn(8, 4))[:, 0], target)
        self.opt.zero_grad(); loss.backward(); self.opt.step()
agent = Agent()
for _ in range(5): agent.learn()
""",
]  # fmt: skip


@pytest.mark.parametrize("program", USED, ids=["generator", "labels", "targets"])
def test_results_that_training_uses_are_no_evaluation(program):
    correct(program)


def test_eval_called_once_more_after_each_step():
    check(Mistake("FB-MODE-02", """
net = nn.Sequential(nn.Linear(4, 8), nn.Dropout(0.5), nn.Linear(8, 2)); opt = optim.Adam(net.parameters())
def evaluate(model, x):
    model.eval()  # HERE
    with torch.no_grad():
        return model(x).argmax(1)
x, y = torch.randn(12, 4), torch.randint(0, 2, (12,))
for epoch in range(4):
    opt.zero_grad(); F.cross_entropy(net(x), y).backward(); opt.step()
    evaluate(net, x)
""", "dropout", [("    opt.zero_grad()", "    net.train(); opt.zero_grad()", "model.train()")]))  # fmt: skip


def test_evaluation_of_a_module_with_hooks_records_too():
    check(Mistake("FB-MODE-03", """
net = nn.Linear(8, 4); opt = optim.SGD(net.parameters(), 0.1)
net.register_forward_hook(lambda m, inputs, out: None)
net(torch.randn(2, 8)).pow(2).mean().backward(); opt.step()
net.eval()
scores = []
for i in range(12):
    scores.append(net(torch.randn(5, 8)))  # HERE
""", "kept", [("for i in range(12):\n    scores", "for i in range(12):\n  with torch.no_grad():\n    scores",
               "with torch.no_grad():")]))  # fmt: skip
