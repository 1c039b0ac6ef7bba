"""Matrix algorithms on NumPy arrays, over batches: LU with pivots, substitution, Bunch-Kaufman, Householder products.

`numpy.linalg` has no LU, no triangular solve and no LDL; these are written here as loops over columns, each step
vectorised over the batch and the rest of the matrix.
"""

from __future__ import annotations

import numpy as np

from ..errors import FlambeauError


class LinAlgError(FlambeauError, RuntimeError):
    """A matrix for which the operation is impossible: singular, not positive definite, or not converging."""


def flat_batch(a: np.ndarray) -> np.ndarray:
    """(..., m, n) as (batch, m, n)."""
    return a.reshape((int(np.prod(a.shape[:-2])), *a.shape[-2:]))


def magnitude(a: np.ndarray) -> np.ndarray:
    """LAPACK's cheap absolute value: |re| + |im|."""
    return np.abs(a.real) + np.abs(a.imag) if a.dtype.kind == "c" else np.abs(a)


def lu_factor(a: np.ndarray, pivot: bool = True):
    """(L and U packed in one matrix, pivots counted from 1, info) of matrices (..., m, n)."""
    shape = a.shape
    m, n = shape[-2:]
    k = min(m, n)
    lu = flat_batch(np.array(a, order="C"))
    count = len(lu)
    pivots = np.tile(np.arange(1, k + 1, dtype=np.int32), (count, 1))
    info = np.zeros(count, np.int32)
    rows = np.arange(count)
    with np.errstate(all="ignore"):
        for j in range(k):
            if pivot and m:
                p = np.argmax(magnitude(lu[:, j:, j]), axis=1) + j
                pivots[:, j] = p + 1
                if (p != j).any():
                    held = lu[rows, p]
                    lu[rows, p] = lu[:, j]
                    lu[:, j] = held
            d = lu[:, j, j]
            zero = d == 0
            info[zero & (info == 0)] = j + 1
            safe = np.where(zero, 1, d)
            lu[:, j + 1 :, j] /= safe[:, None]
            if j + 1 < n:
                lu[:, j + 1 :, j + 1 :] -= lu[:, j + 1 :, j, None] * lu[:, j, None, j + 1 :]
    batch = shape[:-2]
    return lu.reshape(shape), pivots.reshape((*batch, k)), info.reshape(batch)


def permutation(pivots: np.ndarray, m: int) -> np.ndarray:
    """Row order (..., m) that a sequence of interchanges leads to: result row i is original row order[i]."""
    flat = pivots.reshape(int(np.prod(pivots.shape[:-1])), pivots.shape[-1])
    order = np.tile(np.arange(m), (len(flat), 1))
    rows = np.arange(len(flat))
    for j in range(flat.shape[1]):
        p = flat[:, j] - 1
        held = order[rows, p]
        order[rows, p] = order[:, j]
        order[:, j] = held
    return order.reshape((*pivots.shape[:-1], m))


def permutation_matrix(pivots: np.ndarray, m: int, dtype) -> np.ndarray:
    """P of A = P L U, from pivots."""
    order = permutation(pivots, m)
    out = np.zeros((*order.shape, m), dtype)
    np.put_along_axis(out, order[..., None, :], 1, axis=-2)
    return out


def substitute(a: np.ndarray, b: np.ndarray, upper: bool, unit: bool = False) -> np.ndarray:
    """X of A X = B for a triangular A (only its triangle is read), by substitution."""
    n = a.shape[-1]
    batch = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    x = np.array(np.broadcast_to(b, batch + b.shape[-2:]), dtype=np.result_type(a, b), order="C")
    with np.errstate(all="ignore"):
        for i in reversed(range(n)) if upper else range(n):
            known = slice(i + 1, n) if upper else slice(0, i)
            row = x[..., i : i + 1, :]
            if known.start != known.stop:
                row -= np.matmul(a[..., i : i + 1, known], x[..., known, :])
            if not unit:
                row /= a[..., i : i + 1, i : i + 1]
    return x


def householder(v: np.ndarray, tau: np.ndarray, columns: int) -> np.ndarray:
    """The first columns of H1 H2 ... Hk, the product of reflections I - tau v v^H packed below a diagonal."""
    m, k = v.shape[-2], tau.shape[-1]
    q = np.zeros((*v.shape[:-2], m, columns), v.dtype)
    q[..., range(columns), range(columns)] = 1
    for i in reversed(range(k)):
        w = v[..., i:, i : i + 1].copy()
        w[..., 0, 0] = 1
        part = q[..., i:, :]
        part -= tau[..., i, None, None] * (w @ (np.conj(w).swapaxes(-1, -2) @ part))
    return q


# ---------------------------------------------------------------------- Bunch-Kaufman


def ldl_factor(a: np.ndarray, hermitian: bool):
    """(LD packed, pivots, info) of symmetric or Hermitian matrices, as LAPACK's sytrf and hetrf (lower) give them."""
    shape = a.shape
    flat = flat_batch(np.tril(a))
    n = shape[-1]
    pivots = np.zeros((len(flat), n), np.int32)
    info = np.zeros(len(flat), np.int32)
    for i, one in enumerate(flat):
        info[i] = _ldl_one(one, pivots[i], hermitian and a.dtype.kind == "c")
    return flat.reshape(shape), pivots.reshape(shape[:-1]), info.reshape(shape[:-2])


def _ldl_one(a, pivots, hermitian):
    """One matrix, in place; the lower triangle is read and written."""
    n = len(a)
    alpha = (1 + np.sqrt(17)) / 8
    conj = np.conj if hermitian else lambda x: x
    info, k = 0, 0
    while k < n:
        step = 1
        here = abs(a[k, k].real) if hermitian else magnitude(a[k, k])
        column = magnitude(a[k + 1 :, k])
        worst = column.max(initial=0)
        at = k + 1 + int(column.argmax()) if k + 1 < n else k
        if max(here, worst) == 0 or np.isnan(here):
            info = info or k + 1
            p = k
            if hermitian:
                a[k, k] = a[k, k].real
        else:
            if here >= alpha * worst:
                p = k
            else:
                row = max(magnitude(a[at, k:at]).max(initial=0), magnitude(a[at + 1 :, at]).max(initial=0))
                own = abs(a[at, at].real) if hermitian else magnitude(a[at, at])
                if here >= alpha * worst * (worst / row):
                    p = k
                elif own >= alpha * row:
                    p = at
                else:
                    p, step = at, 2
            j = k + step - 1
            if p != j:
                held = a[p + 1 :, j].copy()
                a[p + 1 :, j] = a[p + 1 :, p]
                a[p + 1 :, p] = held
                held = conj(a[j + 1 : p, j]).copy()
                a[j + 1 : p, j] = conj(a[p, j + 1 : p])
                a[p, j + 1 : p] = held
                if hermitian:
                    a[p, j] = conj(a[p, j])
                a[j, j], a[p, p] = a[p, p], a[j, j]
                if hermitian:
                    a[j, j], a[p, p] = a[j, j].real, a[p, p].real
                if step == 2:
                    a[k + 1, k], a[p, k] = a[p, k], a[k + 1, k]
            if hermitian:
                a[k, k] = a[k, k].real
                if step == 2:
                    a[k + 1, k + 1] = a[k + 1, k + 1].real
            rest = slice(k + step, n)
            if step == 1:
                if k + 1 < n:
                    c = a[rest, k].copy()
                    d = 1 / a[k, k]
                    a[rest, rest] -= np.tril(np.outer(c * d, conj(c)))
                    a[rest, k] = c * d
            elif k + 2 < n:
                d = np.array([[a[k, k], conj(a[k + 1, k])], [a[k + 1, k], a[k + 1, k + 1]]], a.dtype)
                c = a[rest, k : k + 2].copy()
                w = c @ np.linalg.inv(d)
                a[rest, rest] -= np.tril(w @ conj(c).T)
                a[rest, k : k + 2] = w
            if step == 2:
                pivots[k] = pivots[k + 1] = -(p + 1)
                k += 2
                continue
        pivots[k] = p + 1
        k += 1
    return info


def ldl_solve(ld: np.ndarray, pivots: np.ndarray, b: np.ndarray, hermitian: bool) -> np.ndarray:
    """X of A X = B from the factors of `ldl_factor`."""
    batch = np.broadcast_shapes(ld.shape[:-2], b.shape[:-2])
    n = ld.shape[-1]
    lds = flat_batch(np.broadcast_to(ld, batch + ld.shape[-2:]))
    ps = np.broadcast_to(pivots, (*batch, n)).reshape(len(lds), n)
    x = np.array(np.broadcast_to(b, batch + b.shape[-2:]), order="C")
    for a, p, y in zip(lds, ps, flat_batch(x)):
        _ldl_solve_one(a, p, y, hermitian and a.dtype.kind == "c")
    return x


def _ldl_solve_one(a, pivots, x, hermitian):
    n = len(a)
    conj = np.conj if hermitian else lambda v: v
    k = 0
    steps = []
    while k < n:
        step = 1 if pivots[k] > 0 else 2
        steps.append((k, step))
        p, j = abs(int(pivots[k])) - 1, k + step - 1
        if p != j:
            x[[p, j]] = x[[j, p]]
        x[k + step :] -= a[k + step :, k : k + step] @ x[k : k + step]
        if step == 1:
            x[k] /= a[k, k].real if hermitian else a[k, k]
        else:
            d = np.array([[a[k, k], conj(a[k + 1, k])], [a[k + 1, k], a[k + 1, k + 1]]], a.dtype)
            x[k : k + 2] = np.linalg.solve(d, x[k : k + 2])
        k += step
    for k, step in reversed(steps):
        x[k : k + step] -= conj(a[k + step :, k : k + step]).T @ x[k + step :]
        p, j = abs(int(pivots[k])) - 1, k + step - 1
        if p != j:
            x[[p, j]] = x[[j, p]]
