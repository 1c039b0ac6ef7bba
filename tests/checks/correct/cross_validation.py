"""A new model and optimizer per fold."""

import flambeau as torch
import flambeau.nn.functional as F
from flambeau import nn, optim

x, y = torch.randn(120, 5), torch.randint(0, 3, (120,))
scores = []
for fold in range(4):
    test = torch.arange(120) % 4 == fold
    net = nn.Sequential(nn.Linear(5, 16), nn.ReLU(), nn.Linear(16, 3))
    opt = optim.Adam(net.parameters(), 1e-2)
    for epoch in range(5):
        opt.zero_grad()
        F.cross_entropy(net(x[~test]), y[~test]).backward()
        opt.step()
    net.eval()
    with torch.no_grad():
        scores.append((net(x[test]).argmax(1) == y[test]).float().mean().item())
