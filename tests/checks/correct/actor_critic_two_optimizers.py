"""Actor and critic with an optimizer each; the advantage is detached."""

import flambeau as torch
import flambeau.nn.functional as F
from flambeau import nn, optim

actor, critic = nn.Linear(4, 3), nn.Linear(4, 1)
oa, oc = optim.Adam(actor.parameters(), 1e-3), optim.Adam(critic.parameters(), 1e-3)
for step in range(12):
    s, ret = torch.randn(32, 4), torch.randn(32)
    v = critic(s).squeeze(-1)
    oc.zero_grad()
    F.mse_loss(v, ret).backward()
    oc.step()
    adv = (ret - v).detach()
    dist = torch.distributions.Categorical(logits=actor(s))
    oa.zero_grad()
    (-(dist.log_prob(dist.sample()) * adv).mean() - 0.01 * dist.entropy().mean()).backward()
    oa.step()
