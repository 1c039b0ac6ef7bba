"""Metric learning."""

import flambeau as torch
import flambeau.nn.functional as F
from flambeau import nn, optim

f = nn.Linear(10, 4)
opt = optim.SGD(f.parameters(), 0.01)
for step in range(6):
    a, p, n = (f(torch.randn(8, 10)) for _ in range(3))
    loss = F.triplet_margin_loss(a, p, n) + F.cosine_embedding_loss(a, p, torch.ones(8))
    opt.zero_grad()
    loss.backward()
    opt.step()
