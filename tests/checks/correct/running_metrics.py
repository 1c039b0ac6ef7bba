"""Running losses as numbers, confusion matrix by index."""

import flambeau as torch
import flambeau.nn.functional as F
from flambeau import nn, optim

net = nn.Linear(6, 3)
opt = optim.Adam(net.parameters(), 1e-2)
running, confusion = 0.0, torch.zeros(3, 3, dtype=torch.long)
for step in range(12):
    x, y = torch.randn(16, 6), torch.randint(0, 3, (16,))
    out = net(x)
    loss = F.cross_entropy(out, y)
    opt.zero_grad()
    loss.backward()
    opt.step()
    running += loss.item() * x.size(0)
    for t, p in zip(y, out.argmax(1)):
        confusion[t, p] += 1
    probs = out.detach().softmax(1)
    top = probs.topk(2, dim=1).indices
