"""Per-pixel classes: (N, C, H, W) against (N, H, W), with a dice term on probabilities."""

import flambeau as torch
import flambeau.nn.functional as F
from flambeau import nn, optim

net = nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 3, 1))
opt = optim.Adam(net.parameters(), 1e-3)
for step in range(4):
    x, y = torch.randn(2, 1, 16, 16), torch.randint(0, 3, (2, 16, 16))
    logits = net(x)
    p = torch.softmax(logits, dim=1)
    hot = F.one_hot(y, 3).permute(0, 3, 1, 2).float()
    dice = 1 - (2 * (p * hot).sum((2, 3)) / (p + hot).sum((2, 3))).mean()
    loss = F.cross_entropy(logits, y) + dice
    opt.zero_grad()
    loss.backward()
    opt.step()
