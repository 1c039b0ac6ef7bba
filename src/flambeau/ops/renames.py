"""Arguments that have another name under another name of the function: `torch.det(input)` is `torch.linalg.det(A)`."""

from __future__ import annotations

import functools
import inspect

from . import linalg_more, linalg_solve, linalg_spectral, shape, special_functions  # noqa: F401  they define the functions
from .entry import REGISTRY

_POLYNOMIALS = tuple(n for n in REGISTRY if n.startswith("special.") and "_polynomial_" in n)
RENAMED = {
    "det": {"input": "A"}, "inverse": {"input": "A"}, "matrix_power": {"input": "A"}, "orgqr": {"input": "A"},
    "swapaxes": {"axis0": "dim0", "axis1": "dim1"}, "true_divide": {"dividend": "input", "divisor": "other"},
    **{n: {"n": "other"} for n in _POLYNOMIALS},
}  # fmt: skip


def _under(name, names):
    """The function `name`, taking keywords `names` for what it calls otherwise."""
    fn = REGISTRY[name]

    @functools.wraps(fn)
    def renamed(*args, **kwargs):
        for new, old in names.items():
            if new in kwargs:
                kwargs[old] = kwargs.pop(new)
        return fn(*args, **kwargs)

    back = {old: new for new, old in names.items()}
    signature = inspect.signature(fn)
    renamed.__signature__ = signature.replace(
        parameters=[p.replace(name=back.get(p.name, p.name)) for p in signature.parameters.values()]
    )
    renamed.__name__ = renamed.__qualname__ = name.rsplit(".", 1)[-1]
    return renamed


for _name, _names in RENAMED.items():
    if set(_names.values()) <= set(inspect.signature(REGISTRY[_name]).parameters):
        REGISTRY[_name] = _under(_name, _names)
