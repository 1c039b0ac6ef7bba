"""The folder of a record: found or made, claimed by one process, written so that no file is ever half there."""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path
from typing import Any

from ..errors import ArgumentError, ArgumentTypeError, CannotWrite, StateError

PAGE, STATE, METRICS, PICTURES = "index.html", "run.json", "metrics.jsonl", "pictures"
_LOCKED = 1 << 40  # the byte that is locked on Windows, where others could not read it: far behind the end
_MODE = os.O_WRONLY | os.O_APPEND | getattr(os, "O_BINARY", 0)


def claim(folder: Any, resume: bool) -> tuple[Path, int, bool]:
    """A folder for one run: (its path, its open metrics file, whether a record is continued).

    A folder that holds a record is never written over: without `resume` the next free name is taken (first-2, first-3).
    """
    wanted = path_of(folder)
    path, number = wanted, 1
    while True:
        try:
            path.mkdir(parents=True, exist_ok=True)
            if resume and (path / METRICS).exists():
                return path, _locked(path, os.open(path / METRICS, _MODE)), True
            if not (path / PAGE).exists() and not (path / STATE).exists():
                return path, _locked(path, os.open(path / METRICS, _MODE | os.O_CREAT | os.O_EXCL, 0o666)), False
        except FileExistsError as error:
            if not path.is_dir():
                raise _unwritable(wanted, error) from error
        except (OSError, ValueError) as error:  # ValueError: a name that no file can have
            raise _unwritable(wanted, error) from error
        number += 1
        path = wanted.with_name(f"{wanted.name}-{number}")


def path_of(folder: Any) -> Path:
    """The path that a folder was given as."""
    try:
        text = os.fspath(folder)
    except TypeError:
        raise ArgumentTypeError(
            f"the folder of a run is a path, not {type(folder).__name__}",
            why="the record is written into a folder of its own",
            fix='pass a path, such as `flambeau.Run("runs/first")`',
        ) from None
    if not text or isinstance(text, bytes):
        raise ArgumentError(
            f"{text!r} is not the path of a folder",
            why="the record is written into a folder of its own",
            fix='pass a path, such as `flambeau.Run("runs/first")`',
        )
    return Path(text).absolute()


def _unwritable(path: Path, error: Exception) -> CannotWrite:
    return CannotWrite(
        f"the record of the run cannot be written to {str(path)!r}",
        why=f"{getattr(error, 'strerror', None) or error}",
        fix="give a folder that you may write to, such as `runs/first` in your own folder",
    )


def _locked(path: Path, file: int) -> int:
    if not _lock(file):
        os.close(file)
        raise StateError(
            f"another process is writing the record in {str(path)!r}",
            why="two runs cannot share one record",
            fix="wait until the other run has ended, or leave out `resume=True`: a new folder is made then",
        )
    return file


def _lock(file: int) -> bool:
    """Lock an open file until it is closed, or its process ends in whatever way; False if another one holds it."""
    try:
        if sys.platform == "win32":
            import msvcrt  # noqa: PLC0415 - on Windows only

            os.lseek(file, _LOCKED, os.SEEK_SET)
            msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl  # noqa: PLC0415 - elsewhere only

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno not in (errno.EWOULDBLOCK, errno.EACCES, errno.EDEADLK)  # disks without locks refuse nobody
    return True


def is_alive(path: Path) -> bool:
    """Whether a process is still writing the record in this folder."""
    try:
        file = os.open(path / METRICS, _MODE)
    except OSError:
        return False
    try:
        return not _lock(file)
    finally:
        os.close(file)


def write(path: Path, content: str | bytes) -> None:
    """Write a file whole: readers see the old one or the new one, also when the program is killed."""
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    data = content.encode("utf-8", "backslashreplace") if isinstance(content, str) else content
    try:
        with open(beside, "wb") as file:
            file.write(data)
        os.replace(beside, path)
    except OSError:
        beside.unlink(missing_ok=True)
        raise
