"""What a first tutorial tries: tensors, gradients, models by hand and with optimizers."""

import numpy as np

import flambeau as torch
import flambeau.nn.functional as F
from flambeau import nn

# tensors
a = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
b = torch.ones_like(a)
print(a + b, a * b, a @ b, a.T)
n = np.ones(5)
t = torch.from_numpy(n)
np.add(n, 1, out=n)
print(t, n)
t2 = torch.ones(5)
nn_ = t2.numpy()
t2.add_(1)
print(nn_)
agg = a.sum()
print(agg.item(), type(agg.item()))
x = torch.arange(12).reshape(3, 4)
print(
    x[0],
    x[:, -1],
    x[..., 1],
    x.view(4, 3).shape,
    x.view(-1).shape,
    x.permute(1, 0).shape,
    x.unsqueeze(0).squeeze().shape,
)
print(F.softmax(torch.tensor([1.0, 2.0, 3.0]), dim=0), torch.softmax(torch.randn(2, 3), dim=0).sum(0))
m = torch.rand(3, 3) > 0.5
print(m.dtype, torch.where(m, 1, 0).shape, (x % 2 == 0).sum())
img = torch.randint(0, 256, (2, 2), dtype=torch.uint8)
print((img.float() / 255).max() <= 1, img.to(torch.int32) + 200 > 0)
# autograd
w = torch.tensor(2.0, requires_grad=True)
y = w**3
y.backward()
print(w.grad)
w.grad.zero_()
(w * 2).backward()
print(w.grad)
x = torch.ones(2, 2, requires_grad=True)
y = x + 2
z = y * y * 3
out = z.mean()
out.backward()
print(x.grad)
x = torch.randn(3, requires_grad=True)
y = x * 2
y.backward(torch.tensor([0.1, 1.0, 0.0001]))
print(x.grad)
with torch.no_grad():
    y = x * 2
print(y.requires_grad, x.detach().requires_grad, (x**2).requires_grad)
inp = torch.eye(4, 5, requires_grad=True)
out = (inp + 1).pow(2).t()
out.backward(torch.ones_like(out), retain_graph=True)
print(inp.grad.sum())
out.backward(torch.ones_like(out), retain_graph=True)
print(inp.grad.sum())
inp.grad.zero_()
out.backward(torch.ones_like(out))
print(inp.grad.sum())
# polynomial by hand, with NumPy, autograd, nn, optim
torch.manual_seed(0)
x = torch.linspace(-3.14, 3.14, 200)
y = torch.sin(x)
p = [torch.randn((), requires_grad=True) for _ in range(4)]
for i in range(60):
    yp = p[0] + p[1] * x + p[2] * x**2 + p[3] * x**3
    loss = (yp - y).pow(2).sum()
    loss.backward()
    with torch.no_grad():
        for q in p:
            q -= 1e-6 * q.grad
            q.grad = None
print(round(loss.item(), 2))
xx = x.unsqueeze(-1).pow(torch.tensor([1, 2, 3]))
model = nn.Sequential(nn.Linear(3, 1), nn.Flatten(0, 1))
fn = nn.MSELoss(reduction="sum")
for i in range(60):
    yp = model(xx)
    loss = fn(yp, y)
    model.zero_grad()
    loss.backward()
    with torch.no_grad():
        for q in model.parameters():
            q -= 1e-6 * q.grad
print(round(loss.item(), 2))
opt = torch.optim.RMSprop(model.parameters(), 1e-3)
for i in range(60):
    loss = fn(model(xx), y)
    opt.zero_grad()
    loss.backward()
    opt.step()
print(round(loss.item(), 2), model[0].weight.shape)
# logistic regression, perceptron, a XOR net with full batches
X = torch.tensor([[0, 0], [0, 1], [1, 0], [1, 1]], dtype=torch.float32)
Y = torch.tensor([[0], [1], [1], [0]], dtype=torch.float32)
xor = nn.Sequential(nn.Linear(2, 4), nn.Tanh(), nn.Linear(4, 1), nn.Sigmoid())
c = nn.BCELoss()
opt = torch.optim.Adam(xor.parameters(), lr=0.1)
for _ in range(100):
    opt.zero_grad()
    l = c(xor(X), Y)
    l.backward()
    opt.step()
print(xor(X).round().detach().flatten().tolist(), (xor(X) > 0.5).float().eq(Y).all())
sm = nn.Softmax(dim=1)
lin = nn.Linear(2, 2)
opt = torch.optim.SGD(lin.parameters(), 0.5)
lab = torch.tensor([0, 0, 0, 1])
for _ in range(50):
    out = lin(X)
    l = F.cross_entropy(out, lab)
    opt.zero_grad()
    l.backward()
    opt.step()
prob = sm(lin(X))
print(prob.argmax(1), (torch.max(lin(X), 1)[1] == lab).sum().item() / len(lab))
wts = torch.randn(2, 1, requires_grad=True)
bias = torch.zeros(1, requires_grad=True)
T = torch.tensor([[0.0], [0.0], [0.0], [1.0]])
for ep in range(50):
    o = torch.sigmoid(X @ wts + bias)
    l = -(T * torch.log(o + 1e-8) + (1 - T) * torch.log(1 - o + 1e-8)).mean()
    l.backward()
    wts.data -= 0.5 * wts.grad.data
    bias.data -= 0.5 * bias.grad.data
    wts.grad.data.zero_()
    bias.grad.data.zero_()
print(round(l.item(), 3))
net = nn.Linear(3, 2)
print(
    net(torch.randn(4, 3)).shape,
    [n for n, _ in net.named_parameters()],
    sum(p.numel() for p in net.parameters() if p.requires_grad),
)
drop = nn.Dropout(0.5)
print((drop(torch.ones(100)) == 0).any())
drop.eval()
print(drop(torch.ones(4)))
rnn = nn.RNN(4, 3)
print(rnn(torch.randn(5, 1, 4))[0].shape, nn.LSTM(4, 3, batch_first=True)(torch.randn(2, 5, 4))[1][0].shape)
emb = nn.Embedding(5, 2)
print(emb(torch.tensor([1, 4])).shape)
conv = nn.Conv2d(1, 2, 3)
print(conv(torch.randn(1, 1, 8, 8)).shape, nn.MaxPool2d(2)(torch.randn(1, 1, 8, 8)).shape)
print(
    F.cross_entropy(torch.randn(3, 5), torch.tensor([1, 0, 4])) > 0,
    F.cross_entropy(torch.randn(3, 5), torch.randn(3, 5).softmax(1)) > 0,
    F.mse_loss(torch.zeros(3), torch.ones(3)),
    nn.L1Loss()(torch.zeros(2, 2), torch.ones(2, 2)),
    nn.KLDivLoss(reduction="batchmean")(F.log_softmax(torch.zeros(2, 3), 1), torch.full((2, 3), 1 / 3)),
)
