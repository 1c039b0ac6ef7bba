"""FB-MOD-01 to 05: layers in plain lists, tensors that are no parameters, layers made in forward or repeated."""

# ruff: noqa: E501

import pytest
from checks.cases import Mistake, check, correct

HIDDEN = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = [nn.Linear(8, 8) for _ in range(3)]  # HERE
        self.head = nn.Linear(8, 2)
    def forward(self, x):
        for l in self.layers: x = torch.relu(l(x))
        return self.head(x)
"""
TRAIN = """
net = Net(); opt = optim.SGD(net.parameters(), 0.1)
for _ in range(4):
    opt.zero_grad(); F.cross_entropy(net(torch.randn(5, 8)), torch.zeros(5).long()).backward(); opt.step()
"""
LIST_FIX = [
    (
        "[nn.Linear(8, 8) for _ in range(3)]",
        "nn.ModuleList([nn.Linear(8, 8) for _ in range(3)])",
        "self.layers = nn.ModuleList([nn.Linear(8, 8) for _ in range(3)])",
    )
]

MISTAKES = {
    "a list": Mistake(
        "FB-MOD-01",
        HIDDEN + "print(len(list(Net().parameters())))\n",
        level="W",
        says=("`Net.layers` is a plain list", "3 Linear", "6 parameters"),
        fix=LIST_FIX,
    ),
    "a list, trained": Mistake("FB-MOD-01", HIDDEN + TRAIN, fix=LIST_FIX),
    "a list that is filled later": Mistake(
        "FB-MOD-01",
        """
class Net(nn.Module):
    def __init__(self, sizes):
        super().__init__()
        self.blocks = []  # HERE
        for a, b in zip(sizes, sizes[1:]):
            self.blocks.append((nn.Linear(a, b), nn.Tanh()))
        self.out = nn.Linear(sizes[-1], 2)
    def encode(self, x):
        for linear, act in self.blocks:
            x = act(linear(x))
        return x
    def forward(self, x):
        return self.out(self.encode(x))
def main():
    model = Net([8, 6, 4])
    optimizer = optim.Adam(model.parameters(), lr=1e-3)
    for _ in range(3):
        loss = F.cross_entropy(model(torch.randn(5, 8)), torch.zeros(5).long())
        optimizer.zero_grad(); loss.backward(); optimizer.step()
main()
""",
        says=("`Net.blocks`", "4 parameters"),
    ),
    "a dict of parameters": Mistake(
        "FB-MOD-01",
        """
class Scale(nn.Module):
    def __init__(self):
        super().__init__()
        self.lin = nn.Linear(3, 3)
        self.gains = {"a": nn.Parameter(torch.ones(3)), "b": nn.Parameter(torch.zeros(3))}  # HERE
    def forward(self, x):
        return self.lin(x) * self.gains["a"] + self.gains["b"]
net = Scale()
torch.save(net.state_dict(), "/dev/null")
""",
        says=("plain dict", "nn.ParameterDict"),
    ),
    "a list whose parameters are written of elsewhere": Mistake(
        "FB-MOD-01",
        HIDDEN + "net = Net(); print(len(net.layers))\n" + TRAIN.replace("net = Net(); ", ""),
    ),
    "a tensor that requires grad": Mistake(
        "FB-MOD-02",
        """
class Scale(nn.Module):
    def __init__(self):
        super().__init__()
        self.gain = torch.ones(8, requires_grad=True)  # HERE
    def forward(self, x): return x * self.gain
print(list(Scale().parameters()))
""",
        level="W",
        cause="parameter",
        says=("`Scale.gain`",),
        fix=[
            (
                "torch.ones(8, requires_grad=True)",
                "nn.Parameter(torch.ones(8))",
                "self.gain = nn.Parameter(torch.ones(8))",
            )
        ],
    ),
    "a tensor among layers, trained": Mistake(
        "FB-MOD-02",
        """
class Attention(nn.Module):
    def __init__(self, d):
        super().__init__()
        self.q, self.k = nn.Linear(d, d), nn.Linear(d, d)
        self.bias = torch.zeros(d)  # HERE
        self.bias.requires_grad_()
    def forward(self, x):
        return (self.q(x) + self.bias) @ self.k(x).transpose(-1, -2)
net = nn.Sequential(Attention(4))
print(net[0].bias.shape)
opt = optim.AdamW(net.parameters(), lr=1e-3)
for _ in range(4):
    loss = net(torch.randn(2, 5, 4)).pow(2).mean()
    opt.zero_grad(); loss.backward(); opt.step()
""",
        cause="parameter",
    ),
    "a state that is not saved": Mistake(
        "FB-MOD-02",
        """
class Whiten(nn.Module):
    def __init__(self):
        super().__init__()
        self.mean = torch.randn(8)  # HERE
        self.lin = nn.Linear(8, 2)
    def forward(self, x): return self.lin(x - self.mean)
net = Whiten()
torch.save({"model": net.state_dict(), "epoch": 3}, "/dev/null")
""",
        cause="buffer",
        fix=[
            (
                "self.mean = torch.randn(8)",
                'self.register_buffer("mean", torch.randn(8))',
                'self.register_buffer("mean", torch.randn(8))',
            )
        ],
    ),
    "a layer made in forward": Mistake(
        "FB-MOD-03",
        """
class Net(nn.Module):
    def __init__(self):
        super().__init__(); self.a = nn.Linear(4, 8)
    def forward(self, x):
        return nn.Linear(8, 2)(torch.relu(self.a(x)))  # HERE
net = Net()
for _ in range(2): net(torch.randn(3, 4)).sum().backward()
""",
        level="W",
        says=("`nn.Linear(8, 2)` is made inside `Net.forward`",),
        fix=[
            (
                "self.a = nn.Linear(4, 8)",
                "self.a = nn.Linear(4, 8); self.out = nn.Linear(8, 2)",
                "self.out = nn.Linear(8, 2)",
            ),
            ("return nn.Linear(8, 2)(", "return self.out(", "use `self.out`"),
        ],
    ),
    "a block made in forward": Mistake(
        "FB-MOD-03",
        """
class Block(nn.Module):
    def __init__(self, d):
        super().__init__(); self.net = nn.Sequential(nn.Linear(d, d), nn.ReLU())
    def forward(self, x): return self.net(x)
class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem, self.head = nn.Linear(4, 6), nn.Linear(6, 2)
    def forward(self, x):
        h = self.stem(x)
        block = Block(h.shape[1])  # HERE
        return self.head(block(h))
model = Model(); opt = optim.Adam(model.parameters())
for _ in range(4):
    opt.zero_grad(); F.cross_entropy(model(torch.randn(3, 4)), torch.zeros(3).long()).backward(); opt.step()
""",
        says=("`Block(h.shape[1])`", "Model.forward"),
    ),
    "train = False": Mistake(
        "FB-MOD-04",
        "net = nn.Sequential(nn.Linear(4, 4), nn.Dropout())\nnet.train = False  # HERE\ny = net(torch.randn(2, 4))\n",
        level="W",
        cause="assigned",
        fix=[("net.train = False", "net.eval()", "net.eval()")],
    ),
    "eval = True": Mistake(
        "FB-MOD-04",
        "class M(nn.Module):\n    def __init__(self):\n        super().__init__(); self.l = nn.Linear(2, 2)\n    def forward(self, x): return self.l(x)\n"
        "def test(model):\n    model.eval = True  # HERE\ntest(M())\n",
        says=("`model.eval = True`",),
    ),
    "forward past a hook": Mistake(
        "FB-MOD-04",
        """
net = nn.Linear(4, 2)
net.register_forward_hook(lambda m, i, o: print("hook"))
out = net.forward(torch.randn(1, 4))  # HERE
""",
        level="W",
        cause="forward",
        fix=[("net.forward(torch.randn(1, 4))", "net(torch.randn(1, 4))", "net(torch.randn(1, 4))")],
    ),
    "forward past a hook, in a class": Mistake(
        "FB-MOD-04",
        """
seen = {}
class Trainer:
    def __init__(self):
        self.net = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1))
        self.net.register_forward_hook(lambda m, i, o: seen.update(out=o.detach()))
    def step(self, x):
        return self.net.forward(input=x)  # HERE
Trainer().step(torch.randn(2, 4))
""",
        level="W",
        cause="forward",
        fix=[("self.net.forward(input=x)", "self.net(input=x)", "self.net(input=x)")],
    ),
    "a layer made by a helper of forward": Mistake(
        "FB-MOD-03",
        """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Linear(8, 3)
    def _norm(self, x):
        bn = nn.BatchNorm1d(x.shape[-1])  # HERE
        return bn(x)
    def forward(self, x): return self.a(self._norm(x))
net = Net()
for _ in range(3): net(torch.randn(4, 8)).sum().backward()
""",
        says=("nn.BatchNorm1d(x.shape[-1])",),
    ),
    "one layer four times": Mistake(
        "FB-MOD-05",
        """
layer = nn.Linear(16, 16)
blocks = nn.Sequential(*[layer] * 4)  # HERE
""",
        level="W",
        says=("4 of the 4 entries of Sequential", "272"),
        fix=[
            (
                "[layer] * 4",
                "[nn.Linear(in_features=16, out_features=16, bias=True) for _ in range(4)]",
                "[nn.Linear(in_features=16, out_features=16, bias=True) for _ in range(4)]",
            )
        ],
    ),
    "one block in a ModuleList": Mistake(
        "FB-MOD-05",
        """
class Encoder(nn.Module):
    def __init__(self, block, n):
        super().__init__()
        self.blocks = nn.ModuleList([block for _ in range(n)])  # HERE
    def forward(self, x):
        for b in self.blocks: x = b(x)
        return x
block = nn.Sequential(nn.Linear(4, 4), nn.ReLU())
net = Encoder(block, 3)
""",
        says=("copy.deepcopy(block)",),
    ),
    "one layer in a ModuleDict": Mistake(
        "FB-MOD-05", "l = nn.Conv1d(2, 2, 3)\nheads = nn.ModuleDict({k: l for k in ('a', 'b')})\n"
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_found(name):
    check(MISTAKES[name])


CORRECT = {
    "registered too": """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(8, 8), nn.Linear(8, 8)
        self.order = [self.a, self.b]
        self.named = {"a": [self.a.weight]}
        self.head = nn.Linear(8, 2)
    def forward(self, x):
        for l in self.order: x = l(x)
        return self.head(x) + self.named["a"][0].sum()
"""
    + TRAIN,
    "given to the optimizer": HIDDEN
    + TRAIN.replace("net.parameters()", "[*net.parameters(), *(p for l in net.layers for p in l.parameters())]"),
    "a second optimizer": HIDDEN
    + """
net = Net()
opt = optim.SGD(net.parameters(), 0.1)
opt2 = optim.SGD([p for l in net.layers for p in l.parameters()], 0.01)
for _ in range(4):
    F.cross_entropy(net(torch.randn(5, 8)), torch.zeros(5).long()).backward()
    for o in (opt, opt2):
        o.step(); o.zero_grad()
""",
    "a frozen teacher": """
class Student(nn.Module):
    def __init__(self, teacher):
        super().__init__()
        self.teacher = [teacher.requires_grad_(False)]
        self.net = nn.Linear(8, 2)
    def forward(self, x): return self.net(x), self.teacher[0](x)
net = Student(nn.Linear(8, 2)); opt = optim.SGD(net.parameters(), 0.1)
for _ in range(3):
    a, b = net(torch.randn(4, 8)); opt.zero_grad(); F.mse_loss(a, b).backward(); opt.step()
""",
    "a momentum teacher": """
class Student(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Linear(8, 2)
        self.teacher = [copy.deepcopy(self.net)]
    def forward(self, x):
        with torch.no_grad():
            target = self.teacher[0](x)
        return self.net(x), target
net = Student(); opt = optim.SGD(net.parameters(), 0.1)
for _ in range(3):
    a, b = net(torch.randn(4, 8)); opt.zero_grad(); F.mse_loss(a, b + 1).backward(); opt.step()
""",
    "lists of other things": """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        layers = [nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 2)]
        self.seq, self.sizes, self.log = nn.Sequential(*layers), [8, 8, 2], []
        self.layers = layers
    def forward(self, x):
        self.log.append(len(self.sizes))
        return self.seq(x)
"""
    + TRAIN,
    "saliency and state": """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.lin, self.scale = nn.Linear(8, 2), torch.tensor(2.0)
        self.register_buffer("mean", torch.zeros(8))
    def forward(self, x):
        self.last = x
        return self.lin(x - self.mean) * self.scale
"""
    + TRAIN
    + "x = torch.randn(2, 8, requires_grad=True)\nfor _ in range(3):\n    net(x).sum().backward()\ntorch.save(net.state_dict(), '/dev/null')\nlist(net.parameters())\n",
    "tensor in an optimizer": """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.gain = torch.ones(8, requires_grad=True)
    def forward(self, x): return x * self.gain
net = Net(); opt = optim.SGD([net.gain], 0.1)
for _ in range(3):
    opt.zero_grad(); net(torch.randn(2, 8)).pow(2).mean().backward(); opt.step()
list(net.parameters())
""",
    "built at the first call": """
class Net(nn.Module):
    def __init__(self):
        super().__init__(); self.a, self.out = nn.LazyLinear(8), None
    def forward(self, x):
        x = self.a(x)
        if self.out is None:
            self.out = nn.Linear(x.shape[1], 2)
        return self.out(x)
net = Net()
for _ in range(3): net(torch.randn(3, 4)).sum().backward()
""",
    "copies in forward": """
class Net(nn.Module):
    def __init__(self):
        super().__init__(); self.a = nn.Linear(4, 4)
    def forward(self, x):
        return self.a(x) + copy.deepcopy(self.a)(x).detach()
net = Net()
for _ in range(3): net(torch.randn(3, 4)).sum().backward()
""",
    "super().forward and hooks": """
class Mine(nn.Linear):
    def forward(self, x): return super().forward(x) * 2
net = Mine(4, 2)
net.register_forward_hook(lambda m, i, o: None)
net(torch.randn(1, 4))
""",
    "another forward": """
net = nn.Linear(4, 2)
net.forward = lambda x: x
net.type_name, net.mode = "linear", False
""",
    "activations repeated, weights tied": """
act = nn.ReLU()
net = nn.Sequential(nn.Linear(4, 4), act, nn.Linear(4, 4), act)
net[2].weight = net[0].weight
emb, out = nn.Embedding(5, 4), nn.Linear(4, 5)
out.weight = emb.weight
layer = nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 16), 3)
""",
}


@pytest.mark.parametrize("name", CORRECT)
def test_silent(name):
    correct(CORRECT[name])
