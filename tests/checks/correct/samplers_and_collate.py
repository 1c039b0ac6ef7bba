"""Samplers, collate functions, streams and splits of one's own; semi-supervised training."""

import random

import flambeau as torch
import flambeau.nn as nn
import flambeau.nn.functional as F
from flambeau.utils.data import (
    ConcatDataset,
    DataLoader,
    Dataset,
    IterableDataset,
    Sampler,
    TensorDataset,
    get_worker_info,
    random_split,
)

torch.manual_seed(0)
random.seed(0)


class Var(Dataset):
    def __init__(self, n):
        self.items = [(torch.randn(random.randint(2, 12), 4), random.randint(0, 2)) for _ in range(n)]

    def __len__(self):
        return len(self.items)

    def __getitem__(self, i):
        return self.items[i]


class Bucket(Sampler):
    def __init__(self, data, bs):
        self.data, self.bs = data, bs

    def __iter__(self):
        order = sorted(range(len(self.data)), key=lambda i: len(self.data[i][0]))
        b = [order[i : i + self.bs] for i in range(0, len(order), self.bs)]
        random.shuffle(b)
        return iter(b)

    def __len__(self):
        return -(-len(self.data) // self.bs)


class Balanced(Sampler):
    def __init__(self, labels):
        self.by = {c: [i for i, l in enumerate(labels) if l == c] for c in set(labels)}
        self.n = len(labels)

    def __iter__(self):
        return (random.choice(self.by[i % len(self.by)]) for i in range(self.n))

    def __len__(self):
        return self.n


class Stream(IterableDataset):
    def __iter__(self):
        info = get_worker_info()
        g = torch.Generator().manual_seed(info.id if info else 0)
        for _ in range(24):
            v = torch.randn(5, 4, generator=g)
            yield v, int(v.sum() > 0)


def collate(batch):
    xs, ys = zip(*batch)
    lens = torch.tensor([len(x) for x in xs])
    x = nn.utils.rnn.pad_sequence(xs, batch_first=True)
    mask = torch.arange(x.size(1))[None, :] < lens[:, None]
    return x, mask, torch.tensor(ys)


class Pool(nn.Module):
    def __init__(self):
        super().__init__()
        self.f = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 16))
        self.o = nn.Linear(16, 3)

    def forward(self, x, mask=None):
        h = self.f(x)
        if mask is None:
            return self.o(h.mean(1))
        m = mask.unsqueeze(-1)
        return self.o((h * m).sum(1) / m.sum(1).clamp(min=1))


d = Var(50)
net = Pool()
opt = torch.optim.AdamW(net.parameters(), 1e-2)
for dl in (
    DataLoader(d, batch_sampler=Bucket(d, 8), collate_fn=collate),
    DataLoader(d, 8, sampler=Balanced([l for _, l in d.items]), collate_fn=collate),
    DataLoader(d, 7, shuffle=True, collate_fn=collate, drop_last=True, num_workers=1),
):
    for x, m, y in dl:
        loss = F.cross_entropy(net(x, m), y)
        opt.zero_grad()
        loss.backward()
        opt.step()
    print(len(dl), round(loss.item(), 3))
for x, y in DataLoader(Stream(), 6, num_workers=2):
    loss = F.cross_entropy(net(x), y)
    opt.zero_grad()
    loss.backward()
    opt.step()
print(round(loss.item(), 3))
g = torch.Generator().manual_seed(3)
tr, va, te = random_split(TensorDataset(torch.randn(100, 5, 4), torch.randint(0, 3, (100,))), [70, 20, 10], generator=g)
both = ConcatDataset([tr, te])
print(len(both))
it = iter(DataLoader(both, 16, shuffle=True))
for step in range(12):
    try:
        x, y = next(it)
    except StopIteration:
        it = iter(DataLoader(both, 16, shuffle=True))
        x, y = next(it)
    loss = F.cross_entropy(net(x), y)
    loss.backward()
    opt.step()
    net.zero_grad()
print(len(DataLoader(va, 8)), sum(len(b[1]) for b in DataLoader(va, 8)))


def cycle(dl):
    while True:
        yield from dl


stream = cycle(DataLoader(tr, 10, shuffle=True))
unl = cycle(DataLoader(va, 10, shuffle=True))
for step in range(10):
    (x, y), (u, _) = next(stream), next(unl)
    with torch.no_grad():
        pu = net(u)
        pl = pu.softmax(-1)
        conf, hard = pl.max(-1)
        keep = conf.ge(0.4).float()
    logits = net(torch.cat([x, u + 0.1 * torch.randn_like(u)]))
    lx, lu = logits.split([len(x), len(u)])
    loss = F.cross_entropy(lx, y) + (F.cross_entropy(lu, hard, reduction="none") * keep).mean()
    opt.zero_grad()
    loss.backward()
    opt.step()
print(loss.isfinite().item())
