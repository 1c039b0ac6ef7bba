"""FB-REPRO-01 and 02: seeds that come late, that leave a generator out, that are set in the loop."""

# ruff: noqa: E501

import pytest
from checks.cases import Mistake, check, correct, run

MISTAKES = {
    "late": Mistake(
        "FB-REPRO-01",
        """
net = nn.Linear(4, 2)                    # weights drawn before any seed
torch.manual_seed(0)  # HERE
x = np.random.rand(8, 4)                 # NumPy's generator is never seeded
""",
        level="H",
        cause="late",
        says=("Linear(in_features=4", "`numpy.random` is never seeded"),
        fix=[
            ("net = nn", "torch.manual_seed(0); np.random.seed(0); random.seed(0)\nnet = nn", "random.seed(0)"),
            ("torch.manual_seed(0)  # HERE\n", "", "torch.manual_seed(0)"),
        ],
    ),
    "partial": Mistake(
        "FB-REPRO-01",
        """
torch.manual_seed(7)  # HERE
def augment(x):
    return x + np.random.default_rng().normal() if random.random() < 0.5 else x
augment(1.0)
""",
        level="H",
        cause="partial",
        says=("`numpy.random` and `random`",),
    ),
    "class numbers from a set": Mistake(
        "FB-REPRO-01",
        """
torch.manual_seed(1)
files = ["cat_1", "dog_1", "fox_1", "cat_2"]
classes = list(set(f.split("_")[0] for f in files))  # HERE
number = {c: i for i, c in enumerate(classes)}
""",
        level="H",
        cause="order",
        fix=[("list(set(f", "sorted(set(f", "`sorted(set(")],
    ),
    "words numbered in the order of a set": Mistake(
        "FB-REPRO-01",
        """
torch.manual_seed(1)
vocab = {}
for w in set("the cat sat on the mat".split()):  # HERE
    vocab[w] = len(vocab)
""",
        level="H",
        cause="order",
    ),
    "class numbers from a folder": Mistake(
        "FB-REPRO-01",
        """
import os
torch.manual_seed(1)
class Folder(Dataset):
    def __init__(self, root):
        self.classes = os.listdir(root)  # HERE
        self.class_to_idx = {c: i for i, c in enumerate(self.classes)}
ds = Folder(".")
""",
        level="H",
        cause="order",
        fix=[("os.listdir(root)", "sorted(os.listdir(root))", "sorted(os.listdir(root))")],
    ),
    "a helper that seeds torch alone": Mistake(
        "FB-REPRO-01",
        """
def set_seed(seed): torch.manual_seed(seed)  # HERE
set_seed(42)
noise = np.random.normal(size=(8, 4))
""",
        level="H",
        cause="partial",
    ),
    "in the loop": Mistake(
        "FB-REPRO-02",
        """
drop = nn.Dropout(0.5)
for step in range(5):
    torch.manual_seed(42)  # HERE
    y = drop(torch.ones(8))
""",
        level="W",
        says=("torch.manual_seed(42)", "3 times"),
        fix=[
            (
                "for step in range(5):\n    torch.manual_seed(42)  # HERE\n",
                "torch.manual_seed(42)\nfor step in range(5):\n",
                "move `torch.manual_seed(42)` before the loop",
            )
        ],
    ),
    "in the training step": Mistake(
        "FB-REPRO-02",
        """
def seed_everything(seed=1):
    random.seed(seed); np.random.seed(seed)
    torch.manual_seed(seed)  # HERE
class Trainer:
    def __init__(self):
        self.net = nn.Linear(3, 1); self.opt = optim.SGD(self.net.parameters(), 0.1)
    def step(self, x):
        seed_everything()
        self.opt.zero_grad(); self.net(x + torch.randn_like(x)).pow(2).mean().backward(); self.opt.step()
t = Trainer()
for _ in range(6): t.step(torch.ones(4, 3))
""",
        level="W",
    ),
    "once per epoch": Mistake(
        "FB-REPRO-02",
        """
net = nn.Linear(3, 1); opt = optim.SGD(net.parameters(), 0.1)
loader = DataLoader(TensorDataset(torch.randn(24, 3)), batch_size=4, shuffle=True)
for epoch in range(4):
    torch.manual_seed(0)
    for (x,) in loader:
        opt.zero_grad(); net(x).pow(2).mean().backward(); opt.step()
""",
        level="H",
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_found(name):
    check(MISTAKES[name])


CORRECT = {
    "seeded by step": "drop = nn.Dropout(0.5)\nfor step in range(5):\n    torch.manual_seed(step); drop(torch.ones(8))\n",
    "a search over settings": """
for lr in (0.1, 0.01, 0.001, 0.0001):
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(3, 4), nn.Dropout(0.2), nn.Linear(4, 1)); opt = optim.Adam(net.parameters(), lr)
    for _ in range(3):
        opt.zero_grad(); net(torch.randn(5, 3)).pow(2).mean().backward(); opt.step()
""",
    "the same noise to evaluate with": """
net = nn.Linear(3, 1); opt = optim.SGD(net.parameters(), 0.1)
@torch.no_grad()
def sample():
    torch.manual_seed(0)
    return net(torch.randn(4, 3))
for _ in range(5):
    opt.zero_grad(); net(torch.randn(5, 3)).pow(2).mean().backward(); opt.step(); sample()
""",
    "forked": """
drop = nn.Dropout(0.5)
for step in range(5):
    with torch.random.fork_rng():
        torch.manual_seed(42); y = drop(torch.ones(8))
""",
    "data made again": "def data():\n    torch.manual_seed(0)\n    return torch.randn(4)\nfor _ in range(5): data()\n",
}


@pytest.mark.parametrize("name", CORRECT)
def test_silent(name):
    correct(CORRECT[name])


def test_sets_and_listings_in_a_fixed_order_give_no_hint():
    program = """
import os
torch.manual_seed(1)
names = sorted(set("b a c".split())); number = {c: i for i, c in enumerate(names)}
files = os.listdir("."); files.sort(); index = {f: i for i, f in enumerate(files)}
assert len(set(names)) == 3 and all(n in set(names) for n in names)
"""
    assert run(program).codes("EWH") == []


def test_all_seeded_first_gives_no_hint():
    program = "random.seed(3); np.random.seed(3); torch.manual_seed(3)\nnet = nn.Linear(2, 2); np.random.rand(), random.random()\n"
    assert run(program).codes("EWH") == []
    assert run("net = nn.Linear(2, 2); np.random.rand()\n").codes("EWH") == []  # nobody asked to repeat it
