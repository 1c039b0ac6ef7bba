"""Derive the polynomial coefficients in src/flambeau/kernels/scalars.py (needs mpmath; run by hand).

Each is a near-minimax polynomial: interpolation at Chebyshev nodes in 60-digit arithmetic, printed highest power first.
"""

import mpmath as mp

mp.mp.dps = 60


def fit(f, low, high, degree):
    """Coefficients (highest power first) of the interpolating polynomial at Chebyshev nodes of [low, high]."""
    n = degree + 1
    nodes = [(low + high) / 2 + (high - low) / 2 * mp.cos(mp.pi * (2 * k + 1) / (2 * n)) for k in range(n)]
    rows = mp.matrix(n, n)
    for i, x in enumerate(nodes):
        for j in range(n):
            rows[i, j] = x ** (n - 1 - j)
    return list(mp.lu_solve(rows, mp.matrix([f(x) for x in nodes])))


def series_safe(f, small):
    """f, which loses digits near 0, with its limit there."""
    return lambda x: f(x) if abs(x) > mp.mpf(10) ** -20 else small


half = mp.log(2) / 2
atanh_rest = series_safe(lambda z: 2 * (mp.atanh(mp.sqrt(z)) / mp.sqrt(z) - 1) / z, mp.mpf(2) / 3)
tanh_rest = series_safe(lambda z: (mp.tanh(mp.sqrt(z)) / mp.sqrt(z) - 1) / z, mp.mpf(-1) / 3)
erf_rest = series_safe(lambda z: mp.erf(mp.sqrt(z)) / mp.sqrt(z) - 1, 2 / mp.sqrt(mp.pi) - 1)
s2 = ((mp.sqrt(2) - 1) / (mp.sqrt(2) + 1)) ** 2
TABLES = {
    # (e^r - 1 - r) / r^2 on |r| <= ln(2)/2
    "EXP": (series_safe(lambda r: (mp.exp(r) - 1 - r) / r**2, mp.mpf(1) / 2), -half, half, 5, 10),
    # 2 (atanh(s) / s - 1) / s^2 as a function of z = s^2, s = f / (2 + f), 1 + f in [sqrt(1/2), sqrt(2)]
    "LOG": (atanh_rest, mp.mpf(0), s2, 3, 7),
    # (tanh(x) / x - 1) / x^2 as a function of z = x^2, |x| <= 0.625
    "TANH": (tanh_rest, mp.mpf(0), mp.mpf("0.625") ** 2, 4, 10),
    # erf(x) / x - 1 as a function of z = x^2, |x| <= 0.9 (float32) and 1.5 (float64)
    "ERF": (erf_rest, (mp.mpf(0), mp.mpf(0)), (mp.mpf(1), mp.mpf("2.25")), 6, 17),
    # ln(erfc(x)) on [0.9, 4] (float32) and [1.45, 6] (float64)
    "LOG_ERFC": (lambda x: mp.log(mp.erfc(x)), (mp.mpf("0.9"), mp.mpf("1.45")), (mp.mpf(4), mp.mpf(6)), 8, 23),
}

if __name__ == "__main__":
    for name, (f, low, high, single, double) in TABLES.items():
        print(f"{name} = {{")
        for which, (kind, degree) in enumerate((("f4", single), ("f8", double))):
            a, b = (low[which], high[which]) if isinstance(low, tuple) else (low, high)
            found = [mp.nstr(c, 17 if kind == "f8" else 10) for c in fit(f, a, b, degree)]
            print(f'    "{kind}": ({", ".join(found)}),')
        print("}")
