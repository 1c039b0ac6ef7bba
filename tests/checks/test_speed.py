"""FB-PERF-01 and 02: loops over the elements of tensors, models that wait for data."""

import functools

from checks.cases import Mistake, check, correct, run

from flambeau import doctor

WATCH = functools.partial(doctor.watch, quiet=True, lines=True)
SLOW = """
class Slow(Dataset):
    def __len__(self): return 64
    def __getitem__(self, i): time.sleep(0.002); return torch.zeros(4)
"""


def test_the_model_waits_for_data():
    check(
        Mistake(
            "FB-PERF-02",
            SLOW + "for x in DataLoader(Slow(), batch_size=2): pass\n",
            level="H",
            says=("Slow.__getitem__", "num_workers=", "per sample"),
        )
    )
    check(
        Mistake(
            "FB-PERF-02",
            """
def collate(samples):
    time.sleep(0.003)
    return torch.stack(samples)
net = nn.Linear(3, 1); opt = optim.SGD(net.parameters(), 0.1)
loader = DataLoader(list(torch.randn(50, 3)), batch_size=2, collate_fn=collate)
def epoch():
    for x in loader:
        opt.zero_grad(); net(x).pow(2).mean().backward(); opt.step()
epoch()
""",
            says=("`loader`",),
        )
    )
    fast = "for x, in DataLoader(TensorDataset(torch.randn(200, 4)), batch_size=4): time.sleep(0.001)\n"
    assert "FB-PERF-02" not in run(fast).codes("EWH")


def test_element_by_element():
    program = """
x, norms = torch.randn(12000, 16), torch.zeros(12000)
for i in range(12000):
    norms[i] = (x[i] ** 2).sum().sqrt()  # HERE
"""
    fix = [
        ("for i in range(12000):\n    norms[i] = (x[i] ** 2).sum().sqrt()", "norms = x.norm(dim=1)", "x.norm(dim=1)")
    ]
    check(Mistake("FB-PERF-01", program, level="H", says=("small operations",), fix=fix, around=WATCH))


def test_large_steps_in_loops_are_no_mistake():
    recurrent = """
h, w, x = torch.zeros(32, 64), torch.randn(64, 64) / 8, torch.randn(600, 32, 64)
for t in range(600):
    h = torch.tanh(h @ w + x[t])
"""
    correct(recurrent, WATCH)
    assert "FB-PERF-01" not in run(recurrent, WATCH).codes("EWH")
    assert run("for i in range(300000): i * i\n", WATCH).codes("EWH") == []
