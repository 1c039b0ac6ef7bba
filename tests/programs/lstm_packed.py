# ruff: noqa
import torch, torch.nn as nn
from torch.nn.utils.rnn import pad_sequence, pack_padded_sequence, pad_packed_sequence, pack_sequence

for cls in (nn.LSTM, nn.GRU, nn.RNN):
    torch.manual_seed(7)

    class Clf(nn.Module):
        def __init__(s):
            super().__init__()
            s.emb = nn.Embedding(20, 8, padding_idx=0)
            s.rnn = cls(8, 12, num_layers=2, batch_first=True, bidirectional=True)
            s.fc = nn.Linear(24, 3)

        def forward(s, x, lens):
            p = pack_padded_sequence(s.emb(x), lens, batch_first=True, enforce_sorted=False)
            o, h = s.rnn(p)
            o, l = pad_packed_sequence(o, batch_first=True, padding_value=0.0)
            if isinstance(h, tuple):
                h = h[0]
            return s.fc(torch.cat((h[-2], h[-1]), 1)), o, l

    m = Clf()
    print(m)
    o = torch.optim.Adam(m.parameters(), 1e-2)
    seqs = [torch.randint(1, 20, (n,)) for n in (5, 3, 9, 1)]
    x = pad_sequence(seqs, batch_first=True)
    lens = torch.tensor([len(s) for s in seqs])
    y = torch.tensor([0, 1, 2, 1])
    for i in range(8):
        lo, out, l = m(x, lens)
        loss = nn.functional.cross_entropy(lo, y)
        o.zero_grad()
        loss.backward()
        gn = nn.utils.clip_grad_value_(m.parameters(), 0.1)
        o.step()
        print(loss.item())
    print(out.shape, l, out[1, 3:].abs().sum().item(), m.emb.weight.grad[0].abs().sum().item())
    p = pack_sequence([torch.arange(3.0), torch.arange(2.0)])
    print(p)
    print(p.batch_sizes)
    print([n for n, _ in m.rnn.named_parameters()][:6])
    m.rnn.flatten_parameters()
try:
    pack_padded_sequence(torch.zeros(2, 3, 1), [1, 3], batch_first=True)
except RuntimeError as e:
    print(str(e)[:60])
