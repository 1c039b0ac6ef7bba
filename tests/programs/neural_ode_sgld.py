# ruff: noqa
import torch, torch.nn as nn, math

torch.manual_seed(0)


class ODE(nn.Module):
    def __init__(s):
        super().__init__()
        s.net = nn.Sequential(nn.Linear(2, 12), nn.Tanh(), nn.Linear(12, 2))

    def forward(s, t, y):
        return s.net(y**3)


def rk4(f, y, t):
    ys = [y]
    for a, b in zip(t[:-1], t[1:]):
        h = b - a
        k1 = f(a, y)
        k2 = f(a + h / 2, y + h / 2 * k1)
        k3 = f(a + h / 2, y + h / 2 * k2)
        k4 = f(b, y + h * k3)
        y = y + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
        ys.append(y)
    return torch.stack(ys)


f = ODE()
o = torch.optim.RMSprop(f.parameters(), lr=1e-2)
t = torch.linspace(0.0, 1.0, 8)
A = torch.tensor([[-0.1, 2.0], [-2.0, -0.1]])
y0 = torch.tensor([[2.0, 0.0]])
with torch.no_grad():
    true = rk4(lambda t, y: (y**3) @ A, y0, t)
for i in range(5):
    o.zero_grad()
    l = torch.mean(torch.abs(rk4(f, y0, t) - true))
    l.backward()
    o.step()
    print(l.item())


class SGLD(torch.optim.Optimizer):
    def __init__(s, params, lr=1e-2, noise=0.1):
        super().__init__(params, dict(lr=lr, noise=noise))

    @torch.no_grad()
    def step(s, closure=None):
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for g in s.param_groups:
            for p in g["params"]:
                if p.grad is None:
                    continue
                st = s.state[p]
                if len(st) == 0:
                    st["step"] = 0
                    st["sq"] = torch.zeros_like(p, memory_format=torch.preserve_format)
                st["step"] += 1
                st["sq"].mul_(0.9).addcmul_(p.grad, p.grad, value=0.1)
                p.addcdiv_(p.grad, st["sq"].sqrt().add_(1e-8), value=-g["lr"])
                p.add_(torch.randn_like(p) * g["noise"] * math.sqrt(g["lr"]))
        return loss


w = nn.Parameter(torch.zeros(3))
s = SGLD([w])
X = torch.randn(20, 3)
y = X @ torch.tensor([1.0, 2, 3])
for i in range(4):

    def closure():
        s.zero_grad()
        l = ((X @ w - y) ** 2).mean()
        l.backward()
        return l

    print(s.step(closure).item(), w)
print(s)


class Sched(
    torch.optim.lr_scheduler.LRScheduler
    if hasattr(torch.optim.lr_scheduler, "LRScheduler")
    else torch.optim.lr_scheduler._LRScheduler
):
    def __init__(s, o, warm, last_epoch=-1):
        s.warm = warm
        super().__init__(o, last_epoch)

    def get_lr(s):
        return [b * min(1.0, (s.last_epoch + 1) / s.warm) for b in s.base_lrs]


sc = Sched(s, 4)
L = []
for i in range(5):
    s.step()
    sc.step()
    L.append(sc.get_last_lr()[0])
print(L)
# hutchinson / hessian-vector, natural gradient, power iteration
p = torch.randn(3, requires_grad=True)
l = (p**4).sum() + p.prod()
(g,) = torch.autograd.grad(l, p, create_graph=True)
v = torch.ones(3)
for _ in range(10):
    (hv,) = torch.autograd.grad(g @ v, p, retain_graph=True)
    v = hv / hv.norm()
print(
    hv.norm(),
    torch.autograd.functional.hessian(lambda p: (p**4).sum() + p.prod(), p).symeig()[0]
    if False
    else torch.linalg.eigvalsh(torch.autograd.functional.hessian(lambda p: (p**4).sum() + p.prod(), p)),
)
