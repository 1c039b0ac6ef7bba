"""Saving and loading."""

import pytest
from checks.cases import Mistake, check, correct

NET = """
import io
net = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
opt = optim.Adam(net.parameters(), 1e-3)
def steps(n=2):
    for _ in range(n):
        opt.zero_grad()
        F.cross_entropy(net(torch.randn(16, 4)), torch.randint(0, 2, (16,))).backward()
        opt.step()
def through_file(thing):
    file = io.BytesIO()
    torch.save(thing, file)
    file.seek(0)
    return torch.load(file)
"""
MISTAKES = [
    Mistake("FB-SAVE-01", NET + """
steps()
torch.save(net.state_dict(), io.BytesIO())  # HERE
""", level="H", cause="saved", says=("Adam", "4 parameters", "step 2"),
            fix=[("torch.save(net.state_dict(),",
                  'torch.save({"model": net.state_dict(), "optimizer": opt.state_dict()},',
                  '"model": net.state_dict(), "optimizer": opt.state_dict()')]),
    Mistake("FB-SAVE-01", NET + """
def checkpoint(model, epoch, file):
    torch.save({"weights": model.state_dict(), "epoch": epoch}, file)  # HERE
steps()
checkpoint(net, 3, io.BytesIO())
""", level="H", cause="saved"),
    Mistake("FB-SAVE-01", NET + """
file = io.BytesIO()
torch.save({"model": net.state_dict()}, file); file.seek(0)
checkpoint = torch.load(file)  # HERE
net.load_state_dict(checkpoint["model"])
opt = optim.Adam(net.parameters(), 1e-3)
steps()
""", level="H", cause="loaded"),
    Mistake("FB-SAVE-01", NET + """
steps()
torch.save(net, io.BytesIO())  # HERE
""", level="H", cause="saved"),
    Mistake("FB-SAVE-02", """
net = nn.Linear(2, 1)
best = net.state_dict()
with torch.no_grad(): net.weight.add_(1.0)
net.load_state_dict(best)  # HERE
""", cause="reference", says=("`best`", ":2"),
            fix=[("net.state_dict()", "copy.deepcopy(net.state_dict())")]),
    Mistake("FB-SAVE-02", NET + """
class EarlyStopping:
    def __init__(self): self.best, self.weights = 1e9, None
    def look(self, loss, model):
        if loss < self.best:
            self.best, self.weights = loss, {k: v.cpu() for k, v in model.state_dict().items()}
stop = EarlyStopping()
for epoch in range(3):
    steps()
    stop.look(float(3 - epoch if epoch < 2 else 5), net)
net.load_state_dict(stop.weights)  # HERE
""", cause="reference", says=("`stop.weights`",)),
    Mistake("FB-SAVE-02", NET + """
best = {"model": net.state_dict(), "loss": 1.0}
steps(3)
torch.save(best, io.BytesIO())  # HERE
""", cause="reference"),
    Mistake("FB-SAVE-02", NET + """
steps()
best_model = net
steps()
net.load_state_dict(best_model.state_dict())  # HERE
""", cause="same-object", fix=[("best_model = net", "best_model = copy.deepcopy(net)")]),
    Mistake("FB-SAVE-04", """
saved = {"backbone." + k: v for k, v in nn.Linear(2, 1).state_dict().items()}
net = nn.Linear(2, 1)
net.load_state_dict(saved, strict=False)  # HERE
""", cause="prefix", says=("2 of 2 keys", "0 of 3 weights", "'backbone.'"),
            fix=[("net.load_state_dict(saved,",
                  'net.load_state_dict({k.removeprefix("backbone."): v for k, v in saved.items()},',
                  '{k.removeprefix("backbone."): v for k, v in saved.items()}')]),
    Mistake("FB-SAVE-04", NET + """
class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = net
Model().load_state_dict(nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2)).state_dict(), strict=False)  # HERE
""", cause="prefix", says=("'body.'",)),
    Mistake("FB-SAVE-04", NET + """
renamed = through_file({"fc" + k: v for k, v in net.state_dict().items()})
other = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
result = other.load_state_dict(renamed, strict=False)  # HERE
""", cause="names"),
    Mistake("FB-SAVE-04", NET + """
given = {k: v for k, v in net.state_dict().items() if k.startswith("module.")}
net.load_state_dict(given, False)  # HERE
""", cause="empty"),
]  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda m: f"{m.code}-{m.cause}")
def test_mistake_is_found_and_its_fix_removes_it(mistake):
    check(mistake)


CORRECT = {
    "copies of the best weights": NET + """
best = copy.deepcopy(net.state_dict()); other = {k: v.clone() for k, v in net.state_dict().items()}
steps()
net.load_state_dict(best); net.load_state_dict(other); torch.save(best, io.BytesIO())
""",
    "saved and loaded at once": NET + """
for _ in range(2):
    steps()
    net.load_state_dict(through_file(net.state_dict()))
    net.load_state_dict(net.state_dict())
""",
    "another model's present weights": NET + """
target = copy.deepcopy(net)
weights = net.state_dict()
steps()
target.load_state_dict(net.state_dict()); target.load_state_dict(weights)
""",
    "a new head, a part of the model, all keys used": NET + """
head = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 50))
head.load_state_dict({k: v for k, v in net.state_dict().items() if k.startswith("0.")}, strict=False)
head.load_state_dict({**{k: v for k, v in net.state_dict().items() if k.startswith("0.")}, "old.weight": torch.ones(1)},
                     strict=False)
head[0].load_state_dict({**head[0].state_dict(), **head.state_dict()}, strict=False)
head.load_state_dict({"0.bias": torch.zeros(8)}, strict=False)
""",
}  # fmt: skip


@pytest.mark.parametrize("name", CORRECT)
def test_correct_programs_are_left_alone(name):
    correct(CORRECT[name])
