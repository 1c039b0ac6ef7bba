"""A variational autoencoder: BCE with logits plus KL, summed."""

import flambeau as torch
import flambeau.nn.functional as F
from flambeau import nn, optim


class VAE(nn.Module):
    def __init__(self):
        super().__init__()
        self.enc, self.mu, self.lv = nn.Linear(20, 32), nn.Linear(32, 4), nn.Linear(32, 4)
        self.dec = nn.Sequential(nn.Linear(4, 32), nn.ReLU(), nn.Linear(32, 20))

    def forward(self, x):
        h = F.relu(self.enc(x))
        mu, lv = self.mu(h), self.lv(h)
        z = mu + torch.randn_like(mu) * (0.5 * lv).exp()
        return self.dec(z), mu, lv


vae = VAE()
opt = optim.Adam(vae.parameters(), 1e-3)
x = (torch.rand(64, 20) > 0.5).float()
for step in range(10):
    rec, mu, lv = vae(x)
    loss = F.binary_cross_entropy_with_logits(rec, x, reduction="sum") - 0.5 * (1 + lv - mu**2 - lv.exp()).sum()
    opt.zero_grad()
    loss.backward()
    opt.step()
