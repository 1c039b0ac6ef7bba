"""Discriminator and generator in turn; the fake batch is detached for the discriminator."""

import flambeau as torch
from flambeau import nn, optim

G = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 2))
D = nn.Sequential(nn.Linear(2, 16), nn.LeakyReLU(0.2), nn.Linear(16, 1))
og, od = optim.Adam(G.parameters(), 2e-4), optim.Adam(D.parameters(), 2e-4)
bce = nn.BCEWithLogitsLoss()
for step in range(25):
    real, fake = torch.randn(32, 2) + 2, G(torch.randn(32, 4))
    od.zero_grad()
    d_loss = bce(D(real), torch.ones(32, 1)) + bce(D(fake.detach()), torch.zeros(32, 1))
    d_loss.backward()
    od.step()
    og.zero_grad()
    g_loss = bce(D(fake), torch.ones(32, 1))
    g_loss.backward()
    og.step()
