"""Uncertainty by dropout: eval, then only the dropout layers in training mode."""

import flambeau as torch
import flambeau.nn.functional as F
from flambeau import nn, optim

net = nn.Sequential(nn.Linear(6, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Dropout(0.5), nn.Linear(32, 1))
opt = optim.Adam(net.parameters(), 1e-3)
for step in range(40):
    x = torch.randn(32, 6)
    opt.zero_grad()
    F.mse_loss(net(x), x.sum(1, keepdim=True)).backward()
    opt.step()
net.eval()
for m in net.modules():
    if isinstance(m, nn.Dropout):
        m.train()
with torch.no_grad():
    samples = torch.stack([net(torch.randn(8, 6)) for _ in range(10)])
samples.mean(0), samples.std(0)
