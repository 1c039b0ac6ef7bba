"""cycle: an iterator that is made again when it ends."""

import flambeau as torch
import flambeau.nn.functional as F
from flambeau import nn, optim
from flambeau.utils.data import DataLoader, TensorDataset

loader = DataLoader(TensorDataset(torch.randn(40, 4)), batch_size=8, shuffle=True)
net = nn.Linear(4, 1)
opt = optim.SGD(net.parameters(), 0.01)
it = iter(loader)
for step in range(30):
    try:
        (x,) = next(it)
    except StopIteration:
        it = iter(loader)
        (x,) = next(it)
    opt.zero_grad()
    F.mse_loss(net(x), x.sum(1, keepdim=True)).backward()
    opt.step()
