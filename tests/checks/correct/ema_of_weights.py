"""An exponential moving average of the weights, evaluated in place of the model."""

import copy

import flambeau as torch
import flambeau.nn.functional as F
from flambeau import nn, optim

net = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1))
ema = copy.deepcopy(net)
for p in ema.parameters():
    p.requires_grad_(False)
opt = optim.SGD(net.parameters(), 0.05)
for step in range(20):
    x = torch.randn(32, 4)
    loss = F.mse_loss(net(x), x.sum(1, keepdim=True))
    opt.zero_grad()
    loss.backward()
    opt.step()
    with torch.no_grad():
        for e, p in zip(ema.parameters(), net.parameters()):
            e.mul_(0.9).add_(p, alpha=0.1)
ema.eval()
with torch.no_grad():
    ema(torch.randn(8, 4))
