"""A codebook with commitment loss: stop-gradients on both sides."""

import flambeau as torch
import flambeau.nn.functional as F
from flambeau import nn, optim

enc, dec, book = nn.Linear(8, 4), nn.Linear(4, 8), nn.Embedding(16, 4)
opt = optim.Adam([*enc.parameters(), *dec.parameters(), *book.parameters()], 1e-3)
for step in range(8):
    x = torch.randn(32, 8)
    z = enc(x)
    idx = torch.cdist(z, book.weight).argmin(1)
    q = book(idx)
    loss = F.mse_loss(q, z.detach()) + 0.25 * F.mse_loss(z, q.detach())
    q = z + (q - z).detach()
    loss = loss + F.mse_loss(dec(q), x)
    opt.zero_grad()
    loss.backward()
    opt.step()
