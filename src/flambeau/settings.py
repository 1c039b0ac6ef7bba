"""Global switches: what has a meaning here works, what has none is accepted only at its default."""

from . import dtypes, errors
from .constants import strided
from .errors import ArgumentTypeError
from .tensor import Tensor, attach

__all__ = [
    "are_deterministic_algorithms_enabled", "get_deterministic_debug_mode", "get_float32_matmul_precision",
    "get_num_interop_threads", "is_complex", "is_floating_point", "is_nonzero", "is_signed", "is_storage",
    "is_warn_always_enabled", "is_deterministic_algorithms_warn_only_enabled", "numel", "set_default_tensor_type",
    "set_deterministic_debug_mode", "set_float32_matmul_precision", "set_flush_denormal", "set_num_interop_threads",
    "set_warn_always", "typename", "use_deterministic_algorithms", "is_inference", "is_same_size",
]  # fmt: skip

_state = {"precision": "highest", "warn_always": False, "deterministic": False, "warn_only": False, "interop": 1}


def use_deterministic_algorithms(mode: bool, *, warn_only: bool = False) -> None:
    """Ask for repeatable results. All algorithms here are deterministic, so that nothing changes.

    >>> import flambeau as torch
    >>> torch.use_deterministic_algorithms(True)
    >>> torch.are_deterministic_algorithms_enabled()
    True
    >>> torch.use_deterministic_algorithms(False)
    """
    _state["deterministic"], _state["warn_only"] = bool(mode), bool(warn_only)


def are_deterministic_algorithms_enabled() -> bool:
    """Whether `use_deterministic_algorithms(True)` was called.

    >>> import flambeau as torch
    >>> torch.are_deterministic_algorithms_enabled()
    False
    """
    return bool(_state["deterministic"])


def is_deterministic_algorithms_warn_only_enabled() -> bool:
    """Whether it was called with `warn_only=True`.

    >>> import flambeau as torch
    >>> torch.is_deterministic_algorithms_warn_only_enabled()
    False
    """
    return bool(_state["warn_only"])


def set_deterministic_debug_mode(debug_mode) -> None:
    """0 or "default", 1 or "warn", 2 or "error".

    Raises RuntimeError for another name, TypeError for another type.

    >>> import flambeau as torch
    >>> torch.set_deterministic_debug_mode("default")
    >>> torch.get_deterministic_debug_mode()
    0
    """
    modes = {"default": 0, "warn": 1, "error": 2}
    mode = modes.get(debug_mode, debug_mode)
    if mode not in (0, 1, 2):
        raise errors.ShapeError(
            f"invalid value of debug_mode, expected 0, 1, or 2, but got {debug_mode}",
            why="it says what happens at operations that are not deterministic",
            fix='use "default", "warn" or "error"',
        )
    use_deterministic_algorithms(mode > 0, warn_only=mode == 1)


def get_deterministic_debug_mode() -> int:
    """0, 1 or 2, as set.

    >>> import flambeau as torch
    >>> torch.get_deterministic_debug_mode()
    0
    """
    return 0 if not _state["deterministic"] else 1 if _state["warn_only"] else 2


def set_float32_matmul_precision(precision: str) -> None:
    """ "highest", "high" or "medium": how much precision matrix products may give up. On the CPU none is.

    >>> import flambeau as torch
    >>> torch.set_float32_matmul_precision("high")
    >>> torch.get_float32_matmul_precision()
    'high'
    >>> torch.set_float32_matmul_precision("highest")
    """
    if precision not in ("highest", "high", "medium"):
        raise errors.ShapeError(
            f"Invalid float32 matmul precision: {precision}. Expected highest, high or medium.",
            why="it says how exact matrix products have to be",
            fix='use "highest"',
        )
    _state["precision"] = precision


def get_float32_matmul_precision() -> str:
    """As set; "highest" to begin with.

    >>> import flambeau as torch
    >>> torch.get_float32_matmul_precision()
    'highest'
    """
    return str(_state["precision"])


def set_flush_denormal(mode: bool) -> bool:
    """Whether denormal numbers could be switched to zero: NumPy and BLAS keep them, so the answer is False."""
    return False


def set_num_interop_threads(n: int) -> None:
    """Operations run one after the other here: only 1 has an effect, others are refused."""
    if n < 1:
        raise errors.ShapeError("Expected positive number of threads", why=f"it is {n}", fix="use 1")
    if n != 1:
        raise errors.NotSupported(
            "flambeau runs one operation at a time",
            why=f"{n} threads were asked for",
            fix=f"use `set_num_threads({n})` for the threads of one operation",
        )


def get_num_interop_threads() -> int:
    """How many operations may run at the same time: 1.

    >>> import flambeau as torch
    >>> torch.get_num_interop_threads()
    1
    """
    return 1


def set_warn_always(b: bool) -> None:
    """Repeat warnings that are otherwise given once."""
    _state["warn_always"] = bool(b)


def is_warn_always_enabled() -> bool:
    """As set by `set_warn_always`.

    >>> import flambeau as torch
    >>> torch.is_warn_always_enabled()
    False
    """
    return bool(_state["warn_always"])


def set_default_tensor_type(t) -> None:
    """The dtype of new tensors by the name of a legacy type, such as torch.DoubleTensor.

    >>> import flambeau as torch
    >>> torch.set_default_tensor_type(torch.DoubleTensor)
    >>> torch.ones(1).dtype
    torch.float64
    >>> torch.set_default_tensor_type(torch.FloatTensor)
    """
    name = t if isinstance(t, str) else getattr(t, "__name__", str(t))
    kinds = {"FloatTensor": dtypes.float32, "DoubleTensor": dtypes.float64, "HalfTensor": dtypes.float16,
             "BFloat16Tensor": dtypes.bfloat16}  # fmt: skip
    found = kinds.get(name.rsplit(".", 1)[-1])
    if found is None:
        raise ArgumentTypeError(
            f"invalid type object: only floating-point types are supported as the default type, got {name}",
            why="the default is what new tensors of fractions get",
            fix="use `torch.set_default_dtype(torch.float64)`",
        )
    dtypes.set_default_dtype(found)


def typename(obj) -> str:
    """The qualified name of an object's type; for a tensor that of its legacy type.

    >>> import flambeau as torch
    >>> torch.typename(torch.ones(2))
    'torch.FloatTensor'
    """
    if isinstance(obj, Tensor):
        return obj.type()
    kind = obj if hasattr(obj, "__qualname__") else type(obj)
    module = getattr(kind, "__module__", "") or ""
    return kind.__qualname__ if module in ("builtins", "") else f"{module}.{kind.__qualname__}"


def is_floating_point(input) -> bool:
    """Whether a tensor's dtype is a floating-point one.

    >>> import flambeau as torch
    >>> torch.is_floating_point(torch.ones(1)), torch.is_floating_point(torch.tensor([1]))
    (True, False)
    """
    return input.is_floating_point()


def is_complex(input) -> bool:
    """Whether a tensor's dtype is complex.

    >>> import flambeau as torch
    >>> torch.is_complex(torch.tensor([1j]))
    True
    """
    return input.is_complex()


def is_signed(input) -> bool:
    """Whether a tensor's dtype holds negative numbers.

    >>> import flambeau as torch
    >>> torch.is_signed(torch.ones(1)), torch.is_signed(torch.tensor([True]))
    (True, False)
    """
    return input.is_signed()


def is_inference(input) -> bool:
    """Whether a tensor was made in inference mode.

    >>> import flambeau as torch
    >>> torch.is_inference(torch.ones(1))
    False
    """
    return input.is_inference()


def is_same_size(input, other) -> bool:
    """Whether two tensors have the same shape.

    >>> import flambeau as torch
    >>> torch.is_same_size(torch.ones(2, 3), torch.zeros(2, 3))
    True
    """
    return input.shape == other.shape


def is_nonzero(input) -> bool:
    """Whether a tensor of one element is not zero.

    Raises RuntimeError for another number of elements.

    >>> import flambeau as torch
    >>> torch.is_nonzero(torch.tensor([0.0])), torch.is_nonzero(torch.tensor([2]))
    (False, True)
    """
    if input.numel() != 1:
        raise errors.ShapeError(
            "Boolean value of Tensor with no values is ambiguous"
            if not input.numel()
            else "Boolean value of Tensor with more than one value is ambiguous",
            why=f"it has shape {tuple(input.shape)}",
            fix="use `.any()` or `.all()`, or `x.numel() > 0`",
        )
    return bool(input)


def numel(input) -> int:
    """Number of elements of a tensor.

    >>> import flambeau as torch
    >>> torch.numel(torch.ones(2, 3))
    6
    """
    if not isinstance(input, Tensor):
        raise ArgumentTypeError(
            f"numel(): argument 'input' (position 1) must be Tensor, not {type(input).__name__}",
            why="it counts the elements of a tensor",
            fix=f"use `len(x)` for a {type(input).__name__}"
            if hasattr(input, "__len__")
            else "use `torch.as_tensor(x)`",
        )
    return input.numel()


def is_storage(obj) -> bool:
    """Whether an object is the storage of a tensor.

    >>> import flambeau as torch
    >>> torch.is_storage(torch.ones(1)), torch.is_storage(torch.ones(1).untyped_storage())
    (False, True)
    """
    return type(obj).__name__ in ("UntypedStorage", "TypedStorage")


for _name, _function in {"is_nonzero": is_nonzero, "is_same_size": is_same_size,
                         "layout": property(lambda self: strided)}.items():  # fmt: skip
    attach(_name, _function)
