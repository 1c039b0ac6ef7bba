"""Distribution: what all of them have in common; Independent; the exponential family."""

from __future__ import annotations

import numbers

import flambeau as torch
from flambeau import Size, Tensor

from ..errors import ArgumentError, NotSupported
from ..language import warn
from . import constraints


def broadcast_all(*values):
    """Parameters as tensors of one shape; Python numbers become tensors of the tensors' dtype."""
    tensors = [v for v in values if isinstance(v, Tensor)]
    if not all(isinstance(v, (Tensor, numbers.Number)) for v in values):
        raise ArgumentError(
            "Input arguments must all be instances of Number or torch.Tensor.",
            why="parameters are broadcast together as tensors",
            fix="convert them: `torch.tensor(value)`",
        )
    dtype = tensors[0].dtype if tensors else torch.get_default_dtype()
    made = [v if isinstance(v, Tensor) else torch.tensor(v, dtype=dtype) for v in values]
    return torch.broadcast_tensors(*made)


def sum_rightmost(value, n):
    """Sum over the last n dimensions."""
    return value if n == 0 else value.reshape(value.shape[: value.dim() - n] + (-1,)).sum(-1)


class Distribution:
    """Base of all distributions. batch_shape: independent ones side by side; event_shape: the shape of one draw.

    Raises ValueError when a parameter or a value violates its constraint (unless validation is off).

    >>> import flambeau as torch
    >>> normal = torch.distributions.Normal(torch.zeros(3), 1.0)
    >>> normal.batch_shape, normal.event_shape, normal.sample((2,)).shape
    (torch.Size([3]), torch.Size([]), torch.Size([2, 3]))
    """

    has_rsample = False
    has_enumerate_support = False
    _validate_args = True
    arg_constraints: dict = {}
    support: object = None

    @staticmethod
    def set_default_validate_args(value: bool) -> None:
        """Whether distributions check parameters and values by default."""
        if value not in (True, False):
            raise ArgumentError(
                f"set_default_validate_args expects a bool, but got {value!r}",
                why="it says whether parameters and values are checked",
                fix="pass True or False",
            )
        Distribution._validate_args = value

    def __init__(self, batch_shape=Size(), event_shape=Size(), validate_args=None):
        self._batch_shape, self._event_shape = Size(batch_shape), Size(event_shape)
        if validate_args is not None:
            self._validate_args = validate_args
        if self._validate_args:
            for name, constraint in self.arg_constraints.items():
                if constraints.is_dependent(constraint) or name not in self.__dict__:
                    continue
                value = getattr(self, name)
                good = constraint.check(value)
                if not bool(good.all()):
                    raise ArgumentError(
                        f"Expected parameter {name} ({type(value).__name__} of shape {tuple(value.shape)}) of "
                        f"distribution {self!r} to satisfy the constraint {constraint!r}, but found invalid "
                        f"values:\n{value}",
                        why=f"`{name}` holds nan, so something before it went wrong"
                        if bool((value != value).any())
                        else f"the values of `{name}` go from {value.min().item():g} to {value.max().item():g}",
                        fix=f"look where it begins: `{name}.isnan().any()` after each step"
                        if bool((value != value).any())
                        else "pass unnormalized scores as `logits=` in place of `probs=`"
                        if name == "probs"
                        else f"make it symmetric, and add `1e-6 * torch.eye({value.shape[-1]})` to it"
                        if name in ("covariance_matrix", "precision_matrix")
                        else f"make it positive first: `torch.nn.functional.softplus({name})`"
                        if not bool((value > 0).all())
                        else "pass values that satisfy the constraint, or `validate_args=False`",
                    )

    @property
    def batch_shape(self):
        """Shape over which parameters are batched."""
        return self._batch_shape

    @property
    def event_shape(self):
        """Shape of one draw."""
        return self._event_shape

    def _missing(self, name):
        kind = type(self).__name__
        return NotSupported(
            f"{kind} does not define {name}",
            why=f"no formula of `{name}` for this distribution is known here",
            fix=f"define `{name}` in `{kind}` if it is your class, or estimate it from `sample((1000,))`",
        )

    @property
    def mean(self):
        """The mean."""
        raise self._missing("mean")

    @property
    def mode(self):
        """The most probable value."""
        raise NotSupported(
            f"{self.__class__} does not implement mode",
            why="no formula for it is known here",
            fix="use `mean`, or estimate it from `sample((1000,))`",
        )

    @property
    def variance(self):
        """The variance."""
        raise self._missing("variance")

    @property
    def stddev(self):
        """The standard deviation."""
        return self.variance.sqrt()

    def sample(self, sample_shape=Size()):
        """Draw without gradient; the result has shape sample_shape + batch_shape + event_shape."""
        with torch.no_grad():
            return self.rsample(sample_shape)

    def sample_n(self, n):
        """Draw n times (deprecated: use `sample((n,))`)."""
        warn("sample_n will be deprecated. Use .sample((n,)) instead", UserWarning, stacklevel=2)
        return self.sample(Size((n,)))

    def rsample(self, sample_shape=Size()):
        """Draw such that gradients flow to the parameters."""
        raise self._missing("rsample")

    def log_prob(self, value):
        """Logarithm of the density or probability at `value`."""
        raise self._missing("log_prob")

    def cdf(self, value):
        """Probability of a value at most `value`."""
        raise self._missing("cdf")

    def icdf(self, value):
        """The value that has this cumulative probability."""
        raise self._missing("icdf")

    def enumerate_support(self, expand=True):
        """All values of a discrete distribution."""
        raise self._missing("enumerate_support")

    def entropy(self):
        """The entropy."""
        raise self._missing("entropy")

    def perplexity(self):
        """exp(entropy)."""
        return self.entropy().exp()

    def expand(self, batch_shape, _instance=None):
        """The same distribution with parameters expanded to another batch shape."""
        batch_shape = Size(batch_shape)
        made = _instance if _instance is not None else type(self).__new__(type(self))
        for name, value in self.__dict__.items():
            if isinstance(value, Tensor):
                tail = value.shape[len(self._batch_shape) :] if value.dim() >= len(self._batch_shape) else ()
                value = value.expand(batch_shape + tuple(tail))
            elif isinstance(value, Distribution):
                extra = value.batch_shape[len(self._batch_shape) :]
                value = value.expand(batch_shape + tuple(extra))
            made.__dict__[name] = value
        made._batch_shape = batch_shape
        return made

    def _extended_shape(self, sample_shape=Size()):
        return Size(sample_shape) + self._batch_shape + self._event_shape

    def _validate_sample(self, value):
        if not self._validate_args:
            return
        if not isinstance(value, Tensor):
            raise ArgumentError(
                "The value argument to log_prob must be a Tensor",
                why=f"it is a {type(value).__name__}",
                fix="use `torch.tensor(value)`",
            )
        start = value.dim() - len(self._event_shape)
        if value.shape[start:] != self._event_shape:
            raise ArgumentError(
                f"The right-most size of value must match event_shape: {value.shape} vs {self._event_shape}.",
                why=f"the last {len(self._event_shape)} dimension(s) of a value make one event",
                fix=f"pass a value whose shape ends with {tuple(self._event_shape)}",
            )
        expected = self._batch_shape + self._event_shape
        for i, j in zip(reversed(value.shape), reversed(expected)):
            if i != 1 and j != 1 and i != j:
                raise ArgumentError(
                    f"Value is not broadcastable with batch_shape+event_shape: {value.shape} vs {expected}.",
                    why="aligned from the right, sizes must be equal or 1",
                    fix="bring the value to that shape with `unsqueeze` or `reshape`",
                )
        try:
            support = self.support
        except NotImplementedError:
            return
        if support is None or constraints.is_dependent(support):
            return
        good = support.check(value)
        if not bool(good.all()):
            raise ArgumentError(
                f"Expected value argument ({type(value).__name__} of shape {tuple(value.shape)}) to be within the "
                f"support ({support!r}) of the distribution {self!r}, but found invalid values:\n{value}",
                why=f"{int((~good).sum())} of {good.numel()} values can never be drawn from it",
                fix="pass values inside the support, or make the distribution with `validate_args=False`",
            )

    def __repr__(self):
        shown = []
        for name in self.arg_constraints:
            value = self.__dict__.get(name)
            if isinstance(value, Tensor):
                shown.append(f"{name}: {value if value.numel() == 1 else value.size()}")
        return f"{type(self).__name__}({', '.join(shown)})"


class ExponentialFamily(Distribution):
    """Distributions whose density is exp(t(x) theta - F(theta) + k(x))."""


class Independent(Distribution):
    """The last batch dimensions of a distribution read as part of one draw.

    >>> import flambeau as torch
    >>> from flambeau.distributions import Independent, Normal
    >>> d = Independent(Normal(torch.zeros(3), torch.ones(3)), 1)
    >>> d.batch_shape, d.event_shape
    (torch.Size([]), torch.Size([3]))
    """

    def __init__(self, base_distribution, reinterpreted_batch_ndims, validate_args=None):
        n = len(base_distribution.batch_shape)
        if reinterpreted_batch_ndims > n:
            raise ArgumentError(
                "Expected reinterpreted_batch_ndims <= len(base_distribution.batch_shape), actual "
                f"{reinterpreted_batch_ndims} vs {n}",
                why=f"only dimensions of the batch, of shape {tuple(base_distribution.batch_shape)}, can become "
                "part of the event",
                fix=f"pass at most {n}",
            )
        self.base_dist, self.reinterpreted_batch_ndims = base_distribution, reinterpreted_batch_ndims
        whole = base_distribution.batch_shape + base_distribution.event_shape
        cut = n - reinterpreted_batch_ndims
        super().__init__(whole[:cut], whole[cut:], validate_args=validate_args)

    has_rsample = property(lambda self: self.base_dist.has_rsample)
    has_enumerate_support = property(lambda self: False)
    mean = property(lambda self: self.base_dist.mean)
    mode = property(lambda self: self.base_dist.mode)
    variance = property(lambda self: self.base_dist.variance)

    @constraints.dependent_property
    def support(self):
        found = self.base_dist.support
        return (
            constraints.independent(found, self.reinterpreted_batch_ndims) if self.reinterpreted_batch_ndims else found
        )

    def sample(self, sample_shape=Size()):
        return self.base_dist.sample(sample_shape)

    def rsample(self, sample_shape=Size()):
        return self.base_dist.rsample(sample_shape)

    def log_prob(self, value):
        return sum_rightmost(self.base_dist.log_prob(value), self.reinterpreted_batch_ndims)

    def entropy(self):
        return sum_rightmost(self.base_dist.entropy(), self.reinterpreted_batch_ndims)

    def expand(self, batch_shape, _instance=None):
        tail = self.event_shape[: self.reinterpreted_batch_ndims]
        return Independent(self.base_dist.expand(Size(batch_shape) + tail), self.reinterpreted_batch_ndims, False)

    def __repr__(self):
        return f"Independent({self.base_dist}, {self.reinterpreted_batch_ndims})"
