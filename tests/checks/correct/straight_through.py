"""Binary codes with a straight-through estimator; argmax used only to report."""

import flambeau as torch
import flambeau.nn.functional as F
from flambeau import nn, optim

enc, dec = nn.Linear(8, 6), nn.Linear(6, 8)
opt = optim.Adam([*enc.parameters(), *dec.parameters()], 1e-3)
for step in range(8):
    x = torch.randn(32, 8)
    p = torch.sigmoid(enc(x))
    code = p + (p.round() - p).detach()
    loss = F.mse_loss(dec(code), x)
    opt.zero_grad()
    loss.backward()
    opt.step()
    report = code.argmax(1).float().mean().item()
