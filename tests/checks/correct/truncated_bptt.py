"""Hidden state carried over and detached."""

import flambeau as torch
import flambeau.nn.functional as F
from flambeau import nn, optim

rnn, out = nn.LSTM(3, 8), nn.Linear(8, 1)
opt = optim.Adam([*rnn.parameters(), *out.parameters()], 1e-3)
state = None
for chunk in range(6):
    x = torch.randn(5, 2, 3)
    y, state = rnn(x, state)
    state = tuple(s.detach() for s in state)
    loss = F.mse_loss(out(y), torch.randn(5, 2, 1))
    opt.zero_grad()
    loss.backward()
    opt.step()
