"""What a transform is; transforms made of others, or of a shape."""

from __future__ import annotations

import flambeau as torch

from ..errors import ArgumentError, NotSupported
from . import constraints
from .distribution import sum_rightmost


class Transform:
    """Base: y = t(x), x = t.inv(y), and log |dy/dx| by `log_abs_det_jacobian(x, y)`."""

    bijective = False
    domain: constraints.Constraint
    codomain: constraints.Constraint

    def __init__(self, cache_size=0):
        if cache_size not in (0, 1):
            raise ArgumentError(
                "cache_size must be 0 or 1",
                why=f"the last value is kept, or none, and {cache_size!r} was given",
                fix="pass `cache_size=1` or 0",
            )
        self._cache_size, self._cached, self._inverse = cache_size, None, None

    @property
    def inv(self):
        """The inverse transform."""
        if self._inverse is None:
            self._inverse = _Inverse(self)
        return self._inverse

    @property
    def sign(self):
        """Sign of the Jacobian's determinant, for monotone transforms."""
        raise self._undefined("sign")

    def _undefined(self, name):
        kind = type(self).__name__
        return NotSupported(
            f"{kind} does not define {name}",
            why=f"no formula of `{name}` for this transform is known here",
            fix=f"define `{name}` in `{kind}` if it is your class",
        )

    def __call__(self, x):
        if self._cached is not None and self._cached[0] is x:
            return self._cached[1]
        y = self._call(x)
        if self._cache_size:
            self._cached = x, y
        return y

    def _inv_call(self, y):
        if self._cached is not None and self._cached[1] is y:
            return self._cached[0]
        x = self._invert(y)
        if self._cache_size:
            self._cached = x, y
        return x

    def _call(self, x):
        raise self._undefined("_call")

    def _invert(self, y):
        raise self._undefined("_invert")

    def log_abs_det_jacobian(self, x, y):
        """log |dy/dx|."""
        raise self._undefined("log_abs_det_jacobian")

    def forward_shape(self, shape):
        """Shape of the result for a shape of the argument."""
        return shape

    def inverse_shape(self, shape):
        """Shape of the argument for a shape of the result."""
        return shape

    def with_cache(self, cache_size=1):
        """The transform with another cache size."""
        import copy  # noqa: PLC0415 - rarely used

        made = copy.copy(self)
        made._cache_size, made._cached, made._inverse = cache_size, None, None
        return made

    def __eq__(self, other):
        return self is other

    def __hash__(self):
        return id(self)

    def __repr__(self):
        return type(self).__name__ + "()"


class _Inverse(Transform):
    """The inverse of a transform."""

    def __init__(self, transform):
        super().__init__()
        self._inverse = transform

    domain = property(lambda self: self._inverse.codomain)
    codomain = property(lambda self: self._inverse.domain)
    bijective = property(lambda self: self._inverse.bijective)
    sign = property(lambda self: self._inverse.sign)
    inv = property(lambda self: self._inverse)

    def __call__(self, x):
        return self._inverse._inv_call(x)

    def _inv_call(self, y):
        return self._inverse(y)

    def log_abs_det_jacobian(self, x, y):
        return -self._inverse.log_abs_det_jacobian(y, x)

    def __repr__(self):
        return f"Inverse({self._inverse!r})"


class ComposeTransform(Transform):
    """Transforms one after the other.

    >>> import flambeau as torch
    >>> from flambeau import distributions as D
    >>> D.ComposeTransform([D.AffineTransform(0.0, 2.0), D.ExpTransform()])(torch.tensor(0.0))
    tensor(1.)
    """

    def __init__(self, parts, cache_size=0):
        self.parts = [p.with_cache(cache_size) if cache_size else p for p in parts]
        super().__init__(cache_size)

    domain = property(lambda self: self.parts[0].domain if self.parts else constraints.real)
    codomain = property(lambda self: self.parts[-1].codomain if self.parts else constraints.real)
    bijective = property(lambda self: all(p.bijective for p in self.parts))

    @property
    def sign(self):
        sign = 1
        for p in self.parts:
            sign = sign * p.sign
        return sign

    def _call(self, x):
        for p in self.parts:
            x = p(x)
        return x

    def _invert(self, y):
        for p in reversed(self.parts):
            y = p.inv(y)
        return y

    def log_abs_det_jacobian(self, x, y):
        if not self.parts:
            return torch.zeros_like(x)
        values = [x]
        for p in self.parts:
            values.append(p(values[-1]))
        depth = max(max(p.domain.event_dim, p.codomain.event_dim) for p in self.parts)
        return sum(
            sum_rightmost(p.log_abs_det_jacobian(a, b), depth - max(p.domain.event_dim, p.codomain.event_dim))
            for p, a, b in zip(self.parts, values, values[1:])
        )

    def __repr__(self):
        return "ComposeTransform(\n    " + ",\n    ".join(map(repr, self.parts)) + "\n)"


identity_transform = ComposeTransform([])


class IndependentTransform(Transform):
    """A transform whose last dimensions are read as one event.

    >>> import flambeau as torch
    >>> from flambeau import distributions as D
    >>> D.IndependentTransform(D.ExpTransform(), 1).log_abs_det_jacobian(torch.ones(2), torch.ones(2).exp())
    tensor(2.)
    """

    def __init__(self, base_transform, reinterpreted_batch_ndims, cache_size=0):
        super().__init__(cache_size)
        self.base_transform, self.reinterpreted_batch_ndims = base_transform, reinterpreted_batch_ndims

    domain = property(lambda self: constraints.independent(self.base_transform.domain, self.reinterpreted_batch_ndims))
    codomain = property(
        lambda self: constraints.independent(self.base_transform.codomain, self.reinterpreted_batch_ndims)
    )
    bijective = property(lambda self: self.base_transform.bijective)
    sign = property(lambda self: self.base_transform.sign)

    def _call(self, x):
        return self.base_transform(x)

    def _invert(self, y):
        return self.base_transform.inv(y)

    def log_abs_det_jacobian(self, x, y):
        return sum_rightmost(self.base_transform.log_abs_det_jacobian(x, y), self.reinterpreted_batch_ndims)


class ReshapeTransform(Transform):
    """Another shape of the event.

    >>> import flambeau as torch
    >>> torch.distributions.ReshapeTransform((4,), (2, 2))(torch.arange(4.0))
    tensor([[0., 1.],
            [2., 3.]])
    """

    bijective = True

    def __init__(self, in_shape, out_shape, cache_size=0):
        self.in_shape, self.out_shape = torch.Size(in_shape), torch.Size(out_shape)
        if self.in_shape.numel() != self.out_shape.numel():
            raise ArgumentError(
                "in_shape, out_shape have different numbers of elements",
                why=f"an event of {self.in_shape.numel()} element(s) gets a shape of {self.out_shape.numel()}",
                fix="pass shapes with equally many elements",
            )
        super().__init__(cache_size)

    domain = property(lambda self: constraints.independent(constraints.real, len(self.in_shape)))
    codomain = property(lambda self: constraints.independent(constraints.real, len(self.out_shape)))

    def _call(self, x):
        return x.reshape(x.shape[: x.dim() - len(self.in_shape)] + self.out_shape)

    def _invert(self, y):
        return y.reshape(y.shape[: y.dim() - len(self.out_shape)] + self.in_shape)

    def log_abs_det_jacobian(self, x, y):
        return x.new_zeros(x.shape[: x.dim() - len(self.in_shape)])

    def forward_shape(self, shape):
        return shape[: len(shape) - len(self.in_shape)] + self.out_shape

    def inverse_shape(self, shape):
        return shape[: len(shape) - len(self.out_shape)] + self.in_shape


class CumulativeDistributionTransform(Transform):
    """y = the cumulative distribution of x.

    >>> import flambeau as torch
    >>> from flambeau import distributions as D
    >>> D.CumulativeDistributionTransform(D.Normal(0.0, 1.0))(torch.tensor(0.0))
    tensor(0.5000)
    """

    bijective, codomain, sign = True, constraints.unit_interval, +1

    def __init__(self, distribution, cache_size=0):
        super().__init__(cache_size)
        self.distribution = distribution

    domain = property(lambda self: self.distribution.support)

    def _call(self, x):
        return self.distribution.cdf(x)

    def _invert(self, y):
        return self.distribution.icdf(y)

    def log_abs_det_jacobian(self, x, y):
        return self.distribution.log_prob(x)


class _Parts(Transform):
    def __init__(self, tseq, dim=0, cache_size=0):
        self.transforms, self.dim = list(tseq), dim
        super().__init__(cache_size)

    bijective = property(lambda self: all(t.bijective for t in self.transforms))


class CatTransform(_Parts):
    """Transforms of consecutive slices along a dimension.

    >>> import flambeau as torch
    >>> from flambeau import distributions as D
    >>> D.CatTransform([D.ExpTransform(), D.AbsTransform()], lengths=[1, 2])(torch.tensor([0.0, -2.0, 3.0]))
    tensor([1., 2., 3.])
    """

    def __init__(self, tseq, dim=0, lengths=None, cache_size=0):
        super().__init__(tseq, dim, cache_size)
        self.lengths = [1] * len(self.transforms) if lengths is None else list(lengths)

    domain = property(lambda self: constraints.cat([t.domain for t in self.transforms], self.dim, self.lengths))
    codomain = property(lambda self: constraints.cat([t.codomain for t in self.transforms], self.dim, self.lengths))

    def _call(self, x):
        return torch.cat([t(v) for t, v in zip(self.transforms, x.split(self.lengths, self.dim))], self.dim)

    def _invert(self, y):
        return torch.cat([t.inv(v) for t, v in zip(self.transforms, y.split(self.lengths, self.dim))], self.dim)

    def log_abs_det_jacobian(self, x, y):
        parts = zip(self.transforms, x.split(self.lengths, self.dim), y.split(self.lengths, self.dim))
        return torch.cat([t.log_abs_det_jacobian(a, b) for t, a, b in parts], self.dim)


class StackTransform(_Parts):
    """Transforms of the entries along a dimension.

    >>> import flambeau as torch
    >>> from flambeau import distributions as D
    >>> D.StackTransform([D.ExpTransform(), D.AbsTransform()])(torch.tensor([0.0, -2.0]))
    tensor([1., 2.])
    """

    domain = property(lambda self: constraints.stack([t.domain for t in self.transforms], self.dim))
    codomain = property(lambda self: constraints.stack([t.codomain for t in self.transforms], self.dim))

    def _call(self, x):
        return torch.stack([t(v) for t, v in zip(self.transforms, x.unbind(self.dim))], self.dim)

    def _invert(self, y):
        return torch.stack([t.inv(v) for t, v in zip(self.transforms, y.unbind(self.dim))], self.dim)

    def log_abs_det_jacobian(self, x, y):
        parts = zip(self.transforms, x.unbind(self.dim), y.unbind(self.dim))
        return torch.stack([t.log_abs_det_jacobian(a, b) for t, a, b in parts], self.dim)
