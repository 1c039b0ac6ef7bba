"""What the distributions of one variable share."""

from __future__ import annotations

import flambeau as torch

from . import constraints
from .distribution import Distribution, broadcast_all

EULER = 0.57721566490153286060


class Family(Distribution):
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
