"""Activations collected by hooks that are removed again."""

import flambeau as torch
from flambeau import nn

net = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
for step in range(8):
    seen = {}
    handles = [
        m.register_forward_hook(lambda m, i, o, n=n: seen.__setitem__(n, o.detach())) for n, m in net.named_children()
    ]
    net(torch.randn(3, 4))
    for h in handles:
        h.remove()
