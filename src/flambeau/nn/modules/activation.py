"""Activations: element-wise non-linear functions, gates and softmaxes."""

from __future__ import annotations

import warnings

from ...errors import ArgumentError
from .. import functional as F
from .. import init
from ..parameter import Parameter
from .attention import MultiheadAttention
from .module import Module
from .utils import blank

__all__ = [
    "CELU",
    "ELU",
    "GELU",
    "GLU",
    "Hardshrink",
    "Hardsigmoid",
    "Hardswish",
    "Hardtanh",
    "LeakyReLU",
    "LogSigmoid",
    "LogSoftmax",
    "Mish",
    "MultiheadAttention",
    "PReLU",
    "RReLU",
    "ReLU",
    "ReLU6",
    "SELU",
    "SiLU",
    "Sigmoid",
    "Softmax",
    "Softmax2d",
    "Softmin",
    "Softplus",
    "Softshrink",
    "Softsign",
    "Tanh",
    "Tanhshrink",
    "Threshold",
]


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
                warnings.warn(
                    f"keyword argument `{old}` is deprecated and rename to `{new}`", FutureWarning, stacklevel=2
                )
        self.min_val = min_val if min_value is None else min_value
        self.max_val = max_val if max_value is None else max_value
        self.inplace = inplace
        if not self.max_val > self.min_val:
            raise AssertionError(f"max_val ({self.max_val}) must be larger than min_val ({self.min_val})")

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


class Sigmoid(Module):
    """1 / (1 + exp(-x)).

    Shapes: (*) -> (*)

    >>> import flambeau as torch
    >>> torch.nn.Sigmoid()(torch.tensor([0.0, 2.0]))
    tensor([0.5000, 0.8808])
    """

    def forward(self, input):
        return F.sigmoid(input)


class Hardsigmoid(_InPlace):
    """min(max(0, x / 6 + 1/2), 1).

    Shapes: (*) -> (*)

    >>> import flambeau as torch
    >>> torch.nn.Hardsigmoid()(torch.tensor([-4.0, 0.0, 1.5]))
    tensor([0.0000, 0.5000, 0.7500])
    """

    def forward(self, input):
        return F.hardsigmoid(input, self.inplace)

    extra_repr = Module.extra_repr


class Tanh(Module):
    """Hyperbolic tangent.

    Shapes: (*) -> (*)

    >>> import flambeau as torch
    >>> torch.nn.Tanh()(torch.tensor([0.0, 1.0]))
    tensor([0.0000, 0.7616])
    """

    def forward(self, input):
        return F.tanh(input)


class SiLU(_InPlace):
    """x sigmoid(x), also called swish.

    Hendrycks, Gimpel, "Gaussian Error Linear Units", 2016; Elfwing et al., 2017; Ramachandran et al., 2017.

    Shapes: (*) -> (*)

    >>> import flambeau as torch
    >>> torch.nn.SiLU()(torch.tensor([-1.0, 0.0, 2.0]))
    tensor([-0.2689,  0.0000,  1.7616])
    """

    def forward(self, input):
        return F.silu(input, self.inplace)


class Mish(_InPlace):
    """x tanh(softplus(x)). Misra, "Mish: A Self Regularized Non-Monotonic Activation Function", 2019.

    Shapes: (*) -> (*)

    >>> import flambeau as torch
    >>> torch.nn.Mish()(torch.tensor([-1.0, 0.0, 2.0]))
    tensor([-0.3034,  0.0000,  1.9440])
    """

    def forward(self, input):
        return F.mish(input, self.inplace)


class Hardswish(_InPlace):
    """x min(max(0, x / 6 + 1/2), 1). Howard et al., "Searching for MobileNetV3", 2019.

    Shapes: (*) -> (*)

    >>> import flambeau as torch
    >>> torch.nn.Hardswish()(torch.tensor([1.5, 4.0]))
    tensor([1.1250, 4.0000])
    """

    def forward(self, input):
        return F.hardswish(input, self.inplace)

    extra_repr = Module.extra_repr


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


class GLU(Module):
    """a sigmoid(b), where a and b are the two halves of the input along a dimension.

    Dauphin et al., "Language Modeling with Gated Convolutional Networks", 2016.

    Shapes: (*, 2 d, *) -> (*, d, *); RuntimeError when the dimension's size is odd

    >>> import flambeau as torch
    >>> torch.nn.GLU()(torch.tensor([2.0, 4.0, 0.0, 100.0]))
    tensor([1., 4.])
    """

    __constants__ = ["dim"]

    def __init__(self, dim=-1):
        super().__init__()
        self.dim = dim

    def forward(self, input):
        return F.glu(input, self.dim)

    def extra_repr(self):
        return f"dim={self.dim}"


class GELU(Module):
    """x times the probability that a standard normal variable is below x.

    Arguments:
        approximate: 'none', or 'tanh' for an approximation by tanh.

    Hendrycks, Gimpel, "Gaussian Error Linear Units", 2016.

    >>> import flambeau as torch
    >>> torch.nn.GELU()(torch.tensor([-1.0, 0.0, 1.0]))
    tensor([-0.1587,  0.0000,  0.8413])
    """

    __constants__ = ["approximate"]

    def __init__(self, approximate="none"):
        super().__init__()
        self.approximate = approximate

    def forward(self, input):
        return F.gelu(input, approximate=self.approximate)

    def extra_repr(self):
        return f"approximate={self.approximate!r}"


class Hardshrink(Module):
    """x where |x| > lambd, else 0.

    Shapes: (*) -> (*)

    >>> import flambeau as torch
    >>> torch.nn.Hardshrink()(torch.tensor([-1.0, 0.3, 2.0]))
    tensor([-1.,  0.,  2.])
    """

    __constants__ = ["lambd"]

    def __init__(self, lambd=0.5):
        super().__init__()
        self.lambd = lambd

    def forward(self, input):
        return F.hardshrink(input, self.lambd)

    def extra_repr(self):
        return f"{self.lambd}"


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


class LogSigmoid(Module):
    """log(1 / (1 + exp(-x))).

    Shapes: (*) -> (*)

    >>> import flambeau as torch
    >>> torch.nn.LogSigmoid()(torch.tensor([0.0, 2.0]))
    tensor([-0.6931, -0.1269])
    """

    def forward(self, input):
        return F.logsigmoid(input)


class Softplus(Module):
    """log(1 + exp(beta x)) / beta, and x itself where beta x > threshold.

    Shapes: (*) -> (*)

    >>> import flambeau as torch
    >>> torch.nn.Softplus()(torch.tensor([0.0, 30.0]))
    tensor([ 0.6931, 30.0000])
    """

    __constants__ = ["beta", "threshold"]

    def __init__(self, beta=1.0, threshold=20.0):
        super().__init__()
        self.beta = beta
        self.threshold = threshold

    def forward(self, input):
        return F.softplus(input, self.beta, self.threshold)

    def extra_repr(self):
        return f"beta={self.beta}, threshold={self.threshold}"


class Softshrink(Module):
    """x moved towards zero by lambd, and zero within it.

    Shapes: (*) -> (*); RuntimeError when lambd is negative

    >>> import flambeau as torch
    >>> torch.nn.Softshrink()(torch.tensor([-1.0, 0.3, 2.0]))
    tensor([-0.5000,  0.0000,  1.5000])
    """

    __constants__ = ["lambd"]

    def __init__(self, lambd=0.5):
        super().__init__()
        self.lambd = lambd

    def forward(self, input):
        return F.softshrink(input, self.lambd)

    def extra_repr(self):
        return str(self.lambd)


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


class Softsign(Module):
    """x / (1 + |x|).

    Shapes: (*) -> (*)

    >>> import flambeau as torch
    >>> torch.nn.Softsign()(torch.tensor([-1.0, 3.0]))
    tensor([-0.5000,  0.7500])
    """

    def forward(self, input):
        return F.softsign(input)


class Tanhshrink(Module):
    """x - tanh(x).

    Shapes: (*) -> (*)

    >>> import flambeau as torch
    >>> torch.nn.Tanhshrink()(torch.tensor([0.0, 1.0]))
    tensor([0.0000, 0.2384])
    """

    def forward(self, input):
        return F.tanhshrink(input)


class _AlongDim(Module):
    __constants__ = ["dim"]

    def __init__(self, dim=None):
        super().__init__()
        self.dim = dim

    def __setstate__(self, state):
        super().__setstate__(state)
        self.__dict__.setdefault("dim", None)

    def extra_repr(self):
        return f"dim={self.dim}"


class Softmin(_AlongDim):
    """exp(-x), scaled to sum to one along a dimension.

    Shapes: (*) -> (*)

    >>> import flambeau as torch
    >>> torch.nn.Softmin(dim=0)(torch.tensor([1.0, 1.0, 3.0]))
    tensor([0.4683, 0.4683, 0.0634])
    """

    def forward(self, input):
        return F.softmin(input, self.dim, _stacklevel=5)


class Softmax(_AlongDim):
    """exp(x), scaled to sum to one along a dimension.

    >>> import flambeau as torch
    >>> torch.nn.Softmax(dim=1)(torch.zeros(1, 4))
    tensor([[0.2500, 0.2500, 0.2500, 0.2500]])
    """

    def forward(self, input):
        return F.softmax(input, self.dim, _stacklevel=5)


class Softmax2d(Module):
    """Softmax over the channels of (N, C, H, W) or (C, H, W).

    Raises ValueError for an input of any other number of dimensions.

    >>> import flambeau as torch
    >>> torch.nn.Softmax2d()(torch.zeros(1, 4, 2, 2))[0, :, 0, 0]
    tensor([0.2500, 0.2500, 0.2500, 0.2500])
    """

    def forward(self, input):
        if input.dim() not in (3, 4):
            raise ArgumentError(
                f"Softmax2d: expected input to be 3D or 4D, got {input.dim()}D instead",
                fix="nn.Softmax(dim) takes any number of dimensions",
            )
        return F.softmax(input, -3, _stacklevel=5)


class LogSoftmax(_AlongDim):
    """log of softmax along a dimension, computed without overflow.

    Shapes: (*) -> (*)

    >>> import flambeau as torch
    >>> torch.nn.LogSoftmax(dim=0)(torch.tensor([1.0, 1.0, 3.0]))
    tensor([-2.2395, -2.2395, -0.2395])
    """

    def forward(self, input):
        return F.log_softmax(input, self.dim, _stacklevel=5)
