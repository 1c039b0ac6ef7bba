"""The gamma distribution, its draws, and what is made of them: Exponential, Chi2, InverseGamma, FisherSnedecor."""

from __future__ import annotations

import math

import flambeau as torch
from flambeau import Size

from . import constraints
from .distribution import ExponentialFamily, broadcast_all
from .family import Family


class Exponential(Family, ExponentialFamily):
    """Exponential distribution: rate * exp(-rate x).

    >>> import flambeau as torch
    >>> torch.distributions.Exponential(2.0).log_prob(torch.tensor(1.0))
    tensor(-1.3069)
    """

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


class Gamma(Family, ExponentialFamily):
    """Gamma distribution. Draws by Marsaglia and Tsang (2000); they carry gradients to `rate`
    through the scale, and to `concentration` by implicit differentiation.

    >>> import flambeau as torch
    >>> torch.distributions.Gamma(2.0, 4.0).mean
    tensor(0.5000)
    """

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
    """Chi-squared distribution with `df` degrees of freedom.

    >>> import flambeau as torch
    >>> torch.distributions.Chi2(torch.tensor(3.0)).mean
    tensor(3.)
    """

    arg_constraints = {"df": constraints.positive}

    def __init__(self, df, validate_args=None):
        (df,) = broadcast_all(df)
        super().__init__(0.5 * df, 0.5, validate_args=validate_args)

    df = property(lambda self: self.concentration * 2)


class InverseGamma(Family):
    """Distribution of 1 / x for x from Gamma(concentration, rate).

    >>> import flambeau as torch
    >>> torch.distributions.InverseGamma(torch.tensor(3.0), torch.tensor(4.0)).mean
    tensor(2.)
    """

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


class FisherSnedecor(Family):
    """Fisher's F distribution.

    >>> import flambeau as torch
    >>> torch.distributions.FisherSnedecor(torch.tensor(1.0), torch.tensor(4.0)).mean
    tensor(2.)
    """

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
