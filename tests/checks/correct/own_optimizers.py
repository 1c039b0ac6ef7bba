"""Ensembles, averaged weights, and optimizers of one's own: SAM, Lion, Lookahead."""

import flambeau as torch
import flambeau.nn as nn
import flambeau.nn.functional as F
from flambeau.optim.swa_utils import SWALR, AveragedModel, get_ema_multi_avg_fn, update_bn
from flambeau.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
x, w = torch.randn(128, 6), torch.randn(6, 3)
y = (x @ w).argmax(1)
dl = DataLoader(TensorDataset(x, y), 32, shuffle=True)
make = lambda: nn.Sequential(nn.Linear(6, 24), nn.BatchNorm1d(24), nn.ReLU(), nn.Dropout(0.1), nn.Linear(24, 3))
models = [make() for _ in range(3)]
opts = [torch.optim.Adam(m.parameters(), 1e-2) for m in models]
for ep in range(3):
    for xb, yb in dl:
        for m, o in zip(models, opts):
            o.zero_grad()
            F.cross_entropy(m(xb), yb).backward()
            o.step()
for m in models:
    m.eval()
with torch.no_grad():
    probs = torch.stack([F.softmax(m(x), -1) for m in models]).mean(0)
print("ens", (probs.argmax(-1) == y).float().mean().item(), round(F.nll_loss(probs.log(), y).item(), 4))
m = make()
o = torch.optim.SGD(m.parameters(), 0.1)
swa = AveragedModel(m)
ema = AveragedModel(m, multi_avg_fn=get_ema_multi_avg_fn(0.9))
sch = torch.optim.lr_scheduler.CosineAnnealingLR(o, 5)
ss = SWALR(o, swa_lr=0.05)
for ep in range(5):
    for xb, yb in dl:
        o.zero_grad()
        l = F.cross_entropy(m(xb), yb)
        l.backward()
        o.step()
        ema.update_parameters(m)
    if ep > 2:
        swa.update_parameters(m)
        ss.step()
    else:
        sch.step()
update_bn(dl, swa)
swa.eval()
with torch.no_grad():
    print("swa", round(F.cross_entropy(swa(x), y).item(), 4))


class SAM(torch.optim.Optimizer):
    def __init__(self, params, base, rho=0.05, **kw):
        super().__init__(params, dict(rho=rho, **kw))
        self.base = base(self.param_groups, **kw)
        self.param_groups = self.base.param_groups

    @torch.no_grad()
    def first_step(self, zero_grad=False):
        norm = torch.norm(
            torch.stack([p.grad.norm(p=2) for g in self.param_groups for p in g["params"] if p.grad is not None]), p=2
        )
        for g in self.param_groups:
            for p in g["params"]:
                if p.grad is None:
                    continue
                e = p.grad * (g["rho"] / (norm + 1e-12))
                p.add_(e)
                self.state[p]["e"] = e
        if zero_grad:
            self.zero_grad()

    @torch.no_grad()
    def second_step(self, zero_grad=False):
        for g in self.param_groups:
            for p in g["params"]:
                if p.grad is not None:
                    p.sub_(self.state[p]["e"])
        self.base.step()
        if zero_grad:
            self.zero_grad()


m = make()
sam = SAM(m.parameters(), torch.optim.SGD, lr=0.1, momentum=0.9)
for ep in range(3):
    for xb, yb in dl:
        l = F.cross_entropy(m(xb), yb)
        l.backward()
        sam.first_step(True)
        F.cross_entropy(m(xb), yb).backward()
        sam.second_step(True)
print("sam", round(l.item(), 4))


class Lion(torch.optim.Optimizer):
    def __init__(self, p, lr=1e-3, b=(0.9, 0.99), wd=0.0):
        super().__init__(p, dict(lr=lr, b=b, wd=wd))

    @torch.no_grad()
    def step(self, closure=None):
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for g in self.param_groups:
            for p in g["params"]:
                if p.grad is None:
                    continue
                s = self.state[p]
                if not s:
                    s["m"] = torch.zeros_like(p)
                p.mul_(1 - g["lr"] * g["wd"])
                p.add_((s["m"] * g["b"][0] + p.grad * (1 - g["b"][0])).sign_(), alpha=-g["lr"])
                s["m"].mul_(g["b"][1]).add_(p.grad, alpha=1 - g["b"][1])
        return loss


m = make()
o = Lion(m.parameters(), 3e-3)
sch = torch.optim.lr_scheduler.ReduceLROnPlateau(o, patience=1)
for ep in range(3):
    tot = 0
    for xb, yb in dl:
        o.zero_grad()
        l = F.cross_entropy(m(xb), yb)
        l.backward()
        o.step()
        tot += l.item() * len(xb)
    sch.step(tot / 128)
print("lion", round(tot / 128, 4))


class Lookahead:
    def __init__(self, opt, k=5, a=0.5):
        self.opt, self.k, self.a, self.n = opt, k, a, 0
        self.slow = [[p.clone().detach() for p in g["params"]] for g in opt.param_groups]

    def zero_grad(self):
        self.opt.zero_grad()

    def step(self):
        self.opt.step()
        self.n += 1
        if self.n % self.k == 0:
            for g, sl in zip(self.opt.param_groups, self.slow):
                for p, q in zip(g["params"], sl):
                    q.data.add_(self.a * (p.data - q.data))
                    p.data.copy_(q.data)


m = make()
o = Lookahead(torch.optim.Adam(m.parameters(), 1e-2))
for ep in range(3):
    for xb, yb in dl:
        o.zero_grad()
        l = F.cross_entropy(m(xb), yb)
        l.backward()
        o.step()
print("look", round(l.item(), 4))
