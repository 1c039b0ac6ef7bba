"""InfoNCE: labels are row numbers."""

import flambeau as torch
import flambeau.nn.functional as F
from flambeau import nn, optim

f = nn.Sequential(nn.Linear(10, 32), nn.ReLU(), nn.Linear(32, 8))
opt = optim.Adam(f.parameters(), 1e-3)
for step in range(8):
    x = torch.randn(16, 10)
    a, b = F.normalize(f(x + 0.1 * torch.randn_like(x)), dim=1), F.normalize(f(x), dim=1)
    logits = a @ b.T / 0.1
    loss = F.cross_entropy(logits, torch.arange(16))
    opt.zero_grad()
    loss.backward()
    opt.step()
