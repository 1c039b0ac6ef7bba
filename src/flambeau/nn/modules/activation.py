"""Activations: element-wise non-linear functions, gates and softmaxes."""

from __future__ import annotations

from ...errors import ArgumentError
from .. import functional as F
from .attention import MultiheadAttention
from .module import Module
from .rectifier import CELU, ELU, SELU, Hardtanh, LeakyReLU, PReLU, ReLU, ReLU6, RReLU, Threshold, _InPlace

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
                why=f"it is a softmax over the channels of (N, C, H, W); the input has shape {tuple(input.shape)}",
                fix="use `nn.Softmax(dim=1)`, which takes any number of dimensions",
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
