"""Validation after each epoch, with eval, no_grad and train again; the best weights are copied."""

import copy

import flambeau as torch
import flambeau.nn.functional as F
from flambeau import nn, optim
from flambeau.utils.data import DataLoader, TensorDataset

net = nn.Sequential(nn.Linear(8, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Dropout(0.3), nn.Linear(32, 2))
opt = optim.Adam(net.parameters(), 1e-3)
x = torch.randn(256, 8)
y = (x[:, 0] > 0).long()
train = DataLoader(TensorDataset(x[:192], y[:192]), batch_size=32, shuffle=True, drop_last=True)
val = DataLoader(TensorDataset(x[192:], y[192:]), batch_size=32)
best, best_state = 0.0, None
for epoch in range(4):
    net.train()
    for xb, yb in train:
        loss = F.cross_entropy(net(xb), yb)
        opt.zero_grad(set_to_none=False)
        loss.backward()
        opt.step()
    net.eval()
    right = 0
    with torch.no_grad():
        for xb, yb in val:
            right += (net(xb).argmax(1) == yb).sum().item()
    if right / 64 >= best:
        best, best_state = right / 64, copy.deepcopy(net.state_dict())
net.load_state_dict(best_state)
