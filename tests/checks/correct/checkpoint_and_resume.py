"""Model, optimizer, scheduler and epoch in one file."""

import io

import flambeau as torch
import flambeau.nn.functional as F
from flambeau import nn, optim

net = nn.Linear(4, 2)
opt = optim.Adam(net.parameters(), 1e-3)
sched = optim.lr_scheduler.StepLR(opt, 2, 0.5)
file = io.BytesIO()
for epoch in range(3):
    for _ in range(4):
        opt.zero_grad()
        F.cross_entropy(net(torch.randn(8, 4)), torch.randint(0, 2, (8,))).backward()
        opt.step()
    sched.step()
torch.save({"model": net.state_dict(), "opt": opt.state_dict(), "sched": sched.state_dict(), "epoch": epoch}, file)
file.seek(0)
ck = torch.load(file)
net2 = nn.Linear(4, 2)
net2.load_state_dict(ck["model"])
opt2 = optim.Adam(net2.parameters(), 1e-3)
opt2.load_state_dict(ck["opt"])
opt2.zero_grad()
F.cross_entropy(net2(torch.randn(8, 4)), torch.randint(0, 2, (8,))).backward()
opt2.step()
