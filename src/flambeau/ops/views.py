"""More views: parts of a tensor, and moved dimensions."""

from __future__ import annotations

import builtins
import operator

import numpy as np

from ..arrays import MetaArray, meta_empty
from ..autograd.mode import state
from ..errors import ArgumentTypeError, IndexOutOfRange, ShapeError
from ..tensor import Tensor, attach
from .arguments import infer_size, need_tensor, normal_dim, sizes_of
from .entry import check_writable, primitive, public, view_primitive
from .shape import _matrix_t, _permute, _select_key, contiguous_format, reshape
from .strided import into_view

# ---------------------------------------------------------------------- parts


@public(method=True)
def narrow(input, dim, start, length):
    """A view of `length` slices of a dimension, from `start` on.

    >>> import flambeau as torch
    >>> torch.narrow(torch.tensor([1, 2, 3, 4]), 0, 1, 2)
    tensor([2, 3])
    """
    need_tensor(input, "narrow")
    if not input.ndim:
        raise ShapeError(
            "narrow() cannot be applied to a 0-dim tensor.",
            why="a single number has no dimension to take a part of",
            fix="use `x.unsqueeze(0)` first",
        )
    if isinstance(start, Tensor):
        if start.ndim or start.dtype.category != 1:
            raise ShapeError(
                "start must be an 0-dim integral Tensor.",
                why=f"`start` has shape {tuple(start.shape)} and dtype {start.dtype.name}",
                fix="pass a whole number",
            )
        start = start.item()
    dim, length, start = normal_dim(dim, input.ndim), operator.index(length), operator.index(start)
    n = input._array.shape[dim]
    if length < 0:
        raise ShapeError(
            "narrow(): length must be non-negative.",
            why=f"`length` counts elements, and {length} was given",
            fix="pass a length of 0 or more",
        )
    if not -n <= start <= n:
        raise IndexOutOfRange(
            f"start out of range (expected to be in range of [{-n}, {n}], but got {start})",
            why=f"dimension {dim} has size {n}",
            fix=f"pass `start` between {-n} and {n}",
        )
    start += n if start < 0 else 0
    if start + length > n:
        raise ShapeError(
            f"start ({start}) + length ({length}) exceeds dimension size ({n}).",
            why=f"the part would end at {start + length}",
            fix=f"pass `length` of at most {n - start}",
        )
    return _select_key(input, key=(slice(None),) * dim + (slice(start, start + length),))


@public(out=True)
def narrow_copy(input, dim, start, length):
    """As `narrow`, with its own memory.

    >>> import flambeau as torch
    >>> torch.narrow_copy(torch.tensor([1, 2, 3, 4]), 0, 1, 2)
    tensor([2, 3])
    """
    need_tensor(input, "narrow_copy")
    if dim >= max(input.ndim, 1):
        raise ShapeError(
            f"Expected dim < self.dim() to be true, but got dim {dim} for {input.ndim} dimensions",
            why=f"the tensor has shape {tuple(input.shape)}",
            fix=f"pass a number below {max(input.ndim, 1)}",
        )
    return narrow(input, dim, start, length).clone()


attach("narrow_copy", lambda self, dim, start, length: narrow_copy(self, dim, start, length))


def _select_part(input, dim, index):
    if not input.ndim:
        raise IndexOutOfRange(
            "select() cannot be applied to a 0-dim tensor.",
            why="a single number has no dimension to select from",
            fix="use the tensor itself, or `x.item()` for its number",
        )
    dim, index = normal_dim(dim, input.ndim), operator.index(index)
    n = input._array.shape[dim]
    if not -n <= index < n:
        raise IndexOutOfRange(
            f"select(): index {index} out of range for tensor of size {list(input.shape)} at dimension {dim}",
            why=f"dimension {dim} has size {n}, so the last index is {n - 1}",
            fix=f"pass an index between {-n} and {n - 1}",
        )
    return input[(slice(None),) * dim + (index,)]


@public(method=True)
def select(input, dim, index):
    """A view of one slice of a dimension; the dimension is gone.

    >>> import flambeau as torch
    >>> torch.select(torch.tensor([[1, 2], [3, 4]]), 1, 0)
    tensor([1, 3])
    """
    need_tensor(input, "select")
    return _select_part(input, dim, index)


@public(out=True)
def select_copy(input, dim, index):
    """As `select`, with its own memory."""
    return select(input, dim, index).clone()


@public(method=True, out=True)
def select_scatter(input, src, dim, index):
    """A copy of `input` whose slice `index` of dimension `dim` is `src`.

    >>> import flambeau as torch
    >>> torch.select_scatter(torch.zeros(2, 2), torch.tensor([1.0, 2.0]), 0, 1)
    tensor([[0., 0.],
            [1., 2.]])
    """
    return into_view(input, src, lambda t: select(t, dim, index), "select_scatter")


def _slice_part(t, dim, start, end, step):
    if step <= 0:
        raise ShapeError(
            "slice step must be positive",
            why=f"the step is {step}, and a tensor is not walked backwards",
            fix="use `x.flip(dim)`, then a positive step",
        )
    return _select_key(t, key=(slice(None),) * normal_dim(dim, t.ndim) + (slice(start, end, step),))


@public(out=True)
def slice_copy(input, dim=0, start=None, end=None, step=1):
    """A copy of a range of slices."""
    return _slice_part(input, dim, start, end, step).clone()


@public(method=True, out=True)
def slice_scatter(input, src, dim=0, start=None, end=None, step=1):
    """A copy of `input` whose range of slices start:end:step of dimension `dim` is `src`.

    >>> import flambeau as torch
    >>> torch.slice_scatter(torch.zeros(4), torch.ones(2), start=1, end=3)
    tensor([0., 1., 1., 0.])
    """
    return into_view(input, src, lambda t: _slice_part(t, dim, start, end, step), "slice_scatter")


_diagonal = view_primitive(
    "diagonal", lambda input, offset, dim1, dim2: _diagonal_array(input, offset, dim1, dim2),
    vjp={"input": lambda g, offset, dim1, dim2, input_shape: _undiagonal(
        g, offset=offset, dim1=dim1, dim2=dim2, shape=input_shape)},
)  # fmt: skip


def _diagonal_array(input, offset, dim1, dim2):
    """As np.diagonal, writeable, and empty (not an error) for offsets outside the matrix."""
    m, n = input.shape[dim1], input.shape[dim2]
    count = builtins.max(0, builtins.min(m, n - offset) if offset >= 0 else builtins.min(m + offset, n))
    rest = [i for i in range(input.ndim) if i not in (dim1, dim2)]
    a = input.transpose([*rest, dim1, dim2])
    if count:
        a = a[..., builtins.max(-offset, 0) :, builtins.max(offset, 0) :]
    strides = (*a.strides[:-2], a.strides[-2] + a.strides[-1])
    made = np.lib.stride_tricks.as_strided(a, (*a.shape[:-2], count), strides, subok=True)
    return made


def _undiagonal_array(g, offset, dim1, dim2, shape):
    if isinstance(g, MetaArray):
        return meta_empty(shape, g.dtype)
    out = np.zeros(shape, g.dtype)
    _diagonal_array(out, offset, dim1, dim2)[...] = g
    return out


_undiagonal = primitive(
    "diagonal_backward", _undiagonal_array,
    vjp={"g": lambda g, offset, dim1, dim2: _diagonal(g, offset=offset, dim1=dim1, dim2=dim2)},
)  # fmt: skip


@public(method=True)
def diagonal(input, offset=0, dim1=0, dim2=1):
    """A view of the diagonals of two dimensions, as the last dimension; `offset` above (> 0) or below.

    >>> import flambeau as torch
    >>> torch.diagonal(torch.tensor([[1, 2], [3, 4]]))
    tensor([1, 4])
    """
    need_tensor(input, "diagonal")
    a, b = [normal_dim(d, input.ndim) for d in (dim1, dim2)]
    if a == b:
        raise ShapeError(
            f"diagonal dimensions cannot be identical {dim1}, {dim2}",
            why=f"both numbers name dimension {a}",
            fix="pass two different dimensions, such as `dim1=-2, dim2=-1`",
        )
    return _diagonal(input, offset=operator.index(offset), dim1=a, dim2=b)


@public(out=True)
def diagonal_copy(input, offset=0, dim1=0, dim2=1):
    """As `diagonal`, with its own memory."""
    return diagonal(input, offset, dim1, dim2).clone()


@public(method=True, out=True)
def diagonal_scatter(input, src, offset=0, dim1=0, dim2=1):
    """A copy of `input` whose diagonal is `src`.

    >>> import flambeau as torch
    >>> torch.diagonal_scatter(torch.zeros(2, 2), torch.tensor([1.0, 2.0]))
    tensor([[1., 0.],
            [0., 2.]])
    """
    return into_view(input, src, lambda t: diagonal(t, offset, dim1, dim2), "diagonal_scatter")


def _unfold_array(input, dim, size, step):
    if not input.ndim:
        return np.lib.stride_tricks.as_strided(input, (size,), (input.itemsize,), subok=True)
    n, s = input.shape[dim], input.strides[dim]
    shape = (*input.shape[:dim], (n - size) // step + 1, *input.shape[dim + 1 :], size)
    strides = (*input.strides[:dim], s * step, *input.strides[dim + 1 :], s)
    return np.lib.stride_tricks.as_strided(input, shape, strides, subok=True)


def _refold_array(g, dim, size, step, shape):
    """Overlapping windows added back together."""
    out = np.zeros(shape, g.dtype)
    if isinstance(g, MetaArray):
        return meta_empty(shape, g.dtype)
    if not shape:
        return g.sum(-1)
    count = g.shape[dim]
    for j in range(size):
        out[(slice(None),) * dim + (slice(j, j + step * (count - 1) + 1, step),)] += g[..., j]
    return out


_unfold = view_primitive(
    "unfold", _unfold_array,
    vjp={"input": lambda g, dim, size, step, input_shape: _refold(g, dim=dim, size=size, step=step, shape=input_shape)},
)  # fmt: skip
_refold = primitive("unfold_backward", _refold_array,
                    vjp={"g": lambda g, dim, size, step: _unfold(g, dim=dim, size=size, step=step)})  # fmt: skip


@public(method=True, function=False)
def unfold(self, dimension, size, step):
    """A view of all windows of `size` elements along a dimension, `step` apart; the windows are the last dimension.

    >>> import flambeau as torch
    >>> torch.tensor([1, 2, 3, 4]).unfold(0, 2, 1)
    tensor([[1, 2],
            [2, 3],
            [3, 4]])
    """
    dim = normal_dim(dimension, self.ndim)
    n = self.shape[dim] if self.ndim else 1
    if size < 0:
        raise ShapeError(
            f"size is {size} but must be >= 0",
            why="`size` is the length of a window",
            fix=f"pass a size between 0 and {n}",
        )
    if size > n:
        raise ShapeError(
            f"maximum size for tensor at dimension {dim} is {n} but size is {size}",
            why=f"a window of {size} elements does not fit in {n}",
            fix=f"pass a size of at most {n}, or pad the tensor first",
        )
    if step <= 0:
        raise ShapeError(
            f"step is {step} but must be > 0", why="windows begin `step` elements apart", fix="pass a step of 1 or more"
        )
    return _unfold(self, dim=dim, size=operator.index(size), step=operator.index(step))


@public(out=True)
def unfold_copy(input, dimension, size, step):
    """As `Tensor.unfold`, with its own memory."""
    return unfold(input, dimension, size, step).clone()


# ---------------------------------------------------------------------- dimensions moved, joined, taken apart


@public(method=True, aliases=("moveaxis",))
def movedim(input, source, destination):
    """A view with dimensions moved to other places; the rest keep their order.

    >>> import flambeau as torch
    >>> torch.movedim(torch.ones(2, 3, 4), 0, -1).shape
    torch.Size([3, 4, 2])
    """
    need_tensor(input, "movedim")
    source = source if isinstance(source, (tuple, list)) else (source,)
    destination = destination if isinstance(destination, (tuple, list)) else (destination,)
    if len(source) != len(destination):
        raise ShapeError(
            f"movedim: Invalid source or destination dims: source ({list(source)} dims) should contain "
            f"the same number of dims as destination ({list(destination)} dims)",
            why="each moved dimension has its own new place",
            fix="pass as many numbers in both",
        )
    n = input.ndim
    src, dst = [tuple([normal_dim(d, n) for d in dims]) for dims in (source, destination)]
    for dims, what in ((src, "source"), (dst, "destination")):
        if len(set(dims)) != len(dims):
            raise ShapeError(
                f"movedim: repeated dim in `{what}` ({list(dims)})",
                why="a dimension moves to one place, and one place takes one dimension",
                fix="name each dimension once",
            )
    if not n:
        return _permute(input, dims=())
    order = [d for d in range(n) if d not in src]
    for to, frm in sorted(zip(dst, src)):
        order.insert(to, frm)
    return _permute(input, dims=tuple(order))


@public(method=True)
def unflatten(input, dim, sizes):
    """A view (or copy) with one dimension taken apart into several; one size may be -1.

    >>> import flambeau as torch
    >>> torch.unflatten(torch.arange(4), 0, (2, -1))
    tensor([[0, 1],
            [2, 3]])
    """
    need_tensor(input, "unflatten")
    dim = normal_dim(dim, input.ndim)
    if isinstance(sizes, (tuple, list)) and sizes and isinstance(sizes[0], (tuple, list)):
        raise ArgumentTypeError(
            "unflatten(): argument 'sizes' must be tuple of ints",
            why=f"`sizes` is {sizes}, a nested sequence",
            fix="pass a flat one, such as `(2, 3)`",
        )
    sizes = sizes_of((tuple(sizes),))
    if not sizes:
        raise ShapeError(
            "unflatten: sizes must be non-empty",
            why="the dimension is split into new ones, whose sizes are missing",
            fix="pass their sizes, such as `(2, -1)`",
        )
    n = input.shape[dim]
    try:
        sizes = infer_size(sizes, n)
    except ShapeError:
        raise ShapeError(
            f"unflatten: Provided sizes {list(sizes)} don't multiply up to the size of dim {dim} ({n}) "
            "in the input tensor",
            why=f"the sizes multiply up to another number than {n}",
            fix=f"pass sizes whose product is {n}, with -1 for one that is computed",
        ) from None
    return reshape(input, (*input.shape[:dim], *sizes, *input.shape[dim + 1 :]))


@public(method=True)
def ravel(input):
    """All elements as a vector: a view where the memory allows it.

    >>> import flambeau as torch
    >>> torch.ravel(torch.tensor([[1, 2], [3, 4]]))
    tensor([1, 2, 3, 4])
    """
    return reshape(input, (-1,)) if input.numel() or input.ndim != 1 else input


@public(method=True, function=False)
def view_as(self, other):
    """`self.view(other.shape)`.

    >>> import flambeau as torch
    >>> torch.arange(4).view_as(torch.ones(2, 2))
    tensor([[0, 1],
            [2, 3]])
    """
    need_tensor(other, "view_as", "other")
    return self.view(other.shape)


@public(method=True, function=False)
def reshape_as(self, other):
    """`self.reshape(other.shape)`.

    >>> import flambeau as torch
    >>> torch.arange(4).reshape_as(torch.ones(2, 2))
    tensor([[0, 1],
            [2, 3]])
    """
    need_tensor(other, "reshape_as", "other")
    return reshape(self, other.shape)


@public(method=True, function=False)
def expand_as(self, other):
    """`self.expand(other.shape)`.

    >>> import flambeau as torch
    >>> torch.tensor([[1], [2]]).expand_as(torch.ones(2, 2))
    tensor([[1, 1],
            [2, 2]])
    """
    need_tensor(other, "expand_as", "other")
    return self.expand(other.shape)


@public(method=True)
def broadcast_to(input, size):
    """A view expanded to `size`.

    >>> import flambeau as torch
    >>> torch.broadcast_to(torch.tensor([1, 2]), (2, 2))
    tensor([[1, 2],
            [1, 2]])
    """
    need_tensor(input, "broadcast_to")
    return input.expand(size)


@public()
def broadcast_tensors(*tensors):
    """Views of all tensors, expanded to their common shape.

    >>> import flambeau as torch
    >>> a, b = torch.broadcast_tensors(torch.ones(3, 1), torch.ones(4))
    >>> a.shape, b.shape
    (torch.Size([3, 4]), torch.Size([3, 4]))
    """
    if len(tensors) == 1 and isinstance(tensors[0], (tuple, list)):
        tensors = tensors[0]
    for t in tensors:
        need_tensor(t, "broadcast_tensors", "tensors")
    shape = broadcast_shapes(*[t.shape for t in tensors])
    return tuple([t.expand(shape) for t in tensors])


@public()
def broadcast_shapes(*shapes):
    """The shape that shapes broadcast to.

    >>> import flambeau as torch
    >>> torch.broadcast_shapes((3, 1), (4,))
    torch.Size([3, 4])
    """
    from_ints = [(s,) if isinstance(s, int) else tuple(s) for s in shapes]
    for s in from_ints:
        if any(n < 0 for n in s):
            raise ShapeError(
                f"Trying to create tensor with negative dimension ({builtins.min(s)}): {list(s)}",
                why="a size counts elements",
                fix="pass sizes of 0 or more",
            )
    try:
        return type(Tensor.wrap(np.empty(0)).shape)(np.broadcast_shapes(*from_ints))
    except ValueError:
        raise ShapeError(
            "Shape mismatch: objects cannot be broadcast to a single shape",
            why=f"of the shapes {[tuple(s) for s in from_ints]}, aligned from the right, sizes must be equal or 1",
            fix="bring them to one shape with `unsqueeze` or `reshape`",
        ) from None


@public(method=True)
def adjoint(input):
    """The last two dimensions exchanged, conjugated.

    >>> import flambeau as torch
    >>> torch.adjoint(torch.ones(2, 3)).shape
    torch.Size([3, 2])
    """
    if input.ndim < 2:
        raise ShapeError(
            f"tensor.adjoint() is only supported on matrices or batches of matrices. Got {input.ndim}-D tensor.",
            why=f"the last two dimensions are exchanged, and the shape is {tuple(input.shape)}",
            fix="use `x.unsqueeze(0)` first",
        )
    return _matrix_t(input).conj() if input.is_complex() else _matrix_t(input)


def _hermitian(self):
    """The transpose of a matrix, conjugated."""
    if self.ndim not in (0, 2):
        raise ShapeError(
            f"tensor.H is only supported on matrices (2-D tensors). Got {self.ndim}-D tensor.",
            why=f"rows and columns are exchanged, and the shape is {tuple(self.shape)}",
            fix="use `x.mH` for a batch of matrices",
        )
    return (adjoint(self) if self.is_complex() else _matrix_t(self)) if self.ndim else self


def _batch_hermitian(self):
    """The last two dimensions exchanged, conjugated."""
    if self.ndim < 2:
        raise ShapeError(
            f"tensor.mH is only supported on matrices or batches of matrices. Got {self.ndim}-D tensor.",
            why=f"the last two dimensions are exchanged, and the shape is {tuple(self.shape)}",
            fix="use `x.unsqueeze(0)` first",
        )
    return adjoint(self)


attach("H", property(_hermitian))
attach("mH", property(_batch_hermitian))

# ---------------------------------------------------------------------- other geometry in place


def _turned(name, function):
    """The in-place form of a view operation: the tensor itself takes the geometry of the view."""

    def turned(self, *args, **kwargs):
        if state.grad and self._rg and self._node is None:
            check_writable(self)
        made = function(self, *args, **kwargs)
        self._array = made._array
        if made._rg:
            self._node, self._index = made._node, made._index
        if self._base is not None:
            self._chain = made._chain
        self._wrote()
        return self

    turned.__name__ = turned.__qualname__ = name
    turned.__doc__ = f"`{name[:-1]}`, in place: the same memory under another geometry."
    attach(name, turned)


for _name in ("squeeze", "unsqueeze", "transpose", "swapaxes", "swapdims", "t"):
    _turned(_name + "_", getattr(Tensor, _name))

# ---------------------------------------------------------------------- copies of views


def _copy_form(name, function):
    def copied(input, *args, **kwargs):
        return function(input, *args, **kwargs).clone(memory_format=contiguous_format)

    copied.__name__ = copied.__qualname__ = name
    copied.__doc__ = f"As `{name[:-5]}`, with its own memory."
    return public(out=True)(copied)


_copy_form("expand_copy", Tensor.expand)
_copy_form("permute_copy", Tensor.permute)
_copy_form("squeeze_copy", Tensor.squeeze)
_copy_form("unsqueeze_copy", Tensor.unsqueeze)
_copy_form("t_copy", Tensor.t)
_copy_form("transpose_copy", Tensor.transpose)
_copy_form("view_copy", Tensor.view)
_copy_form("alias_copy", lambda input: input)
_copy_form("detach_copy", lambda input: input.detach())
