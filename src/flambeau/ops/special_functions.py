"""The functions of torch.special and their kin in torch.*: error, gamma and Bessel families, x log y, polynomials.

>>> import flambeau as torch
>>> torch.special.erfinv(torch.tensor([0.0, 0.5])), torch.lgamma(torch.tensor(10.0))
(tensor([0.0000, 0.4769]), tensor(12.8018))
>>> torch.special.chebyshev_polynomial_t(torch.tensor([0.5]), 3)
tensor([-1.])
"""

from __future__ import annotations

import math

import numpy as np

from .. import dtypes
from ..dtypes import FROM_NUMPY, HALVES
from ..errors import DtypeError
from ..kernels import special as kernels
from ..tensor import Tensor
from .elementwise import F32, binary, exp, log, no_derivative, not_implemented, unary
from .entry import primitive, public
from .shape import need_tensor
from .unary import log1p

TWO_OVER_SQRT_PI = 2 / math.sqrt(math.pi)

# What the examples in docstrings give: one argument [0.25, 0.5]; two, [2, 3] and [1, 2]; degree 3 at [0.1, 0.4].
_SHOWN = {
    "erf": "[0.2763, 0.5205]", "erfc": "[0.7237, 0.4795]", "erfinv": "[0.2253, 0.4769]",
    "lgamma": "[1.2880, 0.5724]", "digamma": "[-4.2275, -1.9635]", "i0": "[1.0157, 1.0635]",
    "special.erfcx": "[0.7703, 0.6157]", "special.ndtr": "[0.5987, 0.6915]",
    "special.log_ndtr": "[-0.5130, -0.3689]", "special.ndtri": "[-0.6745,  0.0000]",
    "special.entr": "[0.3466, 0.3466]", "special.i1": "[0.1260, 0.2579]", "special.i0e": "[0.7910, 0.6450]",
    "special.i1e": "[0.0981, 0.1564]", "special.airy_ai": "[0.2912, 0.2317]",
    "special.bessel_j0": "[0.9844, 0.9385]", "special.bessel_j1": "[0.1240, 0.2423]",
    "special.bessel_y0": "[-0.9316, -0.4445]", "special.bessel_y1": "[-2.7041, -1.4715]",
    "special.modified_bessel_i0": "[1.0157, 1.0635]", "special.modified_bessel_i1": "[0.1260, 0.2579]",
    "special.modified_bessel_k0": "[1.5415, 0.9244]", "special.modified_bessel_k1": "[3.7470, 1.6564]",
    "special.scaled_modified_bessel_k0": "[1.9793, 1.5241]",
    "special.scaled_modified_bessel_k1": "[4.8113, 2.7310]", "special.spherical_bessel_j0": "[0.9896, 0.9589]",
    "igamma": "[0.2642, 0.3233]", "igammac": "[0.7358, 0.6767]", "special.zeta": "[1.6449, 0.2021]",
    "xlogy": "[0.0000, 2.0794]", "special.xlog1py": "[1.3863, 3.2958]",
    "special.chebyshev_polynomial_t": "[-0.2960, -0.9440]",
    "special.chebyshev_polynomial_u": "[-0.3920, -1.0880]",
    "special.chebyshev_polynomial_v": "[ 0.5680, -0.7280]",
    "special.chebyshev_polynomial_w": "[-1.3520, -1.4480]",
    "special.hermite_polynomial_h": "[-1.1920, -4.2880]",
    "special.hermite_polynomial_he": "[-0.2990, -1.1360]",
    "special.laguerre_polynomial_l": "[0.7148, 0.0293]",
    "special.legendre_polynomial_p": "[-0.1475, -0.4400]",
    "special.shifted_chebyshev_polynomial_t": "[0.3520, 0.5680]",
    "special.shifted_chebyshev_polynomial_u": "[-0.8960,  0.7360]",
    "special.shifted_chebyshev_polynomial_v": "[-2.4560,  1.5760]",
    "special.shifted_chebyshev_polynomial_w": "[ 0.6640, -0.1040]",
}  # fmt: skip


def _doc(name, kernel, arguments="torch.tensor([0.25, 0.5])"):
    """The kernel's sentence and an example."""
    return f"{kernel.__doc__}\n>>> torch.{name}({arguments})\ntensor({_SHOWN[name]})"


_TWO, _DEGREE_3 = "torch.tensor([2.0, 3.0]), torch.tensor([1.0, 2.0])", "torch.tensor([0.1, 0.4]), 3"


def _family(name, kernel, vjp=None, *, aliases=(), method=None, integers=True):
    """A real function of one tensor; names in `special` only are neither methods nor in-place."""
    shown = not name.startswith("special.") if method is None else method
    return unary(name, kernel, vjp, floats=True, refuse=(3,), aliases=aliases, method=shown, inplace=shown,
                 doc=_doc(name, kernel))  # fmt: skip


# ---------------------------------------------------------------------------------------------- error functions

kernels.erf.formula = lambda x: x.note("erf", x)  # a row of the table of fused loops
erf = _family("erf", kernels.erf, lambda g, input: g * exp(-(input * input)) * TWO_OVER_SQRT_PI,
              aliases=("special.erf",))  # fmt: skip
erfc = _family("erfc", kernels.erfc, lambda g, input: g * exp(-(input * input)) * -TWO_OVER_SQRT_PI,
               aliases=("special.erfc",))  # fmt: skip
erfinv = _family("erfinv", kernels.erfinv, lambda g, out: g * exp(out * out) * (1 / TWO_OVER_SQRT_PI),
                 aliases=("special.erfinv",))  # fmt: skip
erfcx = _family("special.erfcx", kernels.erfcx, lambda g, input, out: g * (2 * input * out - TWO_OVER_SQRT_PI))
ndtr = _family("special.ndtr", kernels.ndtr,
               lambda g, input: g * exp(input * input * -0.5) * (1 / math.sqrt(2 * math.pi)))  # fmt: skip
log_ndtr = _family("special.log_ndtr", kernels.log_ndtr,
                   lambda g, input: g / erfcx(input * -math.sqrt(0.5)) * math.sqrt(2 / math.pi))  # fmt: skip
ndtri = _family("special.ndtri", kernels.ndtri, lambda g, out: g * exp(out * out * 0.5) * math.sqrt(2 * math.pi))
entr = _family("special.entr", kernels.entr, lambda g, input: g * (-1 - log(input)))

# ---------------------------------------------------------------------------------------------- gamma


lgamma = _family("lgamma", kernels.lgamma, lambda g, input: g * digamma(input), aliases=("special.gammaln",))
digamma = _family("digamma", kernels.digamma, lambda g, input: g * _polygamma(input, n=1),
                  aliases=("special.digamma", "special.psi"))  # fmt: skip


def _polygamma_array(input, n):
    d = FROM_NUMPY[input.dtype]
    if d.category < 2:
        input = input.astype(dtypes.get_default_dtype().numpy)
    if d in HALVES:
        return kernels.polygamma(n, input.astype(F32)).astype(input.dtype)
    return kernels.polygamma(n, input)


_polygamma = primitive(
    "polygamma", _polygamma_array, vjp={"input": lambda g, input, n: g * _polygamma(input, n=n + 1)}, names=("input",)
)


def _checked_polygamma(n, input):
    need_tensor(input, "polygamma")
    if n < 0:
        raise DtypeError(
            "polygamma(n, x) does not support negative n.",
            why=f"`n` is {n}, the order of the derivative of digamma",
            fix="pass 0 or more",
        )
    if input.dtype.category == 3:
        raise not_implemented("polygamma", input.dtype)
    return _polygamma(input, n=int(n))


@public(out=True, aliases=("special.polygamma",))
def polygamma(n, input):
    """The n-th derivative of `digamma` at each element; n is a non-negative int.

    >>> import flambeau as torch
    >>> torch.polygamma(1, torch.tensor([1.0, 0.5]))
    tensor([1.6449, 4.9348])
    """
    if isinstance(n, Tensor):
        n, input = input, n
    return _checked_polygamma(n, input)


@public("polygamma", function=False, method=True, inplace="method")
def _polygamma_method(self, n):
    """The n-th derivative of `digamma` at each element."""
    return _checked_polygamma(n, self)


@public(method=True, inplace="method", out=True, aliases=("special.multigammaln",))
def mvlgamma(input, p):
    """Logarithm of the multivariate gamma function of dimension `p`; elements should exceed (p - 1) / 2.

    The sum of lgamma(x - i / 2) over i = 0 ... p - 1, plus p (p - 1) / 4 log(pi).

    >>> import flambeau as torch
    >>> torch.mvlgamma(torch.tensor([2.0, 3.0]), p=2)
    tensor([0.4516, 1.5502])
    """
    need_tensor(input, "mvlgamma")
    if p < 1:
        raise DtypeError(
            "p has to be greater than or equal to 1", why=f"`p` is {p}, the number of dimensions", fix="pass 1 or more"
        )
    if input.dtype.category == 3:
        raise not_implemented("mvlgamma", input.dtype)
    if input.dtype.category < 2:
        input = input.to(dtypes.get_default_dtype())
    steps = Tensor.wrap(np.arange(p, dtype=np.float64) * -0.5).to(input.dtype)
    return lgamma(input.unsqueeze(-1) + steps).sum(-1) + p * (p - 1) / 4 * math.log(math.pi)


def _prefactor(g, input, other):
    """g times the derivative of the lower incomplete gamma function with respect to its second argument."""
    return g * exp((input - 1) * log(other) - other - lgamma(input))


igamma = binary("igamma", kernels.gammainc, {"input": no_derivative("igamma", "input"), "other": _prefactor},
                halves=True, refuse=(0, 1, 3), numbers=(),
                doc=_doc("igamma", kernels.gammainc, _TWO))  # fmt: skip
igammac = binary("igammac", kernels.gammaincc, {"input": no_derivative("igammac", "input"),
                                               "other": lambda g, input, other: -_prefactor(g, input, other)},
                 halves=True, refuse=(0, 1, 3), numbers=(),
                 doc=_doc("igammac", kernels.gammaincc, _TWO))  # fmt: skip
zeta = binary("special.zeta", kernels.zeta, {"input": no_derivative("special_zeta", "input"),
                                             "other": lambda g, input, other: -g * input * zeta(input + 1, other)},
              floats=True, halves=True, refuse=(3,), method=False, inplace=False,
              doc=_doc("special.zeta", kernels.zeta, _TWO))  # fmt: skip
public("special.gammainc")(igamma)
public("special.gammaincc")(igammac)

# ---------------------------------------------------------------------------------------------- Bessel


def _over(out, input, at_zero, rest):
    """rest - out / input, with its limit where the input is 0."""
    zero = input == 0
    return (rest - out / input.masked_fill(zero, 1)).masked_fill(zero, at_zero)


i0 = _family("i0", kernels.i0, lambda g, input: g * i1(input), aliases=("special.i0",))
i1 = _family("special.i1", kernels.i1, lambda g, input, out: g * _over(out, input, 0.5, i0(input)))
i0e = _family("special.i0e", kernels.i0e, lambda g, input, out: g * (i1e(input) - input.sgn() * out))
i1e = _family("special.i1e", kernels.i1e,
              lambda g, input, out: g * _over(out, input, 0.5, i0e(input) - input.sgn() * out))  # fmt: skip

# PyTorch gives these no gradient either.
for _name in ("airy_ai", "bessel_j0", "bessel_j1", "bessel_y0", "bessel_y1", "modified_bessel_i0", "modified_bessel_i1",
              "modified_bessel_k0", "modified_bessel_k1", "scaled_modified_bessel_k0", "scaled_modified_bessel_k1",
              "spherical_bessel_j0"):  # fmt: skip
    _family(f"special.{_name}", getattr(kernels, _name))

# ---------------------------------------------------------------------------------------------- x log y

xlogy = binary(
    "xlogy", kernels.xlogy,
    {"input": lambda g, input, other: (g * log(other)).masked_fill((input == 0) & (other <= 0), 0),
     "other": lambda g, input, other: g * input / other},
    floats=True, halves=True, refuse=(3,), aliases=("special.xlogy",), fast=False,
    doc=_doc("xlogy", kernels.xlogy, _TWO),
)  # fmt: skip
xlog1py = binary(
    "special.xlog1py", kernels.xlog1py,
    {"input": lambda g, input, other: (g * log1p(other)).masked_fill((input == 0) & (other <= -1), 0),
     "other": lambda g, input, other: g * input / (other + 1)},
    floats=True, halves=True, refuse=(3,), method=False, inplace=False, fast=False,
    doc=_doc("special.xlog1py", kernels.xlog1py, _TWO),
)  # fmt: skip

# ---------------------------------------------------------------------------------------------- logit


def _logit_array(input, eps):
    d = FROM_NUMPY[input.dtype]
    if d.category < 2:
        input = input.astype(dtypes.get_default_dtype().numpy)
    if eps is not None and eps > 0.5:  # low and high end have changed places; the low one is looked at first
        low, high = input.dtype.type(eps), input.dtype.type(1 - eps)
        input, eps = np.where(input < low, low, np.where(input > high, high, input)), None
    if d in HALVES:
        return kernels.logit(input.astype(F32), eps).astype(input.dtype)
    return kernels.logit(input, eps)


def _logit_vjp(g, input, eps):
    low, high = (0.0, 1.0) if eps is None else (eps, 1 - eps)
    outside = (input < low) | (input > high)
    slope = g / (input * (1 - input))
    return slope.masked_fill(outside, float("nan") if eps is None else 0)


_logit = primitive("logit", _logit_array, vjp={"input": _logit_vjp}, names=("input",))


@public(method=True, inplace=True, out=True, aliases=("special.logit",))
def logit(input, eps=None):
    """log(x / (1 - x)) of each element, clamped to [eps, 1 - eps] first if `eps` is given; else nan outside [0, 1].

    >>> import flambeau as torch
    >>> torch.logit(torch.tensor([0.5, 0.9]))
    tensor([0.0000, 2.1972])
    """
    need_tensor(input, "logit")
    if input.dtype.category == 3:
        raise not_implemented("logit_cpu", input.dtype)
    return _logit(input, eps=eps)


# ---------------------------------------------------------------------------------------------- polynomials


for _name in ("chebyshev_polynomial_t", "chebyshev_polynomial_u", "chebyshev_polynomial_v", "chebyshev_polynomial_w",
              "hermite_polynomial_h", "hermite_polynomial_he", "laguerre_polynomial_l", "legendre_polynomial_p",
              "shifted_chebyshev_polynomial_t", "shifted_chebyshev_polynomial_u", "shifted_chebyshev_polynomial_v",
              "shifted_chebyshev_polynomial_w"):  # fmt: skip
    binary(f"special.{_name}", getattr(kernels, _name), floats=True, halves=True, refuse=(3,), method=False,
           inplace=False, doc=_doc(f"special.{_name}", getattr(kernels, _name), _DEGREE_3))  # fmt: skip
