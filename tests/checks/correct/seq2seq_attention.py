"""A GRU encoder and an attention decoder with teacher forcing."""

import random

import flambeau as torch
from flambeau import nn
from flambeau.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence, pad_sequence

torch.manual_seed(0)
random.seed(0)
PAD, SOS, EOS, V = 0, 1, 2, 20


def make(n):
    pairs = []
    for _ in range(n):
        s = [random.randint(3, V - 1) for _ in range(random.randint(3, 7))]
        pairs.append((torch.tensor(s + [EOS]), torch.tensor([SOS] + s[::-1] + [EOS])))
    return pairs


def batches(pairs, bs):
    random.shuffle(pairs)
    for i in range(0, len(pairs), bs):
        chunk = sorted(pairs[i : i + bs], key=lambda p: len(p[0]), reverse=True)
        src, tgt = zip(*chunk)
        yield (
            pad_sequence(src, padding_value=PAD),
            torch.tensor([len(s) for s in src]),
            pad_sequence(tgt, padding_value=PAD),
        )


class Encoder(nn.Module):
    def __init__(self, v, e, h):
        super().__init__()
        self.emb = nn.Embedding(v, e, padding_idx=PAD)
        self.rnn = nn.GRU(e, h, bidirectional=True)
        self.fc = nn.Linear(2 * h, h)

    def forward(self, src, lens):
        out, hid = self.rnn(pack_padded_sequence(self.emb(src), lens))
        out, _ = pad_packed_sequence(out)
        return out, torch.tanh(self.fc(torch.cat((hid[-2], hid[-1]), dim=1)))


class Attention(nn.Module):
    def __init__(self, h):
        super().__init__()
        self.attn = nn.Linear(3 * h, h)
        self.v = nn.Linear(h, 1, bias=False)

    def forward(self, hid, enc, mask):
        L = enc.shape[0]
        hid = hid.unsqueeze(1).repeat(1, L, 1)
        enc = enc.permute(1, 0, 2)
        e = self.v(torch.tanh(self.attn(torch.cat((hid, enc), dim=2)))).squeeze(2)
        return torch.softmax(e.masked_fill(mask == 0, -1e10), dim=1)


class Decoder(nn.Module):
    def __init__(self, v, e, h):
        super().__init__()
        self.emb = nn.Embedding(v, e)
        self.att = Attention(h)
        self.rnn = nn.GRU(2 * h + e, h)
        self.out = nn.Linear(3 * h + e, v)
        self.v = v

    def forward(self, tok, hid, enc, mask):
        emb = self.emb(tok.unsqueeze(0))
        a = self.att(hid, enc, mask).unsqueeze(1)
        w = torch.bmm(a, enc.permute(1, 0, 2)).permute(1, 0, 2)
        out, h = self.rnn(torch.cat((emb, w), dim=2), hid.unsqueeze(0))
        return self.out(torch.cat((out.squeeze(0), w.squeeze(0), emb.squeeze(0)), dim=1)), h.squeeze(0), a.squeeze(1)


class Seq2Seq(nn.Module):
    def __init__(self, enc, dec):
        super().__init__()
        self.encoder, self.decoder = enc, dec

    def forward(self, src, lens, trg, tf=0.5):
        T, B = trg.shape
        outputs = torch.zeros(T, B, self.decoder.v)
        enc, hid = self.encoder(src, lens)
        mask = (src != PAD).permute(1, 0)
        tok = trg[0]
        for t in range(1, T):
            o, hid, _ = self.decoder(tok, hid, enc, mask)
            outputs[t] = o
            tok = trg[t] if random.random() < tf else o.argmax(1)
        return outputs


def init(m):
    for n, p in m.named_parameters():
        nn.init.normal_(p.data, 0, 0.1) if "weight" in n else nn.init.constant_(p.data, 0)


m = Seq2Seq(Encoder(V, 16, 24), Decoder(V, 16, 24))
m.apply(init)
opt = torch.optim.Adam(m.parameters(), lr=5e-3)
crit = nn.CrossEntropyLoss(ignore_index=PAD)
train, valid = make(160), make(40)
for epoch in range(2):
    m.train()
    el = 0
    for src, lens, trg in batches(train, 16):
        opt.zero_grad()
        out = m(src, lens, trg)
        loss = crit(out[1:].view(-1, out.shape[-1]), trg[1:].view(-1))
        loss.backward()
        nn.utils.clip_grad_norm_(m.parameters(), 1)
        opt.step()
        el += loss.item()
    m.eval()
    vl = 0
    with torch.no_grad():
        for src, lens, trg in batches(valid, 16):
            out = m(src, lens, trg, 0)
            vl += crit(out[1:].view(-1, out.shape[-1]), trg[1:].view(-1)).item()
    print(epoch, round(el / 10, 3), round(vl / 3, 3))
