"""Softmax over the instances of a bag, one score each."""

import flambeau as torch
import flambeau.nn.functional as F
from flambeau import nn, optim

embed, score, head = nn.Linear(6, 16), nn.Linear(16, 1), nn.Linear(16, 2)
opt = optim.Adam([*embed.parameters(), *score.parameters(), *head.parameters()], 1e-3)
for step in range(6):
    bag = torch.tanh(embed(torch.randn(12, 6)))
    weight = torch.softmax(score(bag), dim=0)
    pooled = (weight * bag).sum(0)
    loss = F.cross_entropy(head(pooled)[None], torch.randint(0, 2, (1,)))
    opt.zero_grad()
    loss.backward()
    opt.step()
