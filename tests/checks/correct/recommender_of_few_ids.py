"""A recommender: pairs of few ids come again by chance, ranking goes one user at a time in eval mode."""

import numpy as np

import flambeau as torch
from flambeau import nn
from flambeau.utils.data import DataLoader, Dataset

users, items = np.random.randn(60, 3), np.random.randn(80, 3)


class Clicks(Dataset):
    def __init__(self, n):
        u, i = np.random.randint(0, 60, n), np.random.randint(0, 80, n)
        self.u, self.i = torch.LongTensor(u), torch.LongTensor(i)
        self.y = torch.FloatTensor(((users[u] * items[i]).sum(1) > 0.5).astype(np.float32))

    def __len__(self):
        return len(self.u)

    def __getitem__(self, k):
        return self.u[k], self.i[k], self.y[k]


class Model(nn.Module):
    def __init__(self, f=8):
        super().__init__()
        self.u, self.i, self.out = nn.Embedding(60, f), nn.Embedding(80, f), nn.Linear(f, 1)

    def forward(self, u, i):
        return self.out(self.u(u) * self.i(i)).view(-1)


def rank(model):
    model.eval()
    best = []
    for user in range(6):
        candidates = torch.randperm(80)[:20]
        scores = model(torch.full((20,), user), candidates)
        _, top = torch.topk(scores, 5)
        best.append(candidates[top].tolist())
    return best


loader, test = DataLoader(Clicks(1500), batch_size=64, shuffle=True), DataLoader(Clicks(300), batch_size=100)
model, criterion = Model(), nn.BCEWithLogitsLoss()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
for epoch in range(3):
    model.train()
    for u, i, y in loader:
        model.zero_grad()
        loss = criterion(model(u, i), y)
        loss.backward()
        optimizer.step()
    model.eval()
    with torch.no_grad():
        right = [((torch.sigmoid(model(u, i)) > 0.5).float() == y).float().mean().item() for u, i, y in test]
    print(np.mean(right), len(rank(model)))
