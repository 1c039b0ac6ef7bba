"""Images, images with boxes, figures and videos as TensorBoard keeps them: PNG and GIF, made by pillow."""

from __future__ import annotations

import io
import sys
from typing import Any

import numpy as np
from tensorboard.compat.proto.summary_pb2 import Summary

from ...errors import ArgumentError, ArgumentTypeError, FailedAssertion, MissingDependency, ShapeError
from .arrays import checked_tag, frames, numbers, pixels


def image(tag: str, tensor: Any, rescale: float = 1, dataformats: str = "NCHW"):
    """An image, or a batch of them as a grid."""
    return Summary(value=[Summary.Value(tag=checked_tag(tag), image=make_image(pixels(tensor, dataformats), rescale))])


def image_boxes(tag, tensor_image, tensor_boxes, rescale=1, dataformats="CHW", labels=None):
    """An image with boxes (left, top, right, bottom) drawn into it."""
    boxes = numbers(tensor_boxes)
    if boxes.ndim != 2 or boxes.shape[1] != 4:
        raise ShapeError(
            f"boxes should have the shape (N, 4), but have {boxes.shape}",
            why="each is given by left, top, right and bottom",
            fix="use `boxes.reshape(-1, 4)`",
        )
    made = make_image(pixels(tensor_image, dataformats), rescale, boxes, labels)
    return Summary(value=[Summary.Value(tag=checked_tag(tag), image=made)])


def pillow() -> Any:
    """The package pillow, or an error that says how to get it."""
    try:
        import PIL.Image  # noqa: PLC0415 - an extra
        import PIL.ImageDraw  # noqa: PLC0415
        import PIL.ImageFont  # noqa: PLC0415
    except ImportError as error:
        raise MissingDependency(
            "images for TensorBoard need pillow, which is not installed",
            why="it is an optional dependency: training does not need it",
            fix="run `pip install 'flambeau[viz]'`",
        ) from error
    return PIL


def make_image(tensor: np.ndarray, rescale: float = 1, rois: np.ndarray | None = None, labels: Any = None):
    """Bytes [height, width, channels] as a PNG. rois, labels: boxes to draw, and what to write into them."""
    height, width, channels = tensor.shape
    size = int(width * rescale), int(height * rescale)
    if min(height, width, *size) < 1:
        raise ArgumentError(
            f"an image should have at least one pixel, but has {height} x {width}, times {rescale}",
            why="an empty image cannot be shown",
            fix="check the shape of the image, and `rescale`",
        )
    drawn = pillow().Image.fromarray(tensor)
    for i, box in enumerate(() if rois is None else rois):
        draw_box(drawn, box, None if labels is None else str(labels[i]))
    if size != (width, height):
        drawn = drawn.resize(size, pillow().Image.Resampling.LANCZOS)
    file = io.BytesIO()
    drawn.save(file, format="PNG")
    return Summary.Image(height=height, width=width, colorspace=channels, encoded_image_string=file.getvalue())


def draw_box(drawn: Any, box: Any, label: str | None, color: str = "Red") -> None:
    """Draw a box and its label into a pillow image."""
    left, top, right, bottom = map(float, box)
    font, pen = pillow().ImageFont.load_default(), pillow().ImageDraw.Draw(drawn)
    pen.line([(left, top), (left, bottom), (right, bottom), (right, top), (left, top)], width=2, fill=color)
    if label:
        x0, y0, x1, y1 = font.getbbox(label)
        width, height = x1 - x0, y1 - y0
        margin = np.ceil(0.05 * height)
        pen.rectangle([(left, bottom - height - 2 * margin), (left + width, bottom)], fill=color)
        pen.text((left + margin, bottom - height - margin), label, fill="black", font=font)


def video(tag: str, tensor: Any, fps: float = 4):
    """Videos [number, time, channels, height, width] as an animated GIF."""
    if not fps > 0:
        raise ArgumentError(
            f"fps should be a positive number, but is {fps!r}",
            why="it says how many frames are shown in a second",
            fix="pass a number such as 4",
        )
    shown = frames(tensor)
    first, *rest = map(pillow().Image.fromarray, shown)
    file = io.BytesIO()
    # GIF counts in hundredths of a second; what is shorter than two is slowed down by browsers.
    duration = max(20, round(100 / fps) * 10)
    first.save(file, format="GIF", save_all=True, append_images=rest, duration=duration, loop=0)
    _time, height, width, channels = shown.shape
    made = Summary.Image(height=height, width=width, colorspace=channels, encoded_image_string=file.getvalue())
    return Summary(value=[Summary.Value(tag=checked_tag(tag), image=made)])


def figure_to_image(figures: Any, close: bool = True) -> np.ndarray:
    """A matplotlib figure as bytes [channels, height, width]; a list of figures of one size as a batch."""
    if isinstance(figures, (list, tuple)):
        images = [figure_to_image(figure, close) for figure in figures]
        if len({image.shape for image in images}) != 1:
            raise FailedAssertion(
                f"figures that are written together have one size, but there are {[i.shape[1:] for i in images]}",
                why="they become a batch of images",
                fix="make them with the same `figsize` and `dpi`, at least one, or write them one by one",
            )
        return np.stack(images)
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415 - an extra
        from matplotlib.figure import Figure  # noqa: PLC0415
    except ImportError as error:
        raise MissingDependency(
            "add_figure needs matplotlib, which is not installed",
            why="it is an optional dependency: training does not need it",
            fix="run `pip install 'flambeau[viz]'`",
        ) from error
    if not isinstance(figures, Figure):
        raise ArgumentTypeError(
            f"add_figure expects a matplotlib figure, but got {type(figures).__name__}",
            why="it is drawn and written as an image",
            fix="pass the figure: `axes.figure`, or `plt.gcf()`",
        )
    before = figures.canvas
    canvas = FigureCanvasAgg(figures)
    canvas.draw()
    drawn = np.array(canvas.buffer_rgba())[:, :, :3]
    figures.set_canvas(before)
    if close:
        pyplot = sys.modules.get("matplotlib.pyplot")
        if pyplot is not None:
            pyplot.close(figures)
    return np.moveaxis(drawn, 2, 0)
