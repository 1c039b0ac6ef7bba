# ruff: noqa
import torch, torch.nn as nn

torch.manual_seed(0)


class SpectralConv1d(nn.Module):
    def __init__(s, i, o, m):
        super().__init__()
        s.m = m
        s.weights = nn.Parameter(1 / (i * o) * torch.rand(i, o, m, dtype=torch.cfloat))

    def forward(s, x):
        xf = torch.fft.rfft(x)
        of = torch.zeros(x.shape[0], s.weights.shape[1], x.size(-1) // 2 + 1, dtype=torch.cfloat)
        of[:, :, : s.m] = torch.einsum("bix,iox->box", xf[:, :, : s.m], s.weights)
        return torch.fft.irfft(of, n=x.size(-1))


class SpectralConv2d(nn.Module):
    def __init__(s, i, o, m):
        super().__init__()
        s.m = m
        s.w = nn.Parameter(torch.view_as_real(torch.randn(i, o, m, m, dtype=torch.cfloat)).clone() * 0.1)

    def forward(s, x):
        f = torch.fft.rfft2(x, norm="ortho")
        out = torch.zeros_like(f)
        out[..., : s.m, : s.m] = torch.einsum("bixy,ioxy->boxy", f[..., : s.m, : s.m], torch.view_as_complex(s.w))
        return torch.fft.irfft2(out, s=x.shape[-2:], norm="ortho")


n = nn.Sequential(nn.Conv1d(1, 4, 1), SpectralConv1d(4, 4, 5), nn.GELU(), nn.Conv1d(4, 1, 1))
o = torch.optim.Adam(n.parameters(), 1e-2, weight_decay=1e-4)
for i in range(6):
    x = torch.randn(3, 1, 16)
    l = (
        torch.norm(n(x).reshape(3, -1) - x.cumsum(-1).reshape(3, -1), 2, 1) / torch.norm(x.reshape(3, -1), 2, 1)
    ).mean()
    o.zero_grad()
    l.backward()
    o.step()
    print(l.item())
m = SpectralConv2d(2, 2, 3)
x = torch.randn(1, 2, 8, 8, requires_grad=True)
m(x).pow(2).sum().backward()
print(x.grad.sum(), m.w.grad.abs().sum())
z = torch.tensor([1 + 2j, 3 - 1j], requires_grad=True)
l = (z * z.conj()).real.sum()
l.backward()
print(z.grad, z.abs(), z.angle(), torch.polar(torch.ones(2), torch.zeros(2)), z)
print(torch.fft.fftfreq(6), torch.fft.fftshift(torch.arange(5)), torch.fft.fft(torch.arange(4.0)))
S = torch.stft(
    torch.sin(torch.arange(64.0) * 0.3), n_fft=16, hop_length=4, window=torch.hann_window(16), return_complex=True
)
print(S.shape, S.abs().sum(), torch.istft(S, 16, 4, window=torch.hann_window(16), length=64).sum())


def rope(x, base=10000.0):
    d = x.shape[-1]
    f = 1.0 / (base ** (torch.arange(0, d, 2).float() / d))
    fr = torch.outer(torch.arange(x.shape[1]), f)
    fc = torch.polar(torch.ones_like(fr), fr)
    xc = torch.view_as_complex(x.float().reshape(*x.shape[:-1], -1, 2))
    return torch.view_as_real(xc * fc[None]).flatten(-2).type_as(x)


q = torch.randn(2, 5, 8)
print(rope(q).sum((1, 2)), rope(q).norm() - q.norm() < 1e-4)
print(
    torch.linalg.eigvals(torch.tensor([[0.0, 1], [-1, 0]])),
    torch.complex(torch.ones(1), torch.ones(1)) ** 2,
    torch.is_complex(z),
    z.dtype.to_real(),
    torch.exp(1j * torch.tensor(torch.pi)),
    (z.detach() + 1).numpy(),
)
