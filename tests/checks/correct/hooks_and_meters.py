"""Hooks that write down activations and gradients, meters, a confusion matrix, weights of classes."""

import csv
import io
import json
import time
from collections import OrderedDict, defaultdict

import flambeau as torch
import flambeau.nn as nn
import flambeau.nn.functional as F

torch.manual_seed(0)


class AverageMeter:
    def __init__(self):
        self.reset()

    def reset(self):
        self.val = self.avg = self.sum = self.count = 0

    def update(self, val, n=1):
        self.val = val
        self.sum += val * n
        self.count += n
        self.avg = self.sum / self.count


def accuracy(output, target, topk=(1,)):
    with torch.no_grad():
        maxk = max(topk)
        _, pred = output.topk(maxk, 1, True, True)
        pred = pred.t()
        correct = pred.eq(target.view(1, -1).expand_as(pred))
        return [correct[:k].reshape(-1).float().sum(0, keepdim=True).mul_(100.0 / target.size(0)) for k in topk]


model = nn.Sequential(
    OrderedDict(
        [
            ("conv1", nn.Conv2d(1, 4, 3)),
            ("relu1", nn.ReLU()),
            ("pool", nn.MaxPool2d(2)),
            ("flat", nn.Flatten()),
            ("fc", nn.Linear(4 * 3 * 3, 6)),
        ]
    )
)
acts, grads = {}, defaultdict(list)
hs = [
    model.relu1.register_forward_hook(lambda m, i, o: acts.__setitem__("relu1", o.detach().mean().item())),
    model.fc.weight.register_hook(lambda g: grads["fc"].append(g.norm().item())),
    model.conv1.register_full_backward_hook(lambda m, gi, go: grads["conv"].append(go[0].abs().mean().item())),
]
y = torch.randint(0, 6, (96,))
x = torch.randn(96, 1, 8, 8)
x[torch.arange(96), 0, y] += 2
opt = torch.optim.SGD(model.parameters(), 0.1, momentum=0.9)
crit = nn.CrossEntropyLoss()
scheduler = torch.optim.lr_scheduler.LambdaLR(opt, lambda e: 0.9**e)
losses, top1, bt = AverageMeter(), AverageMeter(), AverageMeter()
log = io.StringIO()
wr = csv.writer(log)
for epoch in range(4):
    model.train()
    end = time.time()
    losses.reset()
    top1.reset()
    for i, (a, b) in enumerate(zip(x.split(24), y.split(24))):
        out = model(a)
        loss = crit(out, b)
        acc1, acc3 = accuracy(out, b, (1, 3))
        losses.update(loss.item(), a.size(0))
        top1.update(acc1[0].item(), a.size(0))
        opt.zero_grad()
        loss.backward()
        opt.step()
        bt.update(time.time() - end)
        end = time.time()
    scheduler.step()
    wr.writerow([epoch, losses.avg, top1.avg])
for h in hs:
    h.remove()
cm = torch.zeros(6, 6, dtype=torch.int64)
model.eval()
with torch.no_grad():
    p = model(x).argmax(1)
    for t, q in zip(y.view(-1), p.view(-1)):
        cm[t.long(), q.long()] += 1
prec = cm.diag().float() / cm.sum(0).clamp(min=1)
rec = cm.diag().float() / cm.sum(1).clamp(min=1)
f1 = 2 * prec * rec / (prec + rec).clamp(min=1e-8)
print(cm.trace().item(), round(f1.mean().item(), 3), len(grads["fc"]), round(losses.avg, 4))
print(json.dumps({k: round(v, 3) for k, v in acts.items()}))
w = 1.0 / torch.bincount(y, minlength=6).float()
crit2 = nn.CrossEntropyLoss(weight=w / w.sum())
print(round(crit2(model(x), y).item(), 4))
g = [torch.autograd.grad(F.cross_entropy(model(x[i : i + 1]), y[i : i + 1]), model.fc.weight)[0] for i in range(3)]
print(len(g))
fisher = sum(v**2 for v in g) / 3
star = model.fc.weight.detach().clone()
for i in range(3):
    loss = (
        crit(model(x), y)
        + 10 * (fisher * (model.fc.weight - star) ** 2).sum()
        + 1e-4 * sum(p.abs().sum() for p in model.parameters())
    )
    opt.zero_grad()
    loss.backward()
    opt.step()
print(round(loss.item(), 4))
