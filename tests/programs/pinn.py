# ruff: noqa
import torch, torch.nn as nn, numpy as np

torch.manual_seed(123)
np.random.seed(0)
torch.set_default_dtype(torch.float64)


class PINN(nn.Module):
    def __init__(s):
        super().__init__()
        s.net = nn.Sequential(nn.Linear(2, 20), nn.Tanh(), nn.Linear(20, 20), nn.Tanh(), nn.Linear(20, 1))
        s.lam = nn.Parameter(torch.tensor([0.1]))

    def forward(s, x, t):
        return s.net(torch.cat([x, t], 1))


m = PINN()
x = torch.tensor(np.random.rand(50, 1) * 2 - 1, requires_grad=True)
t = torch.tensor(np.random.rand(50, 1), requires_grad=True)
o = torch.optim.Adam(m.parameters(), 1e-3)


def res():
    u = m(x, t)
    ut = torch.autograd.grad(u, t, torch.ones_like(u), retain_graph=True, create_graph=True)[0]
    ux = torch.autograd.grad(u.sum(), x, create_graph=True)[0]
    uxx = torch.autograd.grad(ux, x, grad_outputs=torch.ones_like(ux), create_graph=True)[0]
    return ut + u * ux - m.lam * uxx


x0 = torch.linspace(-1, 1, 20).reshape(-1, 1)
u0 = -torch.sin(torch.pi * x0)


def L():
    return (res() ** 2).mean() + ((m(x0, torch.zeros_like(x0)) - u0) ** 2).mean()


for i in range(15):
    o.zero_grad()
    l = L()
    l.backward()
    o.step()
    print(l.item())
lb = torch.optim.LBFGS(
    m.parameters(),
    lr=1.0,
    max_iter=10,
    max_eval=15,
    history_size=50,
    tolerance_grad=1e-5,
    tolerance_change=1.0 * np.finfo(float).eps,
    line_search_fn="strong_wolfe",
)


def closure():
    lb.zero_grad()
    l = L()
    l.backward()
    return l


print(lb.step(closure).item(), L().item(), m.lam)
