"""Stochastic weight averaging with its scheduler and batch-norm update."""

import flambeau as torch
import flambeau.nn.functional as F
from flambeau import nn, optim
from flambeau.optim.swa_utils import SWALR, AveragedModel, update_bn
from flambeau.utils.data import DataLoader, TensorDataset

net = nn.Sequential(nn.Linear(4, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 2))
loader = DataLoader(TensorDataset(torch.randn(64, 4), torch.randint(0, 2, (64,))), batch_size=16, shuffle=True)
opt = optim.SGD(net.parameters(), 0.05)
avg, sched = AveragedModel(net), SWALR(opt, swa_lr=0.01)
for epoch in range(4):
    for x, y in loader:
        opt.zero_grad()
        F.cross_entropy(net(x), y).backward()
        opt.step()
    avg.update_parameters(net)
    sched.step()
update_bn(((x,) for x, _ in loader), avg)
avg.eval()
with torch.no_grad():
    avg(torch.randn(8, 4))
