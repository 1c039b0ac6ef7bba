"""Outer differences on purpose."""

import flambeau as torch
from flambeau import nn, optim

emb = nn.Parameter(torch.randn(12, 2))
opt = optim.Adam([emb], 1e-2)
goal = torch.rand(12, 12)
for step in range(10):
    d = (emb[:, None] - emb[None, :]).pow(2).sum(-1)
    loss = (d - goal).pow(2).mean()
    opt.zero_grad()
    loss.backward()
    opt.step()
