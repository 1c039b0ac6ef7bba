"""Products of vectors and matrices: matmul, mm, bmm, addmm and their kin, outer, kron, tensordot."""

from __future__ import annotations

import math

import numpy as np

from ..autograd.mode import autocasting, state
from ..dtypes import FROM_NUMPY, HALVES
from ..errors import DtypeError, ShapeError
from ..kernels import fused as kernels
from ..kernels.casts import cast
from ..kernels.record import listeners
from ..mistakes.dtypes import mixed_dtypes
from ..mistakes.products import wrong_product
from ..tensor import Tensor, attach
from .elementwise import F32, F64, conj, not_implemented
from .entry import primitive, public
from .precision import lower
from .promotion import check_devices
from .shape import need_tensor, normal_dim, reshape


def _matmul_array(input, other):
    if input.dtype is F32 or input.dtype is F64:
        return kernels.matmul(input, other)
    if input.dtype.kind in "iu":
        return np.matmul(input, other)
    if FROM_NUMPY[input.dtype] in HALVES:
        return cast(kernels.matmul(cast(input, F32), cast(other, F32)), input.dtype)
    return np.matmul(input, other)


def _matmul_input(g, input, other):
    if other.ndim == 1:
        return g.unsqueeze(-1) * conj(other) if input.ndim > 1 else g * conj(other)
    if input.ndim == 1:
        return _matmul(conj(other), g.unsqueeze(-1)).squeeze(-1)
    return _matmul(g, conj(other).mT)


def _matmul_other(g, input, other):
    if input.ndim == 1:
        if other.ndim == 1:
            return g * conj(input)
        return conj(input).unsqueeze(-1) * g.unsqueeze(-2)
    if other.ndim == 1:
        return _matmul(conj(input).mT, g.unsqueeze(-1)).squeeze(-1)
    if other.ndim == 2 and input.ndim > 2:
        # One large product instead of a batch of small ones that are then summed.
        k, n = other._array.shape
        rows = g.numel() // n if n else math.prod(g.shape[:-1])
        return _matmul(conj(input).reshape(rows, k).mT, g.reshape(rows, n))
    return _matmul(conj(input).mT, g)


_RULES = {"input": _matmul_input, "other": _matmul_other}
_matmul = primitive("matmul", _matmul_array, vjp=_RULES, node="MmBackward0")
_bmm = primitive("bmm", _matmul_array, vjp=_RULES)
_batched = primitive("matmul_nd", _matmul_array, vjp=_RULES, node="UnsafeViewBackward0")
_mv = primitive("mv", _matmul_array, vjp=_RULES)
_dot = primitive("dot", _matmul_array, vjp=_RULES)


@public(method=True, out=True, aliases=("linalg.matmul",))
def matmul(input, other):
    """Matrix product: vectors, matrices, or batches of matrices (their leading dimensions are broadcast).

    Raises RuntimeError when the inner sizes differ, or the dtypes do.

    >>> import flambeau as torch
    >>> torch.matmul(torch.ones(2, 3), torch.ones(3)).shape
    torch.Size([2])
    """
    if autocasting:
        input, other = lower(input, other)
    matmul_checks(input, other)
    a, b = input._array, other._array
    if a.ndim > 2 or b.ndim > 2:
        try:
            return _batched(input, other)
        except ShapeError:
            raise wrong_product(_batch_clash(a.shape, b.shape), input, other) from None
    if b.ndim == 1:
        return (_dot if a.ndim == 1 else _mv)(input, other)
    return _matmul(input, other)


def matmul_checks(input, other, name="@"):
    """The errors of a matrix product."""
    need_tensor(input, "matmul")
    need_tensor(other, "matmul", "other", 2)
    a, b = input._array, other._array
    if a.dtype != b.dtype:
        raise _two_dtypes(input, other)
    if a.ndim == 0 or b.ndim == 0:
        raise ShapeError(
            f"both arguments to matmul need to be at least 1D, but they are {a.ndim}D and {b.ndim}D",
            why="a matrix product adds up along a dimension, and a single number has none",
            fix="use `a * b`",
        )
    if a.shape[-1] != b.shape[-2 if b.ndim > 1 else 0]:
        raise wrong_product(_mismatch(a.shape, b.shape), input, other, name)
    if a.dtype.kind == "b":
        raise not_implemented("addmm_impl_cpu_", input.dtype)
    if type(a) is not type(b):
        check_devices(input, other)


def _two_dtypes(input, other):
    fact = f"expected m1 and m2 to have the same dtype, but got: {c_name(input._array)} != {c_name(other._array)}"
    return mixed_dtypes(fact, input, other)


_C_NAMES = {"float32": "float", "float64": "double", "float16": "c10::Half", "bfloat16": "c10::BFloat16",
            "int64": "long int", "int32": "int", "int16": "short int", "int8": "signed char",
            "uint8": "unsigned char"}  # fmt: skip


def c_name(a) -> str:
    """The name of an array's dtype in C++, as some of PyTorch's messages have it."""
    name = FROM_NUMPY[a.dtype].name
    return _C_NAMES.get(name, name)


def _mismatch(a, b):
    if len(a) <= 2 and len(b) <= 2:
        if len(a) == 1 and len(b) == 1:
            return (
                f"inconsistent tensor size, expected tensor {list(a)} and src {list(b)} to have the same number of "
                f"elements, but got {a[0]} and {b[0]} elements respectively"
            )
        if len(b) == 1:
            return f"size mismatch, got input ({a[0]}), mat ({a[0]}x{a[1]}), vec ({b[0]})"
        m = a if len(a) == 2 else (1, *a)
        return f"mat1 and mat2 shapes cannot be multiplied ({m[0]}x{m[1]} and {b[0]}x{b[1]})"
    return f"Expected size for first two dimensions of batch2 tensor to be: {[*a[:-2], a[-1]]} but got: {list(b[:-1])}."


def _batch_clash(a, b):
    """PyTorch's sentence about the batch dimensions of a product that do not go together."""
    n = max(len(a), len(b))
    a, b = (1,) * (n - len(a)) + tuple(a), (1,) * (n - len(b)) + tuple(b)
    bad = [i for i in range(n - 2) if a[i] != b[i] and 1 not in (a[i], b[i])]
    i = bad[-1] if bad else 0
    return f"The size of tensor a ({a[i]}) must match the size of tensor b ({b[i]}) at non-singleton dimension {i}"


def _operator(self, other):
    if not isinstance(other, Tensor):
        return NotImplemented
    a, b = self._array, other._array
    d = a.dtype
    if (
        (d is F32 or d is F64) and b.dtype is d and a.ndim == 2 and b.ndim == 2 and a.shape[1] == b.shape[0]
        and type(a) is np.ndarray and type(b) is np.ndarray and not autocasting and not listeners
    ):  # fmt: skip
        # Two matrices of one dtype, by far the commonest: nothing to check, one object to make.
        made = _new(Tensor)
        made._array = kernels.matmul(a, b)
        if (self._rg or other._rg or self._base is not None or other._base is not None) and state.grad:
            _matmul.record_pair(self, other, made)
        elif state.inference:
            made._inference = True
        return made
    return matmul(self, other)


_new = object.__new__
attach("__matmul__", _operator)
attach("__rmatmul__", lambda self, other: matmul(other, self) if isinstance(other, Tensor) else NotImplemented)


def _ranks(name, *expected):
    """Error unless each (tensor, argument name, number of dimensions) fits; None allows any."""
    for t, argument, ndim in expected:
        need_tensor(t, name, argument)
        if ndim is not None and t.ndim != ndim:
            raise ShapeError(
                f"{name}: {argument} must be a vector, got {t.ndim}-D tensor"
                if ndim == 1
                else f"{name}: {argument} must be a matrix, got {t.ndim}-D tensor"
                if ndim == 2
                else f"{name}: {argument} must be a batch of matrices, got {t.ndim}-D tensor",
                why=f"its shape is {tuple(t.shape)}",
                fix="use `torch.matmul`, which takes any number of dimensions",
            )


@public(method=True, out=True)
def mm(input, mat2):
    """Product of two matrices.

    >>> import flambeau as torch
    >>> torch.mm(torch.tensor([[1, 2], [3, 4]]), torch.tensor([[1], [1]]))
    tensor([[3],
            [7]])
    """
    _ranks("mm", (input, "self", 2), (mat2, "mat2", 2))
    return matmul(input, mat2)


@public(method=True, out=True)
def bmm(input, mat2):
    """Products of two batches of matrices, (b, n, m) and (b, m, p).

    >>> import flambeau as torch
    >>> torch.bmm(torch.ones(4, 2, 3), torch.ones(4, 3, 5)).shape
    torch.Size([4, 2, 5])
    """
    _ranks("bmm", (input, "batch1", 3), (mat2, "batch2", 3))
    if input.shape[0] != mat2.shape[0]:
        raise wrong_product(_mismatch(input.shape, mat2.shape), input, mat2, "torch.bmm")
    if autocasting:
        input, mat2 = lower(input, mat2)
    matmul_checks(input, mat2, "torch.bmm")
    return _bmm(input, mat2)


@public(method=True, out=True)
def mv(input, vec):
    """Product of a matrix and a vector.

    >>> import flambeau as torch
    >>> torch.mv(torch.tensor([[1, 2], [3, 4]]), torch.tensor([1, 1]))
    tensor([3, 7])
    """
    _ranks("mv", (input, "input", 2), (vec, "vec", 1))
    return matmul(input, vec)


@public(method=True, out=True)
def dot(input, tensor):
    """Inner product of two vectors.

    >>> import flambeau as torch
    >>> torch.dot(torch.tensor([1, 2]), torch.tensor([3, 4]))
    tensor(11)
    """
    for t in (input, tensor):
        need_tensor(t, "dot")
    if input.ndim != 1 or tensor.ndim != 1:
        raise ShapeError(
            f"1D tensors expected, but got {input.ndim}D and {tensor.ndim}D tensors",
            why="the dot product is that of two vectors",
            fix="use `a @ b` for matrices, or `(a * b).sum()` over all elements",
        )
    if input.dtype is not tensor.dtype:
        raise DtypeError(
            f"dot : expected both vectors to have same dtype, but found {input.dtype} and {tensor.dtype}",
            why="one product has one dtype",
            fix=f"convert it: `b.to(torch.{input.dtype.name})`",
        )
    return matmul(input, tensor)


@public(method=True, out=True)
def vdot(input, other):
    """Inner product of two vectors, the first one conjugated.

    >>> import flambeau as torch
    >>> torch.vdot(torch.tensor([1j]), torch.tensor([1j]))
    tensor(1.+0.j)
    """
    need_tensor(input, "vdot")
    return dot(conj(input), other)


@public(method=True, out=True)
def inner(input, other):
    """Sums of products over the last dimensions of both tensors.

    >>> import flambeau as torch
    >>> torch.inner(torch.tensor([1, 2]), torch.tensor([3, 4]))
    tensor(11)
    """
    need_tensor(input, "inner")
    need_tensor(other, "inner", "other", 2)
    if not input.ndim or not other.ndim:
        return input * other
    if input.shape[-1] != other.shape[-1]:
        raise ShapeError(
            "inner() the last dimension must match on both input tensors but got shapes "
            f"{list(input.shape)} and {list(other.shape)}",
            why=f"the products run along the last dimension: of size {input.shape[-1]} and {other.shape[-1]}",
            fix="transpose one of them, or use `a @ b`",
            code="FB-SHAPE-06",
            cause="sizes",
        )
    return tensordot(input, other, dims=([-1], [-1]))


@public(method=True, out=True, aliases=("ger",))
def outer(input, vec2):
    """All products of an element of one vector with one of another, as a matrix.

    >>> import flambeau as torch
    >>> torch.outer(torch.tensor([1, 2]), torch.tensor([3, 4]))
    tensor([[3, 4],
            [6, 8]])
    """
    _ranks("outer", (input, "self", 1), (vec2, "vec2", 1))
    return input.unsqueeze(1) * vec2.unsqueeze(0)


# ---------------------------------------------------------------------- product and sum


def _times(x, factor, name):
    """`factor * x`, where the factor 1 costs nothing and integers take no fractions."""
    if factor.__class__ is int and factor == 1:
        return x
    if isinstance(factor, float) and x.dtype.category < 2:
        factor = int(factor)  # as PyTorch converts it
    return x * factor


def _in_single(function, input, x, y, beta, alpha):
    """A product and sum of 16-bit floats: computed in float32, rounded once."""
    wide = function(input.float(), x.float(), y.float(), beta=beta, alpha=alpha)
    return wide.to(input.dtype)


def _all_halves(*tensors):
    return all(t.dtype in HALVES for t in tensors)


def _plus(input, product, beta, alpha):
    if input.dtype is not product.dtype:
        raise DtypeError(
            f"self and mat2 must have the same dtype, but got {input.dtype} and {product.dtype}",
            why="the sum has one dtype",
            fix=f"convert it: `input.to(torch.{product.dtype.name})`",
        )
    try:
        full = np.broadcast_shapes(input.shape, product.shape) == tuple(product.shape)
    except ValueError:
        full = False
    if not full:
        raise ShapeError(
            f"The expanded size of the tensor ({product.shape[-1] if product.ndim else 1}) must match the "
            f"existing size ({input.shape[-1] if input.ndim else 1}) at non-singleton dimension "
            f"{product.ndim - 1}.  Target sizes: {list(product.shape)}.  Tensor sizes: "
            f"{list(input.shape)}",
            why=f"the product has shape {tuple(product.shape)}, and what is added to it must broadcast to that",
            fix="pass an `input` of that shape, or one with sizes of 1",
        )
    product = _times(product, alpha, "alpha")
    if beta == 0:  # what is ignored may be nan
        if isinstance(beta, float) and input.dtype.category < 2:
            _times(input, beta, "beta")
        return product
    return _times(input, beta, "beta") + product


def _addmm_array(bias, input, other):
    return kernels.matmul(input, other, bias=bias)


_addmm = primitive("addmm", _addmm_array, vjp={"bias": lambda g: g, **_RULES})


@public(method=True, inplace="method", out=True)
def addmm(input, mat1, mat2, *, beta=1, alpha=1):
    """beta * input + alpha * (mat1 @ mat2).

    >>> import flambeau as torch
    >>> torch.addmm(torch.ones(2, 2), torch.ones(2, 3), torch.ones(3, 2))
    tensor([[4., 4.],
            [4., 4.]])
    """
    _ranks("addmm", (input, "input", None), (mat1, "mat1", 2), (mat2, "mat2", 2))
    if autocasting:
        input, mat1, mat2 = lower(input, mat1, mat2)
    a, b, c = input._array, mat1._array, mat2._array
    if beta == 1 and alpha == 1 and a.dtype == b.dtype == c.dtype and a.dtype.kind == "f" and a.dtype.itemsize > 2:
        # The common case as one step.
        if b.shape[1] == c.shape[0] and a.ndim <= 2 and all(
            n == 1 or n == m for n, m in zip(a.shape[::-1], (c.shape[1], b.shape[0]))
        ):  # fmt: skip
            return _addmm(input, mat1, mat2)
    if _all_halves(input, mat1, mat2):
        return _in_single(addmm, input, mat1, mat2, beta, alpha)
    return _plus(input, matmul(mat1, mat2), beta, alpha)


@public(method=True, inplace="method", out=True)
def addmv(input, mat, vec, *, beta=1, alpha=1):
    """beta * input + alpha * (mat @ vec).

    >>> import flambeau as torch
    >>> torch.addmv(torch.ones(2), torch.ones(2, 3), torch.ones(3))
    tensor([4., 4.])
    """
    _ranks("addmv", (input, "input", None), (mat, "mat", 2), (vec, "vec", 1))
    if _all_halves(input, mat, vec):
        return _in_single(addmv, input, mat, vec, beta, alpha)
    return _plus(input, matmul(mat, vec), beta, alpha)


@public(method=True, inplace="method", out=True)
def addr(input, vec1, vec2, *, beta=1, alpha=1):
    """beta * input + alpha * outer(vec1, vec2).

    >>> import flambeau as torch
    >>> torch.addr(torch.zeros(2, 2), torch.tensor([1.0, 2.0]), torch.tensor([3.0, 4.0]))
    tensor([[3., 4.],
            [6., 8.]])
    """
    _ranks("addr", (input, "input", None), (vec1, "vec1", 1), (vec2, "vec2", 1))
    if _all_halves(input, vec1, vec2):
        return _in_single(addr, input, vec1, vec2, beta, alpha)
    from_outer = outer(vec1, vec2)
    if input.dtype is not from_outer.dtype:
        return _times(input, beta, "beta") + _times(from_outer, alpha, "alpha")
    if input.dtype.name == "bool":
        if not isinstance(beta, bool) or not isinstance(alpha, bool):
            if isinstance(beta, (float, complex)) or isinstance(alpha, (float, complex)):
                raise DtypeError(
                    "For boolean tensors, arguments beta and alpha must be booleans or integers.",
                    why=f"the result is {input.dtype.name}",
                    fix="pass whole numbers or bools as `beta` and `alpha`",
                )
        made = from_outer & bool(alpha)
        return (input & bool(beta)) | made
    return _plus(input, from_outer, beta, alpha)


@public(method=True, inplace="method", out=True)
def baddbmm(input, batch1, batch2, *, beta=1, alpha=1):
    """beta * input + alpha * (batch1 @ batch2), batch by batch.

    >>> import flambeau as torch
    >>> torch.baddbmm(torch.ones(4, 2, 2), torch.ones(4, 2, 3), torch.ones(4, 3, 2)).shape
    torch.Size([4, 2, 2])
    """
    _ranks("baddbmm", (input, "input", None), (batch1, "batch1", 3), (batch2, "batch2", 3))
    if autocasting:
        input, batch1, batch2 = lower(input, batch1, batch2)
    if _all_halves(input, batch1, batch2):
        return _in_single(baddbmm, input, batch1, batch2, beta, alpha)
    return _plus(input, bmm(batch1, batch2), beta, alpha)


@public(method=True, inplace="method", out=True)
def addbmm(input, batch1, batch2, *, beta=1, alpha=1):
    """beta * input + alpha * the sum over the batch of batch1 @ batch2.

    >>> import flambeau as torch
    >>> torch.addbmm(torch.zeros(2, 2), torch.ones(4, 2, 3), torch.ones(4, 3, 2))
    tensor([[12., 12.],
            [12., 12.]])
    """
    _ranks("addbmm", (input, "input", None), (batch1, "batch1", 3), (batch2, "batch2", 3))
    if autocasting:
        input, batch1, batch2 = lower(input, batch1, batch2)
    if _all_halves(input, batch1, batch2):
        return _in_single(addbmm, input, batch1, batch2, beta, alpha)
    product = bmm(batch1, batch2).sum(0)
    return _plus(input, product.to(batch1.dtype) if product.dtype is not batch1.dtype else product, beta, alpha)


# ---------------------------------------------------------------------- chains and contractions


@public()
def chain_matmul(*matrices, out=None):
    """The product of several matrices, in the cheapest order.

    >>> import flambeau as torch
    >>> torch.linalg.multi_dot([torch.ones(2, 3), torch.ones(3, 4), torch.ones(4, 5)]).shape
    torch.Size([2, 5])
    """
    if len(matrices) == 1 and isinstance(matrices[0], (tuple, list)):
        matrices = matrices[0]
    for m in matrices:
        if m.ndim != 2:
            raise ShapeError(
                f"chain_matmul: Tensor dimension is {m.ndim}, expected 2 instead",
                why="a chain of matrix products takes matrices",
                fix="use `a @ b` for batches, `x.unsqueeze(0)` for a vector",
            )
    made = multiply_chain(list(matrices))
    return made if out is None else out.copy_(made)


def multiply_chain(matrices):
    """Matrices multiplied in the order that needs the fewest multiplications (dynamic programming)."""
    n = len(matrices)
    if n == 1:
        return matrices[0].clone()
    sizes = [m.shape[0] for m in matrices] + [matrices[-1].shape[1]]
    cost, cut = {}, {}
    for i in range(n):
        cost[i, i] = 0
    for length in range(1, n):
        for i in range(n - length):
            j = i + length
            cost[i, j], cut[i, j] = min(
                (cost[i, k] + cost[k + 1, j] + sizes[i] * sizes[k + 1] * sizes[j + 1], k) for k in range(i, j)
            )

    def product(i, j):
        return matrices[i] if i == j else matmul(product(i, cut[i, j]), product(cut[i, j] + 1, j))

    return product(0, n - 1)


@public(out=True)
def tensordot(a, b, dims=2):
    """Sums of products over several dimensions: the last `dims` of `a` with the first of `b`, or two lists of them.

    >>> import flambeau as torch
    >>> torch.tensordot(torch.ones(2, 3, 4), torch.ones(3, 4, 5)).shape
    torch.Size([2, 5])
    """
    need_tensor(a, "tensordot", "self")
    need_tensor(b, "tensordot", "other", 2)
    if isinstance(dims, Tensor):
        dims = dims.tolist()
    if isinstance(dims, int):
        if dims < 0:
            raise ShapeError(
                f"tensordot expects dims >= 0, but got dims={dims}",
                why="`dims` is the number of dimensions that are summed over",
                fix="pass 0 or more",
            )
        if dims > min(a.ndim, b.ndim):
            raise ShapeError(
                f"tensordot expects dims < ndim_a or ndim_b, but got dims={dims}",
                why=f"the tensors have {a.ndim} and {b.ndim} dimensions",
                fix=f"pass `dims` of at most {min(a.ndim, b.ndim)}",
            )
        first, second = list(range(a.ndim - dims, a.ndim)), list(range(dims))
    else:
        first, second = [list(d) if isinstance(d, (tuple, list)) else [d] for d in dims]
    if len(first) != len(second):
        raise ShapeError(
            f"both dimension lists should have same length, got {first} and {second}",
            why="each summed dimension of the first belongs to one of the second",
            fix="pass equally many numbers for both",
        )
    first, second = [normal_dim(d, a.ndim) for d in first], [normal_dim(d, b.ndim) for d in second]
    if a.dtype is not b.dtype:
        raise DtypeError(
            f"both inputs should have same dtype, got {a.dtype} and {b.dtype}",
            why="one product has one dtype",
            fix=f"convert it: `b.to(torch.{a.dtype.name})`",
        )
    summed = 1
    for i, j in zip(first, second):
        n, m = a.shape[i], b.shape[j]
        if n != m and 1 not in (n, m):
            raise ShapeError(
                f"contracted dimensions need to match, but first has size {n} in dim {i} and second has "
                f"size {m} in dim {j}",
                why=f"the shapes are {tuple(a.shape)} and {tuple(b.shape)}",
                fix="name dimensions of one size in `dims`",
                code="FB-SHAPE-06",
                cause="sizes",
            )
        if n == 1 and m > 1:
            b = b.sum(j, True).to(b.dtype)
        elif m == 1 and n > 1:
            a = a.sum(i, True).to(a.dtype)
        summed *= a.shape[i]
    left = [d for d in range(a.ndim) if d not in first]
    right = [d for d in range(b.ndim) if d not in second]
    shape = [a.shape[d] for d in left] + [b.shape[d] for d in right]
    x = reshape(a.permute(*left, *first), (int(np.prod([a.shape[d] for d in left])), summed))
    y = reshape(b.permute(*second, *right), (summed, int(np.prod([b.shape[d] for d in right]))))
    return reshape(matmul(x, y), shape)


@public(method=True, out=True)
def kron(input, other):
    """Kronecker product: each element of `input` times all of `other`.

    >>> import flambeau as torch
    >>> torch.kron(torch.eye(2), torch.tensor([[1.0, 2.0]]))
    tensor([[1., 2., 0., 0.],
            [0., 0., 1., 2.]])
    """
    need_tensor(input, "kron")
    need_tensor(other, "kron", "other", 2)
    n = max(input.ndim, other.ndim)
    a, b = [(1,) * (n - t.ndim) + tuple(t.shape) for t in (input, other)]
    x = reshape(input, tuple(k for s in a for k in (s, 1)))
    y = reshape(other, tuple(k for s in b for k in (1, s)))
    return reshape(x * y, tuple(i * j for i, j in zip(a, b)))


@public(method=True)
def trace(input):
    """Sum of the diagonal of a matrix.

    >>> import flambeau as torch
    >>> torch.trace(torch.tensor([[1, 2], [3, 4]]))
    tensor(5)
    """
    need_tensor(input, "trace")
    if input.ndim != 2:
        raise ShapeError(
            f"trace: expected a matrix, but got tensor with dim {input.ndim}",
            why=f"the trace is the sum of a matrix's diagonal, and the shape is {tuple(input.shape)}",
            fix="use `torch.diagonal(x, dim1=-2, dim2=-1).sum(-1)` for a batch",
        )
    return input.diagonal().sum()
