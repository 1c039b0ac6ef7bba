# ruff: noqa
import torch, torch.nn as nn, torch.nn.functional as F
from typing import Optional, Tuple

torch.manual_seed(0)


class RMSNorm(nn.Module):
    def __init__(s, d, eps=1e-6):
        super().__init__()
        s.eps = eps
        s.weight = nn.Parameter(torch.ones(d))

    def _norm(s, x):
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + s.eps)

    def forward(s, x):
        return s._norm(x.float()).type_as(x) * s.weight


def rotate_half(x):
    a, b = x.chunk(2, dim=-1)
    return torch.cat((-b, a), dim=-1)


class Attn(nn.Module):
    def __init__(s, d=16, h=4, kv=2):
        super().__init__()
        s.h, s.kv, s.hd = h, kv, d // h
        s.wq = nn.Linear(d, d, bias=False)
        s.wk = nn.Linear(d, kv * s.hd, bias=False)
        s.wv = nn.Linear(d, kv * s.hd, bias=False)
        s.wo = nn.Linear(d, d, bias=False)
        s.cache = None

    def forward(s, x, cos, sin, use_cache=False):
        b, t, _ = x.shape
        q = s.wq(x).view(b, t, s.h, s.hd).transpose(1, 2)
        k = s.wk(x).view(b, t, s.kv, s.hd).transpose(1, 2)
        v = s.wv(x).view(b, t, s.kv, s.hd).transpose(1, 2)
        q = q * cos + rotate_half(q) * sin
        k = k * cos + rotate_half(k) * sin
        if use_cache:
            if s.cache is not None:
                k = torch.cat([s.cache[0], k], 2)
                v = torch.cat([s.cache[1], v], 2)
            s.cache = (k, v)
        k = k[:, :, None].expand(b, s.kv, s.h // s.kv, k.shape[2], s.hd).reshape(b, s.h, -1, s.hd)
        v = torch.repeat_interleave(v, s.h // s.kv, dim=1)
        return s.wo(F.scaled_dot_product_attention(q, k, v, is_causal=t > 1).transpose(1, 2).reshape(b, t, -1))


class FF(nn.Module):
    def __init__(s, d):
        super().__init__()
        s.w1 = nn.Linear(d, 32, bias=False)
        s.w2 = nn.Linear(32, d, bias=False)
        s.w3 = nn.Linear(d, 32, bias=False)

    def forward(s, x):
        return s.w2(F.silu(s.w1(x)) * s.w3(x))


class M(nn.Module):
    def __init__(s):
        super().__init__()
        s.e = nn.Embedding(20, 16)
        s.l = nn.ModuleList(
            [nn.ModuleDict({"a": Attn(), "f": FF(16), "n1": RMSNorm(16), "n2": RMSNorm(16)}) for _ in range(2)]
        )
        s.n = RMSNorm(16)
        s.o = nn.Linear(16, 20, bias=False)
        inv = 1.0 / (10000 ** (torch.arange(0, 4, 2).float() / 4))
        f = torch.outer(torch.arange(32).float(), inv)
        e = torch.cat((f, f), -1)
        s.register_buffer("cos", e.cos(), persistent=False)
        s.register_buffer("sin", e.sin(), persistent=False)

    def forward(s, i, start=0, cache=False):
        x = s.e(i)
        c, sn = s.cos[start : start + i.shape[1]], s.sin[start : start + i.shape[1]]
        for l in s.l:
            x = x + l["a"](l["n1"](x), c, sn, cache)
            x = x + l["f"](l["n2"](x))
        return s.o(s.n(x))


m = M()
o = torch.optim.AdamW(m.parameters(), 3e-3, betas=(0.9, 0.95), weight_decay=0.1)
d = torch.arange(200) ** 2 % 20
for i in range(8):
    ix = torch.randint(0, 180, (4,))
    b = torch.stack([d[j : j + 13] for j in ix])
    l = F.cross_entropy(m(b[:, :-1]).flatten(0, 1), b[:, 1:].flatten())
    o.zero_grad(set_to_none=True)
    l.backward()
    o.step()
    print(l.item())
m.eval()
idx = torch.tensor([[0, 1]])
out = []
with torch.inference_mode():
    lg = m(idx, 0, True)[:, -1]
    for k in range(6):
        n = lg.argmax(-1, keepdim=True)
        out.append(n.item())
        lg = m(n, 2 + k, True)[:, -1]
    full = idx
    for k in range(6):
        full = torch.cat([full, m(full)[:, -1].argmax(-1, keepdim=True)], 1)
print(out, full[0, 2:].tolist(), list(m.state_dict())[:3])
mb = m.to(torch.bfloat16)
print(mb(idx).dtype, nn.RMSNorm(4)(torch.ones(1, 4)))
print("x", sum(p.numel() * p.element_size() for p in m.parameters()))
