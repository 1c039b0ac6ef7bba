"""Fine-tuning a head on frozen features, some of which keep batch statistics fixed."""

import flambeau as torch
import flambeau.nn.functional as F
from flambeau import nn, optim

backbone = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
for p in backbone.parameters():
    p.requires_grad = False
backbone.eval()
head = nn.Linear(8, 5)
model = nn.Sequential(backbone, head)
opt = optim.Adam(head.parameters(), lr=1e-3)
for step in range(12):
    head.train()
    opt.zero_grad()
    F.cross_entropy(model(torch.randn(16, 3, 8, 8)), torch.randint(0, 5, (16,))).backward()
    opt.step()
