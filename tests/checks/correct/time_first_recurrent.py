"""(time, batch, features) made by a transpose from the loader's batches."""

import flambeau as torch
import flambeau.nn.functional as F
from flambeau import nn, optim
from flambeau.utils.data import DataLoader, TensorDataset

loader = DataLoader(TensorDataset(torch.randn(64, 20, 6), torch.randn(64, 1)), batch_size=16)
lstm, head = nn.LSTM(6, 12), nn.Linear(12, 1)
opt = optim.Adam([*lstm.parameters(), *head.parameters()], 1e-3)
for x, y in loader:
    out, (h, c) = lstm(x.transpose(0, 1))
    loss = F.mse_loss(head(h[-1]), y)
    opt.zero_grad()
    loss.backward()
    opt.step()
