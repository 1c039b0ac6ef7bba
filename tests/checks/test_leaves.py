"""FB-GRAD-05 to 07: tensors that are no leaf, gradients that are zero everywhere, custom Functions."""

import pytest
from checks.cases import Mistake, check, correct, run

MISTAKES = [
    Mistake(
        "FB-GRAD-05",
        """
w = torch.randn(3, requires_grad=True).double()
(w ** 2).sum().backward()
print(w.grad)  # HERE
""",
        "moved",
        [("torch.randn(3, requires_grad=True).double()", "torch.randn(3).double().requires_grad_()")],
        says=("is not a leaf Tensor is being accessed", "line 1"),
    ),
    Mistake(
        "FB-GRAD-05",
        """
W = torch.randn(3, 2, requires_grad=True) * 0.01
loss = ((torch.randn(5, 3) @ W) ** 2).mean()
loss.backward()
for p in (W,):
    if p.grad is None: print("none")  # HERE
""",
        "moved",
        [("torch.randn(3, 2, requires_grad=True) * 0.01", "(torch.randn(3, 2) * 0.01).requires_grad_()")],
    ),
    Mistake(
        "FB-GRAD-05",
        """
def fit():
    b = nn.Parameter(torch.zeros(2)).double()
    (b + 1).sum().backward()
    return b.grad  # HERE
fit()
""",
        "moved",
        [("nn.Parameter(torch.zeros(2)).double()", "nn.Parameter(torch.zeros(2).double())")],
    ),
    Mistake(
        "FB-GRAD-05",
        """
a = torch.randn(1, requires_grad=True)
x = torch.randn(5)
for i in range(3):
    loss = ((a * x - 1) ** 2).mean()
    loss.backward()
    a = a - 0.1 * a.grad
    a.grad.zero_()  # HERE
""",
        "rebound",
        [("a = a - 0.1 * a.grad", "with torch.no_grad(): a -= 0.1 * a.grad")],
        says=("line 6",),
    ),
    Mistake(
        "FB-GRAD-05",
        """
net = nn.Linear(4, 3)
h = net(torch.randn(2, 4))
h.sum().backward()
print(h.grad)  # HERE
""",
        "intermediate",
        [("h.sum()", "h.retain_grad(); h.sum()", "h.retain_grad()")],
    ),
    Mistake(
        "FB-GRAD-05",
        """
w = torch.randn(3, requires_grad=True).to(torch.float64)
opt = optim.SGD([w], lr=0.1)  # HERE
""",
        "moved",
        [("torch.randn(3, requires_grad=True).to(torch.float64)", "torch.randn(3).to(torch.float64).requires_grad_()")],
        level="E",
    ),
    Mistake(
        "FB-GRAD-06",
        """
lin = nn.Linear(4, 3)
for _ in range(2):
    hard = torch.sigmoid(lin(torch.randn(8, 4))).round()  # HERE
    F.mse_loss(hard, torch.ones(8, 3)).backward()
""",
        "round",
        [(".round()", "", "train on `torch.sigmoid(lin(torch.randn(8, 4)))`")],
        says=("lin.weight", "line 3"),
    ),
    Mistake(
        "FB-GRAD-06",
        """
class Binary(nn.Module):
    def __init__(self):
        super().__init__(); self.a = nn.Linear(4, 4); self.b = nn.Linear(4, 1)
    def forward(self, x):
        h = self.a(x)
        return self.b(torch.sign(h))  # HERE
net = Binary(); opt = optim.SGD(net.parameters(), .1)
for _ in range(3):
    opt.zero_grad(); loss = net(torch.randn(8, 4)).pow(2).mean(); loss.backward(); opt.step()
""",
        "sign",
        [("self.b(torch.sign(h))", "self.b(h + (torch.sign(h) - h).detach())", "h + (torch.sign(h) - h).detach()")],
        says=("net.a.weight",),
    ),
]


@pytest.mark.parametrize("mistake", MISTAKES, ids=range(len(MISTAKES)))
def test_mistake(mistake):
    check(mistake)


FINE = [
    """
w = torch.randn(3, requires_grad=True)
y = w * 2
y.retain_grad()
y.sum().backward()
print(w.grad, y.grad, torch.ones(3).grad)
""",
    """
lin = nn.Linear(4, 3)
for _ in range(3):
    p = torch.sigmoid(lin(torch.randn(8, 4)))
    hard = p + (p.round() - p).detach()
    F.mse_loss(hard, torch.ones(8, 3)).backward()
""",
    """
lin = nn.Linear(4, 3)
for _ in range(3):
    p = torch.sigmoid(lin(torch.randn(8, 4)))
    loss = (p - p.floor()).pow(2).mean() + (p * 0).sum()
    loss.backward()
""",
]


@pytest.mark.parametrize("program", FINE, ids=range(len(FINE)))
def test_fine(program):
    correct(program)


# ---------------------------------------------------------------------- FB-GRAD-07

CUSTOM = """
from flambeau.doctor.custom import check_custom
class Cube(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x): ctx.save_for_backward(x); return x ** 3
    @staticmethod
    def backward(ctx, g): return g * {factor} * ctx.saved_tensors[0]{power}
class Round(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x): return x.round()
    @staticmethod
    def backward(ctx, g): return g
class Reversed(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x): return x.view_as(x)
    @staticmethod
    def backward(ctx, g): return -g
class Noisy(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x): return x + torch.randn_like(x)
    @staticmethod
    def backward(ctx, g): return 3 * g
class Product(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, y): ctx.save_for_backward(x, y); return x * y
    @staticmethod
    def backward(ctx, g): x, y = ctx.saved_tensors; return g * {swapped}
state = torch.get_rng_state()
for f in (Cube, Round, Reversed, Noisy):
    check_custom(f, (torch.linspace(-2, 2, 5),))
check_custom(Product, (torch.linspace(-2, 2, 5), torch.ones(5) * 3))
"""


def test_custom_functions():
    wrong = run(CUSTOM.format(factor=2, power="", swapped="x, g * y"))
    assert [f.code for f in wrong.findings] == ["FB-GRAD-07", "FB-GRAD-07"], wrong.error
    assert "Cube.backward disagrees" in wrong.findings[0].saw
    assert "Product.backward disagrees" in wrong.findings[1].saw
    right = run(CUSTOM.format(factor=3, power=" ** 2", swapped="y, g * x"))
    assert right.error is None and not right.findings


def test_a_gradient_of_the_wrong_shape():
    outcome = run("""
class Sum(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x): return x.sum(0)
    @staticmethod
    def backward(ctx, g): return torch.ones(7)
Sum.apply(torch.ones(3, 2, requires_grad=True)).sum().backward()
""")
    assert outcome.error.code == "FB-GRAD-07"
    assert "SumBackward returned an invalid gradient" in str(outcome.error)


def test_the_doctor_compares_the_functions_that_ran():
    outcome = run(
        """
class Cube(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x): ctx.save_for_backward(x); return x ** 3
    @staticmethod
    def backward(ctx, g): return g * 2 * ctx.saved_tensors[0]  # should be 3 * x ** 2
class Net(nn.Module):
    def __init__(self):
        super().__init__(); self.lin = nn.Linear(4, 3)
    def forward(self, x): return Cube.apply(self.lin(x))
net = Net()
torch.doctor.examine(net, [(torch.randn(8, 4), torch.randn(8, 3))], nn.MSELoss(), optim.SGD(net.parameters(), 0.01))
"""
    )
    assert "FB-GRAD-07" in [f.code for f in outcome.findings], outcome.error
