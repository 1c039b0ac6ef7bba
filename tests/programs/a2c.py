# ruff: noqa
import torch, numpy as np
from torch import nn
from torch.distributions import Categorical, Normal

torch.manual_seed(1)
np.random.seed(1)


def layer_init(l, std=np.sqrt(2), bias=0.0):
    torch.nn.init.orthogonal_(l.weight, std)
    torch.nn.init.constant_(l.bias, bias)
    return l


class Agent(nn.Module):
    def __init__(s):
        super().__init__()
        s.critic = nn.Sequential(layer_init(nn.Linear(4, 16)), nn.Tanh(), layer_init(nn.Linear(16, 1), std=1.0))
        s.actor = nn.Sequential(layer_init(nn.Linear(4, 16)), nn.Tanh(), layer_init(nn.Linear(16, 2), std=0.01))

    def get_value(s, x):
        return s.critic(x)

    def get_action_and_value(s, x, a=None):
        p = Categorical(logits=s.actor(x))
        a = p.sample() if a is None else a
        return a, p.log_prob(a), p.entropy(), s.critic(x)


ag = Agent()
o = torch.optim.Adam(ag.parameters(), lr=2.5e-4, eps=1e-5)
N, E = 8, 3
obs = torch.zeros((N, E) + (4,))
act = torch.zeros((N, E))
lp = torch.zeros((N, E))
rew = torch.zeros((N, E))
dones = torch.zeros((N, E))
val = torch.zeros((N, E))
nobs = torch.Tensor(np.random.randn(E, 4))
nd = torch.zeros(E)
for up in range(3):
    for g in o.param_groups:
        g["lr"] = (1 - up / 3) * 2.5e-4
    for st in range(N):
        obs[st] = nobs
        dones[st] = nd
        with torch.no_grad():
            a, l, _, v = ag.get_action_and_value(nobs)
            val[st] = v.flatten()
        act[st] = a
        lp[st] = l
        rew[st] = torch.tensor(np.cos(a.cpu().numpy())).view(-1)
        nobs, nd = torch.Tensor(np.random.randn(E, 4)), torch.Tensor((np.random.rand(E) > 0.9))
    with torch.no_grad():
        nv = ag.get_value(nobs).reshape(1, -1)
        adv = torch.zeros_like(rew)
        last = 0
        for t in reversed(range(N)):
            nn_ = 1.0 - (nd if t == N - 1 else dones[t + 1])
            nvv = nv if t == N - 1 else val[t + 1]
            delta = rew[t] + 0.99 * nvv * nn_ - val[t]
            adv[t] = last = delta + 0.99 * 0.95 * nn_ * last
        ret = adv + val
    bo, bl, ba, bad, br, bv = (
        obs.reshape((-1, 4)),
        lp.reshape(-1),
        act.reshape(-1),
        adv.reshape(-1),
        ret.reshape(-1),
        val.reshape(-1),
    )
    bi = np.arange(N * E)
    for ep in range(2):
        np.random.shuffle(bi)
        for s in range(0, 24, 12):
            mb = bi[s : s + 12]
            _, nl, ent, v = ag.get_action_and_value(bo[mb], ba.long()[mb])
            lr = nl - bl[mb]
            r = lr.exp()
            with torch.no_grad():
                kl = ((r - 1) - lr).mean()
                cf = ((r - 1.0).abs() > 0.2).float().mean().item()
            ma = bad[mb]
            ma = (ma - ma.mean()) / (ma.std() + 1e-8)
            pg = torch.max(-ma * r, -ma * torch.clamp(r, 0.8, 1.2)).mean()
            v = v.view(-1)
            vc = bv[mb] + torch.clamp(v - bv[mb], -0.2, 0.2)
            vl = 0.5 * torch.max((v - br[mb]) ** 2, (vc - br[mb]) ** 2).mean()
            loss = pg - 0.01 * ent.mean() + vl * 0.5
            o.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(ag.parameters(), 0.5)
            o.step()
    yp, yt = bv.cpu().numpy(), br.cpu().numpy()
    print(up, loss.item(), kl.item(), cf, np.var(yt - yp))
