"""Speech: convolutions, a recurrent net and CTC."""

import flambeau as torch
import flambeau.nn.functional as F
from flambeau import nn

torch.manual_seed(1)


class ResCNN(nn.Module):
    def __init__(self, ch, feats):
        super().__init__()
        self.c1 = nn.Conv2d(ch, ch, 3, 1, 1)
        self.c2 = nn.Conv2d(ch, ch, 3, 1, 1)
        self.n1 = nn.LayerNorm(feats)
        self.n2 = nn.LayerNorm(feats)
        self.d = nn.Dropout(0.1)

    def ln(self, x, n):
        return n(x.transpose(2, 3).contiguous()).transpose(2, 3).contiguous()

    def forward(self, x):
        r = x
        x = self.c1(self.d(F.gelu(self.ln(x, self.n1))))
        x = self.c2(self.d(F.gelu(self.ln(x, self.n2))))
        return x + r


class Speech(nn.Module):
    def __init__(self, feats=16, dim=32, classes=6):
        super().__init__()
        self.cnn = nn.Conv2d(1, 8, 3, stride=2, padding=1)
        self.res = nn.Sequential(ResCNN(8, feats // 2))
        self.fc = nn.Linear(8 * feats // 2, dim)
        self.rnn = nn.LSTM(dim, dim, batch_first=True, bidirectional=True)
        self.cls = nn.Sequential(nn.Linear(2 * dim, dim), nn.GELU(), nn.Linear(dim, classes))

    def forward(self, x):
        x = self.res(self.cnn(x))
        s = x.size()
        x = x.view(s[0], s[1] * s[2], s[3]).transpose(1, 2)
        x, _ = self.rnn(self.fc(x))
        return self.cls(x)


proto = torch.randn(6, 16)


def batch(n=8):
    specs, labels, il, tl = [], [], [], []
    for _ in range(n):
        k = int(torch.randint(2, 5, (1,)))
        y = torch.randint(1, 6, (k,))
        spec = torch.cat([proto[[c]].repeat(8, 1) for c in y]) + 0.1 * torch.randn(8 * k, 16)
        specs.append(spec)
        labels.append(y)
        il.append(spec.shape[0] // 2)
        tl.append(k)
    specs = nn.utils.rnn.pad_sequence(specs, batch_first=True).unsqueeze(1).transpose(2, 3)
    labels = nn.utils.rnn.pad_sequence(labels, batch_first=True)
    return specs, labels, il, tl


def greedy(out):
    best = out.argmax(2)
    res = []
    for row in best:
        prev, s = 0, []
        for i in row.tolist():
            if i != 0 and i != prev:
                s.append(i)
            prev = i
        res.append(s)
    return res


m = Speech()
crit = nn.CTCLoss(blank=0, zero_infinity=True)
opt = torch.optim.AdamW(m.parameters(), 5e-3)
sch = torch.optim.lr_scheduler.OneCycleLR(opt, max_lr=5e-3, steps_per_epoch=10, epochs=3, anneal_strategy="linear")
for epoch in range(3):
    m.train()
    for i in range(10):
        specs, labels, il, tl = batch()
        opt.zero_grad()
        out = F.log_softmax(m(specs), dim=2).transpose(0, 1)
        loss = crit(out, labels, torch.tensor(il), torch.tensor(tl))
        loss.backward()
        opt.step()
        sch.step()
    m.eval()
    with torch.inference_mode():
        specs, labels, il, tl = batch(4)
        hyp = greedy(F.softmax(m(specs), dim=-1))
    print(epoch, round(loss.item(), 3), [len(h) for h in hyp])
