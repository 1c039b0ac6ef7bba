"""Contrastive losses: NT-Xent, InfoNCE, a momentum encoder with a queue, supervised, a linear probe."""

import flambeau as torch
import flambeau.nn as nn
import flambeau.nn.functional as F

torch.manual_seed(0)
base = torch.randn(64, 20)


def aug(x):
    return x * (torch.rand_like(x) > 0.1) + 0.1 * torch.randn_like(x)


def nt_xent(z1, z2, t=0.5):
    z = F.normalize(torch.cat([z1, z2]), dim=1)
    n = len(z1)
    sim = z @ z.t() / t
    sim.fill_diagonal_(float("-inf"))
    return F.cross_entropy(sim, torch.arange(2 * n).roll(n))


def info_nce_loss(features, n_views=2, temp=0.07):
    b = features.shape[0] // n_views
    labels = torch.cat([torch.arange(b) for _ in range(n_views)], dim=0)
    labels = (labels.unsqueeze(0) == labels.unsqueeze(1)).float()
    features = F.normalize(features, dim=1)
    sm = torch.matmul(features, features.T)
    mask = torch.eye(labels.shape[0], dtype=torch.bool)
    labels = labels[~mask].view(labels.shape[0], -1)
    sm = sm[~mask].view(sm.shape[0], -1)
    pos = sm[labels.bool()].view(labels.shape[0], -1)
    neg = sm[~labels.bool()].view(sm.shape[0], -1)
    logits = torch.cat([pos, neg], dim=1)
    return logits / temp, torch.zeros(logits.shape[0], dtype=torch.long)


enc = lambda: nn.Sequential(nn.Linear(20, 32), nn.ReLU(), nn.Linear(32, 16))
m = enc()
opt = torch.optim.Adam(m.parameters(), 1e-3)
for _ in range(5):
    l = nt_xent(m(aug(base)), m(aug(base)))
    opt.zero_grad()
    l.backward()
    opt.step()
print(round(l.item(), 4))
crit = nn.CrossEntropyLoss()
for _ in range(5):
    lg, lb = info_nce_loss(m(torch.cat([aug(base), aug(base)])))
    l = crit(lg, lb)
    opt.zero_grad()
    l.backward()
    opt.step()
print(round(l.item(), 4))


class MoCo(nn.Module):
    def __init__(self, K=128, m=0.99, T=0.07):
        super().__init__()
        self.K, self.m, self.T = K, m, T
        self.q, self.k = enc(), enc()
        for a, b in zip(self.q.parameters(), self.k.parameters()):
            b.data.copy_(a.data)
            b.requires_grad = False
        self.register_buffer("queue", F.normalize(torch.randn(16, K), dim=0))
        self.register_buffer("ptr", torch.zeros(1, dtype=torch.long))

    @torch.no_grad()
    def _update(self):
        for a, b in zip(self.q.parameters(), self.k.parameters()):
            b.data = b.data * self.m + a.data * (1.0 - self.m)

    @torch.no_grad()
    def _enqueue(self, keys):
        p = int(self.ptr)
        n = keys.shape[0]
        self.queue[:, p : p + n] = keys.T
        self.ptr[0] = (p + n) % self.K

    def forward(self, a, b):
        q = F.normalize(self.q(a), dim=1)
        with torch.no_grad():
            self._update()
            idx = torch.randperm(len(b))
            k = F.normalize(self.k(b[idx]), dim=1)[torch.argsort(idx)]
        pos = torch.einsum("nc,nc->n", [q, k]).unsqueeze(-1)
        neg = torch.einsum("nc,ck->nk", [q, self.queue.clone().detach()])
        logits = torch.cat([pos, neg], dim=1) / self.T
        labels = torch.zeros(logits.shape[0], dtype=torch.long)
        self._enqueue(k)
        return logits, labels


moco = MoCo()
opt = torch.optim.SGD(moco.q.parameters(), 0.03, momentum=0.9, weight_decay=1e-4)
for _ in range(8):
    o, t = moco(aug(base), aug(base))
    l = crit(o, t)
    opt.zero_grad()
    l.backward()
    opt.step()
print(round(l.item(), 4), int(moco.ptr))


def supcon(f, y, t=0.1):
    f = F.normalize(f, dim=1)
    sim = f @ f.T / t
    sim = sim - sim.max(1, keepdim=True)[0].detach()
    eye = torch.eye(len(f))
    pos = (y.view(-1, 1) == y.view(1, -1)).float() - eye
    logp = sim - torch.log((sim.exp() * (1 - eye)).sum(1, keepdim=True))
    return -((pos * logp).sum(1) / pos.sum(1).clamp(min=1)).mean()


y = torch.randint(0, 4, (64,))
net = enc()
opt = torch.optim.Adam(net.parameters(), 3e-3)
for _ in range(5):
    l = supcon(net(aug(base)), y)
    opt.zero_grad()
    l.backward()
    opt.step()
for p in net.parameters():
    p.requires_grad_(False)
net.eval()
probe = nn.Linear(16, 4)
opt = torch.optim.SGD(probe.parameters(), 0.1)
for _ in range(10):
    l2 = F.cross_entropy(probe(net(base)), y)
    opt.zero_grad()
    l2.backward()
    opt.step()
print(round(l.item(), 4), round(l2.item(), 4))
