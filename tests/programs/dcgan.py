# ruff: noqa
import torch, torch.nn as nn

torch.manual_seed(999)
torch.use_deterministic_algorithms(True)


def weights_init(m):
    c = m.__class__.__name__
    if c.find("Conv") != -1:
        nn.init.normal_(m.weight.data, 0.0, 0.02)
    elif c.find("BatchNorm") != -1:
        nn.init.normal_(m.weight.data, 1.0, 0.02)
        nn.init.constant_(m.bias.data, 0)


nz, ngf = 8, 4
G = nn.Sequential(
    nn.ConvTranspose2d(nz, ngf * 4, 4, 1, 0, bias=False),
    nn.BatchNorm2d(ngf * 4),
    nn.ReLU(True),
    nn.ConvTranspose2d(ngf * 4, ngf * 2, 4, 2, 1, bias=False),
    nn.BatchNorm2d(ngf * 2),
    nn.ReLU(True),
    nn.ConvTranspose2d(ngf * 2, 1, 4, 2, 1, bias=False),
    nn.Tanh(),
)
D = nn.Sequential(
    nn.Conv2d(1, 8, 4, 2, 1, bias=False),
    nn.LeakyReLU(0.2, inplace=True),
    nn.Conv2d(8, 16, 4, 2, 1, bias=False),
    nn.BatchNorm2d(16),
    nn.LeakyReLU(0.2, inplace=True),
    nn.Conv2d(16, 1, 4, 1, 0, bias=False),
    nn.Sigmoid(),
)
G.apply(weights_init)
D.apply(weights_init)
print(G)
print(D)
crit = nn.BCELoss()
oD = torch.optim.Adam(D.parameters(), lr=0.0002, betas=(0.5, 0.999))
oG = torch.optim.Adam(G.parameters(), lr=0.0002, betas=(0.5, 0.999))
fixed = torch.randn(4, nz, 1, 1)
for i in range(6):
    real = torch.rand(8, 1, 16, 16) * 2 - 1
    D.zero_grad()
    label = torch.full((8,), 1.0, dtype=torch.float)
    out = D(real).view(-1)
    eR = crit(out, label)
    eR.backward()
    Dx = out.mean().item()
    noise = torch.randn(8, nz, 1, 1)
    fake = G(noise)
    label.fill_(0.0)
    out = D(fake.detach()).view(-1)
    eF = crit(out, label)
    eF.backward()
    z1 = out.mean().item()
    oD.step()
    G.zero_grad()
    label.fill_(1.0)
    out = D(fake).view(-1)
    eG = crit(out, label)
    eG.backward()
    oG.step()
    print(
        "[%d]\tLoss_D: %.4f\tLoss_G: %.4f\tD(x): %.4f\tD(G(z)): %.4f / %.4f"
        % (i, (eR + eF).item(), eG.item(), Dx, z1, out.mean().item())
    )
with torch.no_grad():
    print(G(fixed).detach().cpu().numpy().transpose(0, 2, 3, 1).mean((1, 2, 3)))
