# ruff: noqa
import torch, torch.nn as nn, torch.nn.functional as F

torch.manual_seed(0)


def iou(a, b):
    lt = torch.max(a[:, None, :2], b[:, :2])
    rb = torch.min(a[:, None, 2:], b[:, 2:])
    wh = (rb - lt).clamp(min=0)
    i = wh[:, :, 0] * wh[:, :, 1]
    ar = lambda x: (x[:, 2] - x[:, 0]) * (x[:, 3] - x[:, 1])
    return i / (ar(a)[:, None] + ar(b) - i)


b = torch.rand(8, 4)
b[:, 2:] = b[:, :2] + b[:, 2:]
s = torch.rand(8)


def nms(b, s, t):
    keep = []
    o = s.argsort(descending=True)
    while o.numel() > 0:
        i = o[0]
        keep.append(i.item())
        o = o[1:][iou(b[i][None], b[o[1:]])[0] <= t] if o.numel() > 1 else o[1:]
    return keep


print(nms(b, s, 0.4), iou(b, b).sum(), iou(b, b).fill_diagonal_(0).max(1))


class YOLO(nn.Module):
    def __init__(s):
        super().__init__()
        s.b = nn.Sequential(
            *[
                nn.Sequential(
                    nn.Conv2d(i, o, 3, st, 1, bias=False), nn.BatchNorm2d(o, momentum=0.03, eps=1e-4), nn.Mish()
                )
                for i, o, st in ((3, 8, 2), (8, 16, 2))
            ]
        )
        s.h = nn.Conv2d(16, 3 * 7, 1)
        s.register_buffer("anchors", torch.tensor([[1.0, 2], [2, 1], [1, 1]]))

    def forward(s, x):
        p = s.h(s.b(x))
        B, _, H, W = p.shape
        p = p.view(B, 3, 7, H, W).permute(0, 1, 3, 4, 2).contiguous()
        gy, gx = torch.meshgrid([torch.arange(H), torch.arange(W)], indexing="ij")
        g = torch.stack((gx, gy), 2).view(1, 1, H, W, 2).float()
        xy = p[..., :2].sigmoid() * 2 - 0.5 + g
        wh = (p[..., 2:4].sigmoid() * 2) ** 2 * s.anchors.view(1, 3, 1, 1, 2)
        return torch.cat((xy, wh, p[..., 4:]), -1)


m = YOLO()
o = torch.optim.SGD(
    [
        {"params": [p for n, p in m.named_parameters() if "bias" in n], "lr": 0.02},
        {"params": [p for n, p in m.named_parameters() if "bias" not in n]},
    ],
    lr=0.01,
    momentum=0.937,
    nesterov=True,
)
for i in range(4):
    y = m(torch.rand(2, 3, 16, 16))
    t = torch.zeros(2, 3, 4, 4)
    t[:, :, 1, 2] = 1
    obj = t.bool()
    l = (
        F.binary_cross_entropy_with_logits(y[..., 4], t)
        + F.mse_loss(y[obj][:, :4], torch.ones(6, 4))
        + F.cross_entropy(y[obj][:, 5:], torch.tensor([0, 1] * 3))
    )
    o.zero_grad()
    l.backward()
    o.step()
    print(l.item(), y[obj].shape)
# SE, depthwise, dilated, transposed, CBAM, ASPP
se = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(8, 2, 1), nn.Hardswish(), nn.Conv2d(2, 8, 1), nn.Hardsigmoid())
x = torch.randn(2, 8, 9, 9, requires_grad=True)
y = x * se(x)
y = nn.Conv2d(8, 8, 3, padding=2, dilation=2, groups=8)(y)
y = nn.ConvTranspose2d(8, 4, 3, stride=2, padding=1, output_padding=1)(F.relu6(y))
y = torch.cat([y.mean(1, keepdim=True), y.max(1, keepdim=True)[0]], 1)
y = nn.PReLU()(y)
l = y.logsumexp((1, 2, 3)).sum()
l.backward()
print(l, x.grad.norm(), y.shape)
pred = torch.randint(0, 3, (2, 5, 5))
tgt = torch.randint(0, 3, (2, 5, 5))
cm = torch.bincount((tgt * 3 + pred).flatten(), minlength=9).reshape(3, 3)
print(cm, cm.diag() / (cm.sum(0) + cm.sum(1) - cm.diag()))
print(
    torch.nn.Conv3d(1, 2, 3)(torch.ones(1, 1, 4, 4, 4)).shape,
    nn.Conv1d(3, 4, 3, padding="same", padding_mode="circular")(torch.ones(1, 3, 7)).shape,
    [m.kernel_size for m in m.modules() if isinstance(m, nn.Conv2d)],
)
