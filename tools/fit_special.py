"""Derive the polynomial tables in flambeau/kernels/special_tables.py with mpmath (needed only to derive them anew).

Each table is the polynomial that interpolates a smooth function at Chebyshev points, written in powers of a variable
t in [-1, 1]. Chebyshev interpolation is within a small factor of the best polynomial, and the powers of t are safe as
long as the sum of |coefficients| stays near the function's size, which is printed beside each table.

    python tools/fit_special.py > src/flambeau/kernels/special_tables.py
"""

import sys

from mpmath import mp, mpf

mp.dps = 60
PI = mp.pi


def fit(f, low=-1, high=1, tolerance=mpf(2) ** -56, degree_limit=60):
    """Coefficients, in powers of t = (2 x - low - high) / (high - low), of a polynomial near f in relative error."""
    low, high = mpf(low), mpf(high)
    centre, half = (low + high) / 2, (high - low) / 2
    n = 72
    nodes = [mp.cos(PI * (2 * k + 1) / (2 * n)) for k in range(n)]
    values = [f(centre + half * t) for t in nodes]
    smallest = min(abs(v) for v in values)
    series = [
        2 * mp.fsum(v * mp.cos(PI * j * (2 * k + 1) / (2 * n)) for k, v in enumerate(values)) / n for j in range(n)
    ]
    series[0] /= 2
    bound = tolerance * max(smallest, mpf(10) ** -3 * max(abs(v) for v in values))
    degree = n - 1
    while degree > 0 and mp.fsum(abs(c) for c in series[degree:]) < bound:
        degree -= 1
    if degree > degree_limit:
        print(f"    degree {degree} is over the limit", file=sys.stderr)
    total = [mpf(0)] * (degree + 1)
    previous, current = [mpf(1)], [mpf(0), mpf(1)]
    for j in range(degree + 1):
        for i, c in enumerate(previous):
            total[i] += series[j] * c
        following = [mpf(0)] + [2 * c for c in current]
        for i, c in enumerate(previous):
            following[i] -= c
        previous, current = current, following
    condition = mp.fsum(abs(c) for c in total) / smallest
    return total, condition


def taylor(f, degree, centre=0):
    """Taylor coefficients of f."""
    return mp.taylor(f, centre, degree)


def emit(name, comment, coefficients, condition=None):
    """Print one table, highest power first (the order of Horner's rule)."""
    note = "" if condition is None else f" condition {float(condition):.3g}"
    print(f"    {name}: {len(coefficients)} coefficients{note}", file=sys.stderr)
    print(f"\n# {comment}\n{name} = (")
    words = [f"{float(c)!r}," for c in reversed(coefficients)]
    line = "   "
    for word in words:
        if len(line) + 1 + len(word) > 118:
            print(line)
            line = "   "
        line += " " + word
    print(line + "\n)")


def erfcx(x):
    return mp.exp(x * x) * mp.erfc(x)


def inverse_erf(w):
    """erfinv(y) / y as a function of w = -log(1 - y^2), through Newton steps on log erfc."""
    if w == 0:
        return mp.sqrt(PI) / 2
    y = mp.sqrt(-mp.expm1(-w))
    tail = mp.exp(-w) / (1 + y)  # 1 - y
    x = mp.sqrt(w) * (mpf("0.9") if w > 1 else mpf("0.88"))
    for _ in range(200):
        if x < 1:
            step = (mp.erf(x) - y) / (2 / mp.sqrt(PI) * mp.exp(-x * x))
        else:
            value = mp.erfc(x)
            step = -(mp.log(value) - mp.log(tail)) * value / (2 / mp.sqrt(PI) * mp.exp(-x * x))
        x -= step
        if abs(step) < mpf(10) ** -45 * abs(x):
            break
    else:
        raise ArithmeticError(f"no convergence at {w}")
    return x / y


def limit(f, value):
    """f with its value at 0 filled in."""
    return lambda x: value if x == 0 else f(x)


def hankel(order, x):
    """P and Q of J = sqrt(2 / (pi x)) (P cos c - Q sin c), c = x - (order / 2 + 1/4) pi."""
    c = x - (mpf(order) / 2 + mpf(1) / 4) * PI
    scale = mp.sqrt(PI * x / 2)
    j, y = mp.besselj(order, x) * scale, mp.bessely(order, x) * scale
    return j * mp.cos(c) + y * mp.sin(c), y * mp.cos(c) - j * mp.sin(c)


def airy_phase(zeta):
    """F and G of Ai(-x) = (sin(zeta + pi/4) F - cos(zeta + pi/4) G) / (sqrt(pi) x^(1/4)), zeta = 2/3 x^(3/2)."""
    x = (mpf(3) / 2 * zeta) ** (mpf(2) / 3)
    scale = mp.sqrt(PI) * x ** mpf("0.25")
    a, b = mp.airyai(-x) * scale, mp.airybi(-x) * scale
    s, c = mp.sin(zeta + PI / 4), mp.cos(zeta + PI / 4)
    return a * s + b * c, b * s - a * c


def temme(count, degree):
    """Taylor coefficients in eta of c_0 ... c_(count-1) of Temme's expansion (DLMF 8.12.8 to 8.12.11)."""
    length = degree + 2 * count + 4
    # mu(eta) = lambda - 1 solves eta^2 / 2 = mu - log(1 + mu), hence mu mu' = eta (1 + mu)
    mu = [mpf(0), mpf(1)]
    for n in range(2, length + 2):
        known = mp.fsum(mu[i] * mu[n + 1 - i - 0] * (n + 1 - i) for i in range(2, n) if n + 1 - i < len(mu))
        # coefficient of eta^n: sum_{i+j=n+1} mu_i j mu_j = mu_{n-1}
        mu.append((mu[n - 1] - known) / (n + 1))
    # 1 / mu = eta^-1 times a power series
    inverse = [mpf(1)]
    for n in range(1, length):
        inverse.append(-mp.fsum(mu[k + 1] * inverse[n - k] for k in range(1, n + 1)))
    stirling = [mpf(1)]
    bernoulli = [mp.bernoulli(k) for k in range(2 * count + 6)]
    # log of Gamma*(z) = sum B_2k / (2k (2k - 1) z^(2k - 1)), exponentiated as a power series in 1/z
    log_series = [mpf(0)] * (count + 2)
    for k in range(1, count + 2):
        if 2 * k - 1 < len(log_series):
            log_series[2 * k - 1] = bernoulli[2 * k] / (2 * k * (2 * k - 1))
    for n in range(1, count + 1):
        stirling.append(mp.fsum(k * log_series[k] * stirling[n - k] for k in range(1, n + 1)) / n)
    rows = []
    # c_0 = 1/mu - 1/eta: the eta^-1 term cancels
    current = inverse[1:]
    rows.append(current)
    for k in range(1, count):
        derivative = [(i + 1) * current[i + 1] for i in range(len(current) - 1)]
        sign = (-1) ** k * stirling[k]
        # (c' + sign * inverse) / eta, whose constant term vanishes
        total = [derivative[i] + sign * inverse[i] for i in range(min(len(derivative), len(inverse)))]
        assert abs(total[0]) < mpf(10) ** -30, total[0]
        current = total[1:]
        rows.append(current)
    return [row[: degree + 1] for row in rows]


def main():
    print(
        '"""Polynomial coefficients of the special functions, derived by tools/fit_special.py: highest power first."""'
    )

    def table(name, comment, f, low=-1, high=1, **options):
        emit(name, comment, *fit(f, low, high, **options))

    table(
        "ERF",
        "erf(x) / x, t = 2 x^2 - 1, |x| <= 1",
        limit(lambda s: mp.erf(mp.sqrt(s)) / mp.sqrt(s), 2 / mp.sqrt(PI)),
        0,
        1,
    )
    table(
        "ERFCX",
        "(1 + 2 x) erfcx(x), t = (x - 4) / (x + 4), x >= 0",
        lambda t: (1 + 8 * (1 + t) / (1 - t)) * erfcx(4 * (1 + t) / (1 - t)),
    )
    table(
        "ERF_SINGLE",
        "-log(erfc(x)) / x, t = (2 x - 4) / 4, 0 <= x <= 4",
        lambda x: -mp.log(mp.erfc(x)) / x,
        0,
        4,
        tolerance=mpf(2) ** -27,
    )
    table("ERFINV_LOW", "erfinv(y) / y, w = -log(1 - y^2), 0 <= w <= 6", inverse_erf, 0, 6)
    table(
        "ERFINV_MIDDLE",
        "erfinv(y) / y, r = sqrt(w), sqrt(6) <= r <= 4.5",
        lambda r: inverse_erf(r * r),
        mp.sqrt(6),
        4.5,
    )
    table("ERFINV_HIGH", "erfinv(y) / y, 4.5 <= r <= 10", lambda r: inverse_erf(r * r), 4.5, 10)
    table("ERFINV_TAIL", "erfinv(y) / y, 10 <= r <= 28", lambda r: inverse_erf(r * r), 10, 28)

    table(
        "LGAMMA",
        "lgamma(2 + z) / z, t = 2 z, |z| <= 1/2",
        limit(lambda z: mp.loggamma(2 + z).real / z, 1 - mp.euler),
        -0.5,
        0.5,
    )
    table(
        "STIRLING",
        "x (lgamma(x) - (x - 1/2) log x + x - log(2 pi) / 2) in 64 / x^2, t = 2 s - 1, x >= 8",
        limit(
            lambda s: (lambda x: x * (mp.loggamma(x) - (x - mpf(1) / 2) * mp.log(x) + x - mp.log(2 * PI) / 2))(
                8 / mp.sqrt(s)
            ),
            mpf(1) / 12,
        ),
        0,
        1,
    )
    root = mp.findroot(mp.digamma, 1.4616)
    high = float(root)
    print(f"\n# the positive root of digamma, in two parts\nDIGAMMA_ROOT = ({high!r}, {float(root - high)!r})")
    table("DIGAMMA", "digamma(x) / (x - root), t = 2 x - 3, 1 <= x <= 2", lambda x: mp.digamma(x) / (x - root), 1, 2)
    table(
        "DIGAMMA_LARGE",
        "x^2 (log x - 1 / (2 x) - digamma(x)) in s = 64 / x^2, t = 2 s - 1, x >= 8",
        limit(lambda s: (lambda x: x * x * (mp.log(x) - 1 / (2 * x) - mp.digamma(x)))(8 / mp.sqrt(s)), mpf(1) / 12),
        0,
        1,
    )

    for order in (0, 1):

        def small(f, value, order=order):
            return limit(lambda s: f(mp.sqrt(s)) / mp.sqrt(s) ** order, value)

        half = mpf(1) / (1 + order)
        table(
            f"I{order}",
            f"exp(-x) I{order}(x){' / x' * order}, t = x / 4 - 1, 0 <= x <= 8",
            limit(lambda x: mp.exp(-x) * mp.besseli(order, x) / x**order, half),
            0,
            8,
        )
        table(
            f"I{order}_LARGE",
            f"sqrt(x) exp(-x) I{order}(x), t = 16 / x - 1, x >= 8",
            limit(lambda u: mp.sqrt(1 / u) * mp.exp(-1 / u) * mp.besseli(order, 1 / u), 1 / mp.sqrt(2 * PI)),
            0,
            mpf(1) / 8,
            tolerance=mpf(2) ** -54,
        )
        table(
            f"J{order}",
            f"J{order}(x){' / x' * order}, t = x^2 / 32 - 1, |x| <= 8",
            small(lambda x: mp.besselj(order, x), half),
            0,
            64,
        )
        if order == 0:
            table(
                "Y0",
                "Y0(x) - 2/pi log(x) J0(x), t = x^2 / 32 - 1, 0 < x <= 8",
                limit(
                    lambda s: mp.bessely(0, mp.sqrt(s)) - mp.log(s) / PI * mp.besselj(0, mp.sqrt(s)),
                    2 / PI * (mp.euler - mp.log(2)),
                ),
                0,
                64,
            )
            table(
                "K0",
                "K0(x) + log(x) I0(x), t = 2 x^2 - 1, 0 < x <= 1",
                limit(
                    lambda s: mp.besselk(0, mp.sqrt(s)) + mp.log(s) / 2 * mp.besseli(0, mp.sqrt(s)),
                    mp.log(2) - mp.euler,
                ),
                0,
                1,
            )
        else:
            table(
                "Y1",
                "(Y1(x) - 2/pi (log(x) J1(x) - 1 / x)) / x, t = x^2 / 32 - 1, 0 < x <= 8",
                lambda s: (lambda x: (mp.bessely(1, x) - 2 / PI * (mp.log(x) * mp.besselj(1, x) - 1 / x)) / x)(
                    mp.sqrt(s)
                ),
                0,
                64,
            )
            table(
                "K1",
                "(K1(x) - 1 / x - log(x) I1(x)) / x, t = 2 x^2 - 1, 0 < x <= 1",
                lambda s: (lambda x: (mp.besselk(1, x) - 1 / x - mp.log(x) * mp.besseli(1, x)) / x)(mp.sqrt(s)),
                0,
                1,
            )
        table(
            f"P{order}",
            f"P of Hankel's form of J{order} and Y{order}, s = 64 / x^2, t = 2 s - 1, x >= 8",
            limit(lambda s: hankel(order, 8 / mp.sqrt(s))[0], mpf(1)),
            0,
            1,
        )
        table(
            f"Q{order}",
            f"x Q of Hankel's form of J{order} and Y{order}, s = 64 / x^2, t = 2 s - 1, x >= 8",
            limit(lambda s: hankel(order, 8 / mp.sqrt(s))[1] * 8 / mp.sqrt(s), (mpf(4 * order) - 1) / 8),
            0,
            1,
        )
        table(
            f"K{order}_MIDDLE",
            f"sqrt(x) exp(x) K{order}(x), u = 1 / x, 1 <= x <= 8",
            lambda u: mp.sqrt(1 / u) * mp.exp(1 / u) * mp.besselk(order, 1 / u),
            mpf(1) / 8,
            1,
        )
        table(
            f"K{order}_LARGE",
            f"sqrt(x) exp(x) K{order}(x), t = 16 / x - 1, x >= 8",
            limit(lambda u: mp.sqrt(1 / u) * mp.exp(1 / u) * mp.besselk(order, 1 / u), mp.sqrt(PI / 2)),
            0,
            mpf(1) / 8,
        )

    def airy_scaled(u):
        zeta = 1 / u
        x = (mpf(3) / 2 * zeta) ** (mpf(2) / 3)
        return 2 * mp.sqrt(PI) * x ** mpf("0.25") * mp.exp(zeta) * mp.airyai(x)

    table("AIRY_NEGATIVE", "Ai(x), -3 <= x <= 0", mp.airyai, -3, 0)
    table("AIRY_SMALL", "Ai(x), 0 <= x <= 1", mp.airyai, 0, 1)
    table(
        "AIRY_POSITIVE",
        "exp(z) Ai(x), z = 2/3 x^(3/2), in sqrt(x), 1 <= sqrt(x) <= 2",
        lambda r: mp.exp(2 * r**3 / 3) * mp.airyai(r * r),
        1,
        2,
    )
    table(
        "AIRY_LARGE",
        "2 sqrt(pi) x^(1/4) exp(z) Ai(x) in u = 1 / z, z = 2/3 x^(3/2) >= 16/3",
        limit(airy_scaled, mpf(1)),
        0,
        mpf(3) / 16,
    )
    edge = 2 * mp.sqrt(3)
    table(
        "AIRY_F",
        "F of Ai(-x), s = 12 / z^2, t = 2 s - 1, z = 2/3 x^(3/2) >= sqrt(12)",
        limit(lambda s: airy_phase(edge / mp.sqrt(s))[0], mpf(1)),
        0,
        1,
    )
    table(
        "AIRY_G",
        "z G of Ai(-x), s = 12 / z^2, t = 2 s - 1",
        limit(lambda s: airy_phase(edge / mp.sqrt(s))[1] * edge / mp.sqrt(s), mpf(5) / 72),
        0,
        1,
    )

    for k, row in enumerate(temme(10, 24)):
        # |eta| <= 1 suffices: drop the powers that cannot be seen there
        kept = len(row)
        while kept > 1 and abs(row[kept - 1]) * mpf(50) ** -k < mpf(2) ** -58:
            kept -= 1
        emit(f"TEMME_{k}", f"c_{k} of Temme's expansion, powers of eta", row[:kept])


if __name__ == "__main__":
    main()
