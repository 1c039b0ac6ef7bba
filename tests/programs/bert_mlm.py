# ruff: noqa
import torch, torch.nn as nn, torch.nn.functional as F

torch.manual_seed(8)
V = 30


def mask_tokens(x, p=0.15):
    lab = x.clone()
    pm = torch.full(lab.shape, p)
    sp = x == 0
    pm.masked_fill_(sp, value=0.0)
    mi = torch.bernoulli(pm).bool()
    lab[~mi] = -100
    r = torch.bernoulli(torch.full(lab.shape, 0.8)).bool() & mi
    x = x.clone()
    x[r] = V - 1
    rr = torch.bernoulli(torch.full(lab.shape, 0.5)).bool() & mi & ~r
    rw = torch.randint(V, lab.shape, dtype=torch.long)
    x[rr] = rw[rr]
    return x, lab


class Bert(nn.Module):
    def __init__(s):
        super().__init__()
        s.tok = nn.Embedding(V, 16, padding_idx=0)
        s.pos = nn.Embedding(12, 16)
        s.norm = nn.LayerNorm(16, eps=1e-12)
        s.enc = nn.TransformerEncoder(
            nn.TransformerEncoderLayer(16, 4, 32, dropout=0.0, activation=F.gelu, batch_first=True),
            num_layers=2,
            enable_nested_tensor=False,
        )
        s.dec = nn.Linear(16, V)
        s.dec.weight = s.tok.weight

    def forward(s, x):
        h = s.norm(s.tok(x) + s.pos(torch.arange(x.size(1), device=x.device).unsqueeze(0).expand_as(x)))
        return s.dec(s.enc(h, src_key_padding_mask=(x == 0)))


m = Bert()
no = ["bias", "norm"]
named = list(m.named_parameters())
o = torch.optim.AdamW(
    [
        {"params": [p for n, p in named if not any(d in n for d in no)], "weight_decay": 0.01},
        {"params": [p for n, p in named if any(d in n for d in no)], "weight_decay": 0.0},
    ],
    lr=5e-3,
)
sch = torch.optim.lr_scheduler.LambdaLR(o, lambda st: min(1.0, (st + 1) / 5) * max(0.0, (10 - st) / 10))
for i in range(10):
    x = torch.randint(1, V - 1, (6, 12))
    x[0, 8:] = 0
    a, l = mask_tokens(x)
    loss = F.cross_entropy(m(a).view(-1, V), l.view(-1))
    o.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(m.parameters(), 1.0)
    o.step()
    sch.step()
    print(i, loss.item(), sch.get_last_lr()[0], (l != -100).sum().item())
m.eval()
with torch.no_grad():
    lg = m(x)
    print(lg.argmax(-1)[0], lg.log_softmax(-1).logsumexp(-1).abs().max() < 1e-5, torch.exp(loss))
pr = torch.softmax(lg[0, 0], -1)
sp, si = torch.sort(pr, descending=True)
cum = sp.cumsum(0)
rem = cum > 0.9
rem[1:] = rem[:-1].clone()
rem[0] = False
pr2 = pr.clone()
pr2[si[rem]] = 0
print((pr2 > 0).sum(), torch.multinomial(pr2, 3, replacement=True))
