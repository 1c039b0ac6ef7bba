"""A grid of learning rates, each with its folds: many short trainings of new models."""

import copy
import itertools

import flambeau as torch
import flambeau.nn as nn

torch.manual_seed(0)
x = torch.randn(120, 5)
y = x @ torch.randn(5, 1) + 0.05 * torch.randn(120, 1)
scores = {}
for lr, wd in itertools.product([0.1, 0.03], [0, 1e-3]):
    for fold in range(2):
        va = torch.zeros(120, dtype=torch.bool)
        va[fold::2] = True
        model = nn.Sequential(nn.Linear(5, 16), nn.ReLU(), nn.Linear(16, 1))
        opt = torch.optim.SGD(model.parameters(), lr=lr, momentum=0.9, weight_decay=wd)
        best = 1e9
        for ep in range(70):
            opt.zero_grad()
            loss = nn.functional.mse_loss(model(x[~va]), y[~va])
            loss.backward()
            opt.step()
            with torch.no_grad():
                v = nn.functional.mse_loss(model(x[va]), y[va]).item()
            if v < best:
                best, state = v, copy.deepcopy(model.state_dict())
        scores.setdefault((lr, wd), []).append(best)
print({k: round(sum(v) / len(v), 4) for k, v in scores.items()})
