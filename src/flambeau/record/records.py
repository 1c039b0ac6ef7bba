"""A record as it lies in its folder: read again after the run has ended (or was killed), and made into its page."""

from __future__ import annotations

import base64
import json
import math
import os
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import ArgumentError, CannotWrite, MissingFile, MissingKey
from . import folder
from .pictures import KINDS
from .series import Metrics

VERSION = 1


class Record:
    """What is known of one run.

    Attributes: folder (its path), state (all but the numbers, as in `run.json`), metrics (the curves as they are
    shown). `name`, `status` ("running", "finished", "failed", "interrupted", "killed") and `config` are in the state.
    """

    def __init__(self, path: Path, state: dict[str, Any], metrics: Metrics):
        self.folder, self.state, self.metrics = path, state, metrics
        self._pictures: dict[str, str] = {}  # by file: as a page holds them

    @property
    def name(self) -> str:
        """The run's name."""
        return self.state["name"]

    @property
    def status(self) -> str:
        """How the run ended, or that it has not."""
        return self.state["status"]

    @property
    def config(self) -> dict[str, Any]:
        """The settings of the run."""
        return self.state["config"]

    def __repr__(self):
        return f"<Record {self.name!r}: {self.status}, {len(self.metrics.series)} metrics, {str(self.folder)!r}>"

    def values(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """The steps and values of one metric, all of them, as they were logged.

        Where a run that continues from an earlier step took another way, only the new values are given.

        Raises KeyError for a metric that the run does not have.
        """
        if name not in self.metrics.series:
            raise MissingKey(
                f"the run {self.name!r} has no metric {name!r}",
                why=f"it has {', '.join(map(repr, self.metrics.series)) or 'none'}",
                fix="use one of those names",
            )
        steps: list[int] = []
        values: list[float] = []
        continues = False
        for line in _lines(self.folder / folder.METRICS):
            if "values" not in line:
                continues = True
            elif name in line["values"]:
                if continues:
                    kept = [k for k, step in enumerate(steps) if step < line["step"]]
                    steps, values = [steps[k] for k in kept], [values[k] for k in kept]
                    continues = False
                steps.append(line["step"])
                values.append(float(line["values"][name]))
        return np.array(steps, np.int64), np.array(values, np.float64)

    def picture(self, file: str) -> str:
        """A picture of the record as the source of an image; "" where its file is gone."""
        if file not in self._pictures:
            try:
                data = (self.folder / folder.PICTURES / Path(file).name).read_bytes()
            except OSError:
                return ""
            self._pictures[file] = _source(file, data)
        return self._pictures[file]

    def keep(self, file: str, data: bytes) -> None:
        """Remember a picture, which may not have been written."""
        self._pictures[file] = _source(file, data)

    def html(self) -> str:
        """The page of the run."""
        from .page import page  # noqa: PLC0415 - its parts are read from files

        return page([self])

    def write(self, path: str | os.PathLike | None = None) -> Path:
        """Write the page: to `path`, or anew into the run's own folder. Returns its path."""
        return written(Path(path) if path is not None else self.folder / folder.PAGE, self.html())


def _source(file: str, data: bytes) -> str:
    return f"data:{KINDS.get(Path(file).suffix, 'image/png')};base64,{base64.b64encode(data).decode()}"


def written(path: Path, content: str) -> Path:
    """Write a page, or say why that cannot be done."""
    try:
        folder.write(path, content)
    except (OSError, ValueError) as error:
        raise CannotWrite(
            f"the page could not be written to {str(path)!r}",
            why=f"{getattr(error, 'strerror', None) or error}",
            fix="give the path of a file in a folder that exists and may be written to",
        ) from error
    return path


def load(path: str | os.PathLike) -> Record:
    """The record of a run: of its folder, or of a file in it.

    A run that was killed has status "killed", and all that it had logged.

    Raises FileNotFoundError where there is no record, ValueError where it cannot be read.

    >>> import tempfile
    >>> import flambeau
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with flambeau.Run(f"{folder}/first", config={"lr": 0.1}) as run:
    ...         for step in range(3):
    ...             run.log(loss=1 / (step + 1), step=step)
    ...     record = flambeau.record.load(f"{folder}/first")
    ...     record.status, record.config, record.values("loss")[1].round(2).tolist()
    ('finished', {'lr': 0.1}, [1.0, 0.5, 0.33])
    """
    place = folder.path_of(path)
    place = place.parent if place.is_file() else place
    try:
        text = (place / folder.STATE).read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise MissingFile(
            f"there is no record of a run in {str(place)!r}",
            why=f"its {folder.STATE} cannot be read: {getattr(error, 'strerror', None) or error}",
            fix='give the folder that the run was recorded in: `flambeau.record.load("runs/first")`',
        ) from error
    try:
        state = json.loads(text)
        version = state["version"]
    except (ValueError, KeyError, TypeError) as error:
        raise ArgumentError(
            f"{str(place / folder.STATE)!r} is not the record of a run",
            why=f"it cannot be read as one: {error}",
            fix="give the folder of a run that flambeau.Run has written",
        ) from error
    if version > VERSION:
        raise ArgumentError(
            f"the record in {str(place)!r} has version {version}; this flambeau reads up to {VERSION}",
            why="a newer flambeau has written it",
            fix="update flambeau: `pip install -U flambeau`",
        )
    if state["status"] == "running" and not folder.is_alive(place):
        state["status"] = "killed"
    return Record(place, state, read_metrics(place / folder.METRICS))


def read_metrics(path: Path) -> Metrics:
    """The curves of a metrics file. A line that was cut off when the program was killed is left out."""
    metrics = Metrics()
    for line in _lines(path):
        if "values" not in line:
            metrics.continues()
            continue
        for name, value in line["values"].items():
            metrics.add(name, line["step"], line["time"], float(value))
    return metrics


def _lines(path: Path):
    try:
        file = open(path, "rb")
    except OSError:
        return
    with file:
        for text in file:
            try:
                line = json.loads(text)
            except ValueError:
                continue
            if isinstance(line, dict) and ("session" in line or _is_whole(line)):
                yield line


def _is_whole(line: dict) -> bool:
    """Whether a line holds numbers of a step; others have been edited or damaged."""
    values: Any = line.get("values")
    try:
        return isinstance(line["step"], int) and line["time"] >= 0 and all(map(_is_number, values.values()))
    except (KeyError, TypeError, AttributeError):
        return False


def _is_number(value: Any) -> bool:
    return value.__class__ in (float, int) or value in ("NaN", "Infinity", "-Infinity")


def encoded(value: float) -> str:
    """A number as JSON: all its digits; what is not finite as a text that `float` reads."""
    if math.isfinite(value):
        return repr(value)
    return '"NaN"' if value != value else '"Infinity"' if value > 0 else '"-Infinity"'
