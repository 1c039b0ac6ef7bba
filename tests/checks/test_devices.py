"""FB-DEV: tensors on different devices, results thrown away, NumPy, devices that are not there."""

import pytest
from checks.cases import Mistake, check, correct, run

import flambeau as torch

MODEL = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)
        {init}
    def forward(self, x):
        h = self.fc(x)
        {body}
net = Net().to("meta")
net(torch.ones(2, 4, device="meta"))
"""

MIXED = [
    Mistake(
        "FB-DEV-01",
        """
net = nn.Linear(10, 5).to("meta")
x = torch.randn(1, 10)
net(x)  # HERE
""",
        "input-not-moved",
        [("net(x)", "x = x.to(net.weight.device); net(x)", "x = x.to(net.weight.device)")],
        says=("`net.weight` is on meta, but `x`, assigned on line 2, is on cpu",),
    ),
    Mistake(
        "FB-DEV-01",
        """
def train(model, batches):
    criterion = nn.MSELoss()
    for data, target in batches:
        data = data.to("meta")
        loss = criterion(model(data), target)  # HERE
        loss.backward()
train(nn.Linear(3, 1).to("meta"), [(torch.ones(2, 3), torch.ones(2, 1))])
""",
        "input-not-moved",
        [("criterion(model(data), target)", "criterion(model(data), target.to('meta'))", "target = target.to('meta')")],
        says=("`model(data)` is on meta, but `target`, assigned on line 3, is on cpu",),
    ),
    Mistake(
        "FB-DEV-01",
        """
ids = torch.tensor([1, 2])
table = nn.Embedding(10, 3, device="meta")
print(table(ids).shape)  # HERE
""",
        "input-not-moved",
        [("ids = torch.tensor([1, 2])", "ids = torch.tensor([1, 2]).to('meta')", "ids = ids.to(table.weight.device)")],
    ),
    Mistake(
        "FB-DEV-01",
        MODEL.format(init="self.scale = torch.ones(4)", body="return h * self.scale  # HERE"),
        "unregistered",
        [("self.scale = torch.ones(4)", "self.register_buffer('scale', torch.ones(4))",
          "self.register_buffer('scale', ")],
        says=("`self.scale` of Net is on cpu",),
    ),
    Mistake(
        "FB-DEV-01",
        MODEL.format(init="pass", body="noise = torch.zeros(4)\n        return h + noise  # HERE"),
        "made-in-forward",
        [("torch.zeros(4)", "torch.zeros(4, device=x.device)", "device=x.device")],
        says=("`noise` is on cpu: it was made in forward",),
    ),
    Mistake(
        "FB-DEV-01",
        MODEL.format(init="pass", body="return torch.cat([h, torch.zeros(2, 4)], 1)  # HERE"),
        "made-in-forward",
        [("torch.zeros(2, 4)", "torch.zeros(2, 4, device=x.device)", "device=x.device")],
    ),
    Mistake(
        "FB-DEV-01",
        MODEL.format(init="self.more = [nn.Linear(4, 4)]", body="return self.more[0](h)  # HERE"),
        "module-not-moved",
        [("[nn.Linear(4, 4)]", "nn.ModuleList([nn.Linear(4, 4)])", "self.more = nn.ModuleList(")],
        says=("`self.more` of Net is a plain list",),
    ),
    Mistake(
        "FB-DEV-01",
        """
net = nn.Sequential(nn.Linear(3, 3), nn.ReLU())
x = torch.ones(2, 3, device="meta")
net(x)  # HERE
""",
        "module-not-moved",
        [("net(x)", "net.to('meta'); net(x)", "net.to('meta')")],
    ),
    Mistake(
        "FB-DEV-02",
        """
x = torch.randn(4, 10)
x.to("meta")
nn.Linear(10, 2, device="meta")(x)  # HERE
""",
        fix=[('x.to("meta")', "x = x.to('meta')", "x = x.to('meta')")],
        says=("on line 2 returned a new tensor that was not kept",),
    ),
    Mistake(
        "FB-DEV-02",
        """
def step(net, data, target):
    data.to("meta"); target.to("meta")
    return F.mse_loss(net(data), target)  # HERE
step(nn.Linear(2, 1).to("meta"), torch.ones(3, 2), torch.ones(3, 1))
""",
        fix=[('data.to("meta"); target.to("meta")', "data = data.to('meta'); target = target.to('meta')",
              "data = data.to('meta')")],
    ),
]  # fmt: skip


@pytest.mark.parametrize("mistake", MIXED, ids=lambda m: f"{m.code} {m.cause}")
def test_mixed_devices(mistake):
    error = check(mistake).error
    assert isinstance(error, RuntimeError)
    assert error.fact.startswith("Expected all tensors to be on the same device, but found at least two devices, ")


OPS = {
    "add": lambda a, b: a + b,
    "reversed": lambda a, b: b * a,
    "in place": lambda a, b: a.add_(b),
    "where": lambda a, b: torch.where(b > 0, a, a),
    "cat": lambda a, b: torch.cat([a, b]),
    "stack": lambda a, b: torch.stack([a, b]),
    "index": lambda a, b: a[b.long()],
    "mask": lambda a, b: a[b > 0],
    "set by index": lambda a, b: a.__setitem__(torch.tensor([0, 1]), b),
    "gather": lambda a, b: a.gather(0, b.long()),
    "scatter": lambda a, b: a.scatter(0, torch.tensor([[0, 0], [1, 1]]), b),
    "scatter_add": lambda a, b: a.scatter_add(0, b.long(), a),
    "index_select": lambda a, b: a.index_select(0, b[0].long()),
    "index_add": lambda a, b: a.index_add(0, torch.tensor([0, 1]), b),
    "take": lambda a, b: a.take(b.long()),
    "masked_fill": lambda a, b: a.masked_fill(b > 0, 0.0),
    "masked_select": lambda a, b: a.masked_select(b > 0),
    "matmul": lambda a, b: a @ b,
    "bmm": lambda a, b: a[None].bmm(b[None]),
    "addmm": lambda a, b: torch.addmm(a, a, b),
    "einsum": lambda a, b: torch.einsum("ij,jk->ik", a, b),
    "linear": lambda a, b: torch.nn.functional.linear(a, b),
    "bias": lambda a, b: torch.nn.functional.linear(a, a, b[0]),
    "mse": lambda a, b: torch.nn.functional.mse_loss(a, b),
    "cross_entropy": lambda a, b: torch.nn.functional.cross_entropy(a, b[0].long()),
    "bce": lambda a, b: torch.nn.functional.binary_cross_entropy_with_logits(a, b),
    "hinge": lambda a, b: torch.nn.functional.hinge_embedding_loss(a, b),
    "embedding": lambda a, b: torch.nn.functional.embedding(b.long(), a),
    "embedding_bag": lambda a, b: torch.nn.functional.embedding_bag(b.long(), a),
    "batch_norm": lambda a, b: torch.nn.functional.batch_norm(a, b[0], b[0], training=True),
    "layer_norm": lambda a, b: torch.nn.functional.layer_norm(a, (2,), b[0]),
    "conv": lambda a, b: torch.nn.functional.conv1d(a[None], b[:, :, None]),
    "lstm": lambda a, b: torch.nn.LSTM(2, 3)(b[None]),
    "cell": lambda a, b: torch.nn.GRUCell(2, 3)(b),
    "attention": lambda a, b: torch.nn.functional.scaled_dot_product_attention(a, b, b),
    "cdist": lambda a, b: torch.cdist(a, b),
    "lerp": lambda a, b: torch.lerp(a, b, 0.5),
    "searchsorted": lambda a, b: torch.searchsorted(a[0], b),
    "solve": lambda a, b: torch.linalg.solve(a + torch.eye(2), b),
    "backward": lambda a, b: a.requires_grad_().exp().backward(b),
}


@pytest.mark.parametrize("name", OPS)
def test_every_operation_refuses_two_devices(name):
    with pytest.raises(RuntimeError, match="Expected all tensors to be on the same device") as caught:
        OPS[name](torch.ones(2, 2), torch.ones(2, 2, device="meta"))
    assert caught.value.code == "FB-DEV-01"


def test_what_may_be_elsewhere():
    correct("""
x = torch.ones(3, 4, device="meta")
x * torch.tensor(2.0), x[torch.tensor([0, 1])], x[torch.tensor([True, False, True])]  # numbers, indices
x[0:2] = torch.ones(2, 4)
x.copy_(torch.ones(3, 4))
net = nn.Linear(4, 2).to("meta")
net.to("meta")  # modules move in place
net(x)
""")


NUMPY = [
    Mistake(
        "FB-DEV-03",
        """
net = nn.Linear(3, 1, device="meta")
out = net(torch.randn(2, 3, device="meta"))
arr = out.detach().numpy()  # HERE
""",
        says=("can't convert meta device type tensor to numpy.", "`out.detach().cpu().numpy()`"),
    ),
    Mistake(
        "FB-DEV-03",
        """
y = nn.Linear(3, 1, device="meta")(torch.randn(2, 3, device="meta"))
def plot(values):
    return values.numpy()  # HERE
plot(y)
""",
        says=("Can't call numpy() on Tensor that requires grad.", "`values.detach().cpu().numpy()`"),
    ),
    Mistake(
        "FB-DEV-03",
        "pred = nn.Linear(3, 1)(torch.randn(2, 3))\narr = np.asarray(pred)  # HERE\n",
        fix=[("np.asarray(pred)", "pred.detach().numpy()")],
    ),
    Mistake(
        "FB-DEV-03",
        "net = nn.Linear(3, 1)\nfor step in range(2):\n    print((net(torch.ones(3)) ** 2).numpy())  # HERE\n",
        fix=[("(net(torch.ones(3)) ** 2).numpy()", "(net(torch.ones(3)) ** 2).detach().numpy()")],
    ),
]  # fmt: skip


@pytest.mark.parametrize("mistake", NUMPY)
def test_numpy(mistake):
    check(mistake)


ABSENT = [
    Mistake(
        "FB-DEV-04",
        'device = "cuda"\nnet = nn.Linear(3, 1).to(device)  # HERE\nx = torch.randn(8, 3, device=device)\nnet(x)\n',
        fix=[('device = "cuda"', 'device = "cuda" if torch.cuda.is_available() else "cpu"')],
        says=("Torch not compiled with CUDA enabled", "this machine has only: cpu, meta"),
    ),
    Mistake("FB-DEV-04", "x = torch.zeros(2)\nx = x.cuda()  # HERE\n"),
    Mistake("FB-DEV-04", "x = torch.zeros(2, device='mps')  # HERE\n", says=("current_accelerator()",)),
    Mistake("FB-DEV-04", "torch.tensor([1.0], device=torch.device('cuda', 1))  # HERE\n", says=("'cuda:1'",)),
]


@pytest.mark.parametrize("mistake", ABSENT)
def test_devices_that_are_not_there(mistake):
    error = check(mistake).error
    assert isinstance(error, (AssertionError, RuntimeError))


def test_a_checkpoint_of_another_device():
    error = run("""
import io
from flambeau import serialization
place = serialization._Placer(None)
place(torch.zeros(2).untyped_storage(), "cuda:0")
""").error
    assert error.code == "FB-DEV-04" and isinstance(error, RuntimeError) and "map_location='cpu'" in error.fix
    assert error.fact.startswith("Attempting to deserialize object on a CUDA device but torch.cuda.is_available()")


def test_a_move_that_a_function_drops():
    error = check(Mistake("FB-DEV-02", """
def prepare(x, device):
    x.to(device)
    return x
x = prepare(torch.randn(3, 4), "meta")
nn.Linear(4, 1).to("meta")(x)  # HERE
""", fix=[("    x.to(device)", "    x = x.to(device)", "x = x.to(device)")])).error  # fmt: skip
    assert "`x.to(device)` on line 2" in error.why
