"""Quantisation with straight-through gradients, binary weights, pruning by masks."""

import flambeau as torch
import flambeau.nn.functional as F
from flambeau import nn
from flambeau.nn.utils import prune

torch.manual_seed(0)


class RoundSTE(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return torch.round(x)

    @staticmethod
    def backward(ctx, g):
        return g


class LSQ(torch.autograd.Function):
    @staticmethod
    def forward(ctx, w, s, qn, qp):
        ctx.save_for_backward(w, s)
        ctx.q = qn, qp
        return (w / s).round().clamp(qn, qp) * s

    @staticmethod
    def backward(ctx, g):
        w, s = ctx.saved_tensors
        qn, qp = ctx.q
        v = w / s
        lo, hi = (v < qn).float(), (v > qp).float()
        mid = 1 - lo - hi
        return mid * g, ((lo * qn + hi * qp + mid * (-v + v.round())) * g).sum().unsqueeze(0) * 0.05, None, None


class QLinear(nn.Linear):
    def __init__(self, i, o, bits=4):
        super().__init__(i, o)
        self.step = nn.Parameter(2 * self.weight.detach().abs().mean().view(1) / 7**0.5)

    def forward(self, x):
        return F.linear(x, LSQ.apply(self.weight, self.step, -8, 7), self.bias)


class FakeQuant(nn.Module):
    def __init__(self, momentum=0.1):
        super().__init__()
        self.register_buffer("max", torch.tensor(1.0))
        self.m = momentum

    def forward(self, x):
        if self.training:
            self.max.mul_(1 - self.m).add_(self.m * x.detach().abs().max())
        s = self.max / 127
        return x + (torch.clamp(torch.round(x / s), -128, 127) * s - x).detach()


class Binary(nn.Linear):
    def forward(self, x):
        w = self.weight
        b = w.sign() * w.abs().mean()
        return F.linear(x, (b - w).detach() + w, self.bias)


net = nn.Sequential(FakeQuant(), QLinear(10, 32), nn.ReLU(), FakeQuant(), Binary(32, 16), nn.ReLU(), nn.Linear(16, 3))
x = torch.randn(256, 10)
y = (x[:, :3] + 0.3 * x[:, 3:6]).argmax(1)
opt = torch.optim.Adam(net.parameters(), lr=5e-3)
for ep in range(25):
    opt.zero_grad()
    loss = F.cross_entropy(net(x), y)
    loss.backward()
    opt.step()
    for m in net:
        if isinstance(m, Binary):
            m.weight.data.clamp_(-1, 1)
print("qat", round(loss.item(), 4))
big = nn.Sequential(nn.Linear(10, 64), nn.ReLU(), nn.Linear(64, 3))
opt = torch.optim.SGD(big.parameters(), lr=0.2, momentum=0.9)


def fit(n, masks=None):
    for _ in range(n):
        opt.zero_grad()
        l = F.cross_entropy(big(x), y)
        l.backward()
        if masks:
            for nme, p in big.named_parameters():
                if nme in masks:
                    p.grad.mul_(masks[nme])
        opt.step()
        if masks:
            with torch.no_grad():
                for nme, p in big.named_parameters():
                    if nme in masks:
                        p.mul_(masks[nme])
    return l.item()


print("dense", round(fit(20), 4))
masks = {}
for n, p in big.named_parameters():
    if p.dim() > 1:
        k = int(p.numel() * 0.6)
        thr = p.detach().abs().flatten().kthvalue(k).values
        masks[n] = (p.abs() > thr).float()
        p.data *= masks[n]
print("sparse", round(fit(20, masks), 4), [round(1 - m.mean().item(), 2) for m in masks.values()])
layer = nn.Linear(8, 4)
prune.l1_unstructured(layer, "weight", amount=0.5)
z = layer(torch.randn(2, 8)).sum()
z.backward()
prune.remove(layer, "weight")
print((layer.weight == 0).float().mean().item())
