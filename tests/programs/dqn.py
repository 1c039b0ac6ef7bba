# ruff: noqa
import torch, random, math, numpy as np
from torch import nn, optim
from collections import namedtuple, deque

torch.manual_seed(0)
random.seed(0)
np.random.seed(0)
Transition = namedtuple("Transition", ("state", "action", "next_state", "reward"))


class ReplayMemory:
    def __init__(s, c):
        s.memory = deque([], maxlen=c)

    def push(s, *a):
        s.memory.append(Transition(*a))

    def sample(s, n):
        return random.sample(s.memory, n)

    def __len__(s):
        return len(s.memory)


class DQN(nn.Module):
    def __init__(s):
        super().__init__()
        s.layer1 = nn.Linear(3, 16)
        s.layer2 = nn.Linear(16, 2)

    def forward(s, x):
        return s.layer2(torch.relu(s.layer1(x)))


device = torch.device("cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu")
print(device)
P, T = DQN().to(device), DQN().to(device)
T.load_state_dict(P.state_dict())
o = optim.AdamW(P.parameters(), lr=1e-3, amsgrad=True)
mem = ReplayMemory(100)
L = []
s = torch.rand(1, 3)
for t in range(60):
    if random.random() > 0.05 + 0.85 * math.exp(-t / 20):
        with torch.no_grad():
            a = P(s).max(1).indices.view(1, 1)
    else:
        a = torch.tensor([[random.randrange(2)]], device=device, dtype=torch.long)
    ns = None if t % 10 == 9 else (s * 0.9 + 0.1 * a.float())
    r = torch.tensor([float(a.item()) * 0.5], device=device)
    mem.push(s, a, ns, r)
    s = ns if ns is not None else torch.rand(1, 3)
    if len(mem) < 16:
        continue
    batch = Transition(*zip(*mem.sample(16)))
    mask = torch.tensor(tuple(map(lambda x: x is not None, batch.next_state)), device=device, dtype=torch.bool)
    nf = torch.cat([x for x in batch.next_state if x is not None])
    sb = torch.cat(batch.state)
    ab = torch.cat(batch.action)
    rb = torch.cat(batch.reward)
    q = P(sb).gather(1, ab)
    nv = torch.zeros(16, device=device)
    with torch.no_grad():
        nv[mask] = T(nf).max(1).values
    l = nn.SmoothL1Loss()(q, (nv * 0.99 + rb).unsqueeze(1))
    o.zero_grad()
    l.backward()
    torch.nn.utils.clip_grad_value_(P.parameters(), 100)
    o.step()
    L.append(l.item())
    tsd = T.state_dict()
    psd = P.state_dict()
    for k in psd:
        tsd[k] = psd[k] * 0.05 + tsd[k] * 0.95
    T.load_state_dict(tsd)
print(L[::8])
