"""In-place activations where they are allowed."""

import flambeau as torch
import flambeau.nn.functional as F
from flambeau import nn, optim


class Block(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.a, self.b = nn.Conv2d(c, c, 3, padding=1, bias=False), nn.Conv2d(c, c, 3, padding=1, bias=False)
        self.n, self.m = nn.BatchNorm2d(c), nn.BatchNorm2d(c)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x):
        y = self.relu(self.n(self.a(x)))
        y = self.m(self.b(y))
        y += x
        return self.relu(y)


net = nn.Sequential(nn.Conv2d(3, 8, 3), Block(8), Block(8), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 10))
opt = optim.SGD(net.parameters(), 0.05, momentum=0.9, weight_decay=1e-4)
for step in range(3):
    opt.zero_grad()
    F.cross_entropy(net(torch.randn(8, 3, 12, 12)), torch.randint(0, 10, (8,))).backward()
    opt.step()
