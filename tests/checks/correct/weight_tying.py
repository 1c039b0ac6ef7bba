"""A language model whose output layer shares the embedding's weights."""

import flambeau as torch
import flambeau.nn.functional as F
from flambeau import nn, optim


class LM(nn.Module):
    def __init__(self):
        super().__init__()
        self.emb = nn.Embedding(40, 16)
        self.rnn = nn.GRU(16, 16, batch_first=True)
        self.out = nn.Linear(16, 40, bias=False)
        self.out.weight = self.emb.weight

    def forward(self, ids, h=None):
        y, h = self.rnn(self.emb(ids), h)
        return self.out(y), h


lm = LM()
opt = optim.Adam(lm.parameters(), 1e-2)
h = None
for step in range(8):
    ids = torch.randint(0, 40, (4, 13))
    logits, h = lm(ids[:, :-1], h)
    h = h.detach()
    loss = F.cross_entropy(logits.reshape(-1, 40), ids[:, 1:].reshape(-1))
    opt.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(lm.parameters(), 1.0)
    opt.step()
