"""Distributions on an interval: Uniform, Beta, Kumaraswamy."""

from __future__ import annotations

import math

import flambeau as torch
from flambeau import Size

from ..errors import ArgumentError
from . import constraints
from .distribution import ExponentialFamily
from .family import EULER, Family
from .gamma import standard_gamma


class Uniform(Family):
    """Uniform distribution on [low, high).

    Raises ValueError unless low < high.

    >>> import flambeau as torch
    >>> torch.distributions.Uniform(0.0, 4.0).log_prob(torch.tensor(1.0))
    tensor(-1.3863)
    """

    parameters = ("low", "high")
    arg_constraints = {"low": constraints.dependent, "high": constraints.dependent}

    def __init__(self, low, high, validate_args=None):
        super().__init__(low, high, validate_args=validate_args)
        if self._validate_args and not bool((self.low < self.high).all()):
            raise ArgumentError(
                "Uniform is not defined when low>= high",
                why=f"`low` goes up to {self.low.max().item()}, `high` begins at {self.high.min().item()}",
                fix="pass a `high` above `low` in every element",
            )

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


class Beta(Family, ExponentialFamily):
    """Beta distribution on (0, 1).

    >>> import flambeau as torch
    >>> torch.distributions.Beta(2.0, 2.0).mean
    tensor(0.5000)
    """

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


class Kumaraswamy(Family):
    """Kumaraswamy distribution on (0, 1).

    >>> import flambeau as torch
    >>> torch.distributions.Kumaraswamy(torch.tensor(1.0), torch.tensor(1.0)).log_prob(torch.tensor(0.5)).exp()
    tensor(1.)
    """

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
        harmonic = torch.digamma(b + 1) + EULER
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
