"""Sentences of different length, sorted by length, packed."""

import flambeau as torch
import flambeau.nn.functional as F
from flambeau import nn, optim

emb, gru, head = nn.Embedding(20, 8, padding_idx=0), nn.GRU(8, 8, batch_first=True), nn.Linear(8, 2)
opt = optim.Adam([*emb.parameters(), *gru.parameters(), *head.parameters()], 1e-3)
for step in range(4):
    seqs = [torch.randint(1, 20, (n,)) for n in (7, 5, 2)]
    padded = nn.utils.rnn.pad_sequence(seqs, batch_first=True)
    packed = nn.utils.rnn.pack_padded_sequence(emb(padded), [7, 5, 2], batch_first=True)
    _, h = gru(packed)
    loss = F.cross_entropy(head(h[-1]), torch.tensor([0, 1, 0]))
    opt.zero_grad()
    loss.backward()
    opt.step()
