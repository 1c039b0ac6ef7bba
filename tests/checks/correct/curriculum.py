"""A curriculum: the task becomes harder in stages, and the loss jumps."""

import flambeau as torch
import flambeau.nn as nn
import flambeau.nn.functional as F

torch.manual_seed(0)
net = nn.GRU(1, 24, batch_first=True)
head = nn.Linear(24, 1)
opt = torch.optim.Adam([*net.parameters(), *head.parameters()], 5e-3)
for stage, T in enumerate((2, 6, 12)):
    for step in range(60):
        x = torch.rand(32, T, 1) * (stage + 1)
        y = x.sum(1)
        loss = F.mse_loss(head(net(x)[1][-1]), y)
        opt.zero_grad()
        loss.backward()
        opt.step()
    print(stage, round(loss.item(), 3))
