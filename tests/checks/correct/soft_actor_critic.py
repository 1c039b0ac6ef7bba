"""Soft actor-critic: replay, twin critics, a target that follows slowly, a learned temperature."""

import collections
import copy
import random

import numpy as np

import flambeau as torch
import flambeau.nn as nn
import flambeau.nn.functional as F
from flambeau.distributions import Normal

random.seed(0)
np.random.seed(0)
torch.manual_seed(0)


class Env:
    def reset(self):
        self.s = np.random.uniform(-1, 1, 3).astype(np.float32)
        self.t = 0
        return self.s

    def step(self, a):
        self.s = np.clip(self.s + 0.1 * a, -2, 2).astype(np.float32)
        self.t += 1
        return self.s, -float((self.s**2).sum()), self.t >= 20, {}


def mlp(i, o, h=32):
    return nn.Sequential(nn.Linear(i, h), nn.ReLU(), nn.Linear(h, h), nn.ReLU(), nn.Linear(h, o))


class Actor(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(3, 32), nn.ReLU())
        self.mu, self.ls = nn.Linear(32, 3), nn.Linear(32, 3)

    def forward(self, s):
        h = self.body(s)
        mu, std = self.mu(h), self.ls(h).clamp(-20, 2).exp()
        d = Normal(mu, std)
        u = d.rsample()
        a = torch.tanh(u)
        logp = d.log_prob(u).sum(-1, keepdim=True) - (2 * (np.log(2) - u - F.softplus(-2 * u))).sum(-1, keepdim=True)
        return a, logp


class Twin(nn.Module):
    def __init__(self):
        super().__init__()
        self.q1, self.q2 = mlp(6, 1), mlp(6, 1)

    def forward(self, s, a):
        x = torch.cat([s, a], -1)
        return self.q1(x), self.q2(x)


actor, critic = Actor(), Twin()
target = copy.deepcopy(critic)
for p in target.parameters():
    p.requires_grad = False
log_alpha = torch.tensor(np.log(0.2), requires_grad=True, dtype=torch.float32)
ao, co, lo = (torch.optim.Adam(p, lr=3e-3) for p in (actor.parameters(), critic.parameters(), [log_alpha]))
buf = collections.deque(maxlen=1000)
env = Env()
s = env.reset()
ep, rets = 0, [0.0]
for step in range(160):
    if step < 32:
        a = np.random.uniform(-1, 1, 3).astype(np.float32)
    else:
        with torch.no_grad():
            a = actor(torch.as_tensor(s).unsqueeze(0))[0].squeeze(0).numpy()
    s2, r, done, _ = env.step(a)
    buf.append((s, a, r, s2, float(done)))
    rets[-1] += r
    s = env.reset() if done else s2
    if done:
        rets.append(0.0)
    if step < 32:
        continue
    S, A, R, S2, D = (torch.as_tensor(np.array(v), dtype=torch.float32) for v in zip(*random.sample(buf, 32)))
    R, D = R.unsqueeze(1), D.unsqueeze(1)
    with torch.no_grad():
        a2, lp2 = actor(S2)
        t1, t2 = target(S2, a2)
        y = R + 0.99 * (1 - D) * (torch.min(t1, t2) - log_alpha.exp() * lp2)
    q1, q2 = critic(S, A)
    qloss = F.mse_loss(q1, y) + F.mse_loss(q2, y)
    co.zero_grad()
    qloss.backward()
    co.step()
    for p in critic.parameters():
        p.requires_grad = False
    pa, lp = actor(S)
    piloss = (log_alpha.exp().detach() * lp - torch.min(*critic(S, pa))).mean()
    ao.zero_grad()
    piloss.backward()
    ao.step()
    for p in critic.parameters():
        p.requires_grad = True
    al = -(log_alpha * (lp + (-3)).detach()).mean()
    lo.zero_grad()
    al.backward()
    lo.step()
    with torch.no_grad():
        for p, tp in zip(critic.parameters(), target.parameters()):
            tp.data.mul_(0.995)
            tp.data.add_(0.005 * p.data)
print(
    round(qloss.item(), 4), round(piloss.item(), 4), round(log_alpha.exp().item(), 4), [round(x, 2) for x in rets[:3]]
)
