"""LBFGS on a full batch."""

import flambeau as torch
import flambeau.nn.functional as F
from flambeau import nn, optim

net = nn.Linear(3, 1)
x = torch.randn(32, 3)
y = x.sum(1, keepdim=True)
opt = optim.LBFGS(net.parameters(), lr=0.5, max_iter=5)


def closure():
    opt.zero_grad()
    loss = F.mse_loss(net(x), y)
    loss.backward()
    return loss


for step in range(6):
    opt.step(closure)
