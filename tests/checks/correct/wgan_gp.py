"""Gradient penalty; the critic steps five times per generator step."""

import flambeau as torch
from flambeau import nn, optim

G, C = nn.Linear(3, 2), nn.Sequential(nn.Linear(2, 16), nn.ReLU(), nn.Linear(16, 1))
og, oc = optim.Adam(G.parameters(), 1e-4, betas=(0, 0.9)), optim.Adam(C.parameters(), 1e-4, betas=(0, 0.9))
for it in range(4):
    for k in range(5):
        real = torch.randn(16, 2)
        fake = G(torch.randn(16, 3)).detach()
        eps = torch.rand(16, 1)
        mix = (eps * real + (1 - eps) * fake).requires_grad_(True)
        g = torch.autograd.grad(C(mix).sum(), mix, create_graph=True)[0]
        loss = C(fake).mean() - C(real).mean() + 10 * ((g.norm(2, dim=1) - 1) ** 2).mean()
        oc.zero_grad()
        loss.backward()
        oc.step()
    og.zero_grad()
    (-C(G(torch.randn(16, 3))).mean()).backward()
    og.step()
