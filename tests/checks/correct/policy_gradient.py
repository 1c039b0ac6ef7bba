"""REINFORCE: a loss that is negative and has no floor."""

import flambeau as torch
import flambeau.nn.functional as F
from flambeau import nn, optim

policy = nn.Sequential(nn.Linear(4, 16), nn.Tanh(), nn.Linear(16, 2))
opt = optim.Adam(policy.parameters(), 1e-2)
for episode in range(8):
    logs, rewards = [], []
    s = torch.randn(4)
    for t in range(10):
        probs = F.softmax(policy(s), dim=-1)
        dist = torch.distributions.Categorical(probs)
        a = dist.sample()
        logs.append(dist.log_prob(a))
        rewards.append(1.0 if a.item() == 0 else 0.0)
        s = torch.randn(4)
    returns = torch.tensor([sum(rewards[i:]) for i in range(10)])
    returns = (returns - returns.mean()) / (returns.std() + 1e-8)
    loss = -(torch.stack(logs) * returns).sum()
    opt.zero_grad()
    loss.backward()
    opt.step()
