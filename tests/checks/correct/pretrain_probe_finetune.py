"""An autoencoder is pretrained, probed with a frozen encoder, and fine-tuned with two rates."""

import flambeau as torch
import flambeau.nn as nn
import flambeau.nn.functional as F

torch.manual_seed(0)
x = torch.randn(300, 16) @ torch.randn(16, 16)
y = x[:, :4].argmax(1)
x = (x - x.mean(0)) / x.std(0)
enc = nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 8))
dec = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 16))
opt = torch.optim.Adam([*enc.parameters(), *dec.parameters()], 3e-3)
for ep in range(80):
    xm = x * (torch.rand_like(x) > 0.2)
    l = F.mse_loss(dec(enc(xm)), x)
    opt.zero_grad()
    l.backward()
    opt.step()
print(round(l.item(), 3))
clf = nn.Sequential(enc, nn.ReLU(), nn.Linear(8, 4))
for p in enc.parameters():
    p.requires_grad_(False)
opt = torch.optim.SGD(filter(lambda p: p.requires_grad, clf.parameters()), 0.1)
for ep in range(120):
    l = F.cross_entropy(clf(x), y)
    opt.zero_grad()
    l.backward()
    opt.step()
print(round(l.item(), 3))
for p in enc.parameters():
    p.requires_grad_(True)
opt = torch.optim.AdamW([{"params": enc.parameters(), "lr": 1e-4}, {"params": clf[2].parameters()}], lr=1e-3)
for ep in range(60):
    l = F.cross_entropy(clf(x), y)
    opt.zero_grad()
    l.backward()
    opt.step()
print(round(l.item(), 3), round((clf(x).argmax(1) == y).float().mean().item(), 2))
