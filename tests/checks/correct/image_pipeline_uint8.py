"""uint8 images, converted before any arithmetic; a histogram of the raw values."""

import flambeau as torch
import flambeau.nn.functional as F
from flambeau import nn, optim

raw = torch.randint(0, 256, (32, 3, 16, 16), dtype=torch.uint8)
hist = torch.bincount(raw.flatten().long(), minlength=256)
x = raw.float().div(255).sub(0.5).div(0.25)
net = nn.Sequential(nn.Conv2d(3, 8, 3, stride=2), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 49, 5))
opt = optim.Adam(net.parameters(), 1e-3)
for step in range(4):
    opt.zero_grad()
    F.cross_entropy(net(x), torch.randint(0, 5, (32,))).backward()
    opt.step()
grid = (x.clamp(-2, 2) * 0.25 + 0.5).mul(255).byte().permute(0, 2, 3, 1).numpy()
