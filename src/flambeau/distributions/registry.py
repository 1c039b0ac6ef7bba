"""`biject_to` and `transform_to`: a transform onto the set that a constraint describes."""

from __future__ import annotations

from ..errors import NotSupported
from . import constraints, transforms


class ConstraintRegistry:
    """From constraints to transforms whose result satisfies them. Called with a constraint; `register` adds one."""

    def __init__(self):
        self._made = {}

    def register(self, constraint, factory=None):
        """Say which transform (made by `factory(constraint)`) leads onto a constraint or a class of them."""
        if factory is None:
            return lambda f: self.register(constraint, f)
        self._made[constraint if isinstance(constraint, type) else type(constraint)] = factory
        return factory

    def __call__(self, constraint):
        for kind in type(constraint).__mro__:
            if kind in self._made:
                return self._made[kind](constraint)
        raise NotSupported(
            f"Cannot transform {type(constraint).__name__} constraints",
            why="no transform for it is registered",
            fix="register one with `biject_to.register` or `transform_to.register`",
        )


biject_to, transform_to = ConstraintRegistry(), ConstraintRegistry()


def _interval(constraint):
    low, high = constraint.lower_bound, constraint.upper_bound
    if not hasattr(low, "shape") and (low, high) == (0.0, 1.0):
        return transforms.SigmoidTransform()
    return transforms.ComposeTransform([transforms.SigmoidTransform(), transforms.AffineTransform(low, high - low)])


def _above(constraint):
    return transforms.ComposeTransform(
        [transforms.ExpTransform(), transforms.AffineTransform(constraint.lower_bound, 1)]
    )


def _below(constraint):
    return transforms.ComposeTransform(
        [transforms.ExpTransform(), transforms.AffineTransform(constraint.upper_bound, -1)]
    )


for _registry in (biject_to, transform_to):
    _registry.register(constraints.real, lambda c: transforms.identity_transform)
    _registry.register(constraints.greater_than, _above)
    _registry.register(constraints.less_than, _below)
    _registry.register(constraints.interval, _interval)
    _registry.register(constraints.corr_cholesky, lambda c: transforms.CorrCholeskyTransform())
    _registry.register(constraints.independent, lambda c, r=_registry: transforms.IndependentTransform(
        r(c.base_constraint), c.reinterpreted_batch_ndims))  # fmt: skip
    _registry.register(constraints.cat, lambda c, r=_registry: transforms.CatTransform(
        [r(part) for part in c.cseq], c.dim, c.lengths))  # fmt: skip
    _registry.register(constraints.stack, lambda c, r=_registry: transforms.StackTransform(
        [r(part) for part in c.cseq], c.dim))  # fmt: skip
    _registry.register(constraints.lower_cholesky, lambda c: transforms.LowerCholeskyTransform())
    _registry.register(constraints.positive_definite, lambda c: transforms.PositiveDefiniteTransform())
biject_to.register(constraints.simplex, lambda c: transforms.StickBreakingTransform())
transform_to.register(constraints.simplex, lambda c: transforms.SoftmaxTransform())
