"""Discrete distributions."""

from __future__ import annotations

import math

import flambeau as torch
from flambeau import Size
from flambeau.nn import functional as F

from ..errors import ArgumentError, MissingAttribute, NotSupported
from . import constraints
from .distribution import Distribution, ExponentialFamily, broadcast_all
from .family import Family
from .gamma import standard_gamma


def logits_to_probs(logits, is_binary=False):
    """Probabilities from logits."""
    return torch.sigmoid(logits) if is_binary else F.softmax(logits, dim=-1)


def probs_to_logits(probs, is_binary=False):
    """Logits from probabilities, which are kept a little away from 0 and 1."""
    eps = torch.finfo(probs.dtype).eps
    safe = probs.clamp(min=eps, max=1 - eps)
    return torch.log(safe) - torch.log1p(-safe) if is_binary else torch.log(safe)


class _ProbsOrLogits(Distribution):
    """Distributions given by exactly one of `probs` and `logits`; the other is computed when asked for."""

    is_binary = True
    has_rsample = False

    def _set(self, probs, logits, *others):
        if (probs is None) == (logits is None):
            raise ArgumentError(
                "Either `probs` or `logits` must be specified, but not both.",
                why="both describe the same probabilities: probs = sigmoid or softmax of logits",
                fix="pass one of them, such as `probs=p`",
            )
        name, value = ("probs", probs) if probs is not None else ("logits", logits)
        made = broadcast_all(value, *others)
        self.__dict__[name] = made[0]
        self._param = made[0]
        return made[1:]

    def __getattr__(self, name):
        if name == "probs" and "logits" in self.__dict__:
            return logits_to_probs(self.__dict__["logits"], self.is_binary)
        if name == "logits" and "probs" in self.__dict__:
            return probs_to_logits(self.__dict__["probs"], self.is_binary)
        raise MissingAttribute(
            f"'{type(self).__name__}' object has no attribute '{name}'",
            why="it is no parameter of this distribution",
            fix="see `dir(distribution)` for the names that are",
        )

    @property
    def param_shape(self):
        """Shape of the parameter."""
        return self._param.size()


class Bernoulli(_ProbsOrLogits, ExponentialFamily):
    """1 with probability `probs`, else 0.

    Raises ValueError unless exactly one of probs and logits is given.

    >>> import flambeau as torch
    >>> torch.distributions.Bernoulli(0.25).log_prob(torch.tensor(1.0)).exp()
    tensor(0.2500)
    """

    arg_constraints = {"probs": constraints.unit_interval, "logits": constraints.real}
    support = constraints.boolean
    has_enumerate_support = True

    def __init__(self, probs=None, logits=None, validate_args=None):
        self._set(probs, logits)
        super().__init__(self._param.shape, validate_args=validate_args)

    mean = property(lambda self: self.probs)
    variance = property(lambda self: self.probs * (1 - self.probs))

    @property
    def mode(self):
        return torch.where(self.probs == 0.5, math.nan, (self.probs >= 0.5).to(self.probs.dtype))

    def sample(self, sample_shape=Size()):
        with torch.no_grad():
            return torch.bernoulli(self.probs.expand(self._extended_shape(sample_shape)))

    def log_prob(self, value):
        self._validate_sample(value)
        logits, value = broadcast_all(self.logits, value)
        return -F.binary_cross_entropy_with_logits(logits, value, reduction="none")

    def entropy(self):
        return F.binary_cross_entropy_with_logits(self.logits, self.probs, reduction="none")

    def enumerate_support(self, expand=True):
        values = torch.arange(2, dtype=self._param.dtype).view((-1,) + (1,) * len(self._batch_shape))
        return values.expand((-1,) + tuple(self._batch_shape)) if expand else values


class Categorical(_ProbsOrLogits):
    """One of n classes; `probs` (normalised) or `logits` over the last dimension.

    >>> import flambeau as torch
    >>> torch.distributions.Categorical(probs=torch.tensor([1., 1., 2.])).log_prob(torch.tensor(2)).exp()
    tensor(0.5000)
    """

    arg_constraints = {"probs": constraints.simplex, "logits": constraints.real_vector}
    is_binary = False
    has_enumerate_support = True

    def __init__(self, probs=None, logits=None, validate_args=None):
        if (probs is None) == (logits is None):
            raise ArgumentError(
                "Either `probs` or `logits` must be specified, but not both.",
                why="both describe the same probabilities: probs = softmax of logits",
                fix="pass one of them, such as `probs=p`",
            )
        given = probs if probs is not None else logits
        if given.dim() < 1:
            raise ArgumentError(
                f"`{'probs' if probs is not None else 'logits'}` parameter must be at least one-dimensional.",
                why="its last dimension holds one number for each class",
                fix="pass a vector: `p.unsqueeze(0)`",
            )
        if probs is not None:
            self.__dict__["probs"] = self._param = probs / probs.sum(-1, keepdim=True)
        else:
            self.__dict__["logits"] = self._param = logits - logits.logsumexp(dim=-1, keepdim=True)
        self._num_events = self._param.size(-1)
        super().__init__(self._param.shape[:-1], validate_args=validate_args)

    support = constraints.dependent_property(lambda self: constraints.integer_interval(0, self._num_events - 1),
                                             is_discrete=True, event_dim=0)  # fmt: skip
    mean = variance = property(lambda self: torch.full(self._extended_shape(), math.nan, dtype=self._param.dtype))
    mode = property(lambda self: self.probs.argmax(dim=-1))

    def expand(self, batch_shape, _instance=None):
        name = "probs" if "probs" in self.__dict__ else "logits"
        return Categorical(**{name: self._param.expand(Size(batch_shape) + (self._num_events,))}, validate_args=False)

    def sample(self, sample_shape=Size()):
        with torch.no_grad():
            flat = self.probs.reshape(-1, self._num_events)
            drawn = torch.multinomial(flat, Size(sample_shape).numel(), True).T
            return drawn.reshape(self._extended_shape(sample_shape))

    def log_prob(self, value):
        self._validate_sample(value)
        value = value.long().unsqueeze(-1)
        value, table = torch.broadcast_tensors(value, self.logits)
        return table.gather(-1, value[..., :1]).squeeze(-1)

    def entropy(self):
        logits = torch.clamp(self.logits, min=torch.finfo(self.logits.dtype).min)
        return -(logits * self.probs).sum(-1)

    def enumerate_support(self, expand=True):
        values = torch.arange(self._num_events, dtype=torch.long).view((-1,) + (1,) * len(self._batch_shape))
        return values.expand((-1,) + tuple(self._batch_shape)) if expand else values


class OneHotCategorical(Distribution):
    """Categorical whose values are one-hot vectors.

    >>> import flambeau as torch
    >>> torch.distributions.OneHotCategorical(torch.tensor([0.25, 0.75])).log_prob(torch.tensor([0.0, 1.0])).exp()
    tensor(0.7500)
    """

    arg_constraints = {"probs": constraints.simplex, "logits": constraints.real_vector}
    support = constraints.one_hot
    has_enumerate_support = True

    def __init__(self, probs=None, logits=None, validate_args=None):
        self._categorical = Categorical(probs, logits, validate_args)
        super().__init__(
            self._categorical.batch_shape, self._categorical._param.shape[-1:], validate_args=validate_args
        )

    probs = mean = property(lambda self: self._categorical.probs)
    logits = property(lambda self: self._categorical.logits)
    variance = property(lambda self: self.probs * (1 - self.probs))
    mode = property(lambda self: F.one_hot(self.probs.argmax(-1), self.event_shape[0]).to(self.probs.dtype))
    param_shape = property(lambda self: self._categorical.param_shape)

    def expand(self, batch_shape, _instance=None):
        made = type(self).__new__(type(self))
        made._categorical = self._categorical.expand(batch_shape)
        Distribution.__init__(made, batch_shape, self.event_shape, validate_args=False)
        return made

    def sample(self, sample_shape=Size()):
        return F.one_hot(self._categorical.sample(sample_shape), self.event_shape[0]).to(self.probs.dtype)

    def log_prob(self, value):
        self._validate_sample(value)
        return self._categorical.log_prob(value.max(-1).indices)

    def entropy(self):
        return self._categorical.entropy()

    def enumerate_support(self, expand=True):
        n = self.event_shape[0]
        values = torch.eye(n, dtype=self.probs.dtype).view((n,) + (1,) * len(self.batch_shape) + (n,))
        return values.expand((n,) + tuple(self.batch_shape) + (n,)) if expand else values


class OneHotCategoricalStraightThrough(OneHotCategorical):
    """OneHotCategorical whose draws pass gradients straight to the probabilities (Bengio et al. 2013).

    >>> import flambeau as torch
    >>> torch.distributions.OneHotCategoricalStraightThrough(torch.tensor([0.25, 0.75])).rsample().sum()
    tensor(1.)
    """

    has_rsample = True

    def rsample(self, sample_shape=Size()):
        return self.sample(sample_shape) + (self.probs - self.probs.detach())


class Binomial(_ProbsOrLogits):
    """Number of successes in `total_count` trials.

    >>> import flambeau as torch
    >>> torch.distributions.Binomial(4, torch.tensor(0.5)).log_prob(torch.tensor(2.0)).exp()
    tensor(0.3750)
    """

    arg_constraints = {"total_count": constraints.nonnegative_integer, "probs": constraints.unit_interval,
                       "logits": constraints.real}  # fmt: skip

    def __init__(self, total_count=1, probs=None, logits=None, validate_args=None):
        (count,) = self._set(probs, logits, total_count)
        self.total_count = count.type_as(self._param)
        super().__init__(self._param.shape, validate_args=validate_args)

    support = constraints.dependent_property(lambda self: constraints.integer_interval(0, self.total_count),
                                             is_discrete=True, event_dim=0)  # fmt: skip
    mean = property(lambda self: self.total_count * self.probs)
    mode = property(lambda self: ((self.total_count + 1) * self.probs).floor().clamp(max=self.total_count))
    variance = property(lambda self: self.total_count * self.probs * (1 - self.probs))

    def sample(self, sample_shape=Size()):
        shape = self._extended_shape(sample_shape)
        with torch.no_grad():
            return torch.binomial(self.total_count.expand(shape), self.probs.expand(shape))

    def log_prob(self, value):
        self._validate_sample(value)
        n = self.total_count
        choose = torch.lgamma(n + 1) - torch.lgamma(value + 1) - torch.lgamma(n - value + 1)
        return choose + value * F.logsigmoid(self.logits) + (n - value) * F.logsigmoid(-self.logits)

    def entropy(self):
        values = self.enumerate_support(False)
        log = self.log_prob(values)
        return -(log.exp() * log).sum(0)

    def enumerate_support(self, expand=True):
        most = int(self.total_count.max())
        if not bool((self.total_count == most).all()):
            raise NotSupported(
                "Inhomogeneous total count not supported by `enumerate_support`.",
                why="distributions of different `total_count` have different numbers of values",
                fix="use one `total_count` for all elements",
            )
        values = torch.arange(1 + most, dtype=self._param.dtype).view((-1,) + (1,) * len(self._batch_shape))
        return values.expand((-1,) + tuple(self._batch_shape)) if expand else values


class NegativeBinomial(_ProbsOrLogits):
    """Number of successes before `total_count` failures.

    >>> import flambeau as torch
    >>> torch.distributions.NegativeBinomial(4, torch.tensor(0.5)).mean
    tensor(4.)
    """

    arg_constraints = {"total_count": constraints.greater_than_eq(0), "probs": constraints.half_open_interval(0.0, 1.0),
                       "logits": constraints.real}  # fmt: skip
    support = constraints.nonnegative_integer

    def __init__(self, total_count, probs=None, logits=None, validate_args=None):
        (count,) = self._set(probs, logits, total_count)
        self.total_count = count.type_as(self._param)
        super().__init__(self._param.shape, validate_args=validate_args)

    mean = property(lambda self: self.total_count * torch.exp(self.logits))
    variance = property(lambda self: self.mean / torch.sigmoid(-self.logits))
    mode = property(lambda self: ((self.total_count - 1) * self.logits.exp()).floor().clamp(min=0))

    def sample(self, sample_shape=Size()):
        shape = self._extended_shape(sample_shape)
        with torch.no_grad():
            return torch.poisson(standard_gamma(self.total_count.expand(shape)) * self.logits.exp().expand(shape))

    def log_prob(self, value):
        self._validate_sample(value)
        n = self.total_count
        plain = n * F.logsigmoid(-self.logits) + value * F.logsigmoid(self.logits)
        norm = -torch.lgamma(n + value) + torch.lgamma(1 + value) + torch.lgamma(n)
        return plain - torch.where(n + value == 0, 0.0, norm)


class Geometric(_ProbsOrLogits):
    """Number of failures before the first success.

    >>> import flambeau as torch
    >>> torch.distributions.Geometric(torch.tensor(0.5)).log_prob(torch.tensor(1.0)).exp()
    tensor(0.2500)
    """

    arg_constraints = {"probs": constraints.unit_interval, "logits": constraints.real}
    support = constraints.nonnegative_integer

    def __init__(self, probs=None, logits=None, validate_args=None):
        self._set(probs, logits)
        super().__init__(self._param.shape, validate_args=validate_args)
        if self._validate_args and probs is not None and not bool((self.probs > 0).all()):
            raise ArgumentError(
                "Expected parameter probs of distribution Geometric to be positive",
                why=f"the smallest of `probs` is {self.probs.min().item()}, and no trial would ever succeed",
                fix="pass probabilities above 0",
            )

    mean = property(lambda self: 1 / self.probs - 1)
    mode = property(lambda self: torch.zeros_like(self.probs))
    variance = property(lambda self: (1 / self.probs - 1) / self.probs)

    def sample(self, sample_shape=Size()):
        with torch.no_grad():
            u = torch.rand(self._extended_shape(sample_shape), dtype=self._param.dtype)
            u = u.clamp(min=torch.finfo(self._param.dtype).tiny)
            return (u.log() / (-self.probs).log1p()).floor()

    def log_prob(self, value):
        self._validate_sample(value)
        value, probs = broadcast_all(value, self.probs)
        return torch.xlogy(value, 1 - probs) + probs.log()

    def entropy(self):
        return F.binary_cross_entropy_with_logits(self.logits, self.probs, reduction="none") / self.probs


class Poisson(Family, ExponentialFamily):
    """Number of events at a mean `rate`.

    >>> import flambeau as torch
    >>> torch.distributions.Poisson(torch.tensor(4.0)).log_prob(torch.tensor(2.0))
    tensor(-1.9206)
    """

    parameters = ("rate",)
    arg_constraints = {"rate": constraints.nonnegative}
    support = constraints.nonnegative_integer
    has_rsample = False

    def __init__(self, rate, validate_args=None):
        super().__init__(rate, validate_args=validate_args)

    mean = variance = property(lambda self: self.rate)
    mode = property(lambda self: self.rate.floor())

    def sample(self, sample_shape=Size()):
        with torch.no_grad():
            return torch.poisson(self.rate.expand(self._extended_shape(sample_shape)))

    def log_prob(self, value):
        self._validate_sample(value)
        rate, value = broadcast_all(self.rate, value)
        return value.xlogy(rate) - rate - (value + 1).lgamma()


class Multinomial(Distribution):
    """Counts of each class in `total_count` draws.

    >>> import flambeau as torch
    >>> torch.distributions.Multinomial(10, torch.tensor([0.25, 0.75])).mean
    tensor([2.5000, 7.5000])
    """

    arg_constraints = {"probs": constraints.simplex, "logits": constraints.real_vector}

    def __init__(self, total_count=1, probs=None, logits=None, validate_args=None):
        if not isinstance(total_count, int):
            raise NotSupported(
                "inhomogeneous total_count is not supported",
                why=f"it is a {type(total_count).__name__}, and all elements have one number of trials",
                fix="pass an int, such as `total_count=10`",
            )
        self.total_count = total_count
        self._categorical = Categorical(probs, logits, validate_args)
        super().__init__(
            self._categorical.batch_shape, self._categorical._param.shape[-1:], validate_args=validate_args
        )

    support = constraints.dependent_property(lambda self: constraints.multinomial(self.total_count),
                                             is_discrete=True, event_dim=1)  # fmt: skip
    probs = property(lambda self: self._categorical.probs)
    logits = property(lambda self: self._categorical.logits)
    mean = property(lambda self: self.probs * self.total_count)
    variance = property(lambda self: self.total_count * self.probs * (1 - self.probs))

    def sample(self, sample_shape=Size()):
        drawn = self._categorical.sample((self.total_count, *Size(sample_shape)))
        return F.one_hot(drawn, self.event_shape[0]).sum(0).to(self.probs.dtype)

    def log_prob(self, value):
        self._validate_sample(value)
        logits, value = broadcast_all(self.logits, value)
        logits = logits.masked_fill((value == 0) & (logits == -math.inf), 0)
        return torch.lgamma(value.sum(-1) + 1) - torch.lgamma(value + 1).sum(-1) + (logits * value).sum(-1)

    def entropy(self):
        n = torch.tensor(self.total_count, dtype=self.probs.dtype)
        values = torch.arange(1, self.total_count + 1, dtype=self.probs.dtype)
        values = values.view((-1,) + (1,) * self.probs.dim())
        count = Binomial(self.total_count, self.probs, validate_args=False)
        weights = count.log_prob(values).exp()
        return (n * self._categorical.entropy() - torch.lgamma(n + 1)
                + (weights * torch.lgamma(values + 1)).sum((0, -1)))  # fmt: skip


class ContinuousBernoulli(_ProbsOrLogits, ExponentialFamily):
    """Continuous Bernoulli distribution on [0, 1] (Loaiza-Ganem and Cunningham 2019).

    >>> import flambeau as torch
    >>> torch.distributions.ContinuousBernoulli(torch.tensor(0.5)).mean
    tensor(0.5000)
    """

    arg_constraints = {"probs": constraints.unit_interval, "logits": constraints.real}
    support = constraints.unit_interval
    has_rsample = True

    def __init__(self, probs=None, logits=None, lims=(0.499, 0.501), validate_args=None):
        self._set(probs, logits)
        self._lims = lims
        super().__init__(self._param.shape, validate_args=validate_args)

    def _outside(self):
        return (self.probs <= self._lims[0]) | (self.probs > self._lims[1])

    def _cut(self):
        return torch.where(self._outside(), self.probs, torch.full_like(self.probs, self._lims[0]))

    def _log_norm(self):
        """log of the normaliser; near 1/2 by its Taylor series, where the formula is 0 / 0."""
        p = self._cut()
        exact = torch.log(torch.abs(torch.log1p(-p) - torch.log(p))) - torch.log(torch.abs(1 - 2 * p))
        x = (self.probs - 0.5) ** 2
        return torch.where(self._outside(), exact, math.log(2) + (4 / 3 + 104 / 45 * x) * x)

    @property
    def mean(self):
        p = self._cut()
        exact = p / (2 * p - 1) + 1 / (torch.log1p(-p) - torch.log(p))
        x = self.probs - 0.5
        return torch.where(self._outside(), exact, 0.5 + (1 / 3 + 16 / 45 * x**2) * x)

    @property
    def variance(self):
        p = self._cut()
        exact = p * (p - 1) / (1 - 2 * p) ** 2 + 1 / (torch.log1p(-p) - torch.log(p)) ** 2
        x = (self.probs - 0.5) ** 2
        return torch.where(self._outside(), exact, 1 / 12 - (1 / 15 - 128 / 945 * x) * x)

    def rsample(self, sample_shape=Size()):
        return self.icdf(torch.rand(self._extended_shape(sample_shape), dtype=self._param.dtype))

    def icdf(self, value):
        p = self._cut()
        exact = (torch.log1p(-p + value * (2 * p - 1)) - torch.log1p(-p)) / (torch.log(p) - torch.log1p(-p))
        return torch.where(self._outside(), exact, value)

    def cdf(self, value):
        p = self._cut()
        exact = (p**value * (1 - p) ** (1 - value) + p - 1) / (2 * p - 1)
        return torch.where(value <= 0, 0.0, torch.where(value >= 1, 1.0, torch.where(self._outside(), exact, value)))

    def log_prob(self, value):
        self._validate_sample(value)
        logits, value = broadcast_all(self.logits, value)
        return -F.binary_cross_entropy_with_logits(logits, value, reduction="none") + self._log_norm()

    def entropy(self):
        log0, log1 = torch.log1p(-self.probs), torch.log(self.probs)
        return self.mean * (log0 - log1) - self._log_norm() - log0


class RelaxedBernoulli(_ProbsOrLogits):
    """Bernoulli softened by a temperature, so that draws carry gradients (Maddison et al. 2017).

    >>> import flambeau as torch
    >>> torch.distributions.RelaxedBernoulli(torch.tensor(0.5), torch.tensor([0.3, 0.6])).rsample().shape
    torch.Size([2])
    """

    arg_constraints = {"probs": constraints.unit_interval, "logits": constraints.real}
    support = constraints.unit_interval
    has_rsample = True

    def __init__(self, temperature, probs=None, logits=None, validate_args=None):
        self.temperature = temperature
        self._set(probs, logits)
        super().__init__(self._param.shape, validate_args=validate_args)

    def rsample(self, sample_shape=Size()):
        shape = self._extended_shape(sample_shape)
        p = self.probs.expand(shape)
        eps = torch.finfo(p.dtype).eps
        p = p.clamp(eps, 1 - eps)
        u = torch.rand(shape, dtype=p.dtype).clamp(eps, 1 - eps)
        return torch.sigmoid((u.log() - (-u).log1p() + p.log() - (-p).log1p()) / self.temperature)

    def log_prob(self, value):
        self._validate_sample(value)
        logits, value = broadcast_all(self.logits, value)
        odds = torch.log(value) - torch.log1p(-value)
        diff = logits - odds * self.temperature
        return torch.as_tensor(self.temperature).log() + diff - 2 * diff.exp().log1p() - torch.log(value * (1 - value))


class RelaxedOneHotCategorical(Distribution):
    """One-hot categorical softened by a temperature: the Gumbel-softmax distribution (Jang et al. 2017).

    >>> import flambeau as torch
    >>> torch.distributions.RelaxedOneHotCategorical(torch.tensor(0.5), torch.tensor([0.3, 0.7])).rsample().shape
    torch.Size([2])
    """

    arg_constraints = {"probs": constraints.simplex, "logits": constraints.real_vector}
    support = constraints.simplex
    has_rsample = True

    def __init__(self, temperature, probs=None, logits=None, validate_args=None):
        self.temperature = temperature
        self._categorical = Categorical(probs, logits, validate_args)
        super().__init__(
            self._categorical.batch_shape, self._categorical._param.shape[-1:], validate_args=validate_args
        )

    probs = property(lambda self: self._categorical.probs)
    logits = property(lambda self: self._categorical.logits)

    def rsample(self, sample_shape=Size()):
        u = torch.rand(self._extended_shape(sample_shape), dtype=self.logits.dtype)
        eps = torch.finfo(u.dtype).eps
        gumbel = -((-(u.clamp(eps, 1 - eps).log())).log())
        return F.softmax((self.logits + gumbel) / self.temperature, dim=-1)

    def log_prob(self, value):
        self._validate_sample(value)
        k, t = self.event_shape[0], torch.as_tensor(self.temperature, dtype=self.logits.dtype)
        score = self.logits - value.log() * t
        score = (score - score.logsumexp(-1, keepdim=True)).sum(-1)
        return score + torch.lgamma(torch.full_like(t, k)) + (k - 1) * t.log() - value.log().sum(-1)
