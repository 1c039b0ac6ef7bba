"""What the tests of compiled steps share: the same program run eagerly and compiled, compared call by call."""

import numpy as np
import pytest

import flambeau as torch


def frozen(x):
    """A copy of everything in nested containers, to be compared later."""
    if isinstance(x, torch.Tensor):
        return ("tensor", x.dtype, tuple(x.shape), x.requires_grad, x._array.copy(), frozen(x.grad))
    if isinstance(x, torch.optim.Optimizer):
        return frozen(x.state_dict())
    if isinstance(x, torch.nn.Module):
        return frozen([*x.named_parameters(), *x.named_buffers()])
    if isinstance(x, dict):
        return {k: frozen(v) for k, v in x.items()}
    if isinstance(x, list | tuple):
        return [frozen(v) for v in x]
    return x


def same(a, b, where=""):
    """Assert that two frozen values agree to rounding."""
    assert type(a) is type(b), f"{where}: {a!r} and {b!r}"
    if isinstance(a, dict):
        assert list(a) == list(b), where
        for k in a:
            same(a[k], b[k], f"{where}[{k!r}]")
    elif isinstance(a, list):
        assert len(a) == len(b), where
        for i, (x, y) in enumerate(zip(a, b)):
            same(x, y, f"{where}[{i}]")
    elif isinstance(a, tuple) and a[:1] == ("tensor",):
        assert a[1:4] == b[1:4], f"{where}: {a[1:4]} and {b[1:4]}"
        x, y = a[4], b[4]
        if x.dtype.kind in "fcV":
            wide = np.complex128 if x.dtype.kind == "c" else np.float64
            tolerance = {2: 2e-2, 4: 2e-4}.get(x.real.dtype.itemsize, 1e-9)
            np.testing.assert_allclose(x.astype(wide), y.astype(wide), tolerance, tolerance, err_msg=where)
        else:
            np.testing.assert_array_equal(x, y, err_msg=where)
        same(a[5], b[5], where + ".grad")
    elif isinstance(a, float):
        np.testing.assert_allclose(a, b, 2e-4, 2e-5, err_msg=where)
    else:
        assert a == b, f"{where}: {a!r} and {b!r}"


def history(make, compiled):
    """(what was seen after each call, the compiled function): `make()` gives (function, calls, what to look at)."""
    torch.manual_seed(0)
    np.random.seed(0)
    function, calls, look = make()
    f = torch.compile(function) if compiled else function
    seen = []
    for i, call in enumerate(calls):
        try:
            found = frozen(call(f))
        except Exception as error:
            found = [type(error).__name__]
        seen.append([f"call {i}", found, frozen(look()), frozen(torch.get_rng_state())])
    return seen, f


@pytest.fixture
def agree():
    """A check that a program gives the same compiled as eagerly; returns the compiled function."""

    def check(make, replayed=None):
        eager, _ = history(make, False)
        got, f = history(make, True)
        for e, c in zip(eager, got, strict=True):
            same(c, e, e[0])
        if replayed is not None:
            assert bool(f.steps) == replayed, f.splits
        return f

    return check
