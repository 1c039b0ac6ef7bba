"""Learning rates from sensible to small, each on a fresh model."""

import flambeau as torch
import flambeau.nn.functional as F
from flambeau import nn, optim

x = torch.randn(64, 4)
y = x.sum(1, keepdim=True)
for lr in (0.1, 0.03, 0.01, 0.003):
    torch.manual_seed(0)
    net = nn.Linear(4, 1)
    opt = optim.SGD(net.parameters(), lr=lr)
    for step in range(20):
        opt.zero_grad()
        loss = F.mse_loss(net(x), y)
        loss.backward()
        opt.step()
