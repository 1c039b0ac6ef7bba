"""A small training that tests share: data, model, optimizer, made anew and always the same."""

import flambeau as torch
from flambeau import nn
from flambeau.utils.data import DataLoader, TensorDataset


def data(n=44, batch=8, **options):
    """A loader of n samples of 6 numbers in 3 classes."""
    g = torch.Generator().manual_seed(1)
    x = torch.randn(n, 6, generator=g)
    y = (x[:, 0] > 0).long() + (x[:, 1] > 0).long()
    return DataLoader(TensorDataset(x, y), batch, **options)


def parts(seed=0, rate=0.05, kind=torch.optim.Adam):
    """(model with dropout, loss, optimizer)"""
    torch.manual_seed(seed)
    model = nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Dropout(0.2), nn.Linear(16, 3))
    return model, nn.CrossEntropyLoss(), kind(model.parameters(), rate)


def weights(model):
    """All numbers of a model, as bytes."""
    return b"".join(t.numpy().tobytes() for t in model.state_dict().values())
