"""Constraints: the sets that parameters and samples must lie in. `constraint.check(value)` says, element by element."""

from __future__ import annotations

import flambeau as torch

from ..errors import ArgumentError, NotSupported

__all__ = [
    "Constraint", "boolean", "cat", "corr_cholesky", "dependent", "dependent_property", "greater_than",
    "greater_than_eq", "independent", "integer_interval", "interval", "half_open_interval", "is_dependent",
    "less_than", "lower_cholesky", "lower_triangular", "MixtureSameFamilyConstraint", "multinomial", "nonnegative",
    "nonnegative_integer", "one_hot", "positive", "positive_semidefinite", "positive_definite", "positive_integer",
    "real", "real_vector", "simplex", "square", "stack", "symmetric", "unit_interval",
]  # fmt: skip


class Constraint:
    """Base: a region over which a variable is valid. `event_dim`: how many last dimensions are one value."""

    is_discrete = False
    event_dim = 0

    def check(self, value):
        """A bool tensor: which values satisfy the constraint."""
        raise NotSupported(
            f"{type(self).__name__} does not define check",
            why="a constraint says by `check(value)` which values satisfy it",
            fix="define `check` in the class",
        )

    def __repr__(self):
        return self.__class__.__name__[1:] + "()"


class _Dependent(Constraint):
    """A support that depends on other variables: it cannot be checked by itself."""

    def __init__(self, *, is_discrete=NotImplemented, event_dim=NotImplemented):
        self._is_discrete, self._event_dim = is_discrete, event_dim

    is_discrete = property(lambda self: _known(self._is_discrete, "is_discrete"))
    event_dim = property(lambda self: _known(self._event_dim, "event_dim"))

    def __call__(self, *, is_discrete=NotImplemented, event_dim=NotImplemented):
        return _Dependent(is_discrete=is_discrete, event_dim=event_dim)

    def check(self, value):
        raise ArgumentError(
            "Cannot determine validity of dependent constraint",
            why="what is valid depends on other parameters",
            fix="check the value with the distribution's own `support`",
        )


def _known(value, name):
    if value is NotImplemented:
        raise NotSupported(
            f".{name} cannot be determined statically",
            why="it depends on the parameters of a distribution",
            fix="ask an instance of the distribution",
        )
    return value


def is_dependent(constraint) -> bool:
    """Whether a constraint depends on other variables."""
    return isinstance(constraint, _Dependent)


class _DependentProperty(property, _Dependent):
    """A property of a distribution that is a constraint on instances and a dependent one on the class."""

    def __init__(self, fn=None, *, is_discrete=NotImplemented, event_dim=NotImplemented):
        property.__init__(self, fn)
        self._is_discrete, self._event_dim = is_discrete, event_dim

    def __call__(self, fn):
        return _DependentProperty(fn, is_discrete=self._is_discrete, event_dim=self._event_dim)


class _IndependentConstraint(Constraint):
    """The last dimensions of a constraint taken together: all of their elements must satisfy it."""

    def __init__(self, base_constraint, reinterpreted_batch_ndims):
        self.base_constraint, self.reinterpreted_batch_ndims = base_constraint, reinterpreted_batch_ndims

    is_discrete = property(lambda self: self.base_constraint.is_discrete)
    event_dim = property(lambda self: self.base_constraint.event_dim + self.reinterpreted_batch_ndims)

    def check(self, value):
        good = self.base_constraint.check(value)
        n = self.reinterpreted_batch_ndims
        if good.dim() < n:
            raise ArgumentError(
                f"Expected value.dim() >= {self.event_dim} but got {value.dim()}",
                why=f"the last {n} dimension(s) of the value belong together",
                fix="add dimensions with `unsqueeze`",
            )
        return good.reshape(good.shape[: good.dim() - n] + (-1,)).all(-1)

    def __repr__(self):
        return f"IndependentConstraint({self.base_constraint!r}, {self.reinterpreted_batch_ndims})"


def _simple(name, test, *, discrete=False, event_dim=0):
    """A constraint without parameters from its test."""
    kind = type(name, (Constraint,), {"check": lambda self, value: test(value), "is_discrete": discrete,
                                      "event_dim": event_dim, "__doc__": f"The constraint {name[1:]}."})  # fmt: skip
    return kind()


class _Bounded(Constraint):
    def __init__(self, **bounds):
        self.__dict__.update(bounds)

    def __repr__(self):
        return f"{type(self).__name__[1:]}({', '.join(f'{k}={v}' for k, v in self.__dict__.items())})"


class _GreaterThan(_Bounded):
    """Greater than a bound."""

    def __init__(self, lower_bound):
        super().__init__(lower_bound=lower_bound)

    def check(self, value):
        return self.lower_bound < value


class _GreaterThanEq(_GreaterThan):
    """Greater than a bound or equal to it."""

    def check(self, value):
        return self.lower_bound <= value


class _LessThan(_Bounded):
    """Less than a bound."""

    def __init__(self, upper_bound):
        super().__init__(upper_bound=upper_bound)

    def check(self, value):
        return value < self.upper_bound


class _Interval(_Bounded):
    """Between two bounds, both included."""

    def __init__(self, lower_bound, upper_bound):
        super().__init__(lower_bound=lower_bound, upper_bound=upper_bound)

    def check(self, value):
        return (self.lower_bound <= value) & (value <= self.upper_bound)


class _HalfOpenInterval(_Interval):
    """Between two bounds, the upper one excluded."""

    def check(self, value):
        return (self.lower_bound <= value) & (value < self.upper_bound)


class _IntegerInterval(_Interval):
    """An integer between two bounds, both included."""

    is_discrete = True

    def check(self, value):
        return (value % 1 == 0) & super().check(value)


class _IntegerGreaterThanEq(_GreaterThanEq):
    """An integer not less than a bound."""

    is_discrete = True

    def check(self, value):
        return (value % 1 == 0) & (value >= self.lower_bound)


class _Multinomial(Constraint):
    """Counts that add up to at most `upper_bound`."""

    is_discrete, event_dim = True, 1

    def __init__(self, upper_bound):
        self.upper_bound = upper_bound

    def check(self, x):
        return (x >= 0).all(-1) & (x.sum(-1) <= self.upper_bound)


class _Parts(Constraint):
    """Constraints on parts of a tensor along a dimension."""

    def __init__(self, cseq, dim=0, lengths=None):
        self.cseq, self.dim = list(cseq), dim
        self.lengths = [1] * len(self.cseq) if lengths is None else list(lengths)

    is_discrete = property(lambda self: any(c.is_discrete for c in self.cseq))
    event_dim = property(lambda self: max(c.event_dim for c in self.cseq))


class _Cat(_Parts):
    """Constraints on consecutive slices."""

    def check(self, value):
        found, start = [], 0
        for c, n in zip(self.cseq, self.lengths):
            found.append(c.check(value.narrow(self.dim, start, n)))
            start += n
        return torch.cat(found, self.dim)


class _Stack(_Parts):
    """Constraints on the entries along a dimension."""

    def check(self, value):
        return torch.stack([c.check(v) for v, c in zip(value.unbind(self.dim), self.cseq)], self.dim)


class MixtureSameFamilyConstraint(Constraint):
    """The constraint of a mixture's components, which a value must satisfy for all of them."""

    def __init__(self, base_constraint):
        self.base_constraint = base_constraint

    is_discrete = property(lambda self: self.base_constraint.is_discrete)
    event_dim = property(lambda self: self.base_constraint.event_dim)

    def check(self, value):
        good = self.base_constraint.check(value.unsqueeze(-1 - self.event_dim))
        return good.reshape(good.shape[: value.dim() - self.event_dim] + (-1,)).all(-1)


def _lower(value):
    return (value.tril() == value).reshape(value.shape[:-2] + (-1,)).all(-1)


def _diagonal_positive(value):
    return (value.diagonal(dim1=-2, dim2=-1) > 0).all(-1)


def _unit_rows(value):
    eps = torch.finfo(value.dtype).eps * value.size(-1) * 10
    return ((torch.linalg.norm(value.detach(), dim=-1) - 1).abs() < eps).all(-1)


def _is_square(value):
    return torch.full(value.shape[:-2], value.shape[-1] == value.shape[-2], dtype=torch.bool)


def _is_symmetric(value):
    return _is_square(value) & torch.isclose(value, value.mT, atol=1e-6).all(-2).all(-1)


dependent = _Dependent()
dependent_property = _DependentProperty
independent = _IndependentConstraint
greater_than, greater_than_eq, less_than = _GreaterThan, _GreaterThanEq, _LessThan
interval, half_open_interval, integer_interval, multinomial = (
    _Interval,
    _HalfOpenInterval,
    _IntegerInterval,
    _Multinomial,
)
cat, stack = _Cat, _Stack
boolean = _simple("_Boolean", lambda v: (v == 0) | (v == 1), discrete=True)
one_hot = _simple("_OneHot", lambda v: ((v == 0) | (v == 1)).all(-1) & v.sum(-1).eq(1), discrete=True, event_dim=1)
nonnegative_integer, positive_integer = _IntegerGreaterThanEq(0), _IntegerGreaterThanEq(1)
real = _simple("_Real", lambda v: v == v)
real_vector = independent(real, 1)
positive, nonnegative, unit_interval = greater_than(0.0), greater_than_eq(0.0), interval(0.0, 1.0)
simplex = _simple("_Simplex", lambda v: (v >= 0).all(-1) & ((v.sum(-1) - 1).abs() < 1e-6), event_dim=1)
lower_triangular = _simple("_LowerTriangular", _lower, event_dim=2)
lower_cholesky = _simple("_LowerCholesky", lambda v: _lower(v) & _diagonal_positive(v), event_dim=2)
corr_cholesky = _simple("_CorrCholesky", lambda v: _lower(v) & _diagonal_positive(v) & _unit_rows(v), event_dim=2)
square = _simple("_Square", _is_square, event_dim=2)
symmetric = _simple("_Symmetric", _is_symmetric, event_dim=2)
positive_semidefinite = _simple(
    "_PositiveSemidefinite", lambda v: _is_symmetric(v) & (torch.linalg.eigvalsh(v) >= 0).all(-1), event_dim=2
)
positive_definite = _simple(
    "_PositiveDefinite", lambda v: _is_symmetric(v) & (torch.linalg.cholesky_ex(v).info == 0), event_dim=2
)
