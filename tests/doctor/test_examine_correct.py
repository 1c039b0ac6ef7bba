"""doctor.examine on correct models of many kinds: no error, no warning."""

import pytest
from checks.cases import run

from flambeau import doctor

PROGRAMS = {
    "mlp": """
net = nn.Sequential(nn.Linear(20, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 5))
x, y = torch.randn(400, 20), torch.randint(0, 5, (400,))
data = DataLoader(TensorDataset(x[:300], y[:300]), batch_size=32, shuffle=True)
val = DataLoader(TensorDataset(x[300:], y[300:]), batch_size=32)
loss_fn, opt = nn.CrossEntropyLoss(), optim.Adam(net.parameters(), 1e-3)
""",
    "cnn with BatchNorm and dropout": """
net = nn.Sequential(
    nn.Conv2d(1, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2),
    nn.Conv2d(8, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2),
    nn.Flatten(), nn.Dropout(0.5), nn.Linear(16 * 16, 10))
data = DataLoader(TensorDataset(torch.rand(65, 1, 16, 16), torch.randint(0, 10, (65,))), batch_size=16)
loss_fn, opt = nn.CrossEntropyLoss(), optim.SGD(net.parameters(), 0.05, momentum=0.9)
""",
    "resnet whose branches begin at zero": """
class Block(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.a, self.n = nn.Conv2d(c, c, 3, padding=1, bias=False), nn.BatchNorm2d(c)
        self.b, self.m = nn.Conv2d(c, c, 3, padding=1, bias=False), nn.BatchNorm2d(c)
        nn.init.zeros_(self.m.weight)
    def forward(self, x):
        return F.relu(x + self.m(self.b(F.relu(self.n(self.a(x))))))
net = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), Block(8), Block(8), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
                    nn.Linear(8, 4))
data, loss_fn = (torch.randn(16, 3, 8, 8), torch.randint(0, 4, (16,))), nn.CrossEntropyLoss()
opt = optim.SGD(net.parameters(), 0.1)
""",
    "head that begins at zero": """
net = nn.Sequential(nn.Linear(8, 32), nn.GELU(), nn.Linear(32, 3))
nn.init.zeros_(net[2].weight); nn.init.zeros_(net[2].bias)
data, loss_fn = (torch.randn(64, 8), torch.randint(0, 3, (64,))), nn.CrossEntropyLoss()
""",
    "transformer": """
class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.emb, self.pos = nn.Embedding(50, 32), nn.Parameter(torch.randn(1, 12, 32) * 0.02)
        layer = nn.TransformerEncoderLayer(32, 4, 64, batch_first=True)
        self.body, self.head = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False), nn.Linear(32, 50)
    def forward(self, ids):
        mask = nn.Transformer.generate_square_subsequent_mask(ids.shape[1])
        return self.head(self.body(self.emb(ids) + self.pos, mask=mask))
net = Model()
ids = torch.randint(0, 50, (16, 13))
data, loss_fn = (ids[:, :-1], ids[:, 1:]), lambda out, y: F.cross_entropy(out.flatten(0, 1), y.flatten())
opt = optim.AdamW(net.parameters(), 3e-4)
""",
    "GPT with a tied head": """
class GPT(nn.Module):
    def __init__(self):
        super().__init__()
        self.emb, self.norm = nn.Embedding(40, 32), nn.LayerNorm(32)
        self.q, self.out = nn.Linear(32, 96), nn.Linear(32, 32)
        self.head = nn.Linear(32, 40, bias=False)
        for m in self.modules():
            if isinstance(m, (nn.Linear, nn.Embedding)): nn.init.normal_(m.weight, std=0.02)
        self.head.weight = self.emb.weight
    def forward(self, ids):
        x = self.emb(ids)
        q, k, v = self.q(self.norm(x)).chunk(3, -1)
        x = x + self.out(F.scaled_dot_product_attention(q, k, v, is_causal=True))
        return self.head(x)
net, ids = GPT(), torch.randint(0, 40, (8, 11))
data, loss_fn = (ids[:, :-1], ids[:, 1:]), lambda out, y: F.cross_entropy(out.reshape(-1, 40), y.reshape(-1))
opt = optim.AdamW(net.parameters(), 1e-3)
""",
    "LSTM with packed sequences": """
from flambeau.nn.utils.rnn import pack_padded_sequence
class Tagger(nn.Module):
    def __init__(self):
        super().__init__()
        self.emb, self.rnn = nn.Embedding(30, 8, padding_idx=0), nn.LSTM(8, 16, batch_first=True, bidirectional=True)
        self.head = nn.Linear(32, 2)
    def forward(self, ids, lengths):
        packed = pack_padded_sequence(self.emb(ids), lengths, batch_first=True, enforce_sorted=False)
        _, (h, _) = self.rnn(packed)
        return self.head(torch.cat([h[0], h[1]], 1))
net = Tagger()
lengths = torch.randint(2, 10, (32,))
ids = torch.randint(1, 30, (32, 10)) * (torch.arange(10) < lengths[:, None])
data, loss_fn = (ids, lengths, torch.randint(0, 2, (32,))), nn.CrossEntropyLoss()
""",
    "VAE": """
class VAE(nn.Module):
    def __init__(self):
        super().__init__()
        self.enc, self.mu, self.lv = nn.Linear(64, 32), nn.Linear(32, 4), nn.Linear(32, 4)
        self.dec = nn.Sequential(nn.Linear(4, 32), nn.ReLU(), nn.Linear(32, 64), nn.Sigmoid())
    def forward(self, x):
        h = F.relu(self.enc(x))
        mu, lv = self.mu(h), self.lv(h)
        return self.dec(mu + torch.randn_like(mu) * (lv / 2).exp()), mu, lv
def loss_fn(out, x):
    recon, mu, lv = out
    return F.binary_cross_entropy(recon, x, reduction="sum") - 0.5 * (1 + lv - mu ** 2 - lv.exp()).sum()
net, data = VAE(), DataLoader(TensorDataset(torch.rand(128, 64)), batch_size=32)
opt = optim.Adam(net.parameters(), 1e-3)
""",
    "GAN: discriminator": """
net = nn.Sequential(nn.Linear(16, 32), nn.LeakyReLU(0.2), nn.Linear(32, 1), nn.Sigmoid())
G = nn.Sequential(nn.Linear(4, 32), nn.ReLU(), nn.Linear(32, 16), nn.Tanh())
real = torch.randn(32, 16)
data = (torch.cat([real, G(torch.randn(32, 4)).detach()]), torch.cat([torch.ones(32, 1), torch.zeros(32, 1)]))
loss_fn, opt = nn.BCELoss(), optim.Adam(net.parameters(), 2e-4, betas=(0.5, 0.999))
other = optim.Adam(G.parameters(), 2e-4)
""",
    "GAN: generator": """
net = nn.Sequential(nn.Linear(4, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Linear(32, 16), nn.Tanh())
D = nn.Sequential(nn.Linear(16, 32), nn.LeakyReLU(0.2), nn.Linear(32, 1))
data, opt = torch.randn(32, 4), optim.Adam(net.parameters(), 2e-4)
other = optim.Adam(D.parameters(), 2e-4)
loss_fn = lambda fake: F.binary_cross_entropy_with_logits(D(fake), torch.ones(32, 1))
""",
    "DCGAN initialisation": """
net = nn.Sequential(nn.ConvTranspose2d(8, 16, 4, 1, 0, bias=False), nn.BatchNorm2d(16), nn.ReLU(True),
                    nn.ConvTranspose2d(16, 1, 4, 2, 1, bias=False), nn.Tanh())
for m in net.modules():
    if isinstance(m, nn.ConvTranspose2d): nn.init.normal_(m.weight, 0.0, 0.02)
    elif isinstance(m, nn.BatchNorm2d): nn.init.normal_(m.weight, 1.0, 0.02); nn.init.zeros_(m.bias)
data, loss_fn = torch.randn(16, 8, 1, 1), lambda out: out.pow(2).mean()
""",
    "autoencoder": """
net = nn.Sequential(nn.Linear(30, 12), nn.ReLU(), nn.Linear(12, 3), nn.Linear(3, 12), nn.ReLU(), nn.Linear(12, 30))
data, loss_fn = DataLoader(TensorDataset(torch.randn(100, 30)), batch_size=20), nn.MSELoss()
opt = optim.Adam(net.parameters())
""",
    "fine-tuning with a frozen backbone": """
backbone = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
for p in backbone.parameters(): p.requires_grad_(False)
backbone.eval()
net = nn.Sequential(backbone, nn.Linear(8, 3))
data, loss_fn = (torch.randn(32, 3, 8, 8), torch.randint(0, 3, (32,))), nn.CrossEntropyLoss()
opt = optim.SGD(net[1].parameters(), 0.1)
""",
    "regression in large units": """
class Scaled(nn.Module):
    def __init__(self): super().__init__(); self.net = nn.Sequential(nn.Linear(3, 32), nn.Tanh(), nn.Linear(32, 1))
    def forward(self, x): return self.net((x - 500) / 300)
net = Scaled()
x = torch.rand(256, 3) * 1000
data, loss_fn = TensorDataset(x, x.sum(1, keepdim=True) / 1000), nn.SmoothL1Loss()
opt = optim.Adam(net.parameters(), 1e-2)
""",
    "linear regression": """
net = nn.Linear(1, 1)
x = torch.linspace(-1, 1, 100)[:, None]
data, loss_fn, opt = (x, 3 * x + 1), nn.MSELoss(), optim.SGD(net.parameters(), 0.1)
""",
    "multi-label": """
net = nn.Sequential(nn.Linear(12, 32), nn.ReLU(), nn.Linear(32, 6))
data = (torch.randn(64, 12), (torch.rand(64, 6) > 0.7).float())
loss_fn = nn.BCEWithLogitsLoss(pos_weight=torch.full((6,), 2.0))
opt = optim.Adam(net.parameters())
""",
    "contrastive": """
net = nn.Sequential(nn.Linear(12, 32), nn.ReLU(), nn.Linear(32, 8))
class Two(nn.Module):
    def __init__(self): super().__init__(); self.f = net
    def forward(self, a, b): return F.normalize(self.f(a), dim=1), F.normalize(self.f(b), dim=1)
f = net
net = Two()
a = torch.randn(32, 12)
data = (a + 0.1 * torch.randn(32, 12), a + 0.1 * torch.randn(32, 12))
def forward(model, batch): return model(*batch)
def loss_fn(out, other): return F.cross_entropy(out[0] @ out[1].T / 0.07, torch.arange(32))
opt = optim.Adam(net.parameters(), 1e-3)
""",
    "PINN": """
net = nn.Sequential(nn.Linear(1, 32), nn.Tanh(), nn.Linear(32, 32), nn.Tanh(), nn.Linear(32, 1))
data = torch.linspace(0, 1, 50)[:, None].requires_grad_()
def forward(model, t):
    u = model(t)
    du, = torch.autograd.grad(u.sum(), t, create_graph=True)
    return ((du + u) ** 2).mean() + (model(torch.zeros(1, 1)) - 1).pow(2).mean()
opt = optim.Adam(net.parameters(), 1e-3)
""",
    "SIREN": """
class Sine(nn.Module):
    def __init__(self, i, o, first=False):
        super().__init__()
        self.fc = nn.Linear(i, o)
        bound = 1 / i if first else (6 / i) ** 0.5 / 30
        nn.init.uniform_(self.fc.weight, -bound, bound)
    def forward(self, x): return torch.sin(30 * self.fc(x))
net = nn.Sequential(Sine(2, 64, True), Sine(64, 64), Sine(64, 64), nn.Linear(64, 1))
data, loss_fn, opt = (torch.rand(256, 2) * 2 - 1, torch.rand(256, 1)), nn.MSELoss(), optim.Adam(net.parameters(), 1e-4)
""",
    "several inputs in a dict, labels inside, loss by the model": """
class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b, self.c = nn.Linear(4, 8), nn.Embedding(10, 8), nn.Linear(8, 2)
    def forward(self, numbers, category, labels=None):
        logits = self.c(torch.relu(self.a(numbers) + self.b(category)))
        return {"loss": F.cross_entropy(logits, labels), "logits": logits}
net = Model()
data = {"numbers": torch.randn(32, 4), "category": torch.randint(0, 10, (32,)), "labels": torch.randint(0, 2, (32,))}
opt = optim.Adam(net.parameters())
""",
    "no loss": """
net, data = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2)), torch.randn(16, 4)
""",
    "mixture of experts: not all experts run": """
class MoE(nn.Module):
    def __init__(self):
        super().__init__()
        self.experts, self.gate = nn.ModuleList([nn.Linear(8, 2) for _ in range(4)]), nn.Linear(8, 4)
    def forward(self, x):
        weights = self.gate(x).softmax(1)
        top = weights.mean(0).topk(2).indices.tolist()
        return sum(weights[:, i : i + 1] * self.experts[i](x) for i in top)
net, data, loss_fn = MoE(), (torch.randn(32, 8), torch.randn(32, 2)), nn.MSELoss()
opt = optim.Adam(net.parameters())
""",
    "DQN: targets without recording": """
net, target = nn.Sequential(nn.Linear(4, 32), nn.ReLU(), nn.Linear(32, 2)), nn.Linear(4, 2)
target.requires_grad_(False)
s, a, r, s2 = torch.randn(64, 4), torch.randint(0, 2, (64,)), torch.randn(64), torch.randn(64, 4)
data = (s, a)
def loss_fn(q, action):
    with torch.no_grad(): goal = r + 0.9 * target(s2).max(1).values
    return F.smooth_l1_loss(q.gather(1, action[:, None]).squeeze(1), goal)
opt = optim.Adam(net.parameters())
""",
    "U-Net with transposed convolutions": """
class UNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Conv2d(1, 8, 3, padding=1), nn.Conv2d(8, 16, 3, padding=1, stride=2)
        self.up, self.out = nn.ConvTranspose2d(16, 8, 2, 2), nn.Conv2d(16, 3, 1)
    def forward(self, x):
        a = F.relu(self.a(x))
        return self.out(torch.cat([F.relu(self.up(F.relu(self.b(a)))), a], 1))
net, data = UNet(), (torch.randn(4, 1, 16, 16), torch.randint(0, 3, (4, 16, 16)))
loss_fn, opt = nn.CrossEntropyLoss(), optim.Adam(net.parameters(), 1e-3)
""",
    "depthwise separable convolutions and low-rank layers": """
net = nn.Sequential(nn.Conv2d(8, 8, 3, padding=1, groups=8), nn.Conv2d(8, 16, 1), nn.ReLU(), nn.Flatten(),
                    nn.Linear(16 * 64, 8, bias=False), nn.Linear(8, 64), nn.ReLU(), nn.Linear(64, 2))
data, loss_fn = (torch.randn(16, 8, 8, 8), torch.randint(0, 2, (16,))), nn.CrossEntropyLoss()
""",
    "random in eval mode, samples that meet in attention over a set": """
class Noisy(nn.Module):
    def __init__(self): super().__init__(); self.a, self.b = nn.Linear(8, 16), nn.Linear(16, 1)
    def forward(self, x):
        h = torch.relu(self.a(x + torch.randn_like(x)))
        return self.b(h + h.mean(0, keepdim=True))
net, data, loss_fn = Noisy(), (torch.randn(32, 8), torch.randn(32, 1)), nn.MSELoss()
""",
    "L-BFGS": """
net = nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 1))
data, loss_fn, opt = (torch.randn(50, 2), torch.randn(50, 1)), nn.MSELoss(), optim.LBFGS(net.parameters())
""",
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_correct_models_are_left_alone(name):
    reports = []

    def examined(outcome):
        n = outcome.names
        data = n["data"]
        reports.append(
            doctor.examine(
                n["net"], data, n.get("loss_fn"), n.get("opt"), validation=n.get("val"), forward=n.get("forward")
            )
        )

    outcome = run(PROGRAMS[name].strip("\n") + "\n", after=examined)
    assert outcome.error is None
    assert [(f.code, f.level, f.saw) for f in reports[0].findings if f.level in "EW"] == []
