"""BCELoss on sigmoid outputs, both squeezed."""

import flambeau as torch
from flambeau import nn, optim

net = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 1), nn.Sigmoid())
opt = optim.Adam(net.parameters(), 1e-3)
crit = nn.BCELoss()
x = torch.randn(64, 6)
y = (x.sum(1) > 0).float()
for epoch in range(10):
    p = net(x).squeeze(1)
    loss = crit(p, y)
    opt.zero_grad()
    loss.backward()
    opt.step()
    acc = ((p > 0.5).float() == y).float().mean()
