"""Figures, images and tables as a page can hold them: PNG or SVG bytes, rows of plain cells."""

from __future__ import annotations

import io
import math
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import ArgumentError, ArgumentTypeError, MissingDependency, MissingFile

KINDS = {".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".gif": "image/gif", ".svg": "image/svg+xml",
         ".webp": "image/webp"}  # fmt: skip
ROWS = 1000  # rows of a table that the page shows
CELL = 500  # letters of a cell


def of_figure(figure: Any) -> tuple[str, bytes]:
    """(ending, bytes) of a matplotlib figure, or of a drawing that can show itself as SVG or PNG."""
    if hasattr(figure, "savefig"):
        out = io.BytesIO()
        figure.savefig(out, format="png", dpi=130)
        return ".png", out.getvalue()
    for method, ending in (("_repr_svg_", ".svg"), ("_repr_png_", ".png")):
        drawn = getattr(figure, method, None)
        if drawn is not None and (made := drawn()) is not None:
            return ending, made.encode("utf-8") if isinstance(made, str) else made
    raise ArgumentTypeError(
        f"add_figure() takes a figure, not {type(figure).__name__}",
        why="a figure of matplotlib, or a drawing of flambeau.viz, can be shown",
        fix="pass `figure` of `figure, axes = plt.subplots()`; for tensors there is `run.add_image(name, tensor)`",
    )


def of_image(image: Any, dataformats: str = "") -> tuple[str, bytes]:
    """(ending, bytes) of a tensor or array of pixels, a PIL image, or the path of a picture's file."""
    if isinstance(image, (str, Path)):
        path = Path(image)
        if not path.is_file():
            raise MissingFile(
                f"there is no picture {str(path)!r}",
                why="add_image() takes pixels or the path of a file",
                fix="look at the path: it is taken from the program's current folder",
            )
        if path.suffix.lower() not in KINDS:
            raise ArgumentError(
                f"a file {path.suffix!r} is not a picture that pages can show",
                why=f"they show {', '.join(KINDS)}",
                fix="save the picture as PNG",
            )
        return path.suffix.lower(), path.read_bytes()
    out = io.BytesIO()
    try:
        from PIL import Image  # noqa: PLC0415 - an extra
    except ImportError:
        raise MissingDependency(
            "pictures need Pillow, which is not installed",
            why="tensors are written as PNG by it",
            fix="run `pip install 'flambeau[viz]'`",
        ) from None
    made = image if isinstance(image, Image.Image) else Image.fromarray(pixels(image, dataformats))
    made.save(out, "PNG")
    return ".png", out.getvalue()


def pixels(image: Any, dataformats: str = "") -> np.ndarray:
    """Bytes (H, W) or (H, W, 3 or 4) of a tensor or array; floats are taken as 0 to 1, a batch becomes a grid.

    >>> import flambeau as torch
    >>> pixels(torch.ones(3, 4, 5)).shape, pixels(torch.zeros(6, 1, 4, 4)).shape
    ((4, 5, 3), (4, 29))
    """
    if hasattr(image, "detach"):
        image = image.detach()
        image = (image.float() if image.is_floating_point() else image).numpy()
    a = np.asarray(image)
    if a.dtype.kind not in "fbiu":
        raise ArgumentTypeError(
            f"add_image() takes pixels, not {type(image).__name__} of {a.dtype}",
            why="pixels are numbers: floats from 0 to 1, or bytes",
            fix="pass a tensor, an array, an image of PIL or the path of a picture",
        )
    form = dataformats.upper() or _guessed(a)
    if a.size == 0 or a.ndim != len(form) or set(form) - set("NCHW") or not {"H", "W"} <= set(form):
        raise ArgumentError(
            f"an image of shape {tuple(a.shape)} cannot be shown" + (f" as {form}" if form else ""),
            why="an image is (H, W), (C, H, W) or (H, W, C) with 1, 3 or 4 channels; several are (N, C, H, W)",
            fix="reshape it, or say what the dimensions are: `dataformats='HWC'`",
        )
    a = a.transpose([form.index(d) for d in "NHWC" if d in form])
    a = a if "N" in form else a[None]
    a = a if "C" in form else a[..., None]
    if a.dtype.kind == "f":
        a = np.clip(np.nan_to_num(a.astype(np.float64)), 0, 1) * 255 + 0.5
    elif a.dtype.kind == "b":
        a = a * 255
    a = _grid(np.clip(a, 0, 255).astype(np.uint8))
    if a.shape[-1] not in (1, 3, 4):
        raise ArgumentError(
            f"an image with {a.shape[-1]} channels cannot be shown",
            why="there are grey pictures (1), colours (3) and colours with transparency (4)",
            fix="show one channel at a time: `image[0]`",
        )
    return a[..., 0] if a.shape[-1] == 1 else a


def _guessed(a: np.ndarray) -> str:
    if a.ndim == 3:
        return "HWC" if a.shape[-1] in (1, 3, 4) and a.shape[0] not in (1, 3, 4) else "CHW"
    return {2: "HW", 4: "NCHW"}.get(a.ndim, "")


def _grid(a: np.ndarray) -> np.ndarray:
    """(N, H, W, C) as one picture, with a gap of one pixel."""
    count, height, width, channels = a.shape
    if count == 1:
        return a[0]
    columns = min(count, max(1, math.ceil(math.sqrt(count * height / width)) if count > 8 else count))
    rows = math.ceil(count / columns)
    made = np.full((rows * (height + 1) - 1, columns * (width + 1) - 1, channels), 255, np.uint8)
    for i in range(count):
        y, x = i // columns * (height + 1), i % columns * (width + 1)
        made[y : y + height, x : x + width] = a[i]
    return made


def table(rows: Any, columns: Any = None) -> tuple[list[str], list[list]]:
    """(columns, rows of plain cells) of a list of rows, of dicts, a dict, an array or a data frame."""
    if hasattr(rows, "columns") and hasattr(rows, "itertuples"):  # a data frame of pandas
        columns, rows = [str(c) for c in rows.columns], [list(row) for row in rows.itertuples(index=False)]
    elif hasattr(rows, "items"):
        columns, rows = columns or ["name", "value"], [list(pair) for pair in rows.items()]
    elif hasattr(rows, "detach") or isinstance(rows, np.ndarray):
        rows = rows.tolist()
    try:
        rows = list(rows)
    except TypeError:
        rows = None
    if rows is not None and rows and all(hasattr(row, "items") for row in rows):
        columns = list(columns or dict.fromkeys(key for row in rows for key in row))
        rows = [[row.get(c, "") for c in columns] for row in rows]
    if rows is None or any(isinstance(row, (str, bytes)) or not hasattr(row, "__iter__") for row in rows):
        raise ArgumentTypeError(
            "add_table() takes rows",
            why="a table is a list of rows, each a list of cells or a dict",
            fix='use `run.add_table("classes", [["cat", 0.9], ["dog", 0.8]], columns=["class", "accuracy"])`',
        )
    rows = [[cell(v) for v in row] for row in rows]
    width = max([len(row) for row in rows] + [len(columns or ())])
    names = [str(c) for c in columns or ()]
    return names + [""] * (width - len(names)), [row + [""] * (width - len(row)) for row in rows]


def cell(value: Any):
    """A value as a cell of a table: a number, a truth value, or a text."""
    if hasattr(value, "item") and getattr(value, "size", 1) == 1 or hasattr(value, "numel") and value.numel() == 1:
        value = value.item()
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, (int, float)):
        return value if math.isfinite(value) and abs(value) < 2**53 else str(value)
    text = str(value)
    return text if len(text) <= CELL else text[:CELL] + "..."
