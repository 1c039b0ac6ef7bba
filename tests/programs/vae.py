# ruff: noqa
import torch
from torch import nn, optim
from torch.nn import functional as F

torch.manual_seed(1)


class VAE(nn.Module):
    def __init__(s):
        super(VAE, s).__init__()
        s.fc1 = nn.Linear(64, 40)
        s.fc21 = nn.Linear(40, 5)
        s.fc22 = nn.Linear(40, 5)
        s.fc3 = nn.Linear(5, 40)
        s.fc4 = nn.Linear(40, 64)

    def encode(s, x):
        h = F.relu(s.fc1(x))
        return s.fc21(h), s.fc22(h)

    def reparameterize(s, mu, logvar):
        std = torch.exp(0.5 * logvar)
        eps = torch.randn_like(std)
        return mu + eps * std

    def decode(s, z):
        return torch.sigmoid(s.fc4(F.relu(s.fc3(z))))

    def forward(s, x):
        mu, lv = s.encode(x.view(-1, 64))
        return s.decode(s.reparameterize(mu, lv)), mu, lv


m = VAE()
o = optim.Adam(m.parameters(), lr=1e-3)


def lf(r, x, mu, lv):
    return F.binary_cross_entropy(r, x.view(-1, 64), reduction="sum") - 0.5 * torch.sum(1 + lv - mu.pow(2) - lv.exp())


for e in range(10):
    x = torch.rand(32, 1, 8, 8)
    o.zero_grad()
    r, mu, lv = m(x)
    l = lf(r, x, mu, lv)
    l.backward()
    o.step()
    print(e, l.item() / len(x))
from torch.distributions import Normal, kl_divergence, Independent

q = Independent(Normal(mu, (0.5 * lv).exp()), 1)
p = Independent(Normal(torch.zeros_like(mu), torch.ones_like(mu)), 1)
print(kl_divergence(q, p).sum().item(), q, q.rsample().shape, q.rsample().sum().item())
