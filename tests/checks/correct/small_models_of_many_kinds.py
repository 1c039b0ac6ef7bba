"""Denoising, super resolution, expected values, mixture densities, flows, bandits, word vectors, bags."""

import math

import flambeau as torch
import flambeau.nn as nn
import flambeau.nn.functional as F

torch.manual_seed(0)
# autoencoder of images with sigmoid + MSE / BCE, and a denoising form
im = torch.rand(64, 1, 8, 8)
ae = nn.Sequential(
    nn.Flatten(), nn.Linear(64, 16), nn.ReLU(), nn.Linear(16, 64), nn.Sigmoid(), nn.Unflatten(1, (1, 8, 8))
)
o = torch.optim.Adam(ae.parameters(), 1e-2)
for i in range(10):
    noisy = (im + 0.2 * torch.randn_like(im)).clamp(0, 1)
    l = F.mse_loss(ae(noisy), im) + F.binary_cross_entropy(ae(im), im)
    o.zero_grad()
    l.backward()
    o.step()
print(round(l.item(), 4))
# super resolution with pixel shuffle; PSNR
sr = nn.Sequential(nn.Conv2d(1, 16, 3, padding=1), nn.PReLU(), nn.Conv2d(16, 4, 3, padding=1), nn.PixelShuffle(2))
o = torch.optim.Adam(sr.parameters(), 1e-2)
low = F.avg_pool2d(im, 2)
for i in range(8):
    l = nn.L1Loss()(sr(low), im)
    o.zero_grad()
    l.backward()
    o.step()
with torch.no_grad():
    mse = F.mse_loss(sr(low).clamp(0, 1), im)
    print(round((10 * torch.log10(1 / mse)).item(), 2))
# landmarks: regression with sigmoid outputs; ordinal and age as expected value of softmax
kp = torch.rand(64, 4)
reg = nn.Sequential(nn.Flatten(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 4), nn.Sigmoid())
o = torch.optim.Adam(reg.parameters(), 1e-3)
for i in range(5):
    l = nn.SmoothL1Loss()(reg(im), kp)
    o.zero_grad()
    l.backward()
    o.step()
age = torch.randint(0, 10, (64,))
cl = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
o = torch.optim.SGD(cl.parameters(), 0.1)
for i in range(5):
    p = F.softmax(cl(im), 1)
    exp = (p * torch.arange(10.0)).sum(1)
    l = F.l1_loss(exp, age.float()) + F.nll_loss(torch.log(p + 1e-9), age)
    o.zero_grad()
    l.backward()
    o.step()
print(round(l.item(), 3))
# mixture density network, Poisson, Gaussian NLL, evidential, beta distribution
xx = torch.rand(128, 1) * 4
yy = torch.sin(xx * 3) + 0.1 * torch.randn(128, 1)
mdn = nn.Sequential(nn.Linear(1, 16), nn.Tanh(), nn.Linear(16, 9))
o = torch.optim.Adam(mdn.parameters(), 1e-2)
for i in range(20):
    pi, mu, ls = mdn(xx).chunk(3, 1)
    lp = F.log_softmax(pi, 1) - 0.5 * ((yy - mu) / ls.exp()) ** 2 - ls - 0.5 * math.log(2 * math.pi)
    l = -torch.logsumexp(lp, 1).mean()
    o.zero_grad()
    l.backward()
    o.step()
print(round(l.item(), 3))
m = nn.Linear(1, 2)
o = torch.optim.Adam(m.parameters(), 1e-2)
for i in range(10):
    mean, var = m(xx).split(1, 1)
    l = nn.GaussianNLLLoss()(mean, yy, F.softplus(var) + 1e-4)
    o.zero_grad()
    l.backward()
    o.step()
cnt = torch.poisson(torch.full((128, 1), 3.0))
pm = nn.Linear(1, 1)
o = torch.optim.SGD(pm.parameters(), 0.05)
for i in range(10):
    l = nn.PoissonNLLLoss()(pm(xx), cnt)
    o.zero_grad()
    l.backward()
    o.step()
print(round(l.item(), 3))


# Bayes by backprop, Gumbel-softmax, normalizing flow, REINFORCE on a policy with baseline
class BL(nn.Module):
    def __init__(self, i, o):
        super().__init__()
        self.mu, self.rho = nn.Parameter(0.1 * torch.randn(o, i)), nn.Parameter(torch.full((o, i), -3.0))

    def forward(self, x):
        s = F.softplus(self.rho)
        w = self.mu + s * torch.randn_like(s)
        self.kl = (-torch.log(s) + (s**2 + self.mu**2) / 2 - 0.5).sum()
        return x @ w.t()


b1, b2 = BL(1, 16), BL(16, 1)
o = torch.optim.Adam([*b1.parameters(), *b2.parameters()], 1e-2)
for i in range(10):
    l = F.mse_loss(b2(torch.tanh(b1(xx))), yy, reduction="sum") + (b1.kl + b2.kl) / 10
    o.zero_grad()
    l.backward()
    o.step()
print(round(l.item(), 1))
lg = nn.Parameter(torch.zeros(4))
o = torch.optim.Adam([lg], 0.1)
r = torch.tensor([0.0, 1, 3, 2])
for i in range(15):
    a = F.gumbel_softmax(lg.expand(32, 4), tau=0.8, hard=True)
    l = -(a @ r).mean()
    o.zero_grad()
    l.backward()
    o.step()
print(lg.argmax().item())
bandit = nn.Parameter(torch.zeros(4))
o = torch.optim.Adam([bandit], 0.1)
base = 0.0
for i in range(40):
    d = torch.distributions.Categorical(logits=bandit)
    a = d.sample()
    rew = r[a].item()
    l = -d.log_prob(a) * (rew - base)
    base = 0.9 * base + 0.1 * rew
    o.zero_grad()
    l.backward()
    o.step()
print(bandit.softmax(0).argmax().item() >= 0)


class Coupling(nn.Module):
    def __init__(self, flip):
        super().__init__()
        self.flip = flip
        self.n = nn.Sequential(nn.Linear(1, 16), nn.ReLU(), nn.Linear(16, 2))

    def forward(self, x):
        a, b = x.chunk(2, 1)
        if self.flip:
            a, b = b, a
        s, t = self.n(a).chunk(2, 1)
        s = torch.tanh(s)
        b = b * s.exp() + t
        return torch.cat([b, a] if self.flip else [a, b], 1), s.sum(1)


fl = nn.ModuleList([Coupling(i % 2 == 1) for i in range(4)])
o = torch.optim.Adam(fl.parameters(), 5e-3)
base_d = torch.distributions.MultivariateNormal(torch.zeros(2), torch.eye(2))
z = torch.randn(128, 2) * torch.tensor([0.3, 1.0]) + 1
for i in range(15):
    h, ld = z, 0
    for c in fl:
        h, dl = c(h)
        ld = ld + dl
    l = -(base_d.log_prob(h) + ld).mean()
    o.zero_grad()
    l.backward()
    o.step()
print(round(l.item(), 3))
# ranking: BPR, hinge, margin ranking, cosine embedding, word2vec with negative sampling, CBOW
V = 30
U = nn.Embedding(V, 8, sparse=False)
W = nn.Embedding(V, 8)
o = (
    torch.optim.SparseAdam(U.parameters(), 1e-2)
    if False
    else torch.optim.Adagrad([*U.parameters(), *W.parameters()], 0.1)
)
c, pos = torch.randint(0, V, (64,)), torch.randint(0, V, (64,))
for i in range(10):
    neg = torch.randint(0, V, (64, 5))
    u = U(c)
    ps = (u * W(pos)).sum(-1)
    ns = torch.bmm(W(neg), u.unsqueeze(2)).squeeze(2)
    l = -(F.logsigmoid(ps) + F.logsigmoid(-ns).sum(1)).mean()
    o.zero_grad()
    l.backward()
    o.step()
print(round(l.item(), 3))
bpr = -F.logsigmoid(ps - ns[:, 0]).mean()
rank = nn.MarginRankingLoss(0.5)(ps, ns[:, 0], torch.ones(64))
print(bpr.item() > 0, rank.item() > 0)
bag = nn.EmbeddingBag(V, 8, mode="mean")
fc = nn.Linear(8, 2)
o = torch.optim.SGD([*bag.parameters(), *fc.parameters()], 0.5)
text = torch.randint(0, V, (50,))
off = torch.arange(0, 50, 5)
lab = torch.randint(0, 2, (10,))
for i in range(5):
    l = F.cross_entropy(fc(bag(text, off)), lab)
    o.zero_grad()
    l.backward()
    o.step()
print(round(l.item(), 3))
