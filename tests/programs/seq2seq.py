# ruff: noqa
import torch, torch.nn as nn, torch.nn.functional as F, random

torch.manual_seed(11)
random.seed(0)
V, H = 15, 16


class Enc(nn.Module):
    def __init__(s):
        super().__init__()
        s.e = nn.Embedding(V, H)
        s.g = nn.GRU(H, H, batch_first=True)

    def forward(s, x):
        return s.g(s.e(x))


class Bahdanau(nn.Module):
    def __init__(s):
        super().__init__()
        s.Wa = nn.Linear(H, H)
        s.Ua = nn.Linear(H, H)
        s.Va = nn.Linear(H, 1)

    def forward(s, q, k):
        sc = s.Va(torch.tanh(s.Wa(q) + s.Ua(k))).squeeze(2).unsqueeze(1)
        w = F.softmax(sc, dim=-1)
        return torch.bmm(w, k), w


class Dec(nn.Module):
    def __init__(s):
        super().__init__()
        s.e = nn.Embedding(V, H)
        s.a = Bahdanau()
        s.g = nn.GRU(2 * H, H, batch_first=True)
        s.o = nn.Linear(H, V)

    def forward(s, eo, eh, t=None):
        inp = torch.empty(eo.size(0), 1, dtype=torch.long).fill_(0)
        h = eh
        outs = []
        ats = []
        for i in range(6):
            c, w = s.a(h.permute(1, 0, 2), eo)
            o, h = s.g(torch.cat((s.e(inp), c), dim=2), h)
            o = s.o(o)
            outs.append(o)
            ats.append(w)
            if t is not None and random.random() < 0.5:
                inp = t[:, i].unsqueeze(1)
            else:
                _, ti = o.topk(1)
                inp = ti.squeeze(-1).detach()
        return F.log_softmax(torch.cat(outs, dim=1), dim=-1), h, torch.cat(ats, dim=1)


e, d = Enc(), Dec()
eo = torch.optim.Adam(e.parameters(), 1e-2)
do = torch.optim.Adam(d.parameters(), 1e-2)
crit = nn.NLLLoss()
for i in range(8):
    x = torch.randint(1, V, (5, 6))
    y = x.flip(1)
    eo.zero_grad()
    do.zero_grad()
    a, b = e(x)
    o, _, w = d(a, b, y)
    l = crit(o.view(-1, o.size(-1)), y.reshape(-1))
    l.backward()
    eo.step()
    do.step()
    print(f"{l.item():.5f}")
print(w[0])
