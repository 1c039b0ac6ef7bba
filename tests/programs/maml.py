# ruff: noqa
import torch, torch.nn as nn, torch.nn.functional as F
from torch.func import functional_call, vmap, grad
from collections import OrderedDict

torch.manual_seed(4)
net = nn.Sequential(nn.Linear(1, 20), nn.ReLU(), nn.Linear(20, 1))
meta = torch.optim.Adam(net.parameters(), 1e-3)


def task():
    a = torch.rand(1) * 4.9 + 0.1
    p = torch.rand(1) * 3.14
    x = torch.rand(10, 1) * 10 - 5
    return x, a * torch.sin(x + p)


for it in range(5):
    ml = 0
    for _ in range(3):
        x, y = task()
        w = OrderedDict(net.named_parameters())
        for k in range(2):
            l = F.mse_loss(functional_call(net, w, x), y)
            g = torch.autograd.grad(l, list(w.values()), create_graph=True)
            w = OrderedDict((n, p - 0.01 * gg) for (n, p), gg in zip(w.items(), g))
        x2, y2 = task()
        ml = ml + F.mse_loss(functional_call(net, w, (x2,)), y2)
    meta.zero_grad()
    ml.backward()
    meta.step()
    print(ml.item() / 3)
params = {k: v.detach() for k, v in net.named_parameters()}


def loss(p, x, y):
    return F.mse_loss(functional_call(net, p, (x.unsqueeze(0),)), y.unsqueeze(0))


x, y = task()
gs = vmap(grad(loss), in_dims=(None, 0, 0))(params, x, y)
for k, v in gs.items():
    print(k, v.shape, v.sum().item())
from torch.func import jacrev, jacfwd, hessian, vjp, jvp, stack_module_state, grad_and_value

f = lambda x: torch.stack([x[0] * x[1].sin(), x.pow(2).sum(), x.prod()])
z = torch.tensor([1.0, 2.0, 3.0])
print(jacrev(f)(z))
print(jacfwd(f)(z))
print(hessian(lambda x: (x**3).sum() * x[0])(z))
o, vf = vjp(f, z)
print(vf(torch.ones(3)))
print(jvp(f, (z,), (torch.ones(3),)))
ms = [nn.Linear(3, 2) for _ in range(4)]
p, b = stack_module_state(ms)
base = nn.Linear(3, 2).to("meta")
print(vmap(lambda p, b, x: functional_call(base, (p, b), (x,)), in_dims=(0, 0, None))(p, b, torch.ones(5, 3)).shape)
print(
    vmap(torch.dot)(torch.ones(3, 2), torch.ones(3, 2)),
    vmap(lambda x: x.sum(0), in_dims=1, out_dims=0)(torch.arange(6.0).view(2, 3)),
)
g, v = grad_and_value(lambda x: (x**2).sum())(z)
print(g, v)
