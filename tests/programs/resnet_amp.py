# ruff: noqa
import torch, torch.nn as nn
import torch.nn.functional as F

torch.manual_seed(5)


class BasicBlock(nn.Module):
    expansion = 1

    def __init__(s, i, o, stride=1):
        super().__init__()
        s.conv1 = nn.Conv2d(i, o, 3, stride, 1, bias=False)
        s.bn1 = nn.BatchNorm2d(o)
        s.conv2 = nn.Conv2d(o, o, 3, 1, 1, bias=False)
        s.bn2 = nn.BatchNorm2d(o)
        s.shortcut = nn.Sequential()
        if stride != 1 or i != o:
            s.shortcut = nn.Sequential(nn.Conv2d(i, o, 1, stride, bias=False), nn.BatchNorm2d(o))

    def forward(s, x):
        return F.relu(s.bn2(s.conv2(F.relu(s.bn1(s.conv1(x))))) + s.shortcut(x))


net = nn.Sequential(
    nn.Conv2d(3, 8, 3, 1, 1),
    BasicBlock(8, 8),
    BasicBlock(8, 16, 2),
    nn.AdaptiveAvgPool2d((1, 1)),
    nn.Flatten(1),
    nn.Linear(16, 10),
)
for m in net.modules():
    if isinstance(m, nn.Conv2d):
        nn.init.kaiming_normal_(m.weight, mode="fan_out", nonlinearity="relu")
opt = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9, weight_decay=5e-4, nesterov=True)
warm = torch.optim.lr_scheduler.LinearLR(opt, start_factor=0.1, total_iters=3)
cos = torch.optim.lr_scheduler.CosineAnnealingLR(opt, T_max=7)
sch = torch.optim.lr_scheduler.SequentialLR(opt, [warm, cos], milestones=[3])
crit = nn.CrossEntropyLoss(label_smoothing=0.1)
scaler = torch.amp.GradScaler("cpu")
for i in range(10):
    x = torch.randn(8, 3, 12, 12)
    y = torch.randint(0, 10, (8,))
    opt.zero_grad()
    loss = crit(net(x), y)
    scaler.scale(loss).backward()
    scaler.step(opt)
    scaler.update()
    sch.step()
    print(f"{loss.item():.4f} {sch.get_last_lr()[0]:.6f} {scaler.get_scale()}")
with torch.autocast(device_type="cpu", dtype=torch.bfloat16):
    o = net(x)
    print(o.dtype)
    l = crit(o, y)
    print(l.dtype, round(l.item(), 1))
l.backward()
print(net[0].weight.grad.dtype)
print(sch.state_dict().keys(), scaler.state_dict())
net.eval()
with torch.inference_mode():
    p = net(x).softmax(1)
    print(p.topk(3, dim=1).indices.shape, p.requires_grad, p.is_inference())
