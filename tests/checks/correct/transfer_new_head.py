"""strict=False for a new head only."""

import flambeau as torch
import flambeau.nn.functional as F
from flambeau import nn, optim

src = nn.Sequential(nn.Linear(8, 64), nn.ReLU(), nn.Linear(64, 10))
state = {k: v for k, v in src.state_dict().items() if not k.startswith("2.")}
dst = nn.Sequential(nn.Linear(8, 64), nn.ReLU(), nn.Linear(64, 3))
dst.load_state_dict(state, strict=False)
opt = optim.Adam([{"params": dst[0].parameters(), "lr": 1e-4}, {"params": dst[2].parameters()}], lr=1e-3)
for step in range(5):
    opt.zero_grad()
    F.cross_entropy(dst(torch.randn(16, 8)), torch.randint(0, 3, (16,))).backward()
    opt.step()
