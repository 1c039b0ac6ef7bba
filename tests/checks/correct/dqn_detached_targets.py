"""Q-learning with a target network that is copied now and then."""

import flambeau as torch
import flambeau.nn.functional as F
from flambeau import nn, optim

q, target = nn.Linear(4, 2), nn.Linear(4, 2)
target.load_state_dict(q.state_dict())
opt = optim.AdamW(q.parameters(), lr=1e-3)
for step in range(40):
    s, a = torch.randn(32, 4), torch.randint(0, 2, (32, 1))
    r, s2, done = torch.randn(32), torch.randn(32, 4), (torch.rand(32) < 0.1).float()
    value = q(s).gather(1, a).squeeze(1)
    with torch.no_grad():
        best = target(s2).max(1).values
    loss = F.smooth_l1_loss(value, r + 0.99 * best * (1 - done))
    opt.zero_grad()
    loss.backward()
    nn.utils.clip_grad_value_(q.parameters(), 100)
    opt.step()
    if step % 10 == 0:
        target.load_state_dict(q.state_dict())
