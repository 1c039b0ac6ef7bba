"""Legitimate reshapes: patches, heads, pixel shuffle by view and permute."""

import flambeau as torch
import flambeau.nn.functional as F
from flambeau import nn, optim

x = torch.randn(2, 3, 16, 16)
patches = x.view(2, 3, 4, 4, 4, 4).permute(0, 2, 4, 1, 3, 5).reshape(2, 16, 48)
proj = nn.Linear(48, 24)
qkv = proj(patches).reshape(2, 16, 3, 2, 4).permute(2, 0, 3, 1, 4)
q, k, v = qkv.unbind(0)
y = (torch.softmax(q @ k.transpose(-2, -1) / 2, dim=-1) @ v).transpose(1, 2).reshape(2, 16, 8)
head = nn.Linear(8, 2)
opt = optim.Adam([*proj.parameters(), *head.parameters()], 1e-3)
F.cross_entropy(head(y.mean(1)), torch.tensor([0, 1])).backward()
opt.step()
