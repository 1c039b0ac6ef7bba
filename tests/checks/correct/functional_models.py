"""torch.func: per-sample gradients, ensembles, Jacobians, a step without an optimizer."""

import flambeau as torch
import flambeau.nn as nn
import flambeau.nn.functional as F
from flambeau.func import functional_call, grad, grad_and_value, hessian, jacrev, stack_module_state, vmap

torch.manual_seed(0)
net = nn.Sequential(nn.Linear(4, 16), nn.Tanh(), nn.Linear(16, 3))
params = {k: v.detach() for k, v in net.named_parameters()}
x, y = torch.randn(20, 4), torch.randint(0, 3, (20,))


def compute_loss(params, sample, target):
    pred = functional_call(net, params, (sample.unsqueeze(0),))
    return F.cross_entropy(pred, target.unsqueeze(0))


g = vmap(grad(compute_loss), in_dims=(None, 0, 0))(params, x, y)
print({k: tuple(v.shape) for k, v in g.items()})


def loss_fn(p):
    return F.cross_entropy(functional_call(net, p, x), y)


for _ in range(10):
    gr, l = grad_and_value(loss_fn)(params)
    params = {k: v - 0.3 * gr[k] for k, v in params.items()}
print(round(l.item(), 4))
with torch.no_grad():
    for k, p in net.named_parameters():
        p.copy_(params[k])
models = [nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3)) for _ in range(3)]
ps, bs = stack_module_state(models)
base = models[0]
out = vmap(lambda p, b, d: functional_call(base, (p, b), (d,)), in_dims=(0, 0, None))(ps, bs, x)
print(tuple(out.shape), round(out.softmax(-1).mean(0).max(1).values.mean().item(), 4))
print(
    tuple(jacrev(lambda v: net(v))(x[0]).shape), round(hessian(lambda w: (w**3).sum())(torch.ones(2)).sum().item(), 2)
)
# DP-SGD by hand: per-sample clipping and noise
w = {k: v.clone() for k, v in params.items()}
for _ in range(3):
    g = vmap(grad(compute_loss), in_dims=(None, 0, 0))(w, x, y)
    norm = torch.stack([v.flatten(1).norm(dim=1) for v in g.values()]).norm(dim=0)
    c = (1 / (norm + 1e-6)).clamp(max=1)
    w = {
        k: v - 0.1 * ((g[k] * c.view(-1, *[1] * (g[k].dim() - 1))).mean(0) + 0.01 * torch.randn_like(v))
        for k, v in w.items()
    }
print(round(loss_fn(w).item(), 4))
