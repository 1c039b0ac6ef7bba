"""Discrete Fourier transforms (torch.fft) on numpy.fft, with gradients.

Three primitives hold all of it: complex to complex, real to half spectrum, half spectrum to real; each with a scale
and over given dimensions. They are linear, and each other's adjoints.
"""

from __future__ import annotations

import math
import operator

import numpy as np

from .. import devices, dtypes
from ..arrays import MetaArray, meta_empty
from ..errors import DtypeError, ShapeError
from ..tensor import wrap
from .arrange import roll
from .creation import check_layout
from .entry import primitive, public
from .reduce import title
from .shape import need_tensor, normal_dim

# ---------------------------------------------------------------------- the three transforms


def _scaled(a, scale):
    return a if scale == 1 else a * a.real.dtype.type(scale)


def _complex_array(input, dims, scale, forward):
    if not dims:
        return input.copy()
    made = np.fft.fftn(input, axes=dims) if forward else np.fft.ifftn(input, axes=dims, norm="forward")
    return _scaled(made, scale)


def _half_array(input, dims, scale):
    return _scaled(np.fft.rfftn(input, axes=dims), scale)


def _real_array(input, dims, scale, size):
    if len(dims) > 1:
        input = np.fft.ifftn(input, axes=dims[:-1], norm="forward")
    return _scaled(np.fft.irfft(input, size, dims[-1], norm="forward"), scale)


def _half_vjp(g, dims, scale, input_shape):
    full = list(g.shape)
    full[dims[-1]] = input_shape[dims[-1]]
    return _complex(_fit(g, shape=tuple(full)), dims=dims, scale=scale, forward=False).real


def _real_vjp(g, dims, scale, size, input_shape):
    d = _half(g, dims=dims, scale=scale)
    last, half = dims[-1], d.shape[dims[-1]]
    twice = np.ones(half, d._array.real.dtype)
    twice[1 : 1 + size - half] = 2  # these stand for themselves and their mirror images
    d = d * wrap(twice.reshape([-1 if i == last else 1 for i in range(d.ndim)]))
    return _fit(d, shape=tuple(input_shape)) if d.shape != input_shape else d


_complex = primitive(
    "fft_c2c", _complex_array,
    vjp={"input": lambda g, dims, scale, forward: _complex(g, dims=dims, scale=scale, forward=not forward)},
)  # fmt: skip
_half = primitive("fft_r2c", _half_array, vjp={"input": _half_vjp})
_real = primitive("fft_c2r", _real_array, vjp={"input": _real_vjp})


def _fit_array(input, shape):
    """Cut or filled up with zeros, at the ends, to a shape."""
    if isinstance(input, MetaArray):
        return meta_empty(shape, input.dtype)
    out = np.zeros(shape, input.dtype)
    common = tuple(slice(0, min(a, b)) for a, b in zip(input.shape, shape))
    out[common] = input[common]
    return out


_fit = primitive("constant_pad_nd", _fit_array, vjp={"input": lambda g, input_shape: _fit(g, shape=input_shape)})

# ---------------------------------------------------------------------- arguments


def _number(input, name, need_complex=False, need_real=False):
    need_tensor(input, name)
    dt = input.dtype
    if need_real and dt.is_complex:
        raise DtypeError(
            f"{name} expects a real input tensor, but got {title(dt)}",
            why="the transform of real numbers keeps half of the result, which complex numbers fill",
            fix="use the complex transform: `torch.fft.fft`",
        )
    if dt.category < 2:
        dt = dtypes.get_default_dtype()
    elif dt.itemsize < 4 and dt.category == 2:
        raise DtypeError(
            f"Unsupported dtype {title(dt)}",
            why=f"numbers of {dt.itemsize} bytes are too coarse for a transform",
            fix="convert it: `x.float()`",
        )
    if need_complex and not dt.is_complex:
        dt = dt.to_complex()
    return input if input.dtype is dt else input.to(dt)


def _scale(norm, count, forward):
    if norm not in (None, "backward", "ortho", "forward"):
        raise ShapeError(
            f'Invalid normalization mode: "{norm}"',
            why="it says how the result is scaled",
            fix='pass `norm="backward"`, "forward" or "ortho"',
        )
    if norm == "ortho":
        return 1 / math.sqrt(count)
    return 1 / count if (norm == "forward") == forward else 1


def _one_dim(input, n, dim):
    """(dimension, size) of a transform over one dimension, checked."""
    if not input.ndim:
        normal_dim(dim, 0, scalar=False)
    dim = normal_dim(dim, input.ndim)
    size = input.shape[dim] if n is None else operator.index(n)
    if size < 1:
        raise ShapeError(
            f"Invalid number of data points ({size}) specified",
            why=f"a signal has at least one sample: `n` is {n}, the shape is {tuple(input.shape)}",
            fix="pass `n` of 1 or more",
        )
    return dim, size


def _many_dims(input, s, dim, name):
    """(dimensions, sizes) of a transform over several dimensions, checked."""
    if dim is not None:
        dim = (dim,) if isinstance(dim, int) else tuple(dim)
        dims = tuple([normal_dim(d, input.ndim) for d in dim])
        if len(set(dims)) != len(dims):
            raise ShapeError(
                "FFT dims must be unique",
                why=f"`dim` is {tuple(dim)}, which names one dimension twice",
                fix="name each dimension once",
            )
    if s is not None:
        s = (s,) if isinstance(s, int) else tuple(s)
        if dim is None:
            if len(s) > input.ndim:
                raise ShapeError(
                    f"Got shape with {len(s)} values but input tensor only has {input.ndim} dimensions.",
                    why="each value of `s` is the size of one dimension",
                    fix=f"pass at most {input.ndim} sizes",
                )
            dims = tuple(range(input.ndim - len(s), input.ndim))
        elif len(dims) != len(s):
            raise ShapeError(
                "When given, dim and shape arguments must have the same length",
                why=f"`dim` names {len(dims)} dimension(s), `s` has {len(s)} size(s)",
                fix="pass one size for each dimension",
            )
        sizes = tuple([input.shape[d] if n == -1 else operator.index(n) for d, n in zip(dims, s)])
    else:
        if dim is None:
            dims = tuple(range(input.ndim))
        sizes = tuple([input.shape[d] for d in dims])
    for n in sizes:
        if n < 1:
            raise ShapeError(
                f"Invalid number of data points ({n}) specified",
                why=f"a signal has at least one sample: the shape is {tuple(input.shape)}",
                fix="pass sizes of 1 or more",
            )
    return dims, sizes


def _sized(input, dims, sizes):
    shape = list(input.shape)
    for d, n in zip(dims, sizes):
        shape[d] = n
    return input if tuple(shape) == tuple(input.shape) else _fit(input, shape=tuple(shape))


# ---------------------------------------------------------------------- one dimension


def _whole(name, forward):
    def transform(input, n=None, dim=-1, norm=None):
        input = _number(input, name, need_complex=True)
        dim, size = _one_dim(input, n, dim)
        return _complex(_sized(input, (dim,), (size,)), dims=(dim,), scale=_scale(norm, size, forward), forward=forward)

    return _named(
        transform, name, f"Discrete Fourier transform of complex numbers, {'forward' if forward else 'inverse'}."
    )


_EXAMPLES = {
    "fft": "torch.fft.fft(torch.tensor([1.0, 2.0, 3.0, 4.0]))\n    tensor([10.+0.j, -2.+2.j, -2.+0.j, -2.-2.j])",
    "ifft": "torch.fft.ifft(torch.tensor([10 + 0j, -2 + 2j, -2 + 0j, -2 - 2j])).real\n    tensor([1., 2., 3., 4.])",
    "rfft": "torch.fft.rfft(torch.tensor([1.0, 2.0, 3.0, 4.0]))\n    tensor([10.+0.j, -2.+2.j, -2.+0.j])",
    "irfft": "torch.fft.irfft(torch.tensor([10 + 0j, -2 + 2j, -2 + 0j]))\n    tensor([1., 2., 3., 4.])",
    "rfft2": "torch.fft.rfft2(torch.ones(4, 4)).shape\n    torch.Size([4, 3])",
    "rfftn": "torch.fft.rfftn(torch.ones(4, 4)).shape\n    torch.Size([4, 3])",
    "irfft2": "torch.fft.irfft2(torch.fft.rfft2(torch.ones(4, 4))).shape\n    torch.Size([4, 4])",
    "irfftn": "torch.fft.irfftn(torch.fft.rfftn(torch.ones(4, 4))).shape\n    torch.Size([4, 4])",
    "hfft": "torch.fft.hfft(torch.tensor([10 + 0j, -2 + 2j, -2 + 0j])).shape\n    torch.Size([4])",
    "ihfft": "torch.fft.ihfft(torch.ones(4)).real\n    tensor([1., 0., 0.])",
    "fft2": "torch.fft.fft2(torch.ones(2, 2)).real\n    tensor([[4., 0.],\n            [0., 0.]])",
    "ifft2": "torch.fft.ifft2(torch.ones(2, 2)).real\n    tensor([[1., 0.],\n            [0., 0.]])",
    "fftn": "torch.fft.fftn(torch.ones(2, 2)).real\n    tensor([[4., 0.],\n            [0., 0.]])",
    "ifftn": "torch.fft.ifftn(torch.ones(2, 2)).real\n    tensor([[1., 0.],\n            [0., 0.]])",
}


def _named(function, name, doc):
    function.__name__ = function.__qualname__ = name
    sizes = 'n, s: sizes to cut or fill up to; norm: None or "backward", "ortho", "forward".'
    example = f"\n\n    >>> import flambeau as torch\n    >>> {_EXAMPLES[name]}" if name in _EXAMPLES else ""
    function.__doc__ = f"{doc}\n\n    {sizes}{example}\n    "
    return public(f"fft.{name}", out=True)(function)


fft, ifft = _whole("fft", True), _whole("ifft", False)


def _rfft(input, n=None, dim=-1, norm=None):
    input = _number(input, "rfft", need_real=True)
    dim, size = _one_dim(input, n, dim)
    return _half(_sized(input, (dim,), (size,)), dims=(dim,), scale=_scale(norm, size, True))


def _half_size(input, n, dim):
    """(dimension, size of the real signal) for a transform of half a spectrum."""
    if not input.ndim:
        normal_dim(dim, 0, scalar=False)
    dim = normal_dim(dim, input.ndim)
    size = 2 * (input.shape[dim] - 1) if n is None else operator.index(n)
    if size < 1:
        raise ShapeError(
            f"Invalid number of data points ({size}) specified",
            why=f"the full length follows from the half: the shape is {tuple(input.shape)}",
            fix="pass the length of the result as `n`",
        )
    return dim, size


def _irfft(input, n=None, dim=-1, norm=None):
    input = _number(input, "irfft", need_complex=True)
    dim, size = _half_size(input, n, dim)
    return _real(_sized(input, (dim,), (size // 2 + 1,)), dims=(dim,), scale=_scale(norm, size, False), size=size)


def _hfft(input, n=None, dim=-1, norm=None):
    input = _number(input, "hfft", need_complex=True)
    dim, size = _half_size(input, n, dim)
    return _real(_sized(input, (dim,), (size // 2 + 1,)).conj(), dims=(dim,), scale=_scale(norm, size, True), size=size)


def _ihfft(input, n=None, dim=-1, norm=None):
    input = _number(input, "ihfft", need_real=True)
    dim, size = _one_dim(input, n, dim)
    return _half(_sized(input, (dim,), (size,)), dims=(dim,), scale=_scale(norm, size, False)).conj()


rfft = _named(_rfft, "rfft", "Half of the transform of real numbers; the rest mirrors it.")
irfft = _named(_irfft, "irfft", "Real numbers from half of their transform; the inverse of `rfft`.")
hfft = _named(_hfft, "hfft", "Transform of half of a Hermitian signal; the result is real.")
ihfft = _named(_ihfft, "ihfft", "Inverse of `hfft`.")

# ---------------------------------------------------------------------- several dimensions


def _whole_n(name, forward, dims=None):
    def transform(input, s=None, dim=dims, norm=None):
        input = _number(input, name, need_complex=True)
        axes, sizes = _many_dims(input, s, dim, name)
        scale = _scale(norm, math.prod(sizes), forward)
        return _complex(_sized(input, axes, sizes), dims=axes, scale=scale, forward=forward)

    kind = "forward" if forward else "inverse"
    return _named(transform, name, f"Discrete Fourier transform over several dimensions, {kind}.")


def _need_dims(axes, name):
    if not axes:
        raise ShapeError(
            f"{name} must transform at least one axis",
            why="a single number is no signal, and neither is an empty list of dimensions",
            fix="add a dimension, `x.unsqueeze(0)`, or name one with `dim`",
        )


def _rfft_n(name, dims=None):
    def transform(input, s=None, dim=dims, norm=None):
        input = _number(input, name, need_real=True)
        axes, sizes = _many_dims(input, s, dim, name)
        _need_dims(axes, name)
        return _half(_sized(input, axes, sizes), dims=axes, scale=_scale(norm, math.prod(sizes), True))

    return _named(transform, name, "Half of the transform of real numbers over several dimensions.")


def _half_sizes(input, s, dim, name):
    """(dimensions, sizes of the half spectrum, size of the last dimension of the real signal)."""
    given = s is not None
    s = (s,) if isinstance(s, int) else s
    axes, sizes = _many_dims(input, s, dim, name)
    _need_dims(axes, name)
    last = sizes[-1] if given and s[-1] != -1 else 2 * (input.shape[axes[-1]] - 1)
    if last < 1:
        raise ShapeError(
            f"Invalid number of data points ({last}) specified",
            why=f"the full length follows from the half: the shape is {tuple(input.shape)}",
            fix="pass the sizes of the result as `s`",
        )
    return axes, (*sizes[:-1], last // 2 + 1), last


def _irfft_n(name, dims=None):
    def transform(input, s=None, dim=dims, norm=None):
        input = _number(input, name, need_complex=True)
        axes, sizes, last = _half_sizes(input, s, dim, name)
        scale = _scale(norm, math.prod(sizes[:-1]) * last, False)
        return _real(_sized(input, axes, sizes), dims=axes, scale=scale, size=last)

    return _named(transform, name, "Real numbers from half of their transform over several dimensions.")


def _hfft_n(name, dims=None):
    def transform(input, s=None, dim=dims, norm=None):
        input = _number(input, name, need_complex=True)
        axes, sizes, last = _half_sizes(input, s, dim, name)
        x = _sized(input, axes, sizes)
        if len(axes) > 1:
            x = _complex(x, dims=axes[:-1], scale=_scale(norm, math.prod(sizes[:-1]), True), forward=True)
        return _real(x.conj(), dims=axes[-1:], scale=_scale(norm, last, True), size=last)

    return _named(
        transform, name, "Transform of half of a Hermitian signal over several dimensions; the result is real."
    )


def _ihfft_n(name, dims=None):
    def transform(input, s=None, dim=dims, norm=None):
        input = _number(input, name, need_real=True)
        axes, sizes = _many_dims(input, s, dim, name)
        _need_dims(axes, name)
        x = _half(_sized(input, axes, sizes), dims=axes[-1:], scale=_scale(norm, sizes[-1], False)).conj()
        if len(axes) > 1:
            x = _complex(x, dims=axes[:-1], scale=_scale(norm, math.prod(sizes[:-1]), False), forward=False)
        return x

    return _named(transform, name, "Inverse of the Hermitian transform over several dimensions.")


fftn, ifftn, fft2, ifft2 = (_whole_n("fftn", True), _whole_n("ifftn", False), _whole_n("fft2", True, (-2, -1)),
                            _whole_n("ifft2", False, (-2, -1)))  # fmt: skip
rfftn, rfft2 = _rfft_n("rfftn"), _rfft_n("rfft2", (-2, -1))
irfftn, irfft2 = _irfft_n("irfftn"), _irfft_n("irfft2", (-2, -1))
hfftn, hfft2 = _hfft_n("hfftn"), _hfft_n("hfft2", (-2, -1))
ihfftn, ihfft2 = _ihfft_n("ihfftn"), _ihfft_n("ihfft2", (-2, -1))

# ---------------------------------------------------------------------- order and frequencies


def _shift_dims(input, dim):
    dims = range(input.ndim) if dim is None else (dim,) if isinstance(dim, int) else dim
    return [normal_dim(d, input.ndim) for d in dims]


@public("fft.fftshift")
def fftshift(input, dim=None):
    """A copy with frequency zero in the middle of each dimension.

    >>> import flambeau as torch
    >>> torch.fft.fftshift(torch.tensor([0, 1, -2, -1]))
    tensor([-2, -1,  0,  1])
    """
    need_tensor(input, "fftshift")
    dims = _shift_dims(input, dim)
    return roll(input, [input.shape[d] // 2 for d in dims], dims) if dims else input.clone()


@public("fft.ifftshift")
def ifftshift(input, dim=None):
    """The inverse of `fftshift`.

    >>> import flambeau as torch
    >>> torch.fft.ifftshift(torch.tensor([-2, -1, 0, 1]))
    tensor([ 0,  1, -2, -1])
    """
    need_tensor(input, "ifftshift")
    dims = _shift_dims(input, dim)
    return roll(input, [(input.shape[d] + 1) // 2 for d in dims], dims) if dims else input.clone()


def _frequencies(made, dtype, device, requires_grad):
    dt = dtype or dtypes.get_default_dtype()
    made = wrap(made.astype(dt.numpy))
    if device is not None:
        made = made.to(devices.usable(device))
    return made.requires_grad_(requires_grad)


@public("fft.fftfreq", out=True)
def fftfreq(n, d=1.0, *, dtype=None, layout=None, device=None, requires_grad=False):
    """The frequencies of the results of `fft` for `n` samples `d` apart.

    >>> import flambeau as torch
    >>> torch.fft.fftfreq(4)
    tensor([ 0.0000,  0.2500, -0.5000, -0.2500])
    """
    check_layout(layout)
    return _frequencies(np.fft.fftfreq(n, d), dtype, device, requires_grad)


@public("fft.rfftfreq", out=True)
def rfftfreq(n, d=1.0, *, dtype=None, layout=None, device=None, requires_grad=False):
    """The frequencies of the results of `rfft` for `n` samples `d` apart.

    >>> import flambeau as torch
    >>> torch.fft.rfftfreq(4)
    tensor([0.0000, 0.2500, 0.5000])
    """
    check_layout(layout)
    return _frequencies(np.fft.rfftfreq(n, d), dtype, device, requires_grad)
