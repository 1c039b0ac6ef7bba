"""Pickles that PyTorch reads and writes: its names for tensors and storages, and the allow-list of what may be loaded.

On writing, flambeau's classes and functions go by the names of their counterparts in PyTorch; on reading, PyTorch's
names lead to flambeau's. A pickle is a program: with `weights_only` it may call only what the allow-list names, and
change the state only of objects of those classes.
"""

from __future__ import annotations

import collections
import contextlib
import importlib
import io
import pickle
import types
from typing import ClassVar

from . import constants, dtypes
from .arrays import MetaArray, as_strided, element_strides, meta_empty, storage_offset
from .devices import device
from .errors import DtypeError, FlambeauError, MissingAttribute
from .ops.copying import own_attributes
from .storage import STORAGE_CLASSES, STORAGE_DTYPES, STORAGE_NAMES, TypedStorage, UntypedStorage
from .tensor import Size, Tensor, wrap

PACKAGE = __name__.rpartition(".")[0]


class UnsafeLoad(FlambeauError, pickle.UnpicklingError):
    """A file that asks for more than loading weights may do."""


# ---------------------------------------------------------------------- what stands for PyTorch's functions


def rebuild_tensor(storage, offset, size, stride, requires_grad=False, hooks=None, metadata=None) -> Tensor:
    """A view of a storage."""
    dt = storage.dtype
    return _rebuild(storage.untyped(), dt, offset, size, stride, requires_grad)


def rebuild_tensor_untyped(storage, offset, size, stride, requires_grad, hooks, dtype, metadata=None) -> Tensor:
    """A view of a storage of bytes."""
    return _rebuild(storage.untyped(), dtype, offset, size, stride, requires_grad)


def _rebuild(raw, dt, offset, size, stride, requires_grad):
    if isinstance(raw._bytes, MetaArray):
        array = _meta(size, stride, dt)
    else:
        array = as_strided(raw._array_of(dt), tuple(size), tuple(stride), offset)
    t = wrap(array)
    t._rg = bool(requires_grad)
    return t


def _meta(size, stride, dt):
    count = 1 + sum((n - 1) * s for n, s in zip(size, stride)) if 0 not in size else 0
    return as_strided(meta_empty((count,), dt.numpy), tuple(size), tuple(stride))


def rebuild_meta(dtype, size, stride, requires_grad) -> Tensor:
    """A tensor of the meta device."""
    t = wrap(_meta(size, stride, dtype))
    t._rg = bool(requires_grad)
    return t


def rebuild_parameter(data, requires_grad, hooks) -> Tensor:
    """A Parameter."""
    return _resolve("nn.parameter", "Parameter")(data, requires_grad)


def rebuild_parameter_with_state(data, requires_grad, hooks, state) -> Tensor:
    """A Parameter with attributes of its own."""
    made = rebuild_parameter(data, requires_grad, hooks)
    vars(made).update({k: v for k, v in state.items() if not k.startswith("_")})
    return made


def rebuild_from_type(function, kind, args, state) -> Tensor:
    """A tensor of a subclass, or with attributes of its own."""
    made = function(*args)
    if type(made) is not kind and issubclass(kind, Tensor) and kind is not Tensor:
        made = made.as_subclass(kind)
    if isinstance(state, tuple):
        state = {k: v for part in state if part for k, v in part.items()}
    vars(made).update({k: v for k, v in (state or {}).items() if not hasattr(Tensor, k) and k != "_array"})
    return made


def _layout(name):
    return getattr(constants, name.removeprefix("torch."))


def _encode(text, encoding="latin1", errors="strict"):
    if encoding not in ("latin1", "latin-1"):
        raise UnsafeLoad(
            f"_codecs.encode is allowed with latin1 only, got {encoding!r}",
            why="another encoding could run code",
            fix="use `weights_only=False` only for files from someone you trust",
        )
    return text.encode("latin1", errors)


_FUNCTIONS = {
    ("torch._utils", "_rebuild_tensor_v2"): rebuild_tensor,
    ("torch._utils", "_rebuild_tensor"): rebuild_tensor,
    ("torch._utils", "_rebuild_tensor_v3"): rebuild_tensor_untyped,
    ("torch._utils", "_rebuild_meta_tensor_no_storage"): rebuild_meta,
    ("torch._utils", "_rebuild_parameter"): rebuild_parameter,
    ("torch._utils", "_rebuild_parameter_with_state"): rebuild_parameter_with_state,
    ("torch._tensor", "_rebuild_from_type_v2"): rebuild_from_type,
    ("torch.serialization", "_get_layout"): _layout,
    ("torch.storage", "UntypedStorage"): UntypedStorage,
    ("torch.storage", "TypedStorage"): TypedStorage,
    ("torch", "UntypedStorage"): UntypedStorage,
    ("torch", "Size"): Size,
    ("torch", "device"): device,
    ("torch", "Tensor"): Tensor,
    ("torch._tensor", "Tensor"): Tensor,
    **{("torch", n): c for n, c in STORAGE_CLASSES.items()},
    **{("torch", n): d for n, d in dtypes.BY_NAME.items()},
}

# What a file may name when only weights are loaded: data, and classes whose making and state harm nobody.
SAFE = _FUNCTIONS | {
    ("collections", "OrderedDict"): collections.OrderedDict,
    ("collections", "Counter"): collections.Counter,
    ("_codecs", "encode"): _encode,
    **{(m, n): getattr(__import__("builtins"), n) for m in ("builtins", "__builtin__")
       for n in ("set", "frozenset", "complex", "bytearray", "slice", "range")},
    ("__builtin__", "xrange"): range,
}  # fmt: skip
_SAFE_BY_NAME = {("torch.nn.parameter", "Parameter"), ("torch.nn", "Parameter"), ("torch.nn.parameter", "Buffer")}
_user_safe: list = []


def user_safe_globals() -> list:
    """What `add_safe_globals` has added."""
    return _user_safe


def _user_names() -> dict:
    found = {}
    for entry in _user_safe:
        if isinstance(entry, tuple):
            entry, path = entry
            module, _, name = path.rpartition(".")
        else:
            module, name = entry.__module__, entry.__qualname__
        found[_torch_name(module), name] = found[module, name] = entry
    return found


def _torch_name(module):
    """A module of this package by the name of its counterpart in PyTorch."""
    return "torch" + module[len(PACKAGE) :] if module == PACKAGE or module.startswith(PACKAGE + ".") else module


def _resolve(module, name):
    """`name` of this package's module that corresponds to a module of PyTorch."""
    path = f"{PACKAGE}.{module}" if module else PACKAGE
    with contextlib.suppress(ImportError, AttributeError):
        return getattr(importlib.import_module(path), name)
    # PyTorch may keep it in another file: look in the packages above.
    while module:
        module = module.rpartition(".")[0]
        with contextlib.suppress(ImportError, AttributeError):
            return getattr(importlib.import_module(f"{PACKAGE}.{module}" if module else PACKAGE), name)
    raise MissingAttribute(
        f"torch has no counterpart of {path}.{name} here",
        why="the file refers to a class or function of PyTorch that flambeau does not have",
        fix="save the state_dict in PyTorch: `torch.save(model.state_dict(), path)`",
    )


# ---------------------------------------------------------------------- writing


class _Global:
    """Something that is pickled as a name of PyTorch's."""

    def __init__(self, module, name):
        self.module, self.name = module, name
        self.__name__ = name

    def __call__(self):
        raise TypeError("a name only")


_NAMES = {n: _Global("torch._utils", n) for n in ("_rebuild_tensor_v2", "_rebuild_tensor_v3", "_rebuild_parameter",
                                                  "_rebuild_meta_tensor_no_storage")}  # fmt: skip
_NAMES["_rebuild_from_type_v2"] = _Global("torch._tensor", "_rebuild_from_type_v2")
_NAMES["_get_layout"] = _Global("torch.serialization", "_get_layout")
_NAMES["UntypedStorage"] = _Global("torch.storage", "UntypedStorage")
_DTYPE_NAMES = {d: _Global("torch", d.name) for d in dtypes.ALL}
_STORAGE_NAMES = {n: _Global("torch", n) for n in STORAGE_CLASSES}
_TENSOR, _SIZE, _DEVICE = _Global("torch", "Tensor"), _Global("torch", "Size"), _Global("torch", "device")


class Pickler(pickle._Pickler):
    """Writes an object in PyTorch's terms and collects the storages it refers to.

    storages: key -> array of bytes.
    """

    dispatch: ClassVar[dict] = pickle._Pickler.dispatch.copy()

    def __init__(self, file, protocol=2):
        super().__init__(file, protocol)
        self.storages = {}
        self._keys = {}  # address and size of memory -> (key, dtype)
        self._alive = []

    def save_name(self, obj):
        self.write(pickle.GLOBAL + f"{obj.module}\n{obj.name}\n".encode())
        self.memoize(obj)

    dispatch[_Global] = save_name

    def save_global(self, obj, name=None):
        """A class or function: those of this package by PyTorch's name."""
        module, qualified = getattr(obj, "__module__", None) or "", name or getattr(obj, "__qualname__", "")
        if module == PACKAGE or module.startswith(PACKAGE + "."):
            if qualified == "_rebuild_parameter":
                return self.save(_NAMES["_rebuild_parameter"])
            if obj is Tensor:
                return self.save(_TENSOR)
            self.write(pickle.GLOBAL + f"{_torch_name(module)}\n{qualified}\n".encode())
            self.memoize(obj)
            return None
        return super().save_global(obj, name)

    dispatch[type] = lambda self, obj: self.save_class(obj)
    dispatch[types.FunctionType] = lambda self, obj: self.save_global(obj)

    def save_class(self, obj):
        """A class; those of None, NotImplemented and Ellipsis are special."""
        if obj in (type(None), type(NotImplemented), type(...)):
            return self.save_type(obj)
        return self.save_global(obj)

    def reducer_override(self, obj):
        kind = type(obj)
        if kind is Tensor:
            return self.reduce_tensor(obj)
        if kind is Size:
            return _SIZE, (tuple(obj),)
        if kind is device:
            return _DEVICE, (obj.type,) if obj.index is None else (obj.type, obj.index)
        if kind is constants.layout:
            return _NAMES["_get_layout"], (repr(obj),)
        return NotImplemented

    def save(self, obj, save_persistent_id=True):
        if type(obj) is dtypes.dtype:  # a name, not a call
            obj = _DTYPE_NAMES[obj]
        return super().save(obj, save_persistent_id)

    def reduce_tensor(self, t):
        """The call that makes a tensor again."""
        a = t._array
        size, stride = tuple(a.shape), element_strides(a)
        hooks = collections.OrderedDict()
        if isinstance(a, MetaArray):
            made = _NAMES["_rebuild_meta_tensor_no_storage"], (t.dtype, size, stride, t.requires_grad)
        elif t.dtype in STORAGE_NAMES:
            memory = TypedStorage(wrap_storage=UntypedStorage(a), dtype=t.dtype)
            made = _NAMES["_rebuild_tensor_v2"], (memory, storage_offset(a), size, stride, t.requires_grad, hooks)
        else:
            memory = UntypedStorage(a)
            made = (
                _NAMES["_rebuild_tensor_v3"],
                (memory, storage_offset(a), size, stride, t.requires_grad, hooks, t.dtype),
            )
        state = own_attributes(t)
        return (_NAMES["_rebuild_from_type_v2"], (made[0], _TENSOR, made[1], state)) if state else made

    def persistent_id(self, obj):
        if not isinstance(obj, (TypedStorage, UntypedStorage)):
            return None
        raw = obj.untyped()
        dt = obj.dtype if isinstance(obj, TypedStorage) else None
        where = (raw.data_ptr(), raw.nbytes()) if raw.nbytes() else id(raw)
        key, before = self._keys.setdefault(where, (str(len(self._keys)), dt))
        if dt is not None and before is not None and before is not dt:
            raise DtypeError(
                "Cannot save multiple tensors or storages that view the same data as different types",
                why=f"one is {before.name}, one {dt.name}",
                fix="use `clone()` on one of them before saving",
            )
        self.storages[key] = raw._bytes
        self._alive.append(raw)
        if dt is None:
            return ("storage", _NAMES["UntypedStorage"], key, str(raw.device), raw.nbytes())
        name = STORAGE_NAMES.get(dt)
        return ("storage", _STORAGE_NAMES[name], key, str(raw.device), raw.nbytes() // dt.itemsize)


# ---------------------------------------------------------------------- reading


def find(module, name):
    """Any class or function that a file names, PyTorch's as this package's."""
    known = _FUNCTIONS.get((module, name))
    if known is not None:
        return known
    if module == "torch" or module.startswith("torch."):
        return _resolve(module[6:], name)
    if module == "__builtin__":
        module = "builtins"
    return None


class FullUnpickler(pickle.Unpickler):
    """Loads whatever a file names: only for files from a trusted source."""

    def __init__(self, file, load_storage, **options):
        super().__init__(file, **options)
        self.persistent_load = load_storage

    def find_class(self, module, name):
        found = find(module, name)
        return super().find_class(module, name) if found is None else found


class WeightsUnpickler(pickle._Unpickler):
    """Loads what the allow-list names, and nothing else."""

    dispatch: ClassVar[dict] = pickle._Unpickler.dispatch.copy()

    def __init__(self, file, load_storage, **options):
        super().__init__(file, **options)
        self.persistent_load = load_storage
        self.user = _user_names()

    def find_class(self, module, name):
        found = SAFE.get((module, name), self.user.get((module, name)))
        if found is None and (module, name) in _SAFE_BY_NAME:
            found = _resolve(module[6:], name)
        if found is None:
            path = f"{module}.{name}"
            raise UnsafeLoad(
                f"Weights only load failed. Unsupported global: GLOBAL {path} was not an allowed global by default. "
                f"Please use `torch.serialization.add_safe_globals([{name}])` or the "
                f"`torch.serialization.safe_globals([{name}])` context manager to allowlist this global if you "
                "trust this class/function.",
                why=f"the file wants to make objects of {path}, which runs that code; by default only tensors and "
                "plain containers are loaded",
                fix="if you trust where the file comes from, allow the class as above, or use `weights_only=False`",
            )
        return found

    def load_build(self):
        made = self.stack[-2]
        kind = type(made)
        allowed = isinstance(made, (Tensor, collections.OrderedDict, collections.Counter)) or kind in self.user.values()
        if not allowed:
            raise UnsafeLoad(
                f"Weights only load failed. Can only build Tensor, Parameter, OrderedDict or types allowlisted "
                f"via `add_safe_globals`, but got {kind}",
                why="setting the state of other objects can run code",
                fix=f"use `torch.serialization.add_safe_globals([{kind.__name__}])` if you trust the file",
            )
        if isinstance(made, Tensor):
            # The state of a tensor is attributes of a program; none may replace what the tensor is.
            state = self.stack.pop()
            state = state if isinstance(state, dict) else {}
            vars(made).update({k: v for k, v in state.items() if not hasattr(Tensor, str(k)) and k != "_array"})
            return
        super().load_build()

    dispatch[pickle.BUILD[0]] = load_build

    def refuse(self):
        raise UnsafeLoad(
            "Weights only load failed. The file uses a pickle instruction that loading weights has no need of.",
            why="such an instruction can run code, or the file is damaged",
            fix="use `weights_only=False` only for files from someone you trust",
        )

    for _opcode in (pickle.INST, pickle.OBJ, pickle.EXT1, pickle.EXT2, pickle.EXT4):
        dispatch[_opcode[0]] = refuse


def dumps(obj, protocol=2):
    """(pickle, storages) of an object."""
    buffer = io.BytesIO()
    pickler = Pickler(buffer, protocol)
    pickler.dump(obj)
    return buffer.getvalue(), pickler.storages


def dtype_of_storage(kind):
    """The dtype of a storage class named in a file; None for bytes."""
    if kind is UntypedStorage:
        return None
    return STORAGE_DTYPES[kind.__name__]
