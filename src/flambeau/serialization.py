"""torch.save and torch.load: PyTorch's .pt files, both ways."""

from __future__ import annotations

import contextlib
import io
import os
import pickle
import pickletools
import struct
import sys
import uuid

import numpy as np

from . import pickling
from .archive import ArchiveReader, ArchiveWriter, FileError, atomic_file, read_into
from .arrays import meta_empty
from .checks import events
from .checks.log import log
from .devices import AVAILABLE
from .devices import device as _device
from .errors import (
    ArgumentError,
    ArgumentTypeError,
    DeviceError,
    EndOfFile,
    FlambeauError,
    IsAFolder,
    MissingAttribute,
    MissingFile,
    NotSupported,
)
from .pickling import FullUnpickler, UnsafeLoad, WeightsUnpickler, dtype_of_storage, dumps
from .storage import TypedStorage, UntypedStorage

__all__ = ["FileError", "UnsafeLoad", "add_safe_globals", "clear_safe_globals", "get_safe_globals",
           "get_unsafe_globals_in_checkpoint", "load", "safe_globals", "save"]  # fmt: skip

DEFAULT_PROTOCOL = 2
_LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
_LEGACY_PROTOCOL = 1001
_ENDINGS = (".pt", ".pth", ".ckpt", ".bin")  # of checkpoints, as people name them


# ---------------------------------------------------------------------- what may be loaded


def add_safe_globals(safe_globals: list) -> None:
    """Allow classes or functions (or pairs of one and its full name in the file) when only weights are loaded."""
    pickling.user_safe_globals().extend(g for g in safe_globals if g not in pickling.user_safe_globals())


def get_safe_globals() -> list:
    """What has been allowed."""
    return list(pickling.user_safe_globals())


def clear_safe_globals() -> None:
    """Forget what has been allowed."""
    pickling.user_safe_globals().clear()


class safe_globals(contextlib.ContextDecorator):
    """Allow classes or functions inside a `with` block.

    >>> import flambeau as torch
    >>> class Config: ...
    >>> with torch.serialization.safe_globals([Config]):
    ...     torch.serialization.get_safe_globals() == [Config]
    True
    """

    def __init__(self, safe_globals: list):
        self.added = safe_globals

    def __enter__(self):
        self.before = get_safe_globals()
        add_safe_globals(self.added)

    def __exit__(self, *exc):
        pickling.user_safe_globals()[:] = self.before


# ---------------------------------------------------------------------- save


def save(obj, f, pickle_module=pickle, pickle_protocol=DEFAULT_PROTOCOL, _use_new_zipfile_serialization=True,
         _disable_byteorder_record=False):  # fmt: skip
    """Write an object to a file that flambeau and PyTorch can load.

    Tensors that share memory go on sharing it. The file appears whole or not at all: when the program is killed in
    the middle, an older file of that name stays as it was.

    Arguments:
        obj: tensors, state_dicts, and containers of them; whole modules too, but see `load`.
        f: a path, or a file opened for writing bytes.

    >>> import flambeau as torch, io
    >>> file = io.BytesIO()
    >>> torch.save({"w": torch.ones(2)}, file)
    >>> _ = file.seek(0)
    >>> torch.load(file)
    {'w': tensor([1., 1.])}
    """
    if not isinstance(f, (str, os.PathLike)) and not hasattr(f, "write"):
        raise MissingAttribute(
            f"expected 'f' to be string, path, or a file-like object with a 'write' attribute, got {type(f)}",
            why="the object is written there",
            fix="use a path such as `'model.pt'`",
        )
    if pickle_module is not pickle:
        raise NotSupported(
            "save() writes with Python's own pickle module",
            why="tensors are written by a pickler of its own",
            fix="leave pickle_module out",
        )
    text, storages = dumps(obj, pickle_protocol)
    if isinstance(f, (str, os.PathLike)):
        folder = os.path.splitext(os.path.basename(os.fspath(f)))[0] or "archive"
        with atomic_file(f) as file:
            _write(file, folder, text, storages)
    else:
        _write(f, "archive", text, storages)
    if log.on:
        events.saves(obj, f)


def _write(file, folder, text, storages):
    archive = ArchiveWriter(file, folder)
    archive.add("data.pkl", text)
    archive.add(".format_version", b"1")
    archive.add(".storage_alignment", b"64")
    archive.add("byteorder", sys.byteorder.encode())
    for key, data in storages.items():
        archive.add(f"data/{key}", data)
    archive.add("version", b"3\n")
    archive.add(".data/serialization_id", str(uuid.uuid4().int)[:40].zfill(40).encode())
    archive.close()


# ---------------------------------------------------------------------- load


def load(f, map_location=None, pickle_module=None, *, weights_only=None, mmap=None, **pickle_load_args):
    """Read an object from a file that `save`, here or in PyTorch, has written.

    Arguments:
        f: a path, or a file opened for reading bytes, which can seek.
        map_location: where tensors go: a device or its name, a dictionary from saved to new device names, or a
            function of (storage, saved device name). Default: where they were.
        weights_only: load tensors and plain containers only, and refuse the classes that are not allowed by
            `serialization.add_safe_globals`. Default: True. False runs code that the file names: pass it only
            for files that you trust.
        mmap: map the file into memory instead of reading it; changes are not written back.

    Raises `pickle.UnpicklingError` for a refused class, RuntimeError for a file that is truncated or damaged.

    >>> import flambeau as torch
    >>> import io
    >>> file = io.BytesIO()
    >>> torch.save({"w": torch.ones(2)}, file)
    >>> _ = file.seek(0)
    >>> torch.load(file)
    {'w': tensor([1., 1.])}
    """
    if weights_only is None and pickle_module is not None:
        weights_only = False
    if weights_only is None:
        weights_only = os.environ.get("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "0").lower() not in ("1", "y", "yes", "true")
    if weights_only and pickle_module is not None:
        raise FileError(
            "Can not safely load weights when explicit pickle_module is specified",
            why="safe loading needs a pickle reader that checks every name",
            fix="leave pickle_module out",
        )
    if isinstance(f, (str, os.PathLike)):
        if os.path.isdir(f):
            raise IsAFolder(
                f"[Errno 21] Is a directory: {os.fspath(f)!r}",
                why="a checkpoint is one file",
                fix="name a file in it, such as `'model.pt'`",
            )
        try:
            file = open(f, "rb")
        except FileNotFoundError as error:
            raise _no_file(error, f) from None
        with file:
            return _told(_load(file, os.fspath(f), map_location, weights_only, bool(mmap), pickle_load_args), f)
    if not (hasattr(f, "read") and hasattr(f, "seek") and hasattr(f, "tell")):
        raise MissingAttribute(
            f"You can only torch.load from a file that is seekable, got {type(f).__name__}. Please pre-load the data "
            "into a buffer like io.BytesIO and try to load from it instead.",
            why="its parts are read in an order of their own",
            fix="use `io.BytesIO(f.read())`",
        )
    if mmap:
        raise ArgumentError(
            "f must be a file path in order to use the mmap argument",
            why="memory of a file on disk is mapped",
            fix="give the path, or leave mmap out",
        )
    name = getattr(f, "name", f"<{type(f).__name__}>")
    return _told(_load(f, name, map_location, weights_only, False, pickle_load_args), f)


def _told(thing, f):
    if log.on:
        events.loads(thing, f)
    return thing


def _no_file(error: FileNotFoundError, path) -> MissingFile:
    """The error of a path that leads nowhere, with what is there: `errno` and `filename` as Python sets them."""
    folder = os.path.dirname(os.path.abspath(path))
    there = sorted(n for n in os.listdir(folder) if n.endswith(_ENDINGS))[:5] if os.path.isdir(folder) else []
    found = MissingFile(
        f"[Errno {error.errno}] No such file or directory: {os.fspath(path)!r}",
        why=f"{folder} has no file of that name"
        if os.path.isdir(folder)
        else f"there is no folder {folder}, to which the path leads from {os.getcwd()}",
        fix=f"look for the name among {there}" if there else "look where `torch.save` has written it",
    )
    found.errno, found.filename = error.errno, error.filename
    return found


def _load(file, name, map_location, weights_only, mapped, options):
    start = file.tell()
    magic = file.read(4)
    file.seek(start)
    if not magic:
        raise EndOfFile(
            f"Ran out of input: {name} is empty",
            why="it has no bytes from here on",
            fix="save it again; or use `f.seek(0)` if it was just written to",
        )
    place = _Placer(map_location)
    options = {"encoding": "utf-8", **options}
    if magic[:4] == b"PK\x03\x04":
        if start:  # an archive in the middle of a file: positions count from its own beginning
            file = io.BytesIO(file.read())
        return _load_archive(ArchiveReader(file, name, mapped), place, weights_only, options)
    if mapped:
        raise FileError(
            "mmap can only be used with files saved with `torch.save(_use_new_zipfile_serialization=True), "
            f"please torch.save your checkpoint with this option in order to use mmap. ({name})",
            why="the old format cannot be mapped",
            fix="leave mmap out, or load and save it again",
        )
    return _load_legacy(file, name, place, weights_only, options)


class _Placer:
    """Where the storages of a file go."""

    def __init__(self, map_location):
        self.rule = map_location
        if (
            map_location is not None
            and not callable(map_location)
            and not isinstance(map_location, (dict, str, _device))
        ):
            raise ArgumentTypeError(
                f"map_location must be a device, its name, a dictionary or a function, not "
                f"{type(map_location).__name__}",
                why="it says where tensors are put",
                fix='use `map_location="cpu"`',
            )

    def target(self, saved: str) -> str:
        """The device for a storage saved from `saved`; functions are asked later."""
        if isinstance(self.rule, dict):
            return str(self.rule.get(saved, saved))
        return saved if self.rule is None or callable(self.rule) else str(self.rule)

    def __call__(self, raw: UntypedStorage, saved: str) -> UntypedStorage:
        """The storage, moved."""
        if callable(self.rule):
            moved = self.rule(raw, saved)
            if moved is not None:
                return moved.untyped()
        where = self.target(saved).split(":")[0]
        if where == "cpu":
            return raw
        if where == "meta":
            return UntypedStorage._over(meta_empty((raw.nbytes(),), np.uint8))
        if where == "cuda":
            raise DeviceError(
                "Attempting to deserialize object on a CUDA device but torch.cuda.is_available() is False. If you are "
                "running on a CPU-only machine, please use torch.load with map_location=torch.device('cpu') to map "
                "your storages to the CPU.",
                why=f"the file's tensors were saved on '{saved}', and this machine has only: {', '.join(AVAILABLE)}",
                fix="use `torch.load(..., map_location='cpu')`, or `map_location=device` with the device in use",
                code="FB-DEV-04",
            )
        raise DeviceError(
            f"don't know how to restore data location of {type(raw).__name__} (tagged with {where})",
            why=f"the file's tensors were saved on '{saved}', and this machine has only: {', '.join(AVAILABLE)}",
            fix="use `torch.load(..., map_location='cpu')`",
            code="FB-DEV-04",
        )


def _unpickle(stream, name, load_storage, weights_only, options):
    unpickler = (WeightsUnpickler if weights_only else FullUnpickler)(stream, load_storage, **options)
    try:
        return unpickler.load()
    except FlambeauError:
        raise
    except (
        pickle.UnpicklingError,
        EOFError,
        ValueError,
        struct.error,
        LookupError,
        TypeError,
        AttributeError,
    ) as error:
        if not weights_only and not isinstance(error, (pickle.UnpicklingError, EOFError, struct.error)):
            raise  # it comes from the objects' own code
        raise UnsafeLoad(
            f"{'Weights only load failed. ' if weights_only else ''}{type(error).__name__}: {error}",
            why=f"{name} does not hold a complete pickle: it is truncated or damaged, or no file of torch.save",
            fix="copy or download it again",
        ) from error


def _load_archive(archive, place, weights_only, options):
    if "constants.pkl" in archive:
        raise FileError(
            f"{archive.name} is a TorchScript archive, which flambeau does not run",
            why="it holds a compiled program beside the weights",
            fix="save the state_dict in PyTorch: `torch.save(model.state_dict(), path)`",
        )
    order = archive.read("byteorder").decode() if "byteorder" in archive else "little"
    found = {}

    def load_storage(identity):
        if not isinstance(identity, tuple) or len(identity) != 5 or identity[0] != "storage":
            raise archive.broken(
                "PytorchStreamReader failed reading zip archive: the pickle refers to something that is no storage",
                f"{archive.name}: {repr(identity)[:80]}",
            )
        _, kind, key, location, count = identity
        dt = dtype_of_storage(kind)
        if key not in found:
            size = count * (dt.itemsize if dt else 1)
            if place.target(location).split(":")[0] == "meta" and not callable(place.rule):
                raw = UntypedStorage._over(meta_empty((size,), np.uint8))
            else:
                data = archive.array(f"data/{key}")
                if data.size < size:
                    raise archive.broken(
                        f"PytorchStreamReader failed reading zip archive: record data/{key} is too short",
                        f"{archive.name}: {data.size} bytes instead of {size}",
                    )
                if order != sys.byteorder and dt is not None:
                    _swap(data, dt)
                raw = place(UntypedStorage._over(data), location)
            found[key] = raw
        return TypedStorage(wrap_storage=found[key], dtype=dt) if dt else found[key]

    return _unpickle(io.BytesIO(archive.read("data.pkl")), archive.name, load_storage, weights_only, options)


def _swap(data, dt):
    """Turn the bytes of numbers from the other byte order into this machine's."""
    width = dt.itemsize // (2 if dt.is_complex else 1)
    data[...] = data.reshape(-1, width)[:, ::-1].reshape(-1)


# ---------------------------------------------------------------------- files from before PyTorch 1.6


def _load_legacy(file, name, place, weights_only, options):
    """A sequence of pickles (marker, version, system, object, storage keys), then the storages."""
    start = file.tell()
    if _is_tar(file):
        raise FileError(
            f"{name} is a tar file of PyTorch 0.1, which is not supported",
            why="PyTorch itself has not written this format since 2017",
            fix="load and save it again in PyTorch",
        )
    file.seek(start)
    pending = {}  # key -> (storage, dtype)

    def load_storage(identity):
        kind, *data = identity
        if kind == "module":
            if not data or isinstance(data[0], str):
                raise FileError(
                    f"{name}: the source of a module is missing",
                    why="the whole module was saved, together with the text of its class",
                    fix="save the state_dict in PyTorch: `torch.save(model.state_dict(), path)`",
                )
            return data[0]
        storage_kind, key, location, count, view = data
        dt = dtype_of_storage(storage_kind)
        if key not in pending:
            size = count * (dt.itemsize if dt else 1)
            raw = UntypedStorage._over(np.empty(size, np.uint8))
            pending[key] = raw, dt, place(raw, location)
        raw = pending[key][2]
        if view is not None:
            view_key, offset, view_size = view
            width = dt.itemsize if dt else 1
            part = memoryview(raw._bytes)[offset * width : (offset + view_size) * width]
            raw = UntypedStorage._over(np.frombuffer(part, np.uint8))
        return TypedStorage(wrap_storage=raw, dtype=dt) if dt else raw

    def read():
        return _unpickle(file, name, load_storage, weights_only, options)

    marker = read()
    if marker != _LEGACY_MAGIC:
        raise UnsafeLoad(
            "Invalid magic number; corrupt file?",
            why=f"{name} was not written by torch.save",
            fix="use the reader of the library that wrote it",
        )
    version = read()
    if version != _LEGACY_PROTOCOL:
        raise FileError(
            f"Invalid protocol version: {version}",
            why=f"{name} was written by another version of the format than {_LEGACY_PROTOCOL}",
            fix="load and save it again in PyTorch",
        )
    system = read()
    made = read()
    keys = read()
    for key in keys:
        if key not in pending:
            continue
        raw, dt, moved = pending[key]
        count = file.read(8)
        (count,) = (
            struct.unpack("<q" if system.get("little_endian", True) else ">q", count) if len(count) == 8 else (-1,)
        )
        size = raw.nbytes()
        if count * (dt.itemsize if dt else 1) != size or read_into(file, raw._bytes) != size:
            raise FileError(
                f"unexpected EOF, expected {size} more bytes. The file might be corrupted.",
                why=f"{name}: storage {key} is cut off or has another size",
                fix="copy or download the file again, or load an older checkpoint",
            )
        if moved is not raw and moved.device.type == "cpu":
            moved._bytes[...] = raw._bytes
    return made


def _is_tar(file):
    return file.read(262)[257:] == b"ustar"


# ---------------------------------------------------------------------- questions


def get_unsafe_globals_in_checkpoint(f) -> list[str]:
    """The names in a file that `load` would refuse with `weights_only`."""

    with open(f, "rb") as file:
        text = ArchiveReader(file, os.fspath(f)).read("data.pkl")
    named = set()
    for opcode, argument, _ in pickletools.genops(text):
        if opcode.name == "GLOBAL":
            named.add(tuple(str(argument).split(" ", 1)))
    allowed = pickling.SAFE.keys() | pickling._SAFE_BY_NAME | pickling._user_names().keys()
    return sorted(".".join(n) for n in named - allowed)


def get_default_load_endianness():
    """The byte order assumed for files that do not say theirs: None, which means little-endian."""
    return None


def is_zip(path) -> bool:
    """Whether a file has the current format rather than that before PyTorch 1.6."""
    with open(path, "rb") as file:
        return file.read(4) == b"PK\x03\x04"
