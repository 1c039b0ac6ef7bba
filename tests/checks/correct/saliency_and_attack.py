"""Gradients of inputs in eval mode, FGSM."""

import flambeau as torch
import flambeau.nn.functional as F
from flambeau import nn

net = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Dropout(), nn.Linear(16, 3)).eval()
x = torch.randn(4, 8, requires_grad=True)
y = torch.randint(0, 3, (4,))
for step in range(5):
    loss = F.cross_entropy(net(x), y)
    net.zero_grad()
    loss.backward()
    x = (x + 0.01 * x.grad.sign()).detach().requires_grad_(True)
score = net(x)[0].max()
(g,) = torch.autograd.grad(score, x)
