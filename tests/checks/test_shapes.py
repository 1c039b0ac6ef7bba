"""FB-SHAPE: features, channels, matrix products, batch dimensions and indices that do not fit."""

import pytest
from checks.cases import Mistake, check, correct, run

FEATURES = [
    Mistake(
        "FB-SHAPE-01",
        """
net = nn.Sequential(nn.Conv2d(3, 16, 3, padding=1), nn.ReLU(), nn.Linear(16384, 10))
x = torch.randn(64, 3, 32, 32)
net(x)  # HERE
""",
        "unflattened",
        [("nn.ReLU(), nn.Linear", "nn.ReLU(), nn.Flatten(), nn.Linear", "`nn.Flatten()` before the Linear")],
        says=("(32768x32 and 16384x10)", "Linear(in_features=16384) received (64, 16, 32, 32)", "16 * 32 * 32 = 16384",
              "module Sequential.2 = Linear"),
    ),
    Mistake(
        "FB-SHAPE-01",
        """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.fc = nn.Conv2d(1, 4, 3), nn.Linear(4 * 26 * 26, 10)
    def forward(self, x):
        h = F.relu(self.conv(x))
        return self.fc(h)  # HERE
print(Net()(torch.randn(2, 1, 28, 28)).shape)
""",
        "unflattened",
        [("self.fc(h)", "self.fc(h.flatten(1))", "`h.flatten(1)`, of shape (2, 2704)")],
    ),
    Mistake(
        "FB-SHAPE-01",
        "layer = nn.Linear(12, 2)\nseq = torch.randn(5, 7, 3, 4)\nlayer(seq)  # HERE\n",
        "unflattened",
        [("layer(seq)", "layer(seq.flatten(2))", "`seq.flatten(2)`, of shape (5, 7, 12)")],
    ),
    Mistake(
        "FB-SHAPE-01",
        "x = torch.randn(64, 3, 8, 8)\nflat = x.view(64, -1)\nnn.Linear(100, 10)(flat)  # HERE\n",
        "wrong-number",
        [("nn.Linear(100, 10)", "nn.Linear(192, 10)")],
        says=("received (64, 192), which was reshaped from (64, 3, 8, 8)",),
    ),
    Mistake(
        "FB-SHAPE-01",
        "x = torch.randn(64, 3, 8, 8)\nnn.Linear(192, 10)(x.flatten())  # HERE\n",
        "unflattened",
        [("x.flatten()", "x.flatten(1)", ".flatten(1)")],
        says=("the batch too",),
    ),
    Mistake(
        "FB-SHAPE-01",
        "def head(h, w):\n    return F.linear(h, w)  # HERE\nhead(torch.ones(8, 20, 5), torch.ones(3, 20))\n",
        "transposed",
        [("F.linear(h, w)", "F.linear(h.transpose(1, 2), w)", "h.transpose(1, 2)")],
    ),
    Mistake(
        "FB-SHAPE-01",
        "x = torch.randn(2, 16, 5, 5)\nhead = nn.Linear(16, 10)\nhead(x)  # HERE\n",
        "transposed",
        [("head(x)", "head(x.mean((2, 3)))", "x.mean((2, 3))")],
    ),
    Mistake(
        "FB-SHAPE-01",
        "w = nn.Parameter(torch.randn(10, 20))\nx = torch.randn(8, 20)\ny = x @ w  # HERE\n",
        "transposed",
        [("x @ w", "x @ w.T")],
    ),
    Mistake(
        "FB-SHAPE-01",
        "w = nn.Parameter(torch.randn(12, 20))\ny = torch.matmul(torch.randn(8, 3, 4), w)  # HERE\n",
        "unflattened",
        [("torch.randn(8, 3, 4)", "torch.randn(8, 3, 4).flatten(1)")],
    ),
    Mistake(
        "FB-SHAPE-01",
        "body = nn.Linear(4, 8)\nhead = nn.Linear(16, 1)\nhead(body(torch.ones(3, 4)))  # HERE\n",
        "wrong-number",
        [("nn.Linear(16, 1)", "nn.Linear(8, 1)")],
        says=("received (3, 8)",),
    ),
]  # fmt: skip

CHANNELS = [
    ("nn.Conv2d(3, 8, 3)", (4, 28, 28, 3), "channels-last", ".permute(0, 3, 1, 2)"),
    ("nn.Conv2d(1, 8, 3)", (64, 28, 28), "no-channel", ".unsqueeze(1)"),
    ("nn.Conv2d(1, 8, 3)", (28, 28), "no-channel", ".unsqueeze(0).unsqueeze(0)"),
    ("nn.Conv2d(3, 8, 3)", (28, 28, 3), "channels-last", ".permute(2, 0, 1).unsqueeze(0)"),
    ("nn.Conv2d(3, 8, 3)", (3, 4, 28, 28), "channels-first", ".transpose(0, 1)"),
    ("nn.Conv2d(1, 8, 3)", (64, 784), "flattened", ".reshape(64, 1, 28, 28)"),
    ("nn.Conv2d(3, 8, 3)", (2, 5, 3, 9, 9), "extra-dimension", ".flatten(0, 1)"),
    ("nn.Conv2d(3, 8, 3)", (2, 1, 9, 9), "wrong-number", ".repeat_interleave(3, 1)"),
    ("nn.Conv1d(6, 8, 3)", (16, 20, 6), "channels-last", ".permute(0, 2, 1)"),
    ("nn.Conv1d(1, 8, 3)", (16, 20), "no-channel", ".unsqueeze(1)"),
    ("nn.Conv3d(1, 8, 3)", (2, 8, 8, 8), "no-channel", ".unsqueeze(1)"),
    ("nn.ConvTranspose2d(16, 8, 3)", (2, 8, 8, 16), "channels-last", ".permute(0, 3, 1, 2)"),
    ("nn.BatchNorm2d(3)", (4, 28, 28, 3), "channels-last", ".permute(0, 3, 1, 2)"),
    ("nn.BatchNorm2d(3)", (3, 28, 28), "no-batch", ".unsqueeze(0)"),
    ("nn.BatchNorm1d(16)", (4, 20, 16), "channels-last", ".permute(0, 2, 1)"),
    ("nn.BatchNorm1d(16)", (16, 20), "channels-first", ".T"),
    ("nn.InstanceNorm2d(3, affine=True)", (4, 8, 8, 3), "channels-last", ".permute(0, 3, 1, 2)"),
    ("nn.GroupNorm(1, 3)", (4, 8, 8, 3), "channels-last", ".permute(0, 3, 1, 2)"),
    ("nn.GroupNorm(3, 6)", (4, 28, 28, 6), "channels-last", ".permute(0, 3, 1, 2)"),
]
LAYERS = [
    ("nn.Conv2d(3, 8, 3)", (4, 5, 9, 9), "nn.Conv2d(5, 8, 3)"),
    ("nn.ConvTranspose1d(3, 8, 2)", (4, 5, 9), "nn.ConvTranspose1d(5, 8, 2)"),
    ("nn.BatchNorm2d(16)", (4, 20, 3, 3), "nn.BatchNorm2d(20)"),
    ("nn.BatchNorm1d(16)", (4, 16, 8, 8), "nn.BatchNorm2d(16)"),
    ("nn.BatchNorm2d(16)", (4, 16), "nn.BatchNorm1d(16)"),
    ("nn.BatchNorm3d(16)", (4, 16, 8, 8), "nn.BatchNorm2d(16)"),
]


@pytest.mark.parametrize("mistake", FEATURES, ids=lambda m: m.cause)
def test_features(mistake):
    error = check(mistake).error
    assert isinstance(error, RuntimeError) and error.fact.startswith("mat1 and mat2 shapes cannot be multiplied (")


@pytest.mark.parametrize("layer, shape, cause, fix", CHANNELS)
def test_channels(layer, shape, cause, fix):
    program = f"layer = {layer}\nimages = torch.rand{shape}\nlayer(images)  # HERE\n"
    error = check(
        Mistake("FB-SHAPE-02", program, cause, [("layer(images)", f"layer(images{fix})", f"images{fix}")])
    ).error
    assert isinstance(error, RuntimeError) and isinstance(error, ValueError)


@pytest.mark.parametrize("layer, shape, other", LAYERS)
def test_another_layer(layer, shape, other):
    check(Mistake("FB-SHAPE-02", f"layer = {layer}\nlayer(torch.rand{shape})  # HERE\n", "", [(layer, other)]))


def test_channels_in_a_model_and_in_functions():
    check(Mistake(
        "FB-SHAPE-02",
        """
model = nn.Sequential(nn.BatchNorm2d(3), nn.Conv2d(3, 8, 3), nn.ReLU())
for batch in [np.random.rand(2, 8, 8, 3).astype("float32")]:
    x = torch.from_numpy(batch)
    model(x)  # HERE
""",
        "channels-last",
        [("model(x)", "model(x.permute(0, 3, 1, 2))", "x.permute(0, 3, 1, 2)")],
        says=("module Sequential.0 = BatchNorm2d(3", "which gives (2, 3, 8, 8)"),
    ))  # fmt: skip
    check(Mistake(
        "FB-SHAPE-02",
        "x = torch.rand(2, 8, 8, 3)\nF.conv2d(x, torch.rand(4, 3, 3, 3))  # HERE\n",
        "channels-last",
        [("F.conv2d(x", "F.conv2d(x.permute(0, 3, 1, 2)", "x.permute(0, 3, 1, 2)")],
    ))  # fmt: skip


def test_what_is_legal_for_channels():
    correct("""
nn.Conv2d(3, 8, 3)(torch.rand(3, 9, 9))  # one sample without batch
nn.Conv1d(3, 8, 3)(torch.rand(3, 9))
nn.BatchNorm1d(4)(torch.rand(5, 4)), nn.BatchNorm1d(4)(torch.rand(5, 4, 4))
nn.InstanceNorm2d(3)(torch.rand(3, 5, 5))
nn.Linear(32, 3)(torch.rand(4, 16, 5, 32))
""")


PRODUCTS = [
    ("torch.bmm(q, k)", (8, 10, 64), (8, 12, 64), "transpose-second", "torch.bmm(q, k.transpose(1, 2))"),
    ("q @ k", (8, 10, 64), (8, 12, 64), "transpose-second", "q @ k.transpose(1, 2)"),
    ("torch.matmul(q, k)", (2, 8, 10, 64), (2, 8, 12, 64), "transpose-second", "q @ k.transpose(2, 3)"),
    ("torch.mm(q, k)", (3, 4), (5, 4), "transpose-second", "q @ k.T"),
    ("q.mm(k)", (4, 3), (4, 5), "transpose-first", "q.T @ k"),
    ("q @ k", (3, 4), (5, 3), "swapped", "k @ q"),
    ("q @ k", (3, 4), (3,), "transpose-first", "q.T @ k"),
    ("torch.mv(q, k)", (3, 4), (3,), "transpose-first", "q.T @ k"),
    ("q @ k", (5,), (1, 4), "dimension", "q.unsqueeze(-1) @ k"),
    ("q * k", (3, 4), (4, 6), "star-for-at", "q @ k"),
    ("torch.mul(q, k)", (2, 3, 4), (2, 4, 6), "star-for-at", "q @ k"),
    ("torch.einsum('bqd,bdk->bqk', q, k)", (8, 10, 64), (8, 12, 64), "letters", "torch.einsum('bqd,bkd->bqk', q, k)"),
]


@pytest.mark.parametrize("call, a, b, cause, fix", PRODUCTS)
def test_products(call, a, b, cause, fix):
    printed = "`bkd` instead of `bdk`" if cause == "letters" else fix
    program = f"q, k = torch.randn{a}, torch.randn{b}\nout = {call}  # HERE\n"
    error = check(Mistake("FB-SHAPE-06", program, cause, [(call, fix, printed)])).error
    assert isinstance(error, RuntimeError)


@pytest.mark.parametrize(
    "call, cause",
    [
        ("torch.bmm(torch.ones(8, 2, 3), torch.ones(4, 3, 2))", "batch"),
        ("torch.ones(8, 2, 3) @ torch.ones(4, 3, 2)", "batch"),
        ("torch.baddbmm(torch.zeros(1), torch.ones(8, 2, 3), torch.ones(8, 5, 3))", "transpose-second"),
        ("torch.addmm(torch.zeros(1), torch.ones(2, 3), torch.ones(5, 3))", "transpose-second"),
        ("torch.addmv(torch.zeros(1), torch.ones(2, 3), torch.ones(2))", "transpose-first"),
        ("torch.dot(torch.ones(2), torch.ones(3))", "sizes"),
        ("torch.ones(7) @ torch.ones(3, 4)", "sizes"),
        ("torch.linalg.multi_dot([torch.ones(2, 3), torch.ones(2, 3)])", "sizes"),
        ("torch.tensordot(torch.ones(2, 3), torch.ones(2, 3), 1)", "sizes"),
        ("torch.inner(torch.ones(2, 3), torch.ones(3, 2))", "sizes"),
    ],
)
def test_other_products(call, cause):
    check(Mistake("FB-SHAPE-06", f"y = {call}  # HERE\n", cause))


def test_elementwise_clashes_propose_a_dimension():
    error = run("x, y = torch.ones(5, 3), torch.ones(5)\nx - y\n").error
    assert error.code == "" and "`y.unsqueeze(1)`" in error.fix and isinstance(error, RuntimeError)
    correct("x, y = torch.ones(5, 3), torch.ones(5)\nx - y.unsqueeze(1)\n")
    error = run("x, y = torch.ones(5, 3), torch.ones(3, 5)\nx - y\n").error
    assert "`y.T`" in error.fix


BATCHES = [
    Mistake(
        "FB-SHAPE-03",
        """
feat = torch.randn(64, 32, 8, 8)
flat = feat.view(-1, 512)
logits = nn.Linear(512, 10)(flat)
F.cross_entropy(logits, torch.randint(0, 10, (64,)))  # HERE
""",
        "merged",
        [("feat.view(-1, 512)", "feat.flatten(1)"), ("nn.Linear(512, 10)", "nn.Linear(2048, 10)")],
        says=("Expected input batch_size (256) to match target batch_size (64).", "`feat.view(-1, 512)` turned 64",
              "32 * 8 * 8 = 2048 values into 256 rows"),
    ),
    Mistake(
        "FB-SHAPE-03",
        """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.fc = nn.Conv2d(3, 16, 3, padding=1), nn.Linear(16 * 4 * 4, 10)
    def forward(self, x):
        x = F.relu(self.conv(x))
        x = x.reshape(-1, 16 * 4 * 4)
        return self.fc(x)
net, criterion = Net(), nn.CrossEntropyLoss()
loss = criterion(net(torch.randn(5, 3, 8, 8)), torch.zeros(5).long())  # HERE
""",
        "merged",
        [("x.reshape(-1, 16 * 4 * 4)", "x.flatten(1)"),
         ("nn.Linear(16 * 4 * 4, 10)", "nn.Linear(1024, 10)", "nn.Linear(1024, 10)")],
        says=("`x.reshape(-1, 16 * 4 * 4)` turned 5 samples",),
    ),
    Mistake(
        "FB-SHAPE-03",
        "w, y = torch.ones(6, 4, requires_grad=True), torch.ones(6)\npred = w.view(-1, 2).sum(1)\n"
        "loss = ((pred - y) ** 2).mean()  # HERE\n",
        "merged",
        [("w.view(-1, 2)", "w.flatten(1)")],
    ),
    Mistake(
        "FB-SHAPE-03",
        "for n in (3, 1):\n    out = torch.randn(n, 1, 4).squeeze()\n    best = out.argmax(1)  # HERE\n",
        "squeezed",
        [("squeeze()", "squeeze(1)", "squeeze(1)")],
        says=("Dimension out of range (expected to be in range of [-1, 0], but got 1)", "the batch of one too"),
    ),
    Mistake(
        "FB-SHAPE-03",
        "def classes(h):\n    h = h.squeeze()\n    return h.size(1)  # HERE\nclasses(torch.ones(1, 7))\n",
        "squeezed",
    ),
]  # fmt: skip


@pytest.mark.parametrize("mistake", BATCHES)
def test_batches(mistake):
    check(mistake)


def test_a_merged_batch_alone_is_nothing():
    correct("""
x = torch.randn(4, 6, 8)
rows = nn.Linear(8, 3)(x.view(-1, 8))  # every position by itself
F.cross_entropy(rows, torch.zeros(24).long())
""")
    error = run("F.cross_entropy(torch.randn(4, 3), torch.zeros(5).long())\n").error
    assert error.code == "" and "`torch.randn(4, 3)` has shape (4, 3)" in error.why


INDICES = [
    Mistake(
        "FB-SHAPE-08",
        "emb = nn.Embedding(1000, 16)\nids = torch.tensor([[1, 1000], [7, 3]])\nemb(ids)  # HERE\n",
        "one-based",
        [("emb(ids)", "emb(ids - 1)", "ids - 1")],
        says=("index out of range in self", "was given index 1000 at [0, 1] (1 of 4 values)", "0..999",
              "nn.Embedding(1001, 16)"),
    ),
    Mistake(
        "FB-SHAPE-08",
        "emb = nn.Embedding(10, 2)\nemb(torch.tensor([0, 10, 3, 10]))  # HERE\n",
        "special-token",
        [("nn.Embedding(10, 2)", "nn.Embedding(11, 2)")],
        says=("(2 of 4 values)",),
    ),
    Mistake("FB-SHAPE-08", "emb = nn.Embedding(10, 2)\nemb(torch.tensor([0, -1]))  # HERE\n", "negative"),
    Mistake("FB-SHAPE-08", "F.embedding(torch.tensor([3, 4]), torch.ones(2, 2))  # HERE\n", "too-large"),
    Mistake("FB-SHAPE-08", "nn.EmbeddingBag(10, 2)(torch.tensor([[10, 4]]))  # HERE\n", "one-based"),
    Mistake(
        "FB-SHAPE-08",
        "x, best = torch.rand(3, 4), torch.tensor([[1], [3], [4]])\npicked = x.gather(1, best)  # HERE\n",
        "one-based",
        [("x.gather(1, best)", "x.gather(1, best - 1)", "best - 1")],
        says=("`best` has 4 at [2, 0]",),
    ),
    Mistake(
        "FB-SHAPE-08",
        "x, rows = torch.rand(3, 4), torch.tensor([0, 3])\npart = x[rows]  # HERE\n",
        "special-token",
        [("x[rows]", "x[rows.clamp(-3, 2)]", "rows.clamp(-3, 2)")],
    ),
    Mistake("FB-SHAPE-08", "x = torch.rand(3)\nfor i in range(1, 4):\n    x[i]  # HERE\n", "one-based"),
    Mistake("FB-SHAPE-08", "x = torch.rand(3, 2)\nx[torch.tensor([5, 0])] = 1.0  # HERE\n", "special-token"),
    Mistake("FB-SHAPE-08", "torch.zeros(2, 3).scatter(1, torch.tensor([[1], [7]]), 1.0)  # HERE\n"),
    Mistake("FB-SHAPE-08", "torch.zeros(2, 3).index_select(0, torch.tensor([2]))  # HERE\n"),
    Mistake("FB-SHAPE-08", "torch.zeros(2, 3).take(torch.tensor([6]))  # HERE\n"),
]  # fmt: skip


@pytest.mark.parametrize("mistake", INDICES)
def test_indices(mistake):
    error = check(mistake).error
    assert isinstance(error, (IndexError, RuntimeError))


def test_indices_in_range_are_nothing():
    correct("nn.Embedding(10, 2)(torch.tensor([0, 9]))\nx = torch.zeros(3)\nx[-1], x[torch.tensor([-3, 2])]\n")


OTHERS = [
    Mistake("FB-SHAPE-01", """
w = torch.randn(64, 32, requires_grad=True)
def mlp(inputs):
    return torch.relu(inputs @ w)  # HERE
mlp(torch.randn(16, 1, 8, 8))
""", "unflattened", [("inputs @ w", "inputs.flatten(1) @ w", "inputs.flatten(1)")]),
    Mistake("FB-SHAPE-03", """
images, targets = torch.randn(32, 3, 8, 8), torch.rand(32, 1)
rows = torch.reshape(images, (-1, 64))
out = nn.Sequential(nn.Linear(64, 16), nn.ReLU(), nn.Linear(16, 1), nn.Sigmoid())(rows)
nn.BCELoss()(out, targets)  # HERE
""", "merged"),
    Mistake("FB-DEV-02", """
img = torch.rand(2, 8, 8, 3)
img.permute(0, 3, 1, 2)
nn.Conv2d(3, 2, 3)(img)  # HERE
""", fix=[("img.permute", "img = img.permute", "img = img.permute(0, 3, 1, 2)")]),
    Mistake("FB-SHAPE-08", """
labels = torch.tensor([1, 2, 3])
rows = F.one_hot(labels, num_classes=3)  # HERE
""", "one-based", [("num_classes=3", "num_classes=4")]),
]  # fmt: skip


@pytest.mark.parametrize("mistake", OTHERS, ids=lambda m: m.code)
def test_other_forms(mistake):
    check(mistake)
