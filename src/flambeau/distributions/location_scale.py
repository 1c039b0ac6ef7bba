"""Distributions on the whole line that are moved and stretched: Normal, Laplace, Cauchy, Gumbel, StudentT; VonMises on
the circle."""

from __future__ import annotations

import math

import flambeau as torch
from flambeau import Size

from . import constraints
from .distribution import ExponentialFamily
from .family import EULER, Family
from .gamma import standard_gamma


class _LocationScale(Family):
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
    """Laplace distribution: exp(-|x - loc| / scale) / (2 scale).

    >>> import flambeau as torch
    >>> torch.distributions.Laplace(0.0, 2.0).log_prob(torch.tensor(1.0))
    tensor(-1.8863)
    """

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
    """Cauchy distribution: it has no mean.

    >>> import flambeau as torch
    >>> torch.distributions.Cauchy(0.0, 1.0).log_prob(torch.tensor(1.0))
    tensor(-1.8379)
    """

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
    """Gumbel distribution: of the largest of many exponentials.

    >>> import flambeau as torch
    >>> torch.distributions.Gumbel(0.0, 1.0).mean
    tensor(0.5772)
    """

    mean = property(lambda self: self.loc + self.scale * EULER)
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
        return self.scale.log() + (1 + EULER)


class StudentT(Family):
    """Student's t distribution.

    >>> import flambeau as torch
    >>> torch.distributions.StudentT(3.0).variance
    tensor(3.)
    """

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


class VonMises(Family):
    """Von Mises distribution of an angle. Draws by Best and Fisher (1979).

    >>> import flambeau as torch
    >>> torch.distributions.VonMises(torch.tensor(0.0), torch.tensor(2.0)).log_prob(torch.tensor(0.0))
    tensor(-0.6619)
    """

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
