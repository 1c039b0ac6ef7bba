"""What an operation is: a primitive (array-level forward, gradient rules on tensors) and its public name.

    _sinh = primitive("sinh", np.sinh, vjp={"input": lambda g, input: g * input.cosh()})

    @public(method=True, inplace=True, out=True)
    def sinh(input):
        return _sinh(input)

The names that a rule asks for decide what is kept for backward: `g` is the gradient of the result, a name of a
forward argument is that tensor, `out` the result, an option's name its value, `<arg>_shape` and `<arg>_dtype` what
they say. Rules are written with the same functions as user code, so gradients of gradients cost nothing more.

The files of operations import all they need for that from here: `primitive.py` runs and records, `public.py` gives
names, `inplace.py` stores results in tensors that exist.
"""

from .inplace import assign, check_castable, check_writable, write_out
from .primitive import PRIMITIVES, Primitive, forward_parameters, link_view, linked, primitive, view_primitive
from .public import METHODS, REGISTRY, in_place, namespace, public

__all__ = [
    "METHODS", "PRIMITIVES", "REGISTRY", "Primitive", "assign", "check_castable", "check_writable",
    "forward_parameters", "in_place", "link_view", "linked", "namespace", "primitive", "public", "view_primitive",
    "write_out",
]  # fmt: skip
