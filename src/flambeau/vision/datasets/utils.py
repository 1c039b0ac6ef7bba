"""Downloading, checking and unpacking files, so that nothing half-written is ever left behind."""

import contextlib
import gzip
import hashlib
import os
import sys
import tarfile
import tempfile
import time
import urllib.error
import urllib.request
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from ...errors import ArgumentError, StateError

__all__ = [
    "calculate_md5",
    "check_integrity",
    "check_md5",
    "download_and_extract_archive",
    "download_url",
    "extract_archive",
    "list_dir",
    "list_files",
]

_CHUNK = 1 << 18
_AGENT = {"User-Agent": "flambeau"}


def calculate_md5(fpath: str | Path, chunk_size: int = 1 << 20) -> str:
    """The MD5 sum of a file, in hexadecimal."""
    md5 = hashlib.md5(usedforsecurity=False)
    with open(fpath, "rb") as file:
        while chunk := file.read(chunk_size):
            md5.update(chunk)
    return md5.hexdigest()


def check_md5(fpath: str | Path, md5: str, **kwargs) -> bool:
    """Whether a file has this MD5 sum."""
    return calculate_md5(fpath, **kwargs) == md5


def check_integrity(fpath: str | Path, md5: str | None = None) -> bool:
    """Whether a file is there and, where a sum is given, has that sum."""
    return os.path.isfile(fpath) and (md5 is None or check_md5(fpath, md5))


def list_dir(root: str | Path, prefix: bool = False) -> list[str]:
    """The directories in a directory (with `root` before each, if `prefix`)."""
    names = [name for name in os.listdir(root) if os.path.isdir(os.path.join(root, name))]
    return [os.path.join(root, name) for name in names] if prefix else names


def list_files(root: str | Path, suffix: str, prefix: bool = False) -> list[str]:
    """The files in a directory whose names end with `suffix`."""
    names = [name for name in os.listdir(root) if name.endswith(suffix) and os.path.isfile(os.path.join(root, name))]
    return [os.path.join(root, name) for name in names] if prefix else names


@contextlib.contextmanager
def atomic_folder(folder: str | Path) -> Iterator[Path]:
    """Make a folder; if what is done in it fails, the folders made for it that are still empty go away again."""
    folder = Path(folder)
    made = []
    for parent in [*reversed(folder.parents), folder]:
        if not parent.exists():
            parent.mkdir()
            made.append(parent)
    try:
        yield folder
    except BaseException:
        for parent in reversed(made):
            with contextlib.suppress(OSError):
                parent.rmdir()  # fails, rightly, where something was finished
        raise


@contextlib.contextmanager
def atomic_file(path: str | Path) -> Iterator:
    """A binary file that appears under its name only when it has been written to the end."""
    path = Path(path)
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise


def download_url(
    url: str,
    root: str | Path,
    filename: str | Path | None = None,
    md5: str | None = None,
    max_redirect_hops: int = 3,
) -> None:
    """Download a file into a folder, with progress, unless it is there already with the right checksum.

    Arguments:
        filename: its name there. Default: the last part of the URL.
        md5: the checksum it must have.

    Errors: RuntimeError if the checksum is wrong; URLError (an OSError) if the server cannot be reached. In both
    cases nothing is left in the folder.
    """
    root = Path(root).expanduser()
    name = str(filename) if filename else os.path.basename(url)
    path = root / name
    if check_integrity(path, md5):
        return
    with atomic_folder(root), atomic_file(path) as file:
        digest = hashlib.md5(usedforsecurity=False)
        with urllib.request.urlopen(urllib.request.Request(url, headers=_AGENT), timeout=30) as response:
            length = int(response.headers.get("Content-Length") or 0)
            show = _progress(name, length)
            while chunk := response.read(_CHUNK):
                file.write(chunk)
                digest.update(chunk)
                show(len(chunk))
            show(0, done=True)
        if md5 is not None and digest.hexdigest() != md5:
            raise StateError(
                "File not found or corrupted.",
                why=f"{url} has the MD5 sum {digest.hexdigest()}, not {md5}",
                fix="try again later; the download may have been cut off, or the file was replaced",
            )


def _progress(name: str, total: int):
    """A function to call with each number of bytes received; shows a bar on a terminal, a line elsewhere."""
    start, received, shown = time.monotonic(), 0, 0.0
    live = sys.stderr.isatty()

    def show(count: int, done: bool = False) -> None:
        nonlocal received, shown
        received += count
        now = time.monotonic()
        if not done and (not live or now - shown < 0.1):
            return
        shown = now
        rate = received / max(now - start, 1e-6) / 1e6
        text = f"{name}: {received / 1e6:.1f} MB, {rate:.1f} MB/s"
        if live and total:
            filled = int(30 * received / total)
            text = f"{name} [{'=' * filled}{' ' * (30 - filled)}] {received / total:4.0%} of {total / 1e6:.1f} MB"
        sys.stderr.write(("\r" if live else "") + text + ("\n" if done or not live else ""))
        sys.stderr.flush()

    return show


def extract_archive(from_path: str | Path, to_path: str | Path | None = None, remove_finished: bool = False) -> str:
    """Unpack a .zip, .tar(.gz, .bz2, .xz) or .gz file; returns where to.

    Members that would land outside the folder are refused.
    """
    source = Path(from_path)
    target = Path(to_path) if to_path is not None else source.parent
    if zipfile.is_zipfile(source):
        with zipfile.ZipFile(source) as archive:
            archive.extractall(target)
    elif tarfile.is_tarfile(source):
        with tarfile.open(source) as archive:
            archive.extractall(target, filter="data")
    elif source.suffix == ".gz":
        gunzip(source, target / source.stem if target.is_dir() else target)
    else:
        raise StateError(
            f"File '{source}' is neither a .zip, a .tar nor a .gz file",
            why="the end of its name says how it is packed",
            fix="unpack it by hand",
        )
    if remove_finished:
        source.unlink()
    return str(target)


def gunzip(source: str | Path, target: str | Path) -> None:
    """Decompress a .gz file."""
    with gzip.open(source) as packed, atomic_file(target) as file:
        while chunk := packed.read(1 << 20):
            file.write(chunk)


def download_and_extract_archive(
    url: str,
    download_root: str | Path,
    extract_root: str | Path | None = None,
    filename: str | Path | None = None,
    md5: str | None = None,
    remove_finished: bool = False,
) -> None:
    """`download_url`, then `extract_archive`."""
    download_root = Path(download_root).expanduser()
    name = str(filename) if filename else os.path.basename(url)
    download_url(url, download_root, name, md5)
    extract_archive(download_root / name, extract_root or download_root, remove_finished)


def download_from(mirrors: Iterable[str], root: str | Path, filename: str, md5: str, data_set: str) -> None:
    """Download from the first mirror that answers; an error that says what to do when none does."""
    tried = []
    for mirror in mirrors:
        try:
            download_url(f"{mirror}{filename}", root, filename, md5)
            return
        except (urllib.error.URLError, OSError, RuntimeError) as error:
            tried.append(f"    {mirror}{filename}: {error}")
    failed = "\n".join(tried)
    raise StateError(
        f"Error downloading {filename}:\n{failed}",
        why=f"{data_set} could not be fetched; nothing was written to {root}",
        fix=f"put {filename} into {Path(root).absolute()} by hand (MD5 {md5}), or check the network",
    )


def verify_str_arg(value, arg: str | None = None, valid_values=None, custom_msg: str | None = None):
    """The value, if it is a string among those allowed; ValueError otherwise."""
    if not isinstance(value, str):
        raise ArgumentError(
            f"Expected type str, but got type {type(value)}."
            if arg is None
            else f"Expected type str for argument {arg}, but got type {type(value)}.",
            why="it is a name",
            fix=f"use one of {list(valid_values)}" if valid_values is not None else "use a string",
        )
    if valid_values is not None and value not in valid_values:
        raise ArgumentError(
            custom_msg
            or f"Unknown value '{value}' for argument {arg}. Valid values are {{{str(list(valid_values))[1:-1]}}}.",
            why="only these are there to choose from",
            fix=f"use one of {list(valid_values)}",
        )
    return value
