"""Products, solvers and decompositions: identities, NumPy's values, gradients of real and complex matrices, errors."""

import numpy as np
import pytest

import flambeau as torch
from flambeau.autograd import gradcheck, gradgradcheck

L = torch.linalg


def draw(*shape, seed=0, dtype=float):
    r = np.random.default_rng(seed)
    a = r.normal(size=shape)
    if dtype is complex:
        a = a + 1j * r.normal(size=shape)
    return torch.from_numpy(np.asarray(a)).requires_grad_()


def positive(x):
    return x @ x.mH + 2 * torch.eye(x.shape[-1], dtype=x.dtype)


def close(a, b, tol=1e-9):
    np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy() if isinstance(b, torch.Tensor) else b, atol=tol)


# ---------------------------------------------------------------------- products

EINSUM = [("ij,jk->ik", (2, 3), (3, 4)), ("ij,jk", (2, 3), (3, 4)), ("bij,bjk->bik", (2, 3, 4), (2, 4, 2)),
          ("ij->ji", (2, 3)),
          ("ii->i", (3, 3)), ("ii", (3, 3)), ("i,j->ij", (2,), (3,)), ("...ij,...jk->...ik", (2, 2, 3), (3, 2)),
          ("bhqd,bhkd->bhqk", (2, 2, 3, 4), (2, 2, 5, 4)), ("ij,j->", (2, 3), (3,)), ("i,i,i->i", (3,), (3,), (3,)),
          ("abc,cd,db->a", (2, 3, 4), (4, 2), (2, 3)), ("i...->...", (2, 3))]  # fmt: skip


@pytest.mark.parametrize("case", EINSUM, ids=lambda c: c[0])
def test_einsum(case):
    equation, *shapes = case
    tensors = [draw(*s, seed=i) for i, s in enumerate(shapes)]
    close(torch.einsum(equation, *tensors), np.einsum(equation, *[t.detach().numpy() for t in tensors]))
    assert gradcheck(lambda *ts: torch.einsum(equation, *ts), tensors)


@pytest.mark.parametrize("a, b", [((3,), (3,)), ((2, 3), (3,)), ((3,), (3, 2)), ((2, 3), (3, 2)), ((4, 2, 3), (3, 2)),
                                  ((2, 3), (4, 3, 2)), ((4, 1, 2, 3), (5, 3, 2)), ((4, 2, 3), (3,))])  # fmt: skip
@pytest.mark.parametrize("dtype", [float, complex])
def test_matmul(a, b, dtype):
    x, y = draw(*a, dtype=dtype), draw(*b, seed=1, dtype=dtype)
    close(x @ y, x.detach().numpy() @ y.detach().numpy())
    assert gradcheck(torch.matmul, (x, y)) and gradgradcheck(torch.matmul, (x, y))


def test_products():
    a, b, v = draw(2, 3), draw(3, 2, seed=1), draw(3, seed=2)
    m = draw(2, 2, seed=3)
    close(torch.addmm(m, a, b, beta=2, alpha=3), 2 * m + 3 * (a @ b))
    close(torch.addmv(m[0], a, v), m[0] + a @ v)
    close(torch.outer(v, v), v[:, None] * v)
    close(torch.inner(a, v), a @ v)
    close(torch.vdot(v, v), v @ v)
    close(torch.tensordot(a, b, dims=([0, 1], [1, 0])), (a * b.T).sum())
    close(L.multi_dot([v, b, a, v]), v @ b @ a @ v)
    close(torch.chain_matmul(a, b, a), a @ b @ a)
    close(torch.bmm(a[None], b[None]), (a @ b)[None])
    close(torch.baddbmm(m, a[None], b[None])[0], m + a @ b)
    assert torch.trace(m).item() == pytest.approx((m[0, 0] + m[1, 1]).item())
    assert (torch.ones(2, 2, dtype=torch.int64) @ torch.ones(2, dtype=torch.int64)).tolist() == [2, 2]


# ---------------------------------------------------------------------- identities


@pytest.mark.parametrize("dtype", [float, complex])
@pytest.mark.parametrize("shape", [(3, 3), (2, 4, 3), (3, 4)])
def test_decompositions_multiply_to_the_matrix(shape, dtype):
    x = draw(*shape, dtype=dtype)
    q, r = L.qr(x)
    close(q @ r, x)
    u, s, vh = L.svd(x, full_matrices=False)
    close(u * s.unsqueeze(-2).to(x.dtype) @ vh, x)
    p, low, up = L.lu(x)
    close(p @ low @ up, x)
    close(torch.lu_unpack(*L.lu_factor(x))[0], p)
    close(x @ L.pinv(x) @ x, x)
    h, tau = torch.geqrf(x.detach())
    if shape[-2] >= shape[-1]:
        close(L.householder_product(h, tau), q)


@pytest.mark.parametrize("dtype", [float, complex])
def test_square(dtype):
    x = draw(2, 3, 3, dtype=dtype)
    b = draw(2, 3, 2, seed=5, dtype=dtype)
    eye = np.broadcast_to(np.eye(3), (2, 3, 3))
    close(x @ L.inv(x), eye)
    close(x @ L.solve(x, b), b)
    close(L.solve(x, b.mT, left=False) @ x, b.mT)
    close(L.lu_solve(*L.lu_factor(x), b), L.solve(x, b))
    close(L.lu_solve(*L.lu_factor(x), b, adjoint=True), L.solve(x.mH, b))
    a = positive(x)
    low = L.cholesky(a)
    close(low @ low.mH, a)
    close(torch.cholesky_solve(b, low), L.solve(a, b))
    close(torch.cholesky_inverse(low), L.inv(a))
    close(L.ldl_solve(*L.ldl_factor(a, hermitian=True), b, hermitian=True), L.solve(a, b))
    w, v = L.eigh(a)
    close(a @ v, v * w.unsqueeze(-2).to(v.dtype))
    w, v = L.eig(x)
    close(x.to(v.dtype) @ v, v * w.unsqueeze(-2))
    sign, log = L.slogdet(x)
    close(sign * log.exp(), L.det(x))
    close(L.matrix_power(x, 3), x @ x @ x)
    close(L.matrix_power(x, -2), L.inv(x) @ L.inv(x))
    close(L.matrix_exp(x) @ L.matrix_exp(-x), eye)
    close(L.solve_triangular(x, b, upper=True), L.solve(x.triu(), b))
    close(L.tensorinv(x.reshape(2, 3, 3)[0].reshape(3, 3), 1), L.inv(x[0]))


def test_indefinite_ldl():
    # A zero diagonal needs blocks of two.
    a = torch.tensor([[0.0, 1, 2], [1, 0, 3], [2, 3, 0]], dtype=torch.float64)
    b = torch.ones(3, 1, dtype=torch.float64)
    close(L.ldl_solve(*L.ldl_factor(a), b), L.solve(a, b))


def test_least_squares():
    a, b = draw(5, 3), draw(5, 2, seed=1)
    close(L.lstsq(a, b).solution, np.linalg.lstsq(a.detach().numpy(), b.detach().numpy(), rcond=None)[0])
    assert L.lstsq(a, b).rank.item() == 3 and L.matrix_rank(a[:, :1] @ a[:1]).item() == 1


# ---------------------------------------------------------------------- gradients

GRADIENTS = {
    "inv": lambda x: L.inv(x), "det": lambda x: L.det(x), "slogdet": lambda x: L.slogdet(x)[1],
    "solve": lambda x: L.solve(x, x[:, :2] * 2), "cholesky": lambda x: L.cholesky(positive(x)),
    "cholesky_inverse": lambda x: torch.cholesky_inverse(L.cholesky(positive(x))),
    "solve_triangular": lambda x: L.solve_triangular(x, x[:, :1], upper=False),
    "lu_factor": lambda x: L.lu_factor(x)[0], "lu_solve": lambda x: L.lu_solve(*L.lu_factor(x), x[:, :2]),
    "eigvalsh": lambda x: L.eigvalsh(positive(x)), "svdvals": lambda x: L.svdvals(x),
    "pinv": lambda x: L.pinv(x[:, :2]),
    "eigh projector": lambda x: (lambda v: v[:, :1] @ v[:, :1].mH)(L.eigh(positive(x))[1]),
    "svd projector": lambda x: (lambda u: u[:, :1] @ u[:, :1].mH)(L.svd(x)[0]),
    "eig projector": lambda x: L.eig(positive(x))[0].real.sum() + L.eig(positive(x))[1].abs(),
    "matrix_exp": lambda x: L.matrix_exp(x * 0.3), "matrix_power": lambda x: L.matrix_power(x, 3),
    "matrix_norm nuc": lambda x: L.matrix_norm(x, "nuc"), "matrix_norm 2": lambda x: L.matrix_norm(x, 2),
    "matrix_norm 1": lambda x: L.matrix_norm(x, 1), "cond": lambda x: L.cond(x),
    "norm inf": lambda x: L.norm(x, float("inf")),
    "cross": lambda x: L.cross(x, x.flip(0)), "lstsq": lambda x: L.lstsq(x[:, :2], x[:, 2:])[0],
    "vector_norm 1.5": lambda x: L.vector_norm(x, 1.5, 0), "kron": lambda x: torch.kron(x, x[:1]),
    "multi_dot": lambda x: L.multi_dot([x, x, x[0]]), "vander": lambda x: L.vander(x[0]),
    "householder_product": lambda x: L.householder_product(x, x[0]), "ormqr": lambda x: torch.ormqr(x, x[0], x.flip(1)),
}  # fmt: skip


@pytest.mark.parametrize("name", GRADIENTS)
@pytest.mark.parametrize("dtype", [float, complex])
def test_gradients(name, dtype):
    f = GRADIENTS[name]
    x = draw(3, 3, seed=7, dtype=dtype)
    assert gradcheck(f, (x,))
    if name not in ("eig projector", "svd projector", "eigh projector"):
        assert gradgradcheck(f, (x,))


@pytest.mark.parametrize("shape", [(3, 3), (4, 2), (2, 4)])
def test_gradient_of_qr_and_lu(shape):
    x = draw(*shape, seed=3)
    for f in (lambda a: L.qr(a)[0], lambda a: L.qr(a)[1], lambda a: L.lu(a)[1], lambda a: L.lu(a)[2]):
        assert gradcheck(f, (x,)) and gradgradcheck(f, (x,))


def test_gradient_of_singular_determinant():
    x = torch.tensor([[1.0, 2], [2, 4]], dtype=torch.float64, requires_grad=True)
    L.det(x).backward()
    close(x.grad, np.array([[4.0, -2], [-2, 1]]))


def test_cdist():
    a, b = draw(4, 3), draw(5, 3, seed=1)
    for p in (0.5, 1.0, 1.5, 2.0, 3.0, float("inf")):
        assert gradcheck(lambda x, y: torch.cdist(x, y, p), (a, b))
    x = torch.zeros(2, 2, dtype=torch.float64, requires_grad=True)
    torch.cdist(x, x).sum().backward()
    assert x.grad.tolist() == [[0, 0], [0, 0]]  # not nan at distance zero


def test_norms():
    x = torch.tensor([3.0, -4.0])
    assert [x.norm(p).item() for p in (1, 2, float("inf"), 0)] == [7, 5, 4, 2]
    m = torch.tensor([[1.0, -2], [3, 4]])
    assert L.matrix_norm(m, 1).item() == 6 and L.matrix_norm(m, float("-inf")).item() == 3
    assert L.norm(m).item() == pytest.approx(30**0.5) and L.cond(torch.eye(3)).item() == 1
    assert L.cond(torch.zeros(2, 2), 1).item() == float("inf")


# ---------------------------------------------------------------------- errors


@pytest.mark.parametrize("error, call, words", [
    (RuntimeError, lambda: torch.ones(2, 3) @ torch.ones(2, 3), r"mat1 and mat2 shapes cannot be multiplied \(2x3 "
                                                                r"and 2x3\)"),
    (RuntimeError, lambda: torch.ones(2, 3) @ torch.ones(3, 2).double(), "same dtype"),
    (RuntimeError, lambda: torch.mm(torch.ones(2), torch.ones(2)), "must be a matrix"),
    (RuntimeError, lambda: torch.dot(torch.ones(2), torch.ones(3)), "inconsistent tensor size"),
    (RuntimeError, lambda: torch.bmm(torch.ones(2, 2, 2), torch.ones(3, 2, 2)), "batch2"),
    (RuntimeError, lambda: torch.einsum("ij,jk", torch.ones(2, 3), torch.ones(4, 2)), "subscript j has size 4"),
    (RuntimeError, lambda: torch.einsum("ij", torch.ones(2)), "number of subscripts"),
    (L.LinAlgError, lambda: L.inv(torch.zeros(2, 2)), "singular"),
    (L.LinAlgError, lambda: L.solve(torch.zeros(2, 2), torch.ones(2)), "singular"),
    (L.LinAlgError, lambda: L.cholesky(-torch.eye(2)), "not positive-definite"),
    (RuntimeError, lambda: L.inv(torch.ones(2, 3)), "square"),
    (RuntimeError, lambda: L.inv(torch.ones(2, 2, dtype=torch.int64)), "floating point"),
    (RuntimeError, lambda: L.cross(torch.ones(2), torch.ones(2)), "length 3"),
    (RuntimeError, lambda: L.norm(torch.ones(2, 2, 2), 2), "1D or 2D"),
])  # fmt: skip
def test_errors(error, call, words):
    with pytest.raises(error, match=words):
        call()
