"""Padded sequences whose padding is masked out of the loss."""

import flambeau as torch
import flambeau.nn.functional as F
from flambeau import nn, optim

emb, rnn, out = nn.Embedding(30, 8, padding_idx=0), nn.LSTM(8, 16, batch_first=True), nn.Linear(16, 30)
opt = optim.Adam([*emb.parameters(), *rnn.parameters(), *out.parameters()], 1e-2)
for step in range(6):
    lengths = torch.tensor([9, 7, 5, 3])
    ids = torch.randint(1, 30, (4, 9))
    mask = torch.arange(9)[None] < lengths[:, None]
    ids = ids * mask
    y, _ = rnn(emb(ids[:, :-1]))
    logits = out(y)
    per_token = F.cross_entropy(logits.transpose(1, 2), ids[:, 1:], reduction="none")
    keep = mask[:, 1:].float()
    loss = (per_token * keep).sum() / keep.sum()
    opt.zero_grad()
    loss.backward()
    opt.step()
