"""Derive the polynomial coefficients in src/flambeau/kernels/scalars_tables.py (needs mpmath; run by hand).

    python tools/fit_scalars.py > src/flambeau/kernels/scalars_tables.py

Each is a near-minimax polynomial: interpolation at Chebyshev nodes in 60-digit arithmetic, printed highest power first.
"""

import sys
import textwrap

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


def odd_rest(f, third):
    """(f(x) / x - 1) / x^2 of an odd function f, as a function of z = x^2; `third` is its limit at 0."""
    return series_safe(lambda z: (f(mp.sqrt(z)) / mp.sqrt(z) - 1) / z, mp.mpf(third))


half = mp.log(2) / 2
atanh_rest = series_safe(lambda z: 2 * (mp.atanh(mp.sqrt(z)) / mp.sqrt(z) - 1) / z, mp.mpf(2) / 3)
atanh_tail = series_safe(lambda z: 2 * (mp.atanh(mp.sqrt(z)) / mp.sqrt(z) - 1 - z / 3) / z**2, mp.mpf(2) / 5)
erf_rest = series_safe(lambda z: mp.erf(mp.sqrt(z)) / mp.sqrt(z) - 1, 2 / mp.sqrt(mp.pi) - 1)
cos_rest = series_safe(lambda z: (mp.cos(mp.sqrt(z)) - 1 + z / 2) / z**2, mp.mpf(1) / 24)
NORMAL_SCALE = mp.mpf("0.35")


def normal_tail(s):
    """P(X > t) / (s e^(-t^2 / 2)) of a standard normal X, as a function of s = 1 / (1 + 0.35 t)."""
    t = (1 / s - 1) / NORMAL_SCALE
    return mp.exp(t * t / 2) * mp.erfc(t / mp.sqrt(2)) / 2 / s


s2 = ((mp.sqrt(2) - 1) / (mp.sqrt(2) + 1)) ** 2
quarter = (mp.pi / 4 * mp.mpf("1.0001")) ** 2
zero, third = mp.mpf(0), mp.mpf(1) / 3
# name: (function, from, to, degree for float32, for float64, what it is); from and to may differ between the two.
TABLES = {
    "EXP": (series_safe(lambda r: (mp.exp(r) - 1 - r) / r**2, mp.mpf(1) / 2), -half, half, 5, 10,
            "(e^r - 1 - r) / r^2 on |r| <= ln(2) / 2"),
    "LOG": (atanh_rest, zero, s2, 3, 7,
            "2 (atanh(s) / s - 1) / z, z = s^2, s = f / (2 + f), 1 + f in [sqrt(1/2), sqrt(2)]"),
    "LOG_TAIL": (atanh_tail, zero, s2, 4, 7, "2 (atanh(s) / s - 1 - z / 3) / z^2 of the same z"),
    "TANH": (odd_rest(mp.tanh, -third), zero, (mp.mpf("0.95") ** 2, mp.mpf("0.625") ** 2), 7, 10,
             "(tanh(x) / x - 1) / z, z = x^2, |x| <= 0.95 (float32) and 0.625 (float64)"),
    "SINH": (odd_rest(mp.sinh, mp.mpf(1) / 6), zero, mp.mpf(1), 3, 7, "(sinh(x) / x - 1) / z, z = x^2, |x| <= 1"),
    "SIN": (odd_rest(mp.sin, mp.mpf(-1) / 6), zero, quarter, 3, 6, "(sin(x) / x - 1) / z, z = x^2, |x| <= pi / 4"),
    "COS": (cos_rest, zero, quarter, 3, 6, "(cos(x) - 1 + z / 2) / z^2, z = x^2, |x| <= pi / 4"),
    "ATAN": (odd_rest(mp.atan, -third), zero, mp.tan(mp.pi / 8) ** 2 * mp.mpf("1.0001"), 6, 11,
             "(atan(x) / x - 1) / z, z = x^2, |x| <= tan(pi / 8)"),
    "ASIN": (odd_rest(mp.asin, mp.mpf(1) / 6), zero, mp.mpf("0.2501"), 7, 13,
             "(asin(x) / x - 1) / z, z = x^2, |x| <= 1/2"),
    "ERF": (erf_rest, zero, (mp.mpf(1), mp.mpf("2.25")), 6, 17,
            "erf(x) / x - 1, z = x^2, |x| <= 0.9 (float32) and 1.5 (float64)"),
    "LOG_ERFC": (lambda x: mp.log(mp.erfc(x)), (mp.mpf("0.9"), mp.mpf("1.45")), (mp.mpf(4), mp.mpf(6)), 8, 23,
                 "ln(erfc(x)) on [0.9, 4] (float32) and [1.45, 6] (float64)"),
    "NORMAL_TAIL": (normal_tail, 1 / (1 + NORMAL_SCALE * 15), mp.mpf(1), 8, None,
                    "P(X > t) / (s e^(-t^2 / 2)), s = 1 / (1 + 0.35 t), 0 <= t <= 15 (float32 only)"),
}  # fmt: skip

HEAD = '''"""Polynomials of the kernels' scalar functions, highest power first; written by tools/fit_scalars.py.

`f4` is as good as float32 results need, `f8` as float64 results need.
"""
'''

if __name__ == "__main__":
    print(HEAD)
    for name, (f, low, high, single, double, what) in TABLES.items():
        print(f"# {what}\n{name} = {{")
        for which, (kind, degree) in enumerate((("f4", single), ("f8", double))):
            if degree is None:
                continue
            a, b = (v[which] if isinstance(v, tuple) else v for v in (low, high))
            found = fit(f, a, b, degree)
            numbers = ", ".join(mp.nstr(c, 17 if kind == "f8" else 12) for c in found)
            lines = textwrap.wrap(numbers + ",", 112, break_on_hyphens=False)
            print(f'    "{kind}": (\n        ' + "\n        ".join(lines) + "\n    ),")
            points = [a + (b - a) * i / 200 for i in range(1, 201)]
            worst = max(abs(mp.polyval(found, x) / f(x) - 1) for x in points)
            print(f"{name} {kind}: relative error {mp.nstr(worst, 3)}", file=sys.stderr)
        print("}")
