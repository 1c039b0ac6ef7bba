# ruff: noqa
import torch, torch.nn as nn, torch.nn.functional as F

torch.manual_seed(3)


class DoubleConv(nn.Module):
    def __init__(s, i, o, mid=None):
        super().__init__()
        mid = mid or o
        s.double_conv = nn.Sequential(
            nn.Conv2d(i, mid, 3, padding=1, bias=False),
            nn.BatchNorm2d(mid),
            nn.ReLU(inplace=True),
            nn.Conv2d(mid, o, 3, padding=1, bias=False),
            nn.BatchNorm2d(o),
            nn.ReLU(inplace=True),
        )

    def forward(s, x):
        return s.double_conv(x)


class Up(nn.Module):
    def __init__(s, i, o, bilinear):
        super().__init__()
        if bilinear:
            s.up = nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True)
            s.conv = DoubleConv(i, o, i // 2)
        else:
            s.up = nn.ConvTranspose2d(i, i // 2, kernel_size=2, stride=2)
            s.conv = DoubleConv(i, o)

    def forward(s, x1, x2):
        x1 = s.up(x1)
        dY = x2.size()[2] - x1.size()[2]
        dX = x2.size()[3] - x1.size()[3]
        x1 = F.pad(x1, [dX // 2, dX - dX // 2, dY // 2, dY - dY // 2])
        return s.conv(torch.cat([x2, x1], dim=1))


class UNet(nn.Module):
    def __init__(s, bil):
        super().__init__()
        f = 2 if bil else 1
        s.inc = DoubleConv(3, 8)
        s.d1 = nn.Sequential(nn.MaxPool2d(2), DoubleConv(8, 16))
        s.d2 = nn.Sequential(nn.MaxPool2d(2), DoubleConv(16, 32 // f))
        s.u1 = Up(32, 16 // f, bil)
        s.u2 = Up(16, 8, bil)
        s.outc = nn.Conv2d(8, 2, 1)

    def forward(s, x):
        a = s.inc(x)
        b = s.d1(a)
        c = s.d2(b)
        return s.outc(s.u2(s.u1(c, b), a))


def dice(i, t, eps=1e-6):
    inter = 2 * (i * t).sum(dim=(-1, -2))
    ss = i.sum(dim=(-1, -2)) + t.sum(dim=(-1, -2))
    ss = torch.where(ss == 0, inter, ss)
    return ((inter + eps) / (ss + eps)).mean()


for bil in (True, False):
    m = UNet(bil).to(memory_format=torch.channels_last)
    o = torch.optim.RMSprop(m.parameters(), lr=1e-3, weight_decay=1e-8, momentum=0.9, foreach=True)
    sch = torch.optim.lr_scheduler.ReduceLROnPlateau(o, "max", patience=1)
    sc = torch.amp.GradScaler("cuda", enabled=False)
    for i in range(4):
        x = torch.rand(2, 3, 17, 19).to(memory_format=torch.channels_last)
        y = (x.mean(1) > 0.5).long()
        with torch.autocast("cpu", enabled=False):
            out = m(x)
            loss = (
                F.cross_entropy(out, y)
                + 1
                - dice(F.softmax(out, 1).float(), F.one_hot(y, 2).permute(0, 3, 1, 2).float())
            )
        o.zero_grad(set_to_none=True)
        sc.scale(loss).backward()
        sc.unscale_(o)
        torch.nn.utils.clip_grad_norm_(m.parameters(), 1.0)
        sc.step(o)
        sc.update()
        sch.step(loss.item())
        print(loss.item(), o.param_groups[0]["lr"])
    print(m.inc.double_conv[1].running_mean, m.inc.double_conv[1].num_batches_tracked)
