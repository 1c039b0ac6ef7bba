"""The files that TensorBoard's projector reads: vectors, labels, small images, and a list of what there is."""

from __future__ import annotations

import io
import math
from typing import Any

import numpy as np
from tensorboard.compat import tf
from tensorboard.plugins.projector.projector_config_pb2 import EmbeddingInfo

from ...errors import FailedAssertion, ShapeError
from .arrays import as_bytes, make_grid, numbers
from .pictures import pillow

_BREAKS = str.maketrans("\t\r\n", "   ")  # what would begin another column or row


def checked(mat: Any, metadata: Any, label_img: Any, metadata_header: Any) -> tuple[np.ndarray, np.ndarray | None]:
    """(vectors, images) as arrays, whose numbers agree with each other and with the labels."""
    vectors = numbers(mat)
    if vectors.ndim != 2 or not vectors.size:
        raise FailedAssertion(
            f"mat should be 2D, where mat.size(0) is the number of data points; its shape is {vectors.shape}",
            why="each row is the vector of one point",
            fix="use `x.flatten(1)`",
        )
    count = len(vectors)
    if metadata is not None and len(metadata) != count:
        raise FailedAssertion(
            f"there are {len(metadata)} labels and {count} points: #labels should equal with #data points",
            why="each point has one label",
            fix="cut both to one length",
        )
    if metadata_header and metadata is not None and any(len(row) != len(metadata_header) for row in metadata):
        raise FailedAssertion(
            "len of header must be equal to the number of columns in metadata",
            why=f"the header names {len(metadata_header)} columns",
            fix="give a list of so many values for each point",
        )
    if label_img is None:
        return vectors, None
    images = numbers(label_img)
    if len(images) != count:
        raise FailedAssertion(
            f"there are {len(images)} images and {count} points: #images should equal with #data points",
            why="each point has one image",
            fix="cut both to one length",
        )
    if images.ndim != 4 or images.shape[1] not in (1, 3):
        raise ShapeError(
            f"label_img should have the shape (N, C, H, W) with 1 or 3 channels, but has {images.shape}",
            why="the images are shown at their points",
            fix="use `images.unsqueeze(1)` for images without channels",
        )
    return vectors, images


def write(folder: str, vectors: np.ndarray, metadata: Any, images: np.ndarray | None, header: Any) -> None:
    """Write the files of one embedding."""
    rows = "".join("\t".join(str(x.item()) for x in row) + "\n" for row in vectors)
    _store(folder, "tensors.tsv", rows.encode())
    if metadata is not None:
        lines = [[*header], *metadata] if header else [[label] for label in metadata]
        text = "".join("\t".join(str(x).translate(_BREAKS) for x in line) + "\n" for line in lines)
        _store(folder, "metadata.tsv", text.encode("utf-8", "replace"))
    if images is not None:
        _store(folder, "sprite.png", sprite(images))


def sprite(images: np.ndarray) -> bytes:
    """All images in one square PNG, row by row."""
    grid = as_bytes(make_grid(images, ncols=math.ceil(len(images) ** 0.5))).transpose(1, 2, 0)
    side = max(grid.shape)
    square = np.zeros((side, side, 3), np.uint8)
    square[: grid.shape[0], : grid.shape[1]] = grid
    file = io.BytesIO()
    pillow().Image.fromarray(square).save(file, format="PNG")
    return file.getvalue()


def info(subdir: str, tag: str, step: int, has_labels: bool, images: np.ndarray | None) -> EmbeddingInfo:
    """What the projector is told of an embedding."""
    made = EmbeddingInfo(tensor_name=f"{tag}:{step:05d}", tensor_path=f"{subdir}/tensors.tsv")
    if has_labels:
        made.metadata_path = f"{subdir}/metadata.tsv"
    if images is not None:
        made.sprite.image_path = f"{subdir}/sprite.png"
        made.sprite.single_image_dim.extend([images.shape[3], images.shape[2]])
    return made


def _store(folder, name, content):
    with tf.io.gfile.GFile(f"{folder}/{name}", "wb") as file:
        file.write(content)


def write_config(folder: str, config: Any) -> None:
    """The list of all embeddings of a run, which the projector looks for in its folder."""
    from google.protobuf import text_format  # noqa: PLC0415 - for embeddings only

    _store(folder, "projector_config.pbtxt", text_format.MessageToString(config).encode())
