"""ReduceLROnPlateau with the validation loss, early stopping."""

import flambeau as torch
import flambeau.nn.functional as F
from flambeau import nn, optim

net = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 1))
opt = optim.Adam(net.parameters(), 1e-2)
sched = optim.lr_scheduler.ReduceLROnPlateau(opt, patience=2)
x = torch.randn(128, 4)
y = x.sum(1, keepdim=True)
best, bad = float("inf"), 0
for epoch in range(15):
    net.train()
    opt.zero_grad()
    F.mse_loss(net(x[:96]), y[:96]).backward()
    opt.step()
    net.eval()
    with torch.no_grad():
        v = F.mse_loss(net(x[96:]), y[96:]).item()
    sched.step(v)
    best, bad = (v, 0) if v < best else (best, bad + 1)
    if bad > 5:
        break
