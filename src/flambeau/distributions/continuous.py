"""Continuous distributions of one variable."""

from __future__ import annotations

import math

import flambeau as torch
from flambeau import Size

from . import constraints
from .distribution import Distribution, ExponentialFamily, broadcast_all

_EULER = 0.57721566490153286060


class _Family(Distribution):
    """Distributions whose parameters broadcast to the batch shape; subclasses list them in `parameters`."""

    parameters: tuple = ()
    arg_constraints: dict = {}
    support = constraints.real
    has_rsample = True

    def __init__(self, *values, validate_args=None):
        for name, value in zip(self.parameters, broadcast_all(*values)):
            setattr(self, name, value)
        super().__init__(getattr(self, self.parameters[0]).shape, validate_args=validate_args)

    def _uniform(self, sample_shape):
        """Uniform draws strictly between 0 and 1."""
        first = getattr(self, self.parameters[0])
        shape = self._extended_shape(sample_shape)
        tiny = torch.finfo(first.dtype).tiny
        return torch.rand(shape, dtype=first.dtype, device=first.device).clamp(min=tiny)


class _LocationScale(_Family):
    parameters = ("loc", "scale")
    arg_constraints = {"loc": constraints.real, "scale": constraints.positive}

    def __init__(self, loc, scale, validate_args=None):
        super().__init__(loc, scale, validate_args=validate_args)


class Normal(_LocationScale, ExponentialFamily):
    """Normal (Gaussian) distribution with mean `loc` and standard deviation `scale`.

    >>> import flambeau as torch
    >>> torch.distributions.Normal(0.0, 1.0).log_prob(torch.tensor(0.0))
    tensor(-0.9189)
    """

    mean = mode = property(lambda self: self.loc)
    stddev = property(lambda self: self.scale)
    variance = property(lambda self: self.scale**2)

    def sample(self, sample_shape=Size()):
        shape = self._extended_shape(sample_shape)
        with torch.no_grad():
            return torch.normal(self.loc.expand(shape), self.scale.expand(shape))

    def rsample(self, sample_shape=Size()):
        shape = self._extended_shape(sample_shape)
        return self.loc + torch.randn(shape, dtype=self.loc.dtype, device=self.loc.device) * self.scale

    def log_prob(self, value):
        self._validate_sample(value)
        return -((value - self.loc) ** 2) / (2 * self.variance) - self.scale.log() - math.log(math.sqrt(2 * math.pi))

    def cdf(self, value):
        self._validate_sample(value)
        return 0.5 * (1 + torch.erf((value - self.loc) * self.scale.reciprocal() / math.sqrt(2)))

    def icdf(self, value):
        return self.loc + self.scale * torch.erfinv(2 * value - 1) * math.sqrt(2)

    def entropy(self):
        return 0.5 + 0.5 * math.log(2 * math.pi) + torch.log(self.scale)


class Laplace(_LocationScale):
    """Laplace distribution: exp(-|x - loc| / scale) / (2 scale)."""

    mean = mode = property(lambda self: self.loc)
    variance = property(lambda self: 2 * self.scale**2)

    def rsample(self, sample_shape=Size()):
        u = self._uniform(sample_shape) * 2 - 1
        eps = torch.finfo(u.dtype).eps
        u = u.clamp(min=eps - 1)
        return self.loc - self.scale * u.sign() * torch.log1p(-u.abs())

    def log_prob(self, value):
        self._validate_sample(value)
        return -torch.log(2 * self.scale) - torch.abs(value - self.loc) / self.scale

    def cdf(self, value):
        self._validate_sample(value)
        z = value - self.loc
        return 0.5 - 0.5 * z.sign() * torch.expm1(-z.abs() / self.scale)

    def icdf(self, value):
        z = value - 0.5
        return self.loc - self.scale * z.sign() * torch.log1p(-2 * z.abs())

    def entropy(self):
        return 1 + torch.log(2 * self.scale)


class Cauchy(_LocationScale):
    """Cauchy distribution: it has no mean."""

    mean = property(lambda self: torch.full_like(self.loc, math.nan))
    mode = property(lambda self: self.loc)
    variance = property(lambda self: torch.full_like(self.loc, math.inf))

    def rsample(self, sample_shape=Size()):
        shape = self._extended_shape(sample_shape)
        return self.loc + torch.empty(shape, dtype=self.loc.dtype).cauchy_() * self.scale

    def log_prob(self, value):
        self._validate_sample(value)
        return -math.log(math.pi) - self.scale.log() - (((value - self.loc) / self.scale) ** 2).log1p()

    def cdf(self, value):
        self._validate_sample(value)
        return torch.atan((value - self.loc) / self.scale) / math.pi + 0.5

    def icdf(self, value):
        return torch.tan(math.pi * (value - 0.5)) * self.scale + self.loc

    def entropy(self):
        return math.log(4 * math.pi) + self.scale.log()


class Gumbel(_LocationScale):
    """Gumbel distribution: of the largest of many exponentials."""

    mean = property(lambda self: self.loc + self.scale * _EULER)
    mode = property(lambda self: self.loc)
    variance = property(lambda self: (math.pi**2 / 6) * self.scale**2)

    def rsample(self, sample_shape=Size()):
        return self.icdf(self._uniform(sample_shape))

    def log_prob(self, value):
        self._validate_sample(value)
        y = (self.loc - value) / self.scale
        return (y - y.exp()) - self.scale.log()

    def cdf(self, value):
        return torch.exp(-torch.exp((self.loc - value) / self.scale))

    def icdf(self, value):
        return self.loc - self.scale * torch.log(-torch.log(value))

    def entropy(self):
        return self.scale.log() + (1 + _EULER)


class Uniform(_Family):
    """Uniform distribution on [low, high)."""

    parameters = ("low", "high")
    arg_constraints = {"low": constraints.dependent, "high": constraints.dependent}

    def __init__(self, low, high, validate_args=None):
        super().__init__(low, high, validate_args=validate_args)
        if self._validate_args and not bool((self.low < self.high).all()):
            raise ValueError("Uniform is not defined when low>= high")

    support = constraints.dependent_property(lambda self: constraints.interval(self.low, self.high))
    mean = property(lambda self: (self.high + self.low) / 2)
    mode = property(lambda self: torch.full_like(self.low, math.nan))
    stddev = property(lambda self: (self.high - self.low) / 12**0.5)
    variance = property(lambda self: (self.high - self.low) ** 2 / 12)

    def rsample(self, sample_shape=Size()):
        u = torch.rand(self._extended_shape(sample_shape), dtype=self.low.dtype, device=self.low.device)
        return self.low + u * (self.high - self.low)

    def log_prob(self, value):
        self._validate_sample(value)
        inside = (self.low <= value) & (self.high > value)
        return torch.log(inside.to(self.low.dtype)) - torch.log(self.high - self.low)

    def cdf(self, value):
        self._validate_sample(value)
        return ((value - self.low) / (self.high - self.low)).clamp(min=0, max=1)

    def icdf(self, value):
        return value * (self.high - self.low) + self.low

    def entropy(self):
        return torch.log(self.high - self.low)


class Exponential(_Family, ExponentialFamily):
    """Exponential distribution: rate * exp(-rate x)."""

    parameters = ("rate",)
    arg_constraints = {"rate": constraints.positive}
    support = constraints.nonnegative

    def __init__(self, rate, validate_args=None):
        super().__init__(rate, validate_args=validate_args)

    mean = stddev = property(lambda self: self.rate.reciprocal())
    mode = property(lambda self: torch.zeros_like(self.rate))
    variance = property(lambda self: self.rate.pow(-2))

    def rsample(self, sample_shape=Size()):
        return torch.empty(self._extended_shape(sample_shape), dtype=self.rate.dtype).exponential_() / self.rate

    def log_prob(self, value):
        self._validate_sample(value)
        return self.rate.log() - self.rate * value

    def cdf(self, value):
        self._validate_sample(value)
        return 1 - torch.exp(-self.rate * value)

    def icdf(self, value):
        return -torch.log1p(-value) / self.rate

    def entropy(self):
        return 1 - torch.log(self.rate)


class Gamma(_Family, ExponentialFamily):
    """Gamma distribution. Draws by Marsaglia and Tsang (2000); they carry gradients through the scale only to `rate`
    and, by implicit differentiation, are refused for `concentration`."""

    parameters = ("concentration", "rate")
    arg_constraints = {"concentration": constraints.positive, "rate": constraints.positive}
    support = constraints.nonnegative

    def __init__(self, concentration, rate, validate_args=None):
        super().__init__(concentration, rate, validate_args=validate_args)

    mean = property(lambda self: self.concentration / self.rate)
    mode = property(lambda self: ((self.concentration - 1) / self.rate).clamp(min=0))
    variance = property(lambda self: self.concentration / self.rate.pow(2))

    def rsample(self, sample_shape=Size()):
        shape = self._extended_shape(sample_shape)
        return standard_gamma(self.concentration.expand(shape)) / self.rate.expand(shape)

    def log_prob(self, value):
        value = torch.as_tensor(value, dtype=self.rate.dtype)
        self._validate_sample(value)
        a, b = self.concentration, self.rate
        return torch.xlogy(a, b) + torch.xlogy(a - 1, value) - b * value - torch.lgamma(a)

    def cdf(self, value):
        self._validate_sample(value)
        return torch.special.gammainc(self.concentration, self.rate * value)

    def entropy(self):
        a = self.concentration
        return a - torch.log(self.rate) + torch.lgamma(a) + (1 - a) * torch.digamma(a)


def standard_gamma(concentration):
    """Draws of Gamma(concentration, 1) by rejection (Marsaglia and Tsang 2000), differentiated implicitly.

    With F the cumulative distribution, dz/da = -(dF/da) / (dF/dz); dF/da is a central difference in float64, good to
    about 1e-7, which is well below the noise of any estimate made from samples.
    """
    return _StandardGamma.apply(concentration)


class _StandardGamma(torch.autograd.Function):
    @staticmethod
    def forward(ctx, a):
        z = torch._standard_gamma(a)
        ctx.save_for_backward(a, z)
        return z

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, g):
        a, z = (t.double() for t in ctx.saved_tensors)
        h = 1e-4 * torch.clamp(a, min=1e-2)
        difference = (torch.special.gammainc(a + h, z) - torch.special.gammainc(a - h, z)) / (2 * h)
        log_density = (a - 1) * torch.log(z) - z - torch.lgamma(a)
        return (g * (-difference / torch.exp(log_density))).to(g.dtype)


class Chi2(Gamma):
    """Chi-squared distribution with `df` degrees of freedom."""

    arg_constraints = {"df": constraints.positive}

    def __init__(self, df, validate_args=None):
        (df,) = broadcast_all(df)
        super().__init__(0.5 * df, 0.5, validate_args=validate_args)

    df = property(lambda self: self.concentration * 2)


class InverseGamma(_Family):
    """Distribution of 1 / x for x from Gamma(concentration, rate)."""

    parameters = ("concentration", "rate")
    arg_constraints = Gamma.arg_constraints
    support = constraints.positive

    def __init__(self, concentration, rate, validate_args=None):
        super().__init__(concentration, rate, validate_args=validate_args)

    mean = property(lambda self: torch.where(self.concentration > 1, self.rate / (self.concentration - 1), math.inf))
    mode = property(lambda self: self.rate / (self.concentration + 1))

    @property
    def variance(self):
        a, b = self.concentration, self.rate
        return torch.where(a > 2, b**2 / ((a - 1) ** 2 * (a - 2)), math.inf)

    def rsample(self, sample_shape=Size()):
        shape = self._extended_shape(sample_shape)
        return self.rate.expand(shape) / standard_gamma(self.concentration.expand(shape))

    def log_prob(self, value):
        self._validate_sample(value)
        a, b = self.concentration, self.rate
        return torch.xlogy(a, b) - (a + 1) * value.log() - b / value - torch.lgamma(a)

    def cdf(self, value):
        self._validate_sample(value)
        return torch.special.gammaincc(self.concentration, self.rate / value)

    def entropy(self):
        a = self.concentration
        return a + self.rate.log() + torch.lgamma(a) - (1 + a) * torch.digamma(a)


class Beta(_Family, ExponentialFamily):
    """Beta distribution on (0, 1)."""

    parameters = ("concentration1", "concentration0")
    arg_constraints = {"concentration1": constraints.positive, "concentration0": constraints.positive}
    support = constraints.unit_interval

    def __init__(self, concentration1, concentration0, validate_args=None):
        super().__init__(concentration1, concentration0, validate_args=validate_args)

    mean = property(lambda self: self.concentration1 / (self.concentration1 + self.concentration0))

    @property
    def mode(self):
        a, b = self.concentration1, self.concentration0
        inner = (a - 1) / (a + b - 2)
        edge = torch.where(a < b, 0.0, 1.0)
        return torch.where((a > 1) & (b > 1), inner, torch.where((a < 1) & (b < 1), math.nan, edge))

    @property
    def variance(self):
        total = self.concentration1 + self.concentration0
        return self.concentration1 * self.concentration0 / (total**2 * (total + 1))

    def rsample(self, sample_shape=Size()):
        shape = self._extended_shape(sample_shape)
        both = torch.stack([self.concentration1.expand(shape), self.concentration0.expand(shape)], -1)
        draws = standard_gamma(both)  # drawn in pairs, as a Dirichlet distribution of two
        return draws[..., 0] / draws.sum(-1)

    def _log_norm(self):
        a, b = self.concentration1, self.concentration0
        return torch.lgamma(a) + torch.lgamma(b) - torch.lgamma(a + b)

    def log_prob(self, value):
        self._validate_sample(value)
        a, b = self.concentration1, self.concentration0
        return torch.xlogy(a - 1, value) + torch.special.xlog1py(b - 1, -value) - self._log_norm()

    def entropy(self):
        a, b = self.concentration1, self.concentration0
        return (self._log_norm() - (a - 1) * torch.digamma(a) - (b - 1) * torch.digamma(b)
                + (a + b - 2) * torch.digamma(a + b))  # fmt: skip


class StudentT(_Family):
    """Student's t distribution."""

    parameters = ("df", "loc", "scale")
    arg_constraints = {"df": constraints.positive, "loc": constraints.real, "scale": constraints.positive}

    def __init__(self, df, loc=0.0, scale=1.0, validate_args=None):
        super().__init__(df, loc, scale, validate_args=validate_args)

    mean = property(lambda self: torch.where(self.df > 1, self.loc, math.nan))
    mode = property(lambda self: self.loc)

    @property
    def variance(self):
        wide = torch.where(self.df > 1, math.inf, math.nan)
        return torch.where(self.df > 2, self.scale**2 * self.df / (self.df - 2), wide)

    def rsample(self, sample_shape=Size()):
        shape = self._extended_shape(sample_shape)
        x = torch.randn(shape, dtype=self.df.dtype)
        z = 2 * standard_gamma((self.df / 2).expand(shape))
        return self.loc + self.scale * x * torch.rsqrt(z / self.df)

    def log_prob(self, value):
        self._validate_sample(value)
        y, df = (value - self.loc) / self.scale, self.df
        norm = (self.scale.log() + 0.5 * df.log() + 0.5 * math.log(math.pi) + torch.lgamma(0.5 * df)
                - torch.lgamma(0.5 * (df + 1)))  # fmt: skip
        return -0.5 * (df + 1) * torch.log1p(y**2 / df) - norm

    def entropy(self):
        df = self.df
        log_beta = torch.lgamma(0.5 * df) + math.lgamma(0.5) - torch.lgamma(0.5 * (df + 1))
        return (self.scale.log() + 0.5 * (df + 1) * (torch.digamma(0.5 * (df + 1)) - torch.digamma(0.5 * df))
                + 0.5 * df.log() + log_beta)  # fmt: skip


class FisherSnedecor(_Family):
    """Fisher's F distribution."""

    parameters = ("df1", "df2")
    arg_constraints = {"df1": constraints.positive, "df2": constraints.positive}
    support = constraints.positive

    def __init__(self, df1, df2, validate_args=None):
        super().__init__(df1, df2, validate_args=validate_args)

    mean = property(lambda self: torch.where(self.df2 > 2, self.df2 / (self.df2 - 2), math.nan))
    mode = property(lambda self: torch.where(
        self.df1 > 2, (self.df1 - 2) / self.df1 * self.df2 / (self.df2 + 2), math.nan))  # fmt: skip

    @property
    def variance(self):
        d1, d2 = self.df1, torch.where(self.df2 > 4, self.df2, math.nan)
        return 2 * d2.pow(2) * (d1 + d2 - 2) / (d1 * (d2 - 2).pow(2) * (d2 - 4))

    def rsample(self, sample_shape=Size()):
        shape = self._extended_shape(sample_shape)
        a = standard_gamma((self.df1 / 2).expand(shape)) * 2 / self.df1
        b = standard_gamma((self.df2 / 2).expand(shape)) * 2 / self.df2
        return a / b

    def log_prob(self, value):
        self._validate_sample(value)
        h1, h2, ratio = self.df1 / 2, self.df2 / 2, self.df1 / self.df2
        return ((h1 + h2).lgamma() - h1.lgamma() - h2.lgamma() + h1 * ratio.log() + (h1 - 1) * value.log()
                - (h1 + h2) * torch.log1p(ratio * value))  # fmt: skip


class HalfNormal(_Family):
    """Absolute value of a normal variable."""

    parameters = ("scale",)
    arg_constraints = {"scale": constraints.positive}
    support = constraints.nonnegative

    def __init__(self, scale, validate_args=None):
        super().__init__(scale, validate_args=validate_args)

    mean = property(lambda self: self.scale * math.sqrt(2 / math.pi))
    mode = property(lambda self: torch.zeros_like(self.scale))
    variance = property(lambda self: self.scale**2 * (1 - 2 / math.pi))

    def rsample(self, sample_shape=Size()):
        return (torch.randn(self._extended_shape(sample_shape), dtype=self.scale.dtype) * self.scale).abs()

    def log_prob(self, value):
        self._validate_sample(value)
        inside = -(value**2) / (2 * self.scale**2) - self.scale.log() + 0.5 * math.log(2 / math.pi)
        return torch.where(value >= 0, inside, -math.inf)

    def cdf(self, value):
        return torch.erf(value / (self.scale * math.sqrt(2)))

    def icdf(self, value):
        return self.scale * torch.erfinv(value) * math.sqrt(2)

    def entropy(self):
        return 0.5 + 0.5 * math.log(math.pi / 2) + self.scale.log()


class HalfCauchy(_Family):
    """Absolute value of a Cauchy variable."""

    parameters = ("scale",)
    arg_constraints = {"scale": constraints.positive}
    support = constraints.nonnegative

    def __init__(self, scale, validate_args=None):
        super().__init__(scale, validate_args=validate_args)

    mean = property(lambda self: torch.full_like(self.scale, math.inf))
    mode = property(lambda self: torch.zeros_like(self.scale))
    variance = property(lambda self: torch.full_like(self.scale, math.inf))

    def rsample(self, sample_shape=Size()):
        return (torch.empty(self._extended_shape(sample_shape), dtype=self.scale.dtype).cauchy_() * self.scale).abs()

    def log_prob(self, value):
        value = torch.as_tensor(value, dtype=self.scale.dtype)
        self._validate_sample(value)
        inside = math.log(2 / math.pi) - self.scale.log() - ((value / self.scale) ** 2).log1p()
        return torch.where(value >= 0, inside, -math.inf)

    def cdf(self, value):
        return 2 / math.pi * torch.atan(value / self.scale)

    def icdf(self, value):
        return torch.tan(math.pi / 2 * value) * self.scale

    def entropy(self):
        return math.log(2 * math.pi) + self.scale.log()


class Pareto(_Family):
    """Pareto distribution of type 1."""

    parameters = ("scale", "alpha")
    arg_constraints = {"alpha": constraints.positive, "scale": constraints.positive}

    def __init__(self, scale, alpha, validate_args=None):
        super().__init__(scale, alpha, validate_args=validate_args)

    support = constraints.dependent_property(lambda self: constraints.greater_than_eq(self.scale))
    mode = property(lambda self: self.scale)

    @property
    def mean(self):
        a = self.alpha.clamp(min=1)
        return a * self.scale / (a - 1)

    @property
    def variance(self):
        a = self.alpha.clamp(min=2)
        return self.scale**2 * a / ((a - 1) ** 2 * (a - 2))

    def rsample(self, sample_shape=Size()):
        e = torch.empty(self._extended_shape(sample_shape), dtype=self.scale.dtype).exponential_()
        return self.scale * torch.exp(e / self.alpha)

    def log_prob(self, value):
        self._validate_sample(value)
        return self.alpha.log() + self.alpha * self.scale.log() - (self.alpha + 1) * value.log()

    def cdf(self, value):
        return 1 - (self.scale / value) ** self.alpha

    def icdf(self, value):
        return self.scale * (1 - value) ** (-1 / self.alpha)

    def entropy(self):
        return (self.scale / self.alpha).log() + (1 + self.alpha.reciprocal())


class GeneralizedPareto(_Family):
    """Generalised Pareto distribution (peaks over a threshold)."""

    parameters = ("loc", "scale", "concentration")
    arg_constraints = {"loc": constraints.real, "scale": constraints.positive, "concentration": constraints.real}

    def __init__(self, loc, scale, concentration, validate_args=None):
        super().__init__(loc, scale, concentration, validate_args=validate_args)

    support = constraints.dependent_property(lambda self: constraints.greater_than_eq(self.loc))

    @property
    def mean(self):
        c = self.concentration
        return torch.where(c < 1, self.loc + self.scale / (1 - c), math.inf)

    @property
    def variance(self):
        c = self.concentration
        return torch.where(c < 0.5, self.scale**2 / ((1 - c) ** 2 * (1 - 2 * c)), math.inf)

    def rsample(self, sample_shape=Size()):
        return self.icdf(self._uniform(sample_shape))

    def log_prob(self, value):
        self._validate_sample(value)
        z, c = (value - self.loc) / self.scale, self.concentration
        flat = c.abs() < 1e-7
        safe = torch.where(flat, 1.0, c)
        return torch.where(flat, -z, -(1 / safe + 1) * torch.log1p(safe * z)) - self.scale.log()

    def cdf(self, value):
        z, c = (value - self.loc) / self.scale, self.concentration
        flat = c.abs() < 1e-7
        safe = torch.where(flat, 1.0, c)
        return 1 - torch.where(flat, torch.exp(-z), (1 + safe * z) ** (-1 / safe))

    def icdf(self, value):
        c = self.concentration
        flat = c.abs() < 1e-7
        safe = torch.where(flat, 1.0, c)
        return self.loc + self.scale * torch.where(flat, -torch.log1p(-value), ((1 - value) ** (-safe) - 1) / safe)

    def entropy(self):
        return self.scale.log() + self.concentration + 1


class Weibull(_Family):
    """Weibull distribution."""

    parameters = ("scale", "concentration")
    arg_constraints = {"scale": constraints.positive, "concentration": constraints.positive}
    support = constraints.positive

    def __init__(self, scale, concentration, validate_args=None):
        super().__init__(scale, concentration, validate_args=validate_args)

    mean = property(lambda self: self.scale * torch.exp(torch.lgamma(1 + 1 / self.concentration)))

    @property
    def mode(self):
        c = self.concentration
        return torch.where(c > 1, self.scale * ((c - 1).clamp(min=0) / c) ** (1 / c), 0.0)

    @property
    def variance(self):
        r = 1 / self.concentration
        return self.scale**2 * (torch.exp(torch.lgamma(1 + 2 * r)) - torch.exp(2 * torch.lgamma(1 + r)))

    def rsample(self, sample_shape=Size()):
        e = torch.empty(self._extended_shape(sample_shape), dtype=self.scale.dtype).exponential_()
        return self.scale * e ** (1 / self.concentration)

    def log_prob(self, value):
        self._validate_sample(value)
        c, s = self.concentration, self.scale
        return (c / s).log() + (c - 1) * (value / s).log() - (value / s) ** c

    def cdf(self, value):
        return -torch.expm1(-((value / self.scale) ** self.concentration))

    def icdf(self, value):
        return self.scale * (-torch.log1p(-value)) ** (1 / self.concentration)

    def entropy(self):
        r = self.concentration.reciprocal()
        return _EULER * (1 - r) + torch.log(self.scale * r) + 1


class Kumaraswamy(_Family):
    """Kumaraswamy distribution on (0, 1)."""

    parameters = ("concentration1", "concentration0")
    arg_constraints = Beta.arg_constraints
    support = constraints.unit_interval

    def __init__(self, concentration1, concentration0, validate_args=None):
        super().__init__(concentration1, concentration0, validate_args=validate_args)

    def _moment(self, n):
        a, b = self.concentration1, self.concentration0
        return torch.exp(b.log() + torch.lgamma(1 + n / a) + torch.lgamma(b) - torch.lgamma(1 + n / a + b))

    mean = property(lambda self: self._moment(1))

    @property
    def mode(self):
        a, b = self.concentration1, self.concentration0
        inside = (a > 1) & (b > 1)
        return torch.where(inside, ((a - 1) / (a * b - 1)) ** (1 / a), math.nan)

    def entropy(self):
        a, b = self.concentration1, self.concentration0
        harmonic = torch.digamma(b + 1) + _EULER
        return (1 - 1 / b) + (1 - 1 / a) * harmonic - a.log() - b.log()

    variance = property(lambda self: self._moment(2) - self._moment(1) ** 2)

    def rsample(self, sample_shape=Size()):
        return self.icdf(1 - self._uniform(sample_shape))  # as PyTorch, whose uniform numbers run the other way

    def log_prob(self, value):
        self._validate_sample(value)
        a, b = self.concentration1, self.concentration0
        return a.log() + b.log() + torch.xlogy(a - 1, value) + torch.special.xlog1py(b - 1, -(value**a))

    def cdf(self, value):
        return 1 - (1 - value**self.concentration1) ** self.concentration0

    def icdf(self, value):
        return (1 - (1 - value) ** (1 / self.concentration0)) ** (1 / self.concentration1)


class VonMises(_Family):
    """Von Mises distribution of an angle. Draws by Best and Fisher (1979)."""

    parameters = ("loc", "concentration")
    arg_constraints = {"loc": constraints.real, "concentration": constraints.positive}
    has_rsample = False

    def __init__(self, loc, concentration, validate_args=None):
        super().__init__(loc, concentration, validate_args=validate_args)

    mean = mode = property(lambda self: self.loc)
    variance = property(lambda self: 1 - torch.special.i1e(self.concentration) / torch.special.i0e(self.concentration))

    def log_prob(self, value):
        self._validate_sample(value)
        k = self.concentration
        log_i0 = torch.log(torch.special.i0e(k)) + k
        return k * torch.cos(value - self.loc) - math.log(2 * math.pi) - log_i0

    def sample(self, sample_shape=Size()):
        with torch.no_grad():
            shape = self._extended_shape(sample_shape)
            k = self.concentration.double().expand(shape)
            tau = 1 + torch.sqrt(1 + 4 * k**2)
            rho = (tau - torch.sqrt(2 * tau)) / (2 * k)
            r = (1 + rho**2) / (2 * rho)
            out, todo = torch.zeros(shape, dtype=torch.float64), torch.ones(shape, dtype=torch.bool)
            while bool(todo.any()):
                u1, u2, u3 = torch.rand((3, *shape), dtype=torch.float64).unbind(0)
                z = torch.cos(math.pi * u1)
                f = (1 + r * z) / (r + z)
                c = k * (r - f)
                good = (c * (2 - c) - u2 > 0) | (torch.log(c / u2) + 1 - c >= 0)
                out = torch.where(todo & good, (u3 - 0.5).sign() * torch.acos(f.clamp(-1, 1)), out)
                todo = todo & ~good
            angle = (out + math.pi + self.loc.double()) % (2 * math.pi) - math.pi
            return angle.to(self.loc.dtype)
