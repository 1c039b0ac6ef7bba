"""Row and column effects that broadcast on purpose."""

import flambeau as torch
import flambeau.nn.functional as F
from flambeau import nn, optim

row, col = nn.Parameter(torch.zeros(6)), nn.Parameter(torch.zeros(4))
opt = optim.SGD([row, col], 0.1)
table = torch.randn(6, 4)
for step in range(10):
    fit = row.unsqueeze(1) + col
    loss = F.mse_loss(fit, table)
    opt.zero_grad()
    loss.backward()
    opt.step()
