# ruff: noqa
import torch, torch.nn as nn, torch.nn.functional as F, math

torch.manual_seed(0)


def extract(a, t, xs):
    b = t.shape[0]
    return a.gather(-1, t.cpu()).reshape(b, *((1,) * (len(xs) - 1))).to(t.device)


T = 20
betas = torch.linspace(1e-4, 0.02, T)
al = 1.0 - betas
ac = torch.cumprod(al, axis=0)
acp = F.pad(ac[:-1], (1, 0), value=1.0)
pv = betas * (1.0 - acp) / (1.0 - ac)


class Sin(nn.Module):
    def __init__(s, d):
        super().__init__()
        s.d = d

    def forward(s, t):
        h = s.d // 2
        e = math.log(10000) / (h - 1)
        e = torch.exp(torch.arange(h, device=t.device) * -e)
        e = t[:, None] * e[None, :]
        return torch.cat((e.sin(), e.cos()), dim=-1)


class Net(nn.Module):
    def __init__(s):
        super().__init__()
        s.t = nn.Sequential(Sin(8), nn.Linear(8, 16), nn.GELU(), nn.Linear(16, 16))
        s.c1 = nn.Conv2d(1, 8, 3, padding=1)
        s.n = nn.GroupNorm(4, 8)
        s.p = nn.Linear(16, 16)
        s.c2 = nn.Conv2d(8, 8, 3, padding=1)
        s.q = nn.Conv2d(8, 24, 1, bias=False)
        s.o = nn.Conv2d(8, 1, 1)

    def forward(s, x, t):
        h = s.n(s.c1(x))
        sc, sh = s.p(F.silu(s.t(t)))[:, :, None, None].chunk(2, dim=1)
        h = F.silu(h * (sc + 1) + sh)
        b, c, H, W = h.shape
        q, k, v = [z.reshape(b, 2, 4, H * W) for z in s.q(h).chunk(3, dim=1)]
        sim = torch.einsum("bhdi,bhdj->bhij", q * 0.5, k)
        sim = sim - sim.amax(dim=-1, keepdim=True).detach()
        h = h + torch.einsum("bhij,bhdj->bhid", sim.softmax(-1), v).permute(0, 1, 3, 2).reshape(b, c, H, W)
        return s.o(s.c2(h))


n = Net()
o = torch.optim.Adam(n.parameters(), 1e-3)
for i in range(6):
    x0 = torch.rand(4, 1, 6, 6) * 2 - 1
    t = torch.randint(0, T, (4,)).long()
    e = torch.randn_like(x0)
    xt = extract(ac.sqrt(), t, x0.shape) * x0 + extract((1 - ac).sqrt(), t, x0.shape) * e
    l = F.smooth_l1_loss(e, n(xt, t))
    o.zero_grad()
    l.backward()
    o.step()
    print(l.item())


@torch.no_grad()
def sample():
    x = torch.randn(2, 1, 6, 6)
    for i in reversed(range(T)):
        t = torch.full((2,), i, dtype=torch.long)
        m = extract((1 / al).sqrt(), t, x.shape) * (
            x - extract(betas, t, x.shape) * n(x, t) / extract((1 - ac).sqrt(), t, x.shape)
        )
        x = m if i == 0 else m + extract(pv, t, x.shape).sqrt() * torch.randn_like(x)
    return x


print(sample().mean((1, 2, 3)))
