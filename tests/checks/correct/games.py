"""GANs: BCE in two passes, least squares, clipped critics, hinge with spectral norm."""

import flambeau as torch
import flambeau.nn as nn
import flambeau.nn.functional as F

torch.manual_seed(0)
real_data = torch.randn(256, 2) * 0.3 + torch.tensor([2.0, -1.0])
G = nn.Sequential(nn.Linear(4, 32), nn.LeakyReLU(0.2), nn.Linear(32, 2))
D = nn.Sequential(nn.Linear(2, 32), nn.LeakyReLU(0.2), nn.Dropout(0.3), nn.Linear(32, 1), nn.Sigmoid())
crit = nn.BCELoss()
oG, oD = (torch.optim.Adam(m.parameters(), 2e-3, betas=(0.5, 0.999)) for m in (G, D))
fixed = torch.randn(8, 4)
loader = torch.utils.data.DataLoader(real_data, 64, shuffle=True)
for ep in range(3):
    for i, data in enumerate(loader):
        D.zero_grad()
        b = data.size(0)
        label = torch.full((b,), 1.0, dtype=torch.float)
        out = D(data).view(-1)
        eR = crit(out, label)
        eR.backward()
        Dx = out.mean().item()
        fake = G(torch.randn(b, 4))
        label.fill_(0.0)
        out = D(fake.detach()).view(-1)
        eF = crit(out, label)
        eF.backward()
        oD.step()
        G.zero_grad()
        label.fill_(1.0)
        out = D(fake).view(-1)
        eG = crit(out, label)
        eG.backward()
        oG.step()
    with torch.no_grad():
        s = G(fixed).detach().cpu()
    print(ep, round((eR + eF).item(), 3), round(eG.item(), 3), round(Dx, 3))
# LSGAN, ones via labels of shape (N, 1)
G2 = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 2))
D2 = nn.Sequential(nn.Linear(2, 16), nn.LeakyReLU(0.2), nn.Linear(16, 1))
mse = nn.MSELoss()
oG2, oD2 = torch.optim.RMSprop(G2.parameters(), 1e-3), torch.optim.RMSprop(D2.parameters(), 1e-3)
for step in range(10):
    x = real_data[torch.randint(0, 256, (32,))]
    valid = torch.ones(32, 1, requires_grad=False)
    fake = torch.zeros(32, 1)
    oG2.zero_grad()
    z = torch.randn(32, 4)
    gen = G2(z)
    gl = mse(D2(gen), valid)
    gl.backward()
    oG2.step()
    oD2.zero_grad()
    dl = 0.5 * (mse(D2(x), valid) + mse(D2(gen.detach()), fake))
    dl.backward()
    oD2.step()
print(round(gl.item(), 4), round(dl.item(), 4))
# WGAN with clipping of weights, several critic steps
G3 = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 2))
C = nn.Sequential(nn.Linear(2, 16), nn.ReLU(), nn.Linear(16, 1))
og, oc = torch.optim.RMSprop(G3.parameters(), 5e-4), torch.optim.RMSprop(C.parameters(), 5e-4)
one = torch.tensor(1.0, dtype=torch.float)
mone = one * -1
for it in range(6):
    for p in C.parameters():
        p.requires_grad = True
    for _ in range(3):
        for p in C.parameters():
            p.data.clamp_(-0.05, 0.05)
        C.zero_grad()
        lr_ = C(real_data[:64]).mean()
        lr_.backward(mone)
        with torch.no_grad():
            v = G3(torch.randn(64, 4))
        lf = C(v).mean()
        lf.backward(one)
        oc.step()
    for p in C.parameters():
        p.requires_grad = False
    G3.zero_grad()
    lg = C(G3(torch.randn(64, 4))).mean()
    lg.backward(mone)
    og.step()
print(round((lr_ - lf).item(), 5))
# conditional, hinge, spectral norm, softplus losses
from flambeau.nn.utils import spectral_norm

DS = nn.Sequential(spectral_norm(nn.Linear(5, 16)), nn.LeakyReLU(0.1), spectral_norm(nn.Linear(16, 1)))
GS = nn.Sequential(nn.Linear(7, 16), nn.ReLU(), nn.Linear(16, 2))
og, od = torch.optim.Adam(GS.parameters(), 1e-3), torch.optim.Adam(DS.parameters(), 4e-3)
for it in range(6):
    c = F.one_hot(torch.randint(0, 3, (32,)), 3).float()
    x = real_data[torch.randperm(256)[:32]]
    f = GS(torch.cat([torch.randn(32, 4), c], 1))
    d = F.relu(1 - DS(torch.cat([x, c], 1))).mean() + F.relu(1 + DS(torch.cat([f.detach(), c], 1))).mean()
    od.zero_grad()
    d.backward()
    od.step()
    g = -DS(torch.cat([f, c], 1)).mean()
    og.zero_grad()
    g.backward()
    og.step()
print(round(d.item(), 4), round(g.item(), 4))
