"""FB-GRAD-03: the cut that is named is the one that cut, where several things on the way look like one."""

import pytest
from checks.cases import Mistake, check

CUTS = [
    Mistake("FB-GRAD-03", """
net = nn.Linear(4, 3)
def wrong(out, y):
    return 1 - (out.argmax(1) == y).float().mean()
loss = wrong(net(torch.randn(5, 4)), torch.zeros(5).long())
loss.backward()  # HERE
""", "argmax/compare/cast", says=("`out.argmax(1) == y` on line 3",)),
    Mistake("FB-GRAD-03", """
net = nn.Linear(4, 3)
def error(a, b):
    return ((a.detach().numpy() - b.numpy()) ** 2).mean()
loss = torch.tensor(error(net(torch.randn(5, 4)), torch.zeros(5, 3)))
loss.backward()  # HERE
""", "numpy", [("((a.detach().numpy() - b.numpy()) ** 2).mean()", "((a - b) ** 2).mean()"),
               ("torch.tensor(error(net(torch.randn(5, 4)), torch.zeros(5, 3)))",
                "error(net(torch.randn(5, 4)), torch.zeros(5, 3))")]),
]  # fmt: skip


@pytest.mark.parametrize("mistake", CUTS, ids=lambda m: m.cause)
def test_the_right_cut_is_named(mistake):
    check(mistake)
