"""Takes apart what an array-level function does in NumPy: it runs once more on arrays that note every step.

`Traced` arrays hold real values, so the function's result can be compared with what it gave before: a function that
treats them differently is found out, and kept as a whole.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..arrays import address, owner

_REDUCTIONS = {np.add: "sum", np.multiply: "prod", np.maximum: "max", np.minimum: "min", np.logical_or: "any",
               np.logical_and: "all"}  # fmt: skip
_VIEWS = {np.expand_dims, np.squeeze, np.reshape, np.transpose, np.broadcast_to, np.moveaxis, np.swapaxes, np.ravel,
          np.atleast_1d, np.flip}  # fmt: skip


class NotTraceable(Exception):
    """What cannot be noted step by step."""


class Traced(np.ndarray):
    """An array whose operations are noted by `tracer`."""

    tracer: Any = None

    def __array_finalize__(self, source: Any) -> None:
        if isinstance(source, Traced):
            self.tracer = source.tracer

    # ------------------------------------------------------------------ NumPy's functions

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, out: Any = None, **options: Any) -> Any:  # type: ignore[override]
        tracer = self.tracer
        given = [plain(x) for x in inputs]
        # What NumPy's own methods pass along, at its default.
        plainly = {"where": True, "initial": np._NoValue, "casting": "unsafe", "subok": False, "dtype": None}
        options = {k: v for k, v in options.items() if k not in plainly or v is not plainly[k]}
        if method == "__call__" and ufunc.nout == 1 and ufunc.signature is None and set(options) <= {"dtype"}:
            target = plain(out[0]) if out else None
            made = np.asarray(ufunc(*given, **options))
            if target is None:
                tracer.map(ufunc, given, made)
                return tracer.traced(made)
            tracer.into(target, ufunc, given)
            target[...] = made
            return out[0]
        if (
            method == "reduce"
            and ufunc in _REDUCTIONS
            and out is None
            and set(options) <= {"axis", "keepdims", "dtype"}
        ):
            made = np.asarray(ufunc.reduce(*given, **options))
            tracer.reduce(_REDUCTIONS[ufunc], given[0], options.get("axis", 0), made)
            return tracer.traced(made)
        raise NotTraceable(f"{ufunc.__name__}.{method}")

    def __array_function__(self, function: Any, kinds: Any, args: Any, options: Any) -> Any:  # type: ignore[override]
        tracer = self.tracer
        if function in _VIEWS:
            made = function(*[plain(a) for a in args], **options)
            source = plain(args[0])
            if owner(made) is not owner(source):
                raise NotTraceable(function.__name__)
            return tracer.traced(made)
        if function is np.where and len(args) == 3 or function is np.clip and len(args) == 3:
            given = [plain(a) for a in args]
            made = function(*given, **options)
            tracer.map(function, given, made)
            return tracer.traced(made)
        if function is np.concatenate:
            return tracer.joined([plain(a) for a in args[0]], options.get("axis", args[1] if len(args) > 1 else 0))
        if function is np.stack:
            axis = options.get("axis", args[1] if len(args) > 1 else 0)
            return tracer.joined([np.expand_dims(plain(a), axis) for a in args[0]], axis)
        if function in (np.shape, np.ndim, np.size, np.result_type, np.iscomplexobj, np.may_share_memory):
            return function(*[plain(a) for a in args], **options)
        if function in (np.full_like, np.zeros_like, np.ones_like):
            made = function(plain(args[0]), *args[1:], **options)
            made = made if isinstance(made, np.ndarray) else np.asarray(made)
            value = args[1] if function is np.full_like else int(function is np.ones_like)
            if isinstance(value, np.ndarray):
                raise NotTraceable("full_like of an array")
            tracer.fill(made, value)
            return tracer.traced(made)
        if function is np.empty_like:
            return tracer.traced(function(plain(args[0]), **options))
        raise NotTraceable(function.__name__)

    # ------------------------------------------------------------------ methods

    def astype(self, dtype: Any, *args: Any, copy: bool = True, **options: Any) -> Any:  # type: ignore[override]
        if self.dtype == dtype and not copy:
            return self
        made = plain(self).astype(dtype)
        self.tracer.map(_converted, [plain(self)], made)
        return self.tracer.traced(made)

    def copy(self, order: Any = "C") -> Any:  # type: ignore[override]
        made = plain(self).copy(order)
        self.tracer.map(_converted, [plain(self)], made)
        return self.tracer.traced(made)

    def conj(self) -> Any:  # type: ignore[override]
        if self.dtype.kind == "c":
            raise NotTraceable("conj")
        return self

    def reshape(self, *shape: Any, **options: Any) -> Any:  # type: ignore[override]
        made = plain(self).reshape(*shape, **options)
        if owner(made) is not owner(plain(self)):
            self.tracer.copied(plain(self), made)
        return self.tracer.traced(made)

    def clip(self, low: Any = None, high: Any = None, **options: Any) -> Any:  # type: ignore[override]
        return np.clip(self, low, high)

    def __getitem__(self, key: Any) -> Any:  # type: ignore[override]
        for k in key if isinstance(key, tuple) else (key,):
            if not (k is None or k is ... or isinstance(k, int | slice)):
                raise NotTraceable("an index array")
        return self.tracer.traced(np.asarray(plain(self)[key if isinstance(key, tuple) and ... in key else _open(key)]))

    def __setitem__(self, key: Any, value: Any) -> None:  # type: ignore[override]
        for k in key if isinstance(key, tuple) else (key,):
            if not (k is None or k is ... or isinstance(k, int | slice)):
                raise NotTraceable("an index array")
        place = plain(self)[key if isinstance(key, tuple) and ... in key else _open(key)]
        if not place.flags.writeable:
            raise NotTraceable("an argument is changed")
        self.tracer.into(place, _converted, [plain(value)])
        place[...] = plain(value)

    def fill(self, value: Any) -> None:  # type: ignore[override]
        self.tracer.fill(plain(self), value)
        plain(self).fill(value)

    def _refuse(self, *args: Any, **options: Any) -> Any:
        raise NotTraceable("a value is looked at")

    __bool__ = __int__ = __float__ = __index__ = __complex__ = item = tolist = sort = argsort = take = tobytes = _refuse
    nonzero = argmax = argmin = cumsum = cumprod = repeat = choose = compress = put = partition = searchsorted = _refuse


def _open(key: Any) -> tuple:
    """A key that gives an array, never a scalar."""
    return (*key, ...) if isinstance(key, tuple) else (key, ...) if key is not ... else (...,)


def plain(x: Any) -> Any:
    """An ordinary array over the same memory; everything else as it is."""
    return x.view(np.ndarray) if isinstance(x, Traced) else x


def _converted(x: Any) -> Any:
    """The formula of a copy."""
    return x


class Tracer:
    """Runs a function on traced arrays. `notes` are to be handed to the recorder if the result is right."""

    def __init__(self) -> None:
        self.notes: list[tuple] = []
        self.assumed: list[tuple] = []  # what was taken to be constant: dtype, shape and bytes
        self.constants: list[tuple] = []  # (array, copy of its owner), made of Python numbers, shapes and dtypes
        self.alive: list[np.ndarray] = []  # so that no memory is used twice while it lasts

    def run(self, function: Any, args: Any, options: dict) -> Any:
        """What the function returns, as ordinary arrays; NotTraceable where it does more than can be noted."""
        with np.errstate(all="ignore"):
            try:
                found = function(*self._enter(args), **options)
            except (TypeError, ValueError, AttributeError, IndexError, RuntimeError) as error:
                raise NotTraceable(str(error)) from None
        if found.__class__ in (tuple, list):
            return [self._leave(a) for a in found]
        return self._leave(found)

    def _enter(self, args: Any) -> Any:
        if isinstance(args, np.ndarray):
            made = self.traced(args)
            made.flags.writeable = False
            return made
        if args.__class__ in (tuple, list):
            return args.__class__([self._enter(a) for a in args])
        return args

    def _leave(self, found: Any) -> Any:
        if isinstance(found, Traced) or found is None:
            return plain(found)
        if isinstance(found, np.ndarray) and any(owner(found) is owner(a) for a in self.alive):
            return found  # np.asarray has made it an ordinary array
        raise NotTraceable("a result that is no traced array")

    def traced(self, array: np.ndarray) -> Traced:
        made = array.view(Traced)
        made.tracer = self
        self.alive.append(array)
        return made

    # what is noted

    def _constants(self, given: list) -> list:
        """Arrays that come from no traced one are made of Python numbers: single ones become numbers again."""
        known = {id(owner(a)) for a in self.alive}
        found = []
        for a in given:
            if isinstance(a, np.ndarray) and id(owner(a)) not in known:
                self.assumed.append((a.dtype, a.shape, a.tobytes()))
                if not a.ndim:
                    a = a.item()
                else:
                    self.constants.append((a, owner(a).copy()))  # it may be changed later on
                    self.alive.append(a)
            found.append(a)
        return found

    def map(self, formula: Any, given: list, made: np.ndarray) -> None:
        given = self._constants(given)
        self.alive.append(made)
        self.notes.append(("map", formula, given, made))

    def into(self, target: np.ndarray, formula: Any, given: list) -> None:
        self.notes.append(("into", formula, self._constants(given), target))

    def fill(self, target: np.ndarray, value: Any) -> None:  # type: ignore[override]
        if isinstance(value, np.ndarray):
            self.notes.append(("into", _converted, [plain(value)], target))
        else:
            self.notes.append(("fill", value, [], target))

    def reduce(self, op: str, x: np.ndarray, axis: Any, made: np.ndarray) -> None:
        axes = tuple(range(x.ndim)) if axis is None else axis if isinstance(axis, tuple) else (axis,)
        self.notes.append(("reduce", op, [x, axes], made))

    def copied(self, source: np.ndarray, made: np.ndarray) -> None:
        """A reshape that had to copy: element by element in the source's shape."""
        same = made.reshape(source.shape)
        if owner(same) is not owner(made):
            raise NotTraceable("reshape")
        self.alive.append(made)
        self.notes.append(("map", _converted, [source], same))

    def joined(self, parts: list, axis: int) -> Traced:
        made = np.concatenate(parts, axis)
        axis %= made.ndim
        at = 0
        self.alive.append(made)
        for part in parts:
            size = part.shape[axis]
            where = (slice(None),) * axis + (slice(at, at + size),)
            if part.size:
                self.notes.append(("map", _converted, [part], made[where]))
            at += size
        return self.traced(made)


def same_place(a: np.ndarray, b: np.ndarray) -> bool:
    """Whether two arrays lie in their owners in the same way."""
    first, second = owner(a), owner(b)
    return (first.nbytes, a.strides, address(a) - address(first)) == (
        second.nbytes,
        b.strides,
        address(b) - address(second),
    )
