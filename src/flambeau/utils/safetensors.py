"""The safetensors format: named tensors in one file, without code that could run.

A file is the length of the header (8 bytes, little-endian), the header in JSON, and the tensors' bytes.
"""

from __future__ import annotations

import json
import os

import numpy as np

from .. import dtypes
from ..archive import FileError, atomic_file
from ..devices import META, usable
from ..errors import ArgumentError
from ..tensor import Tensor, wrap

_NAMES = {
    "BOOL": dtypes.bool, "U8": dtypes.uint8, "I8": dtypes.int8, "I16": dtypes.int16, "I32": dtypes.int32,
    "I64": dtypes.int64, "U16": dtypes.uint16, "U32": dtypes.uint32, "U64": dtypes.uint64, "F16": dtypes.float16,
    "BF16": dtypes.bfloat16, "F32": dtypes.float32, "F64": dtypes.float64, "C64": dtypes.complex64,
    "F8_E4M3": dtypes.float8_e4m3fn, "F8_E5M2": dtypes.float8_e5m2,
}  # fmt: skip
_BY_DTYPE = {d: n for n, d in _NAMES.items()}
_LONGEST_HEADER = 100_000_000


def _parts(tensors, metadata):
    """(header, arrays) of a file; largest elements first, so that each is aligned."""
    header = {"__metadata__": dict(metadata)} if metadata else {}
    arrays, offset = [], 0
    for name, t in sorted(tensors.items(), key=lambda item: (-item[1].itemsize, item[0])):
        if not isinstance(t, Tensor) or t.dtype not in _BY_DTYPE:
            raise ArgumentError(
                f"safetensors cannot hold {name!r}: {getattr(t, 'dtype', type(t).__name__)}",
                why="the format knows tensors of the usual dtypes only",
                fix="convert it, e.g. with `t.float()`, or use `torch.save`",
            )
        a = np.ascontiguousarray(t._array)
        header[name] = {
            "dtype": _BY_DTYPE[t.dtype],
            "shape": list(t.shape),
            "data_offsets": [offset, offset + a.nbytes],
        }
        arrays.append(a.reshape(-1).view(np.uint8))
        offset += a.nbytes
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text, arrays


def save(tensors: dict, metadata: dict | None = None) -> bytes:
    """Named tensors as the bytes of a safetensors file.

    >>> import flambeau as torch
    >>> from flambeau.utils.safetensors import load, save
    >>> load(save({"w": torch.ones(2)}))
    {'w': tensor([1., 1.])}
    """
    head, arrays = _parts(tensors, metadata)
    return b"".join([head, *(a.tobytes() for a in arrays)])


def save_file(tensors: dict, filename, metadata: dict | None = None) -> None:
    """Write named tensors to a safetensors file; the file appears whole or not at all."""
    head, arrays = _parts(tensors, metadata)
    with atomic_file(filename) as file:
        file.write(head)
        for a in arrays:
            file.write(a)


def load(data: bytes) -> dict:
    """The named tensors in the bytes of a safetensors file.

    >>> import flambeau as torch
    >>> from flambeau.utils.safetensors import load, save
    >>> load(save({"w": torch.ones(2)}))
    {'w': tensor([1., 1.])}
    """
    return _tensors(np.frombuffer(bytearray(data), np.uint8), "<bytes>")[0]


def load_file(filename, device="cpu") -> dict:
    """The named tensors of a safetensors file.

    The file is mapped: what is not used is not read. Changes to the tensors are not written back.
    """
    if os.path.getsize(filename) < 8:
        raise FileError(
            f"Error while deserializing header: header too small ({os.fspath(filename)})",
            why=f"it has {os.path.getsize(filename)} bytes, fewer than the length of the header takes",
            fix="copy or download the file again; it is cut off, or no safetensors file",
        )
    found, _ = _tensors(np.memmap(filename, np.uint8, "c").view(np.ndarray), os.fspath(filename))
    return {k: t.to(META) for k, t in found.items()} if usable(device) is META else found


def metadata(filename) -> dict:
    """The metadata of a safetensors file."""
    return _tensors(np.memmap(filename, np.uint8, "r").view(np.ndarray), os.fspath(filename))[1]


def _tensors(raw, name):
    if raw.size < 8:
        raise FileError(
            f"Error while deserializing {name}: header too small",
            why=f"it has {raw.size} bytes, fewer than the length of the header takes",
            fix="copy or download the file again; it is cut off, or no safetensors file",
        )
    length = int.from_bytes(raw[:8].tobytes(), "little")
    if length > min(_LONGEST_HEADER, raw.size - 8):
        raise FileError(
            f"Error while deserializing {name}: the header should have {length} bytes, and {raw.size - 8} are there",
            why="the first 8 bytes say how long the header is",
            fix="copy or download the file again; it is cut off, or no safetensors file",
        )
    try:
        header = json.loads(raw[8 : 8 + length].tobytes())
    except ValueError as error:
        raise FileError(
            f"Error while deserializing {name}: invalid header: {error}",
            why="the header is JSON",
            fix="copy or download the file again; it is damaged, or no safetensors file",
        ) from None
    body, found = raw[8 + length :], {}
    about = header.pop("__metadata__", {})
    for key, entry in header.items():
        dt = _NAMES.get(entry["dtype"])
        if dt is None:
            raise FileError(
                f"Error while deserializing {name}: tensor {key!r} has dtype {entry['dtype']}, which is not supported",
                why=f"flambeau reads {', '.join(_NAMES)}",
                fix="convert the tensor to one of these before saving",
            )
        start, end = entry["data_offsets"]
        count = int(np.prod(entry["shape"], dtype=np.int64))
        if not 0 <= start <= end <= body.size or end - start != count * dt.itemsize:
            raise FileError(
                f"Error while deserializing {name}: tensor {key!r} should lie in bytes {start} to {end}, and the "
                f"data has {body.size}",
                why=f"its shape {tuple(entry['shape'])} takes {count * dt.itemsize} bytes",
                fix="copy or download the file again; it is cut off or damaged",
            )
        part = body[start:end]
        part = part if (part.ctypes.data % dt.itemsize == 0) else part.copy()
        found[key] = wrap(part.view(dt.numpy).reshape(entry["shape"]))
    return found, about
