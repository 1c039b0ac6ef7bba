"""torch.autograd.functional and torch.func against derivatives that are known."""

import numpy as np
import pytest

import flambeau as torch
from flambeau.autograd import functional


def close(found, expected):
    np.testing.assert_allclose(found.detach().numpy(), np.asarray(expected), rtol=1e-5, atol=1e-6)


A = [[1.0, 2.0], [3.0, 4.0]]


def test_jacobian():
    a = torch.tensor(A)
    close(functional.jacobian(lambda x: x.sum(0), a), [[[1, 0], [1, 0]], [[0, 1], [0, 1]]])
    first, second = functional.jacobian(lambda x, y: (x * y).sum(), (a, a + 1))
    close(first, np.array(A) + 1)
    close(second, A)
    outs = functional.jacobian(lambda x: (x.sum(), x * 2), a[0])
    close(outs[0], [1, 1])
    close(outs[1], [[2, 0], [0, 2]])


def test_jacobian_create_graph_reaches_the_input():
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    functional.jacobian(lambda x: x**3, x, create_graph=True).sum().backward()
    close(x.grad, [6, 12])


def test_hessian_of_one_and_of_two_inputs():
    x, y = torch.tensor([1.0, 2.0]), torch.tensor([3.0, 4.0])
    close(functional.hessian(lambda x: (x**3).sum(), x), [[6, 0], [0, 12]])
    (xx, xy), (yx, yy) = functional.hessian(lambda x, y: (x * y * y).sum(), (x, y))
    close(xx, np.zeros((2, 2)))
    close(xy, [[6, 0], [0, 8]])
    close(yx, [[6, 0], [0, 8]])
    close(yy, [[2, 0], [0, 4]])


def test_products():
    a = torch.tensor(A)
    f = lambda x: x.exp().sum(0)
    cube = lambda x: (x**3).sum()
    close(functional.vjp(f, a, torch.ones(2))[1], np.exp(A))
    close(functional.jvp(f, a, torch.ones(2, 2))[1], np.exp(A).sum(0))
    for product in (functional.hvp, functional.vhp):
        value, found = product(cube, a, torch.ones(2, 2))
        close(value, 100)
        close(found, 6 * np.array(A))


def test_messages():
    a = torch.tensor(A)
    f = lambda x: x.exp().sum(0)
    with pytest.raises(RuntimeError, match="v can only be None"):
        functional.vjp(f, a)
    with pytest.raises(RuntimeError, match=r"v has invalid size: should be torch.Size\(\[2\]\)"):
        functional.vjp(f, a, torch.ones(3))
    with pytest.raises(RuntimeError, match="should contain a single element"):
        functional.hessian(f, a)
    with pytest.raises(TypeError, match="inputs given to vjp must be either a Tensor"):
        functional.vjp(f, 3)
    with pytest.raises(RuntimeError, match="Output 0 of the user-provided function does not require gradients"):
        functional.jacobian(lambda x: torch.ones(2), a, strict=True)
    with pytest.raises(RuntimeError, match="independent of input 1"):
        functional.jacobian(lambda x, y: x, (a, a), strict=True)
    close(functional.jacobian(lambda x: torch.ones(2), a), np.zeros((2, 2, 2)))


# ------------------------------------------------------------------ torch.func


def test_grad_nests_and_takes_trees():
    F = torch.func
    close(F.grad(F.grad(F.grad(lambda x: x**4)))(torch.tensor(2.0)), 48)
    x = torch.tensor([1.0, 2.0])
    found = F.grad(lambda d: (d["a"] * d["b"][0]).sum())({"a": x, "b": [x * 3]})
    close(found["a"], [3, 6])
    close(found["b"][0], [1, 2])
    gradient, (value, aux) = F.grad_and_value(lambda x: ((x**2).sum(), x + 1), has_aux=True)(x)
    close(gradient, [2, 4])
    close(value, 5)
    close(aux, [2, 3])
    assert not gradient.requires_grad and not value.requires_grad


def test_grad_inside_an_outer_graph():
    w = torch.ones(2, requires_grad=True)
    x = torch.tensor([1.0, 2.0])
    torch.func.grad(lambda x: (w * x * x).sum())(x).sum().backward()
    close(w.grad, [2, 4])
    with torch.no_grad():
        assert not torch.func.grad(lambda x: (w * x).sum())(x).requires_grad


def test_vjp_jvp_jacobians():
    F = torch.func
    x = torch.tensor([1.0, 2.0])
    out, pull = F.vjp(lambda a, b: (a * b, a.sum()), x, x * 2)
    close(out[0], [2, 8])
    first, second = pull((torch.ones(2), torch.tensor(1.0)))
    close(first, [3, 5])
    close(second, [1, 2])
    close(F.jvp(lambda a: a**2, (x,), (torch.ones(2),))[1], [2, 4])
    close(F.jacrev(lambda x: x**2)(x), [[2, 0], [0, 4]])
    close(F.jacfwd(lambda x: x**2)(x), [[2, 0], [0, 4]])
    close(F.hessian(lambda x: (x**3).sum())(x), [[6, 0], [0, 12]])


def test_vmap():
    F = torch.func
    x = torch.tensor([1.0, 2.0, 3.0])
    close(F.vmap(F.grad(lambda x: x**2))(x), [2, 4, 6])
    close(F.vmap(lambda a, b: a + b, in_dims=(0, None))(x, torch.ones(2)), [[2, 2], [3, 3], [4, 4]])
    assert F.vmap(lambda a: a * 2, in_dims=1, out_dims=1)(torch.ones(2, 3)).shape == (2, 3)
    nested = F.vmap(F.vmap(lambda a, b: a * b, in_dims=(None, 0)), in_dims=(0, None))
    close(nested(x, torch.ones(2)), [[1, 1], [2, 2], [3, 3]])
    with pytest.raises(RuntimeError, match="randomness error mode"):
        F.vmap(lambda a: a + torch.rand(1))(x)
    same = F.vmap(lambda a: torch.rand(1) + 0 * a, randomness="same")(x)
    assert (same == same[0]).all()
    with pytest.raises(ValueError, match="same size in the mapped dimension"):
        F.vmap(lambda a, b: a)(x, torch.ones(2))


def test_functional_call_and_per_sample_gradients():
    F = torch.func
    layer = torch.nn.Linear(3, 1)
    weights = {"weight": torch.ones(1, 3), "bias": torch.zeros(1)}
    close(F.functional_call(layer, weights, torch.tensor([1.0, 2.0, 3.0])), [6])
    loss = lambda p, x: F.functional_call(layer, p, (x,)).sum()
    found = F.vmap(F.grad(loss), in_dims=(None, 0))(weights, torch.tensor([[1.0, 0, 0], [0, 2.0, 0]]))
    close(found["weight"], [[[1, 0, 0]], [[0, 2, 0]]])
    with pytest.raises(RuntimeError, match="Missing key"):
        F.functional_call(layer, {"weight": weights["weight"]}, torch.ones(3), strict=True)
    assert isinstance(layer.weight, torch.nn.Parameter)


def test_ensemble():
    models = [torch.nn.Linear(2, 1) for _ in range(3)]
    params, _ = torch.func.stack_module_state(models)
    x = torch.ones(2)
    found = torch.func.vmap(lambda p: torch.func.functional_call(models[0], p, (x,)))(params)
    close(found, [m(x).detach().numpy() for m in models])
