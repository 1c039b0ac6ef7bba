"""autocast and a gradient scaler."""

import flambeau as torch
import flambeau.nn.functional as F
from flambeau import nn, optim

net = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 2))
opt = optim.SGD(net.parameters(), 0.1)
scaler = torch.amp.GradScaler("cpu")
for step in range(8):
    opt.zero_grad()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = F.cross_entropy(net(torch.randn(16, 8)), torch.randint(0, 2, (16,)))
    scaler.scale(loss).backward()
    scaler.unscale_(opt)
    nn.utils.clip_grad_norm_(net.parameters(), 1.0)
    scaler.step(opt)
    scaler.update()
