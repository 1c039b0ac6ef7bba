"""The container of a .pt file: a zip archive of uncompressed, aligned records; and writing files all or nothing."""

from __future__ import annotations

import contextlib
import mmap
import os
import struct
import zipfile
import zlib

import numpy as np

from .errors import FlambeauError

ALIGNMENT = 64  # bytes: records start on a cache line, so that a mapped file can be used in place


class FileError(FlambeauError, RuntimeError):
    """A file that cannot be read as what it should be."""


# ---------------------------------------------------------------------- writing


@contextlib.contextmanager
def atomic_file(path):
    """A binary file to write; it takes the place of `path` only when the block ends well.

    It is written beside its destination and renamed, so that whoever is killed in the middle leaves the old file whole.
    """
    path = os.path.realpath(os.fspath(path))
    if os.path.exists(path) and not os.path.isfile(path):  # a device or a pipe: nothing to protect
        with open(path, "wb") as f:
            yield f
        return
    folder, name = os.path.split(path)
    if not os.path.isdir(folder):
        raise FileError(
            f"Parent directory {folder} does not exist.",
            why="the file would be written there",
            fix=f"use `os.makedirs({folder!r}, exist_ok=True)` first",
        )
    temporary = os.path.join(folder, f".{name}.{os.getpid()}.tmp")
    try:
        with open(temporary, "wb") as f:
            yield f
            f.flush()
            os.fsync(f.fileno())
        if os.path.exists(path):
            os.chmod(temporary, os.stat(path).st_mode & 0o7777)
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.remove(temporary)
        raise


class ArchiveWriter:
    """Writes records into a zip archive, all in one folder."""

    def __init__(self, file, folder):
        self.zip = zipfile.ZipFile(file, "w", zipfile.ZIP_STORED, allowZip64=True)
        self.folder = folder

    def add(self, name, data):
        """Store a record: bytes or a flat array."""
        info = zipfile.ZipInfo(f"{self.folder}/{name}", (1980, 1, 1, 0, 0, 0))
        view = memoryview(data) if not isinstance(data, np.ndarray) else memoryview(data.reshape(-1).view(np.uint8))
        size = view.nbytes
        # An unused extra field fills the space up to the next aligned address.
        start = self.zip.fp.tell() + 30 + len(info.filename.encode())
        start += 20 if size * 1.05 > zipfile.ZIP64_LIMIT else 0
        gap = -(start + 4) % ALIGNMENT
        info.extra = struct.pack("<2sH", b"FB", gap) + b"Z" * gap
        self.zip.writestr(info, view if size else b"")

    def close(self):
        self.zip.close()


# ---------------------------------------------------------------------- reading


class ArchiveReader:
    """Reads records of a .pt archive from an open file; `name` is what errors call it."""

    def __init__(self, file, name, mapped=False):
        self.file, self.name = file, name
        try:
            self.zip = zipfile.ZipFile(file)
            names = self.zip.namelist()
        except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
            raise self.broken(
                "PytorchStreamReader failed reading zip archive: failed finding central directory",
                f"{self.name}: {error}",
            ) from None
        if not names:
            raise self.broken(
                "PytorchStreamReader failed reading zip archive: the archive is empty", f"{self.name} holds no records"
            )
        self.folder = names[0].split("/")[0]
        self.memory = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY) if mapped else None

    def broken(self, fact, why) -> FileError:
        """The error for a damaged archive."""
        return FileError(
            fact,
            why=why,
            fix="copy or download the file again, or load an older checkpoint; this one is cut off or damaged",
        )

    def __contains__(self, name):
        return f"{self.folder}/{name}" in self.zip.NameToInfo

    def read(self, name) -> bytes:
        """A record as bytes."""
        return self.array(name).tobytes()

    def array(self, name) -> np.ndarray:
        """A record as an array of bytes with its own memory, or a view of the mapped file."""
        info = self.zip.NameToInfo.get(f"{self.folder}/{name}")
        if info is None:
            raise self.broken(
                f"PytorchStreamReader failed reading zip archive: file not found: {self.folder}/{name}",
                f"{self.name} lacks a record",
            )
        if info.compress_type != zipfile.ZIP_STORED:
            try:
                return np.frombuffer(bytearray(self.zip.read(info)), np.uint8)
            except (zipfile.BadZipFile, zlib.error, EOFError) as error:
                raise self.broken(
                    f"PytorchStreamReader failed reading zip archive: record {name} cannot be decompressed",
                    f"{self.name}: {error}",
                ) from None
        self.file.seek(info.header_offset)
        header = self.file.read(30)
        if len(header) < 30 or header[:4] != b"PK\x03\x04":
            raise self.broken(
                f"PytorchStreamReader failed reading zip archive: record {name} has no header",
                f"{self.name}: no record begins at byte {info.header_offset}",
            )
        start = info.header_offset + 30 + sum(struct.unpack("<HH", header[26:30]))
        if self.memory is not None:
            if start + info.file_size > len(self.memory):
                raise self.broken(
                    f"PytorchStreamReader failed reading zip archive: record {name} is cut off",
                    f"{self.name}: it should reach byte {start + info.file_size}",
                )
            # An array of its own over the map, not a slice of a larger array: it is the storage of its tensors.
            return (
                np.frombuffer(self.memory, np.uint8, info.file_size, start) if info.file_size else np.empty(0, np.uint8)
            )
        self.file.seek(start)
        data = np.empty(info.file_size, np.uint8)
        if info.file_size:
            got = read_into(self.file, data)
            if got != info.file_size:
                raise self.broken(
                    f"PytorchStreamReader failed reading zip archive: record {name} is cut off",
                    f"{self.name}: {got} of {info.file_size} bytes are there",
                )
        if zlib.crc32(data.data) != info.CRC:
            raise self.broken(
                f"PytorchStreamReader failed reading zip archive: record {name} is damaged",
                f"{self.name}: its checksum (CRC-32) does not match its content",
            )
        return data


def read_into(file, array) -> int:
    """Fill an array of bytes from a file; how many bytes came."""
    if hasattr(file, "readinto"):
        view, got = memoryview(array), 0
        while got < len(view):
            n = file.readinto(view[got:])
            if not n:
                break
            got += n
        return got
    data = file.read(array.size)
    array[: len(data)] = np.frombuffer(data, np.uint8)
    return len(data)
