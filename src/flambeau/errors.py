"""Error classes, and how one message is laid out: PyTorch's sentence, then the reason, then the remedy.

Every class derives from what PyTorch raises for the same mistake, so that programs which catch
`RuntimeError` or match on PyTorch's wording go on working.
"""


class FlambeauError(Exception):
    """Base of all errors that flambeau raises itself.

    Arguments:
        fact: what happened; PyTorch's own sentence where it has one, with the actual values.
        why: the reason, in one sentence.
        fix: what to do, with the actual numbers filled in.

    >>> from flambeau.errors import ShapeError
    >>> print(ShapeError("inner sizes differ: 3 and 4", why="a @ b needs them equal", fix="use b.mT"))
    inner sizes differ: 3 and 4
      why: a @ b needs them equal
      try: use b.mT
    """

    def __init__(self, fact: str = "", *args, why: str = "", fix: str = ""):
        lines = [str(fact)]
        if why:
            lines.append(f"  why: {why}")
        if fix:
            lines.append(f"  try: {fix}")
        super().__init__("\n".join(lines), *args)
        self.fact, self.why, self.fix = fact, why, fix


class ShapeError(FlambeauError, RuntimeError):
    """Shapes that do not fit together."""


class DeviceError(FlambeauError, RuntimeError):
    """Tensors on different devices, or a device that is not there."""


class DtypeError(FlambeauError, RuntimeError):
    """A dtype that the operation does not take."""


class GradientError(FlambeauError, RuntimeError):
    """Differentiation that cannot be done: no graph, freed graph, in-place edit of what backward needs."""


class IndexOutOfRange(FlambeauError, IndexError):
    """An index, or a dimension number, outside its range."""


class ArgumentError(FlambeauError, ValueError):
    """An argument of the right type with an impossible value."""


class ArgumentTypeError(FlambeauError, TypeError):
    """An argument of the wrong type, or one that the function does not have."""


class CompileError(FlambeauError, RuntimeError):
    """What torch.compile was told to do and cannot."""


class NotSupported(FlambeauError, NotImplementedError):
    """Something that PyTorch has and flambeau does not: said plainly rather than ignored."""


class OutOfMemoryError(FlambeauError, RuntimeError, MemoryError):
    """The machine has no memory left for a tensor of this size."""


class TooLarge(FlambeauError, OverflowError):
    """A number that does not fit in 64 bits."""


def attr_error(module: str, name: str) -> AttributeError:
    """The error for a PyTorch name that flambeau does not have."""
    return AttributeError(f"module '{module}' has no attribute '{name}' (flambeau does not have this name)")
