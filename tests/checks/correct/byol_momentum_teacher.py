"""A momentum teacher in training mode under no_grad."""

import copy

import flambeau as torch
import flambeau.nn.functional as F
from flambeau import nn, optim

student = nn.Sequential(nn.Linear(8, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 4))
teacher = copy.deepcopy(student).requires_grad_(False)
opt = optim.SGD(student.parameters(), 0.05)
for step in range(10):
    x = torch.randn(32, 8)
    with torch.no_grad():
        goal = F.normalize(teacher(x + 0.1 * torch.randn_like(x)), dim=1)
    loss = (2 - 2 * (F.normalize(student(x), dim=1) * goal).sum(1)).mean()
    opt.zero_grad()
    loss.backward()
    opt.step()
    with torch.no_grad():
        for t, s in zip(teacher.parameters(), student.parameters()):
            t.lerp_(s, 0.01)
