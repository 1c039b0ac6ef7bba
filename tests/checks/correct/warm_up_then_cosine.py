"""Per-batch warm-up, then cosine decay over all batches."""

import flambeau as torch
import flambeau.nn.functional as F
from flambeau import nn, optim

net = nn.Linear(8, 2)
opt = optim.AdamW(net.parameters(), lr=1e-3, weight_decay=0.01)
warm = optim.lr_scheduler.LinearLR(opt, start_factor=0.01, total_iters=10)
cos = optim.lr_scheduler.CosineAnnealingLR(opt, T_max=50)
sched = optim.lr_scheduler.SequentialLR(opt, [warm, cos], milestones=[10])
for step in range(60):
    opt.zero_grad()
    F.cross_entropy(net(torch.randn(16, 8)), torch.randint(0, 2, (16,))).backward()
    opt.step()
    sched.step()
