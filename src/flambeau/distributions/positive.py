"""Distributions on a half-line: HalfNormal, HalfCauchy, Pareto, GeneralizedPareto, Weibull."""

from __future__ import annotations

import math

import flambeau as torch
from flambeau import Size

from . import constraints
from .family import EULER, Family


class HalfNormal(Family):
    """Absolute value of a normal variable.

    >>> import flambeau as torch
    >>> torch.distributions.HalfNormal(torch.tensor(1.0)).mean
    tensor(0.7979)
    """

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


class HalfCauchy(Family):
    """Absolute value of a Cauchy variable.

    >>> import flambeau as torch
    >>> torch.distributions.HalfCauchy(torch.tensor(1.0)).log_prob(torch.tensor(1.0))
    tensor(-1.1447)
    """

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


class Pareto(Family):
    """Pareto distribution of type 1.

    >>> import flambeau as torch
    >>> torch.distributions.Pareto(torch.tensor(1.0), torch.tensor(3.0)).mean
    tensor(1.5000)
    """

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


class GeneralizedPareto(Family):
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


class Weibull(Family):
    """Weibull distribution.

    >>> import flambeau as torch
    >>> torch.distributions.Weibull(torch.tensor(2.0), torch.tensor(1.0)).mean
    tensor(2.)
    """

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
        return EULER * (1 - r) + torch.log(self.scale * r) + 1
