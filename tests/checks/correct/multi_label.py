"""Several labels per sample, weights for the rare ones; a metric with a threshold."""

import flambeau as torch
from flambeau import nn, optim

net = nn.Linear(12, 5)
opt = optim.Adam(net.parameters(), 1e-3)
crit = nn.BCEWithLogitsLoss(pos_weight=torch.full((5,), 3.0))
for step in range(6):
    x, y = torch.randn(32, 12), (torch.rand(32, 5) < 0.2).float()
    out = net(x)
    loss = crit(out, y)
    opt.zero_grad()
    loss.backward()
    opt.step()
    accuracy = ((torch.sigmoid(out) > 0.5) == y.bool()).float().mean().item()
