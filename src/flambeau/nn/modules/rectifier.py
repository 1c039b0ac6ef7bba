"""Rectifiers: ReLU and its kin, which bend a line."""

from __future__ import annotations

from ...errors import FailedAssertion
from ...language import warn
from .. import functional as F
from .. import init
from ..parameter import Parameter
from .module import Module
from .utils import blank


class _InPlace(Module):
    """Activations whose only argument is `inplace`."""

    __constants__ = ["inplace"]

    def __init__(self, inplace=False):
        super().__init__()
        self.inplace = inplace

    def extra_repr(self):
        return "inplace=True" if self.inplace else ""


def _comma_inplace(module):
    return ", inplace=True" if module.inplace else ""


class Threshold(Module):
    """x where x > threshold, else value.

    Shapes: (*) -> (*)

    >>> import flambeau as torch
    >>> torch.nn.Threshold(0.5, -1.0)(torch.tensor([0.2, 0.8]))
    tensor([-1.0000,  0.8000])
    """

    __constants__ = ["threshold", "value", "inplace"]

    def __init__(self, threshold, value, inplace=False):
        super().__init__()
        self.threshold = threshold
        self.value = value
        self.inplace = inplace

    def forward(self, input):
        return F.threshold(input, self.threshold, self.value, self.inplace)

    def extra_repr(self):
        return f"threshold={self.threshold}, value={self.value}{_comma_inplace(self)}"


class ReLU(_InPlace):
    """max(0, x).

    Arguments:
        inplace: change the input itself. Default: False.

    >>> import flambeau as torch
    >>> torch.nn.ReLU()(torch.tensor([-1.0, 2.0]))
    tensor([0., 2.])
    """

    def forward(self, input):
        return F.relu(input, self.inplace)


class RReLU(Module):
    """x where x >= 0, else a x, with a drawn from [lower, upper] in training and their mean in evaluation.

    Xu et al., "Empirical Evaluation of Rectified Activations in Convolution Network", 2015.

    Shapes: (*) -> (*)
    Raises RuntimeError when lower is greater than upper.

    >>> import flambeau as torch
    >>> torch.nn.RReLU(0.25, 0.75).eval()(torch.tensor([-2.0, 3.0]))
    tensor([-1.,  3.])
    """

    __constants__ = ["lower", "upper", "inplace"]

    def __init__(self, lower=1.0 / 8, upper=1.0 / 3, inplace=False):
        super().__init__()
        self.lower = lower
        self.upper = upper
        self.inplace = inplace

    def forward(self, input):
        return F.rrelu(input, self.lower, self.upper, self.training, self.inplace)

    def extra_repr(self):
        return f"lower={self.lower}, upper={self.upper}{_comma_inplace(self)}"


class Hardtanh(Module):
    """x cut off at min_val and max_val.

    Shapes: (*) -> (*)

    >>> import flambeau as torch
    >>> torch.nn.Hardtanh()(torch.tensor([-2.0, 0.5, 2.0]))
    tensor([-1.0000,  0.5000,  1.0000])
    """

    __constants__ = ["min_val", "max_val", "inplace"]

    def __init__(self, min_val=-1.0, max_val=1.0, inplace=False, min_value=None, max_value=None):
        super().__init__()
        for old, new, value in (("min_value", "min_val", min_value), ("max_value", "max_val", max_value)):
            if value is not None:
                warn(f"keyword argument `{old}` is deprecated and rename to `{new}`", FutureWarning, stacklevel=2)
        self.min_val = min_val if min_value is None else min_value
        self.max_val = max_val if max_value is None else max_value
        self.inplace = inplace
        if not self.max_val > self.min_val:
            raise FailedAssertion(
                f"max_val ({self.max_val}) must be larger than min_val ({self.min_val})",
                why="values are limited to min_val to max_val",
                fix=f"swap them: `nn.Hardtanh({self.max_val}, {self.min_val})`"
                if self.max_val < self.min_val
                else "use two different limits",
            )

    def forward(self, input):
        return F.hardtanh(input, self.min_val, self.max_val, self.inplace)

    def extra_repr(self):
        return f"min_val={self.min_val}, max_val={self.max_val}{_comma_inplace(self)}"


class ReLU6(Hardtanh):
    """min(max(0, x), 6).

    Shapes: (*) -> (*)

    >>> import flambeau as torch
    >>> torch.nn.ReLU6()(torch.tensor([-1.0, 3.0, 8.0]))
    tensor([0., 3., 6.])
    """

    def __init__(self, inplace=False):
        super().__init__(0.0, 6.0, inplace)

    def extra_repr(self):
        return "inplace=True" if self.inplace else ""


class ELU(Module):
    """x where x > 0, else alpha (exp(x) - 1). Clevert et al., "Exponential Linear Units", 2015.

    Shapes: (*) -> (*)

    >>> import flambeau as torch
    >>> torch.nn.ELU()(torch.tensor([-1.0, 0.0, 2.0]))
    tensor([-0.6321,  0.0000,  2.0000])
    """

    __constants__ = ["alpha", "inplace"]

    def __init__(self, alpha=1.0, inplace=False):
        super().__init__()
        self.alpha = alpha
        self.inplace = inplace

    def forward(self, input):
        return F.elu(input, self.alpha, self.inplace)

    def extra_repr(self):
        return f"alpha={self.alpha}{_comma_inplace(self)}"


class CELU(Module):
    """max(0, x) + min(0, alpha (exp(x / alpha) - 1)). Barron, 2017.

    Shapes: (*) -> (*)

    >>> import flambeau as torch
    >>> torch.nn.CELU(alpha=2.0)(torch.tensor([-1.0, 0.0, 2.0]))
    tensor([-0.7869,  0.0000,  2.0000])
    """

    __constants__ = ["alpha", "inplace"]

    def __init__(self, alpha=1.0, inplace=False):
        super().__init__()
        self.alpha = alpha
        self.inplace = inplace

    def forward(self, input):
        return F.celu(input, self.alpha, self.inplace)

    def extra_repr(self):
        return f"alpha={self.alpha}{_comma_inplace(self)}"


class SELU(_InPlace):
    """ELU scaled so that activations keep zero mean and unit variance.

    Klambauer et al., "Self-Normalizing Neural Networks", 2017.

    Shapes: (*) -> (*)

    >>> import flambeau as torch
    >>> torch.nn.SELU()(torch.tensor([-1.0, 0.0, 2.0]))
    tensor([-1.1113,  0.0000,  2.1014])
    """

    def forward(self, input):
        return F.selu(input, self.inplace)


class LeakyReLU(Module):
    """x where x >= 0, else negative_slope x.

    Shapes: (*) -> (*)

    Maas et al., "Rectifier Nonlinearities Improve Neural Network Acoustic Models", 2013.

    >>> import flambeau as torch
    >>> torch.nn.LeakyReLU(0.1)(torch.tensor([-2.0, 3.0]))
    tensor([-0.2000,  3.0000])
    """

    __constants__ = ["inplace", "negative_slope"]

    def __init__(self, negative_slope=1e-2, inplace=False):
        super().__init__()
        self.negative_slope = negative_slope
        self.inplace = inplace

    def forward(self, input):
        return F.leaky_relu(input, self.negative_slope, self.inplace)

    def extra_repr(self):
        return f"negative_slope={self.negative_slope}{_comma_inplace(self)}"


class PReLU(Module):
    """x where x >= 0, else a x with learnt a.

    Arguments:
        num_parameters: 1, or the number of channels for one a each.
        init: the value a starts from. Default: 0.25.
    Shapes: (N, C, *) -> (N, C, *); RuntimeError when num_parameters is neither 1 nor C

    He et al., "Delving Deep into Rectifiers", 2015.

    >>> import flambeau as torch
    >>> torch.nn.PReLU()(torch.tensor([-2.0, 3.0])).tolist()
    [-0.5, 3.0]
    """

    __constants__ = ["num_parameters"]

    def __init__(self, num_parameters=1, init=0.25, device=None, dtype=None):
        super().__init__()
        self.num_parameters = num_parameters
        self.init = init
        self.weight = Parameter(blank(num_parameters, device=device, dtype=dtype))
        self.reset_parameters()

    def reset_parameters(self):
        """Set a to its first value."""
        init.constant_(self.weight, self.init)

    def forward(self, input):
        return F.prelu(input, self.weight)

    def extra_repr(self):
        return f"num_parameters={self.num_parameters}"
