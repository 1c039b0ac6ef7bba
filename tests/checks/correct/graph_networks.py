"""Graph convolution and attention by index_add and scatter."""

import flambeau as torch
import flambeau.nn as nn
import flambeau.nn.functional as F

torch.manual_seed(3)
N, E, C = 80, 400, 3
y = torch.randint(0, C, (N,))
x = F.one_hot(y, C).float() + torch.randn(N, C) * 1.2
src, dst = torch.randint(0, N, (E,)), torch.randint(0, N, (E,))
keep = (y[src] == y[dst]) | (torch.rand(E) < 0.2)
edge_index = torch.stack([src[keep], dst[keep]])
loops = torch.arange(N).unsqueeze(0).repeat(2, 1)
edge_index = torch.cat([edge_index, edge_index.flip(0), loops], dim=1)


def gcn_norm(ei, n):
    row, col = ei
    deg = torch.zeros(n).scatter_add_(0, row, torch.ones(ei.size(1)))
    inv = deg.pow(-0.5)
    inv[inv == float("inf")] = 0
    return inv[row] * inv[col]


class GCNConv(nn.Module):
    def __init__(self, i, o):
        super().__init__()
        self.lin = nn.Linear(i, o, bias=False)
        self.bias = nn.Parameter(torch.zeros(o))

    def forward(self, x, ei):
        x = self.lin(x)
        row, col = ei
        out = torch.zeros_like(x).index_add_(0, row, gcn_norm(ei, x.size(0)).unsqueeze(1) * x[col])
        return out + self.bias


class GATConv(nn.Module):
    def __init__(self, i, o, heads=2):
        super().__init__()
        self.h, self.o = heads, o
        self.lin = nn.Linear(i, heads * o, bias=False)
        self.a = nn.Parameter(torch.empty(1, heads, 2 * o))
        nn.init.xavier_uniform_(self.a)

    def forward(self, x, ei):
        row, col = ei
        n = x.size(0)
        h = self.lin(x).view(-1, self.h, self.o)
        e = F.leaky_relu((torch.cat([h[row], h[col]], -1) * self.a).sum(-1), 0.2)
        mx = torch.full((n, self.h), -1e9).scatter_reduce(0, row.unsqueeze(1).expand(-1, self.h), e.detach(), "amax")
        e = (e - mx[row]).exp()
        den = torch.zeros(n, self.h).index_add(0, row, e)
        alpha = e / (den[row] + 1e-16)
        return torch.zeros(n, self.h, self.o).index_add(0, row, alpha.unsqueeze(-1) * h[col]).mean(1)


class Net(nn.Module):
    def __init__(self, conv):
        super().__init__()
        self.c1, self.c2 = conv(C, 16), conv(16, C)

    def forward(self, x, ei):
        x = F.dropout(F.elu(self.c1(x, ei)), 0.3, self.training)
        return F.log_softmax(self.c2(x, ei), dim=1)


idx = torch.randperm(N)
train_mask = torch.zeros(N, dtype=torch.bool)
train_mask[idx[:40]] = True
test_mask = ~train_mask
for conv in (GCNConv, GATConv):
    net = Net(conv)
    opt = torch.optim.Adam(net.parameters(), lr=0.02, weight_decay=5e-4)

    def train():
        net.train()
        opt.zero_grad()
        loss = F.nll_loss(net(x, edge_index)[train_mask], y[train_mask])
        loss.backward()
        opt.step()
        return loss.item()

    @torch.no_grad()
    def test():
        net.eval()
        pred = net(x, edge_index).argmax(dim=1)
        return [((pred[m] == y[m]).sum() / m.sum()).item() for m in (train_mask, test_mask)]

    for ep in range(1, 41):
        l = train()
        if ep % 20 == 0:
            a, b = test()
            print(conv.__name__, ep, f"{l:.4f} {a:.3f} {b:.3f}")
batch = torch.arange(N) // 20
pooled = torch.zeros(4, C).index_add_(0, batch, x) / torch.bincount(batch).unsqueeze(1)
print(pooled.shape)
