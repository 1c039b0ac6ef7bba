"""Data from NumPy, cast once; sequential loader of regression targets."""

import numpy as np

import flambeau as torch
from flambeau import nn, optim
from flambeau.utils.data import DataLoader, TensorDataset

rng = np.random.default_rng(0)
xs = rng.random((80, 1)).astype(np.float32)
ys = (1 + 2 * xs + 0.1 * rng.standard_normal((80, 1))).astype(np.float32)
data = TensorDataset(torch.from_numpy(xs), torch.from_numpy(ys))
net = nn.Sequential(nn.Linear(1, 1))
opt = optim.SGD(net.parameters(), lr=0.1)
losses = []
for epoch in range(10):
    for x, y in DataLoader(data, batch_size=16):
        loss = nn.MSELoss()(net(x), y)
        opt.zero_grad()
        loss.backward()
        opt.step()
        losses.append(loss.item())
w = net[0].weight.detach().numpy().item()
