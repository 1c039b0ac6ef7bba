"""Programs whose autograd graphs torchviz has drawn: each takes the package (torch or flambeau) and gives
(what to draw, names of parameters, options)."""

import zlib


def article(torch):
    """The variables of the linear regression."""
    a, b = torch.ones(1, requires_grad=True), torch.ones(1, requires_grad=True)
    return a, b, torch.arange(80.0).reshape(80, 1), torch.ones(80, 1)


def yhat(torch):
    a, b, x, _ = article(torch)
    return a + b * x, {"a": a, "b": b}, {}


def error(torch):
    a, b, x, y = article(torch)
    return y - (a + b * x), {"a": a, "b": b}, {}


def loss(torch):
    a, b, x, y = article(torch)
    return ((y - (a + b * x)) ** 2).mean(), {"a": a, "b": b}, {}


def without_gradient(torch):
    a, b, x, _ = article(torch)
    return a.detach() + b * x, {"a": a, "b": b}, {}


def control_flow(torch):
    a, b, x, y = article(torch)
    loss = ((y - (a + b * x)) ** 2).mean()
    if loss > 0:
        loss += (y - b * x).mean()
    return loss, {"a": a, "b": b}, {}


def unnamed(torch):
    w = torch.ones(3, 2, requires_grad=True)
    return (w * w).sum(), {}, {}


def mlp(torch):
    model = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Linear(8, 2))
    return model(torch.ones(3, 4)), dict(model.named_parameters()), {}


def convolutions(torch):
    nn = torch.nn
    first = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2))
    model = nn.Sequential(first, nn.Flatten(), nn.Linear(676, 10))
    target = torch.zeros(2, dtype=torch.long)
    return nn.functional.cross_entropy(model(torch.ones(2, 1, 28, 28)), target), dict(model.named_parameters()), {}


def residual(torch):
    model = torch.nn.Conv2d(3, 3, 3, padding=1)
    x = torch.ones(1, 3, 8, 8)
    for _ in range(3):
        x = torch.relu(x + model(x))
    return x.mean(), dict(model.named_parameters()), {}


def attention(torch):
    w = torch.ones(8, 24, requires_grad=True)
    q, k, v = (torch.ones(2, 5, 8) @ w).chunk(3, dim=-1)
    scores = torch.softmax(q @ k.transpose(-2, -1) / 8**0.5, dim=-1)
    return scores @ v, {"w": w}, {}


def several_outputs(torch):
    w = torch.ones(4, requires_grad=True)
    h = w.exp()
    return (h.sum(), h.prod(), w), {"w": w}, {}


def views(torch):
    w = torch.ones(6, requires_grad=True)
    h = w * 2
    return (h.view(2, 3), h.view(2, 3)[0]), {"w": w}, {}


def saved(torch):
    a, b, x, y = article(torch)
    return ((y - (a + b * x)) ** 2).mean().exp(), {"a": a, "b": b}, {"show_saved": True}


def custom(torch):
    class Cube(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x.detach())
            return x**3

        @staticmethod
        def backward(ctx, g):
            return g

    w = torch.ones(3, requires_grad=True)
    return Cube.apply(w * 2).sum(), {"w": w}, {}


def embedding(torch):
    model = torch.nn.Embedding(10, 4)
    return torch.tanh(model(torch.zeros(2, 3, dtype=torch.long))).sum(), dict(model.named_parameters()), {}


CASES = (
    yhat, error, loss, without_gradient, control_flow, unnamed, mlp, convolutions, residual, attention,
    several_outputs, views, saved, custom, embedding,
)  # fmt: skip


def canonical(nodes, edges, without=()):
    """A form in which equal graphs are equal: each node's text and colour with what surrounds it, sorted.

    nodes: key -> (kind, text); edges: (source, target, style). Lines without an arrow have no direction.
    without: names of operations that are taken out; what they connect is then connected directly.
    """
    nodes, edges = dict(nodes), [tuple(e) for e in edges]
    for key in [k for k, (_, text) in nodes.items() if text in without]:
        ins, outs = [e for e in edges if e[1] == key], [e for e in edges if e[0] == key]
        edges = [e for e in edges if key not in e[:2]] + [(u, v, style) for u, _, style in ins for _, v, _ in outs]
        del nodes[key]
    colour = {k: f"{kind} {' '.join(text.split())}" for k, (kind, text) in nodes.items()}
    for _ in range(6):
        around = {k: [] for k in nodes}
        for u, v, style in edges:
            around[v].append(f"{style}{'' if style == 'plain' else ' from'} {colour[u]}")
            around[u].append(f"{style}{'' if style == 'plain' else ' to'} {colour[v]}")
        hashes = {k: zlib.crc32("|".join(sorted(near)).encode()) for k, near in around.items()}
        colour = {k: f"{text.split(' #')[0]} #{hashes[k]:08x}" for k, text in colour.items()}
    return sorted(colour.values())
