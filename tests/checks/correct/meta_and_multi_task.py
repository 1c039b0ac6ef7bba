"""Reptile, prototypes, uncertainty weights, gradient reversal, distillation, adversarial training."""

import copy

import flambeau as torch
import flambeau.nn as nn
import flambeau.nn.functional as F

torch.manual_seed(0)
# Reptile
net = nn.Sequential(nn.Linear(1, 24), nn.Tanh(), nn.Linear(24, 1))
for it in range(8):
    a, p = torch.rand(1) * 4 + 0.1, torch.rand(1) * 3
    before = copy.deepcopy(net.state_dict())
    x = torch.rand(20, 1) * 10 - 5
    y = a * torch.sin(x + p)
    for _ in range(3):
        net.zero_grad()
        l = F.mse_loss(net(x), y)
        l.backward()
        for q in net.parameters():
            q.data -= 0.02 * q.grad.data
    after = net.state_dict()
    net.load_state_dict({k: before[k] + (after[k] - before[k]) * 0.1 for k in before})
print(round(l.item(), 3))
# prototypical network
emb = nn.Sequential(nn.Linear(4, 32), nn.ReLU(), nn.Linear(32, 8))
opt = torch.optim.Adam(emb.parameters(), 5e-3)
for ep in range(8):
    c = torch.randn(3, 1, 4) * 2
    sup, qry = c + 0.3 * torch.randn(3, 5, 4), c + 0.3 * torch.randn(3, 6, 4)
    z = emb(torch.cat([sup.reshape(-1, 4), qry.reshape(-1, 4)]))
    proto = z[:15].view(3, 5, -1).mean(1)
    d = torch.cdist(z[15:], proto)
    lp = F.log_softmax(-(d**2), dim=1).view(3, 6, -1)
    t = torch.arange(3).view(3, 1, 1).expand(3, 6, 1)
    loss = -lp.gather(2, t).squeeze(-1).mean()
    opt.zero_grad()
    loss.backward()
    opt.step()
print(round(loss.item(), 3), (lp.max(2)[1] == t.squeeze(-1)).float().mean().item())


# multi-task, uncertainty weights, two heads, GradNorm-like logging by autograd.grad
class MT(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(5, 16), nn.ReLU())
        self.a, self.b = nn.Linear(16, 1), nn.Linear(16, 3)
        self.lv = nn.Parameter(torch.zeros(2))

    def forward(self, x):
        h = self.body(x)
        return self.a(h).squeeze(1), self.b(h)


mt = MT()
opt = torch.optim.Adam(mt.parameters(), 1e-2)
x = torch.randn(64, 5)
r, k = x.sum(1), x[:, :3].argmax(1)
for i in range(12):
    pa, pb = mt(x)
    la, lb = F.mse_loss(pa, r), F.cross_entropy(pb, k)
    loss = (torch.exp(-mt.lv[0]) * la + mt.lv[0]) + (torch.exp(-mt.lv[1]) * lb + mt.lv[1])
    if i % 4 == 0:
        gn = torch.autograd.grad(la, mt.body[0].weight, retain_graph=True)[0].norm().item()
    opt.zero_grad()
    loss.backward()
    opt.step()
print(round(loss.item(), 3), gn > 0)


# gradient reversal, domain adaptation
class GRL(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, a):
        ctx.a = a
        return x.view_as(x)

    @staticmethod
    def backward(ctx, g):
        return g.neg() * ctx.a, None


f, cls, dom = nn.Sequential(nn.Linear(2, 16), nn.ReLU()), nn.Linear(16, 2), nn.Linear(16, 2)
opt = torch.optim.SGD([*f.parameters(), *cls.parameters(), *dom.parameters()], 0.1)
for i in range(15):
    s, t = torch.randn(32, 2), torch.randn(32, 2) + 1
    ys = (s[:, 0] > 0).long()
    h = f(torch.cat([s, t]))
    l = F.cross_entropy(cls(h[:32]), ys) + F.cross_entropy(
        dom(GRL.apply(h, 0.5)), torch.cat([torch.zeros(32), torch.ones(32)]).long()
    )
    opt.zero_grad()
    l.backward()
    opt.step()
print(round(l.item(), 3))
# distillation, feature hooks, frozen teacher, soft targets
T = nn.Sequential(nn.Linear(5, 32), nn.ReLU(), nn.Linear(32, 3)).eval()
S = nn.Sequential(nn.Linear(5, 8), nn.ReLU(), nn.Linear(8, 3))
feats = {}
hk = T[1].register_forward_hook(lambda m, i, o: feats.__setitem__("t", o.detach()))
opt = torch.optim.Adam([p for p in S.parameters()], 1e-2)
for i in range(10):
    with torch.no_grad():
        tl = T(x)
    sl = S(x)
    l = (
        F.kl_div(F.log_softmax(sl / 4, 1), F.softmax(tl / 4, 1), reduction="batchmean") * 16 * 0.7
        + F.cross_entropy(sl, k) * 0.3
    )
    opt.zero_grad()
    l.backward()
    opt.step()
hk.remove()
print(round(l.item(), 3), tuple(feats["t"].shape))


# adversarial training (PGD), Grad-CAM, input optimisation
def pgd(m, x, y, eps=0.1, n=3):
    d = torch.zeros_like(x).uniform_(-eps, eps)
    d.requires_grad_()
    for _ in range(n):
        l = F.cross_entropy(m(x + d), y)
        (g,) = torch.autograd.grad(l, d)
        d = (d + 0.04 * g.sign()).clamp(-eps, eps).detach().requires_grad_()
    return (x + d).detach()


for i in range(6):
    S.eval()
    adv = pgd(S, x, k)
    S.train()
    l = F.cross_entropy(S(adv), k)
    opt.zero_grad()
    l.backward()
    opt.step()
img = torch.randn(1, 5, requires_grad=True)
io = torch.optim.Adam([img], 0.1)
S.eval()
for i in range(10):
    io.zero_grad()
    l2 = -S(img)[0, 1] + 0.01 * img.norm()
    l2.backward()
    io.step()
print(round(l.item(), 3), l2.item() < 0)
