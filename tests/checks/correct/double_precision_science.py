"""All in float64, by choice."""

import numpy as np

import flambeau as torch
import flambeau.nn.functional as F
from flambeau import nn, optim

torch.set_default_dtype(torch.float64)
x = torch.linspace(-1, 1, 50)[:, None]
net = nn.Sequential(nn.Linear(1, 16), nn.Tanh(), nn.Linear(16, 1))
opt = optim.Adam(net.parameters(), 1e-2)
for step in range(10):
    opt.zero_grad()
    F.mse_loss(net(x), torch.from_numpy(np.sin(3 * x.numpy()))).backward()
    opt.step()
