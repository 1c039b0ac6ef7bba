"""Ready-made parametrizations: orthogonal matrices, spectral norm, weight norm."""

from __future__ import annotations

from ... import ops
from ...autograd import no_grad
from ...dtypes import finfo
from ...errors import ArgumentError, IndexOutOfRange, NotSupported
from ...ops.entry import REGISTRY
from .. import functional as F
from ..modules.module import Module
from . import parametrize
from .spectral_norm import TRANSPOSED
from .weight_norm import norm_except

__all__ = ["orthogonal", "spectral_norm", "weight_norm"]

_MAPS = ("matrix_exp", "cayley", "householder")


def _is_orthogonal(q, eps=None):
    """Whether the columns are orthonormal to rounding."""
    n, k = q.size(-2), q.size(-1)
    identity = ops.eye(k, dtype=q.dtype, device=q.device)
    eps = 10.0 * n * finfo(q.dtype).eps if eps is None else eps
    return bool(((q.mH @ q - identity).abs() <= eps).all())


def _make_orthogonal(a):
    """Orthonormal columns that span the same spaces: Q of QR, with R's diagonal positive."""
    q, r = REGISTRY["linalg.qr"](a)
    return q * r.diagonal(dim1=-2, dim2=-1).sgn().unsqueeze(-2)


def _reflections(a, tau):
    """The product of Householder reflections 1 - tau v vᵀ; v are a's columns below the diagonal, with 1 on it."""
    n, k = a.size(-2), a.size(-1)
    q = ops.eye(n, k, dtype=a.dtype, device=a.device)
    for i in reversed(range(k)):
        unit = ops.zeros(n, dtype=a.dtype, device=a.device)
        unit[i] = 1
        v = (a[..., :, i] + unit).unsqueeze(-1)
        q = q - tau[..., i, None, None] * v @ (v.mH @ q)
    return q


def _householder_vectors(q):
    """(vectors below the diagonal and R above, tau) of the QR decomposition by reflections."""
    a, taus = q.clone(), []
    for i in range(a.size(-1)):
        x = a[..., i:, i].clone()
        first, rest = x[..., 0], (x[..., 1:] ** 2).sum(-1)
        flat = rest == 0
        beta = -(first**2 + rest).sqrt() * ops.where(first < 0, -ops.ones_like(first), ops.ones_like(first))
        beta = ops.where(flat, first, beta)
        tau = ops.where(flat, ops.zeros_like(first), (beta - first) / beta)
        scale = ops.where(flat, ops.ones_like(first), first - beta)
        v = x / scale.unsqueeze(-1)
        v[..., 0] = 1
        v = v.unsqueeze(-1)
        part = a[..., i:, i:].clone()
        a[..., i:, i:] = part - tau[..., None, None] * v @ (v.mH @ part)
        a[..., i + 1 :, i] = v[..., 1:, 0]
        taus.append(tau)
    return a, ops.stack(taus, -1)


class _Orthogonal(Module):
    def __init__(self, weight, orthogonal_map, *, use_trivialization=True):
        super().__init__()
        if weight.is_complex() and orthogonal_map == "householder":
            raise ArgumentError(
                "The householder parametrization does not support complex tensors.",
                why="it builds a real orthogonal matrix from reflections",
                fix='use `orthogonal_map="matrix_exp"`',
            )
        self.shape = weight.shape
        self.orthogonal_map = orthogonal_map
        if use_trivialization:
            self.register_buffer("base", None)

    def forward(self, x):
        n, k = x.size(-2), x.size(-1)
        wide = n < k
        if wide:
            x, n, k = x.mT, k, n
        if self.orthogonal_map == "householder":
            a = x.tril(diagonal=-1)
            tau = 2.0 / (1.0 + (a * a).sum(dim=-2))
            q = _reflections(a, tau)
            # The diagonal holds signs: reflections alone have a fixed determinant.
            q = q * x.diagonal(dim1=-2, dim2=-1).detach().int().unsqueeze(-2)
        else:
            x = x.tril()
            if n != k:
                x = ops.cat([x, x.new_zeros((*x.shape[:-2], n, n - k))], -1)
            a = x - x.mH
            if self.orthogonal_map == "matrix_exp":
                q = REGISTRY["matrix_exp"](a)
            else:
                identity = ops.eye(n, dtype=a.dtype, device=a.device)
                q = REGISTRY["linalg.solve"](identity - a * 0.5, identity + a * 0.5)
            if n != k:
                q = q[..., :k]
        base = self._buffers.get("base")
        if base is not None:
            q = base @ q
        return q.mT if wide else q

    def right_inverse(self, q):
        """An original that gives q, or the orthogonal matrix nearest to the one that q describes."""
        if q.shape != self.shape:
            raise ArgumentError(
                f"Expected a matrix or batch of matrices of shape {self.shape}. Got a tensor of shape {q.shape}.",
                why="the value takes the place of the weight",
                fix=f"use a tensor of shape {tuple(self.shape)}",
            )
        given = q
        n, k = q.size(-2), q.size(-1)
        wide = n < k
        if wide:
            q, n, k = q.mT, k, n
        with no_grad():
            if "base" not in self._buffers:
                if self.orthogonal_map != "householder":
                    raise NotSupported(
                        "It is not possible to assign to the matrix exponential or the Cayley parametrizations when "
                        "use_trivialization=False.",
                        why="these maps are not inverted, so no parameter gives the value wanted",
                        fix="use `use_trivialization=True`, or `orthogonal_map='householder'`",
                    )
                a, tau = _householder_vectors(q)
                signs = a.diagonal(dim1=-2, dim2=-1).sign()
                signs = ops.where(tau == 0, -signs, signs)
                a = _without_diagonal(a) + _on_diagonal(signs, n, k)
                return a.mT if wide else a
            if n == k:
                q = q.clone() if _is_orthogonal(q) else _make_orthogonal(q)
            else:
                more = ops.randn(*q.shape[:-2], n, n - k, dtype=q.dtype, device=q.device)
                q = _make_orthogonal(ops.cat([q, more], -1))
            self.base = q
            identity = ops.eye(given.size(-2), given.size(-1), dtype=given.dtype, device=given.device)
            return (ops.zeros_like(given) - identity).contiguous()


def _without_diagonal(a):
    return a - a * ops.eye(a.size(-2), a.size(-1), dtype=a.dtype, device=a.device)


def _on_diagonal(values, n, k):
    """A matrix of n rows and k columns with these values on its diagonal."""
    return ops.eye(n, k, dtype=values.dtype, device=values.device) * values.unsqueeze(-2)


def orthogonal(module, name="weight", orthogonal_map=None, *, use_trivialization=True):
    """Keep a weight orthogonal: its columns (or rows, if there are fewer) stay orthonormal.

    Arguments:
        orthogonal_map: 'matrix_exp', 'cayley' or 'householder'. Default: the first for square matrices, else the last.
        use_trivialization: parametrize relative to the weight's first value.

    Lezcano-Casado, Martínez-Rubio, "Cheap Orthogonal Constraints in Neural Networks", 2019.

    >>> import flambeau as torch
    >>> layer = torch.nn.utils.parametrizations.orthogonal(torch.nn.Linear(4, 3))
    >>> torch.allclose(layer.weight @ layer.weight.T, torch.eye(3), atol=1e-5)
    True
    """
    weight = getattr(module, name, None)
    if weight is None:
        raise ArgumentError(
            f"Module '{module}' has no parameter or buffer with name '{name}'",
            why=f"it has {[n for n, _ in module.named_parameters(recurse=False)]}",
            fix="use one of these as name",
        )
    if weight.dim() < 2:
        raise ArgumentError(
            f"Expected a matrix or batch of matrices. Got a tensor of {weight.dim()} dimensions.",
            why="rows or columns are made orthogonal to one another",
            fix="leave biases as they are",
        )
    if orthogonal_map is None:
        square = weight.size(-2) == weight.size(-1)
        orthogonal_map = "matrix_exp" if square or weight.is_complex() else "householder"
    if orthogonal_map not in _MAPS:
        raise ArgumentError(
            f'orthogonal_map has to be one of "matrix_exp", "cayley", "householder". Got: {orthogonal_map}',
            why="it says how an orthogonal matrix is built from a free one",
            fix='use `orthogonal_map="matrix_exp"`',
        )
    made = _Orthogonal(weight, orthogonal_map, use_trivialization=use_trivialization)
    return parametrize.register_parametrization(module, name, made, unsafe=True)


class _WeightNorm(Module):
    def __init__(self, dim=0):
        super().__init__()
        self.dim = -1 if dim is None else dim

    def forward(self, weight_g, weight_v):
        return weight_v * (weight_g / norm_except(weight_v, self.dim))

    def right_inverse(self, weight):
        """(length, direction) of a weight."""
        return norm_except(weight, self.dim), weight


def weight_norm(module, name="weight", dim=0):
    """Learn the length and the direction of a weight apart: w = g v / ‖v‖.

    Arguments:
        dim: the dimension along which each slice has its own length; None for one length. Default: 0.

    Salimans, Kingma, "Weight Normalization", 2016.

    >>> import flambeau as torch
    >>> layer = torch.nn.utils.parametrizations.weight_norm(torch.nn.Linear(4, 3))
    >>> layer.parametrizations.weight.original0.shape
    torch.Size([3, 1])
    """
    parametrize.register_parametrization(module, name, _WeightNorm(dim), unsafe=True)

    def take_old_names(state_dict, prefix, metadata, strict, missing, unexpected, errors):
        g, v = f"{prefix}{name}_g", f"{prefix}{name}_v"
        if g in state_dict and v in state_dict:
            state_dict[f"{prefix}parametrizations.{name}.original0"] = state_dict.pop(g)
            state_dict[f"{prefix}parametrizations.{name}.original1"] = state_dict.pop(v)

    module._register_load_state_dict_pre_hook(take_old_names)
    return module


class _SpectralNorm(Module):
    def __init__(self, weight, n_power_iterations=1, dim=0, eps=1e-12):
        super().__init__()
        ndim = weight.dim()
        if not -ndim <= dim < ndim:
            raise IndexOutOfRange(
                f"Dimension out of range (expected to be in range of [-{ndim}, {ndim - 1}] but got {dim})",
                why=f"the weight has {ndim} dimension(s)",
                fix="use `dim=0`, the outputs of a layer",
            )
        if n_power_iterations <= 0:
            raise ArgumentError(
                f"Expected n_power_iterations to be positive, but got n_power_iterations={n_power_iterations}",
                why="the largest singular value is estimated by iteration",
                fix="use `n_power_iterations=1`",
            )
        self.dim = dim if dim >= 0 else dim + ndim
        self.eps = eps
        if ndim > 1:
            self.n_power_iterations = n_power_iterations
            with no_grad():
                matrix = self._matrix(weight)
                u = matrix.new_empty(matrix.size(0)).normal_(0, 1)
                v = matrix.new_empty(matrix.size(1)).normal_(0, 1)
                self.register_buffer("_u", F.normalize(u, dim=0, eps=eps))
                self.register_buffer("_v", F.normalize(v, dim=0, eps=eps))
                self._power_method(matrix, 15)

    def _matrix(self, weight):
        if self.dim != 0:
            weight = weight.permute(self.dim, *(d for d in range(weight.dim()) if d != self.dim))
        return weight.flatten(1)

    def _power_method(self, matrix, steps):
        with no_grad():
            matrix = matrix.detach()
            for _ in range(steps):
                self._u.copy_(F.normalize(matrix @ self._v, dim=0, eps=self.eps))
                self._v.copy_(F.normalize(matrix.mH @ self._u, dim=0, eps=self.eps))

    def forward(self, weight):
        if weight.dim() == 1:
            return F.normalize(weight, dim=0, eps=self.eps)
        matrix = self._matrix(weight)
        if self.training:
            self._power_method(matrix, self.n_power_iterations)
        # Backward must see these values even when the next call has moved on.
        u, v = self._u.clone(), self._v.clone()
        return weight / (u.conj() @ (matrix @ v))

    def right_inverse(self, value):
        """Whatever the norm: it is divided out."""
        return value


def spectral_norm(module, name="weight", n_power_iterations=1, eps=1e-12, dim=None):
    """Divide a weight by its greatest singular value, found by the power method.

    Arguments:
        n_power_iterations: steps per call in training. Default: 1.
        dim: the dimension of the outputs. Default: 0, and 1 for transposed convolutions.

    Miyato et al., "Spectral Normalization for Generative Adversarial Networks", 2018.

    >>> import flambeau as torch
    >>> _ = torch.manual_seed(0)
    >>> layer = torch.nn.utils.parametrizations.spectral_norm(torch.nn.Linear(4, 3), n_power_iterations=20)
    >>> round(float(torch.linalg.matrix_norm(layer.weight, 2)), 3)
    1.0
    """
    weight = getattr(module, name, None)
    if weight is None:
        raise ArgumentError(
            f"Module '{module}' has no parameter or buffer with name '{name}'",
            why=f"it has {[n for n, _ in module.named_parameters(recurse=False)]}",
            fix="use one of these as name",
        )
    if dim is None:
        dim = 1 if isinstance(module, TRANSPOSED) else 0
    parametrize.register_parametrization(module, name, _SpectralNorm(weight, n_power_iterations, dim, eps))
    return module
