"""One permutation for inputs and labels; splits by index."""

import flambeau as torch
import flambeau.nn.functional as F
from flambeau import nn, optim
from flambeau.utils.data import DataLoader, TensorDataset

x, y = torch.randn(200, 5), torch.randint(0, 2, (200,))
perm = torch.randperm(200)
x, y = x[perm], y[perm]
train, val = TensorDataset(x[:150], y[:150]), TensorDataset(x[150:], y[150:])
net = nn.Linear(5, 2)
opt = optim.SGD(net.parameters(), 0.1)
for xb, yb in DataLoader(train, batch_size=30, shuffle=True):
    opt.zero_grad()
    F.cross_entropy(net(xb), yb).backward()
    opt.step()
