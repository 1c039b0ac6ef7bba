"""The image is what is optimized; the network is frozen."""

import flambeau as torch
import flambeau.nn.functional as F
from flambeau import nn, optim

vgg = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 8, 3, padding=1)).eval()
for p in vgg.parameters():
    p.requires_grad_(False)
content = torch.rand(1, 3, 16, 16)
image = content.clone().requires_grad_(True)
opt = optim.Adam([image], lr=0.02)
with torch.no_grad():
    goal = vgg(content)


def gram(f):
    b, c, h, w = f.shape
    f = f.view(b * c, h * w)
    return f @ f.t() / (b * c * h * w)


style = gram(vgg(torch.rand(1, 3, 16, 16)))
for step in range(10):
    f = vgg(image)
    loss = F.mse_loss(f, goal) + 100 * F.mse_loss(gram(f), style)
    opt.zero_grad()
    loss.backward()
    opt.step()
    with torch.no_grad():
        image.clamp_(0, 1)
