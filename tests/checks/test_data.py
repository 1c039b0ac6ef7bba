"""Rules about data: inputs out of scale, not finite, shuffled apart, sorted, and a last batch of one sample."""

import pytest
from checks.cases import Mistake, check, correct

MISTAKES = [
    Mistake(
        "FB-DATA-02",
        """
x = torch.randint(0, 256, (256, 784)).float()
y = torch.randint(0, 10, (256,))
net = nn.Sequential(nn.Linear(784, 64), nn.ReLU(), nn.Linear(64, 10))
loss = F.cross_entropy(net(x), y)  # HERE
""",
        cause="pixels",
        fix=[("net(x)", "net(x / 255)", "x / 255")],
        says=("from 0 to 255", "Sequential.0"),
    ),
    Mistake(
        "FB-DATA-02",
        """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 4, 3)
        self.head = nn.Linear(4 * 26 * 26, 10)
    def forward(self, image):
        h = F.relu(self.conv(image))  # HERE
        return self.head(h.flatten(1))
images = np.random.randint(0, 256, (8, 1, 28, 28)).astype("float32")
loader = DataLoader(TensorDataset(torch.from_numpy(images), torch.randint(0, 10, (8,))), batch_size=4)
net = Net()
opt = optim.Adam(net.parameters())
for image, label in loader:
    opt.zero_grad()
    F.cross_entropy(net(image), label).backward()
    opt.step()
""",
        cause="pixels",
        fix=[("self.conv(image)", "self.conv(image / 255)", "image / 255")],
    ),
    Mistake(
        "FB-DATA-02",
        """
features = torch.randn(64, 3) * torch.tensor([1.0, 5000.0, 2.0]) + torch.tensor([0.0, 40000.0, 1.0])
w, b = torch.randn(1, 3, requires_grad=True), torch.zeros(1, requires_grad=True)
pred = F.linear(features, w, b)  # HERE
""",
        fix=[
            (
                "F.linear(features",
                "F.linear((features - features.mean(0)) / (features.std(0) + 1e-8)",
                "(features - features.mean(0)) / (features.std(0) + 1e-8)",
            )
        ],
    ),
    Mistake(
        "FB-DATA-02",
        """
rows = torch.stack([torch.rand(200) * 10, torch.rand(200) * 0.002], 1)
net = nn.Linear(2, 1)
net(rows).mean().backward()  # HERE
""",
        cause="uneven",
    ),
    Mistake(
        "FB-DATA-04",
        """
price = torch.randn(64, 10, 5); price[3, 0, 2] = float("nan")
out, _ = nn.LSTM(5, 8, batch_first=True)(price)  # HERE
""",
        cause="nan",
        fix=[("(price)", "(torch.nan_to_num(price))", "torch.nan_to_num(price)")],
        says=("1 of 3200", "(3, 0, 2)"),
    ),
    Mistake(
        "FB-DATA-04",
        """
table = np.random.randn(40, 3).astype("float32")
table[:, 1] = np.log(np.abs(np.round(table[:, 1])))  # log of 0
net = nn.Sequential(nn.Linear(3, 8), nn.ReLU(), nn.Linear(8, 1))
for i in range(0, 40, 8):
    batch = torch.from_numpy(table[i : i + 8])
    out = net(batch)  # HERE
""",
        cause="inf",
    ),
    Mistake(
        "FB-DATA-05",
        """
x = torch.randn(500, 4); y = (x[:, 0] > 0).long()
x = x[torch.randperm(500)]
y = y[torch.randperm(500)]  # HERE
data = TensorDataset(x, y)
""",
        fix=[
            (
                "x = x[torch.randperm(500)]\ny = y[torch.randperm(500)]",
                "p = torch.randperm(500)\nx = x[p]\ny = y[p]",
                "p = torch.randperm(500)",
                "x[p]",
                "y[p]",
            )
        ],
        says=("line 2", "line 3"),
    ),
    Mistake(
        "FB-DATA-05",
        """
def shuffled(t):
    return t[torch.randperm(len(t))]  # HERE
features, target = torch.randn(128, 6), torch.randn(128, 1)
features, target = shuffled(features), shuffled(target)
net = nn.Linear(6, 1)
for i in range(0, 128, 32):
    F.mse_loss(net(features[i : i + 32]), target[i : i + 32]).backward()
""",
    ),
    Mistake(
        "FB-DATA-05",
        """
x, y = torch.randn(60, 4), torch.randint(0, 2, (60,))
x = x.index_select(0, torch.argsort(x[:, 0]))
y = y.index_select(0, torch.argsort(y, descending=True))  # HERE
loader = DataLoader(TensorDataset(x, y), batch_size=6, shuffle=True)
""",
    ),
    Mistake(
        "FB-DATA-06",
        """
x, y = torch.randn(1000, 8), torch.arange(10).repeat_interleave(100)
loader = DataLoader(TensorDataset(x, y), batch_size=50)  # HERE
net = nn.Linear(8, 10)
opt = optim.SGD(net.parameters(), 0.1)
for a, b in loader:
    opt.zero_grad(); F.cross_entropy(net(a), b).backward(); opt.step()
""",
        fix=[("batch_size=50)", "batch_size=50, shuffle=True)", "batch_size=50, shuffle=True")],
    ),
    Mistake(
        "FB-DATA-06",
        """
class Digits(Dataset):
    def __init__(self): self.labels = [0] * 64 + [1] * 64 + [2] * 64
    def __len__(self): return len(self.labels)
    def __getitem__(self, i): return {"image": torch.randn(5), "label": self.labels[i]}
train = DataLoader(Digits(), batch_size=16, shuffle=False)  # HERE
net = nn.Linear(5, 3)
opt = optim.SGD(net.parameters(), 0.1)
for epoch in range(2):
    for batch in train:
        opt.zero_grad(); F.cross_entropy(net(batch["image"]), batch["label"]).backward(); opt.step()
""",
    ),
    Mistake(
        "FB-DATA-09",
        """
net = nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 2))
loader = DataLoader(TensorDataset(torch.randn(33, 6)), batch_size=16)
for (x,) in loader: net(x)  # HERE
""",
        level="E",
        fix=[("batch_size=16", "batch_size=16, drop_last=True")],
        says=("33 samples of TensorDataset in batches of 16",),
    ),
    Mistake(
        "FB-DATA-09",
        """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(6, 8)
        self.norm = nn.BatchNorm1d(8)
    def forward(self, x): return self.norm(self.fc(x))
net = Net()
opt = optim.SGD(net.parameters(), 0.1)
loader = DataLoader(TensorDataset(torch.randn(41, 6)), batch_size=8)  # HERE
for (x,) in loader:
    break
""",
        level="W",
        fix=[("batch_size=8", "batch_size=8, drop_last=True")],
    ),
]

CORRECT = [
    # scaled by the user, in any place
    """
x = torch.randint(0, 256, (64, 20)).float()
net = nn.Linear(20, 2)
net(x / 255).sum().backward()
class Net(nn.Module):
    def __init__(self): super().__init__(); self.fc = nn.Linear(20, 2)
    def forward(self, x): return self.fc((x - 127) / 74)
Net()(x).sum().backward()
""",
    # a norm layer or an embedding comes first
    """
nn.Sequential(nn.BatchNorm1d(20), nn.Linear(20, 2))(torch.rand(64, 20) * 1000).sum().backward()
nn.Sequential(nn.LayerNorm(20), nn.Linear(20, 2))(torch.rand(64, 20) * 1000).sum().backward()
nn.Sequential(nn.Embedding(1000, 8), nn.Linear(8, 2))(torch.randint(0, 1000, (64,))).sum().backward()
""",
    # what another network computed: detached, frozen, or without recording
    """
enc, dec, head = nn.Linear(4, 8), nn.Linear(8, 2), nn.Linear(8, 2)
with torch.no_grad(): enc.weight.mul_(200)
x = torch.randn(64, 4)
dec(enc(x).detach()).sum().backward()
for p in enc.parameters(): p.requires_grad_(False)
head(enc(x)).sum().backward()
""",
    # NaN taken care of before the first layer; masks with -inf
    """
x = torch.randn(8, 5); x[0, 0] = float("nan")
nn.Linear(5, 2)(torch.nan_to_num(x)).sum().backward()
scores = torch.randn(4, 6, requires_grad=True).masked_fill(torch.rand(4, 6) > 2, float("-inf"))
scores.softmax(1).sum().backward()
""",
    # one order for both; mixup; pairs drawn at random; subsets
    """
x, y = torch.randn(100, 4), torch.randint(0, 2, (100,))
p = torch.randperm(100)
x, y = x[p], y[p]
q = torch.randperm(100)
train, val = TensorDataset(x[q[:80]], y[q[:80]]), TensorDataset(x[q[80:]], y[q[80:]])
mixed = 0.3 * x + 0.7 * x[torch.randperm(100)]
TensorDataset(mixed, y)
TensorDataset(x[torch.randperm(100)], x[torch.randperm(100)])
a, b = torch.randn(100, 3, 8, 8), torch.randn(100, 3, 8, 8)
TensorDataset(a[torch.randperm(100)], b[torch.randperm(100)])
net = nn.Linear(4, 2)
F.cross_entropy(net(x[:32]), y[:32]).backward()
""",
    # sorted data that is not trained on, targets that are amounts, data in random order
    """
x, y = torch.randn(300, 8), torch.arange(3).repeat_interleave(100)
net = nn.Linear(8, 3)
net.eval()
with torch.no_grad():
    for a, b in DataLoader(TensorDataset(x, y), batch_size=20): net(a)
net.train()
opt = optim.SGD(net.parameters(), 0.01)
mixed = torch.randint(0, 3, (300,))
for a, b in DataLoader(TensorDataset(x, mixed), batch_size=20):
    opt.zero_grad(); F.cross_entropy(net(a), b).backward(); opt.step()
line = nn.Linear(1, 1)
opt = optim.SGD(line.parameters(), 0.01)
t = torch.linspace(0, 1, 100)[:, None]
for a, b in DataLoader(TensorDataset(t, 2 * t), batch_size=10):
    opt.zero_grad(); F.mse_loss(line(a), b).backward(); opt.step()
""",
    # a last batch of one is fine for feature maps, in eval mode, and without BatchNorm
    """
net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(4 * 36, 2))
opt = optim.SGD(net.parameters(), 0.01)
for (x,) in DataLoader(TensorDataset(torch.randn(9, 1, 8, 8)), batch_size=4): net(x)
flat = nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8)).eval()
other = optim.SGD(flat.parameters(), 0.01)
with torch.no_grad():
    for (x,) in DataLoader(TensorDataset(torch.randn(9, 6)), batch_size=4): flat(x)
""",
]


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda m: m.code)
def test_found_and_fixed(mistake):
    check(mistake)


@pytest.mark.parametrize("program", CORRECT)
def test_correct_programs_are_left_alone(program):
    correct(program)
