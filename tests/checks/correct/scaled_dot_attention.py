"""Attention by hand with a causal mask of -inf."""

import flambeau as torch
import flambeau.nn.functional as F
from flambeau import nn, optim


class Head(nn.Module):
    def __init__(self, d):
        super().__init__()
        self.q, self.k, self.v = (nn.Linear(d, d, bias=False) for _ in range(3))

    def forward(self, x):
        t = x.shape[1]
        att = self.q(x) @ self.k(x).transpose(-2, -1) / x.shape[-1] ** 0.5
        att = att.masked_fill(torch.tril(torch.ones(t, t)) == 0, float("-inf"))
        return F.softmax(att, dim=-1) @ self.v(x)


net = nn.Sequential(Head(16), nn.LayerNorm(16), nn.Linear(16, 20))
opt = optim.AdamW(net.parameters(), 1e-3)
for step in range(5):
    logits = net(torch.randn(4, 8, 16))
    y = torch.randint(0, 20, (4, 8))
    loss = F.cross_entropy(logits.view(-1, logits.size(-1)), y.view(-1))
    opt.zero_grad(set_to_none=True)
    loss.backward()
    opt.step()
