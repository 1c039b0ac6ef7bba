"""Operations on boxes, and blocks that networks for images are built from (torchvision.ops)."""

import flambeau as fb

from ..errors import ArgumentError
from .models._layers import Conv2dNormActivation, SqueezeExcitation

__all__ = [
    "Conv2dNormActivation", "SqueezeExcitation", "batched_nms", "box_area", "box_convert", "box_iou",
    "clip_boxes_to_image", "nms", "remove_small_boxes", "sigmoid_focal_loss",
]  # fmt: skip


def box_area(boxes, fmt: str = "xyxy"):
    """Areas (N,) of boxes (N, 4).

    Example:
        >>> box_area(fb.tensor([[0.0, 0.0, 2.0, 3.0]]))
        tensor([6.])
    """
    boxes = box_convert(boxes, fmt, "xyxy") if fmt != "xyxy" else boxes
    return (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])


def box_convert(boxes, in_fmt: str, out_fmt: str):
    """Boxes (..., 4) from one format to another: xyxy, xywh (corner and size) or cxcywh (centre and size).

    Errors: ValueError for another format.

    Example:
        >>> box_convert(fb.tensor([[0.0, 0.0, 2.0, 4.0]]), "xyxy", "cxcywh")
        tensor([[1., 2., 2., 4.]])
    """
    if in_fmt not in ("xyxy", "xywh", "cxcywh") or out_fmt not in ("xyxy", "xywh", "cxcywh"):
        raise ArgumentError(
            f"Unsupported Bounding Box Conversions for given in_fmt {in_fmt} and out_fmt {out_fmt}",
            why="a box is given by two corners (xyxy), by a corner and its size (xywh), or by its centre and size "
            "(cxcywh)",
            fix='use "xyxy", "xywh" or "cxcywh"',
        )
    if in_fmt == out_fmt:
        return boxes.clone()
    a, b, c, d = boxes.unbind(-1)
    if in_fmt == "xyxy":
        x1, y1, x2, y2 = a, b, c, d
    elif in_fmt == "xywh":
        x1, y1, x2, y2 = a, b, a + c, b + d
    else:
        x1, y1, x2, y2 = a - 0.5 * c, b - 0.5 * d, a + 0.5 * c, b + 0.5 * d
    if out_fmt == "xyxy":
        return fb.stack((x1, y1, x2, y2), dim=-1)
    if out_fmt == "xywh":
        return fb.stack((x1, y1, x2 - x1, y2 - y1), dim=-1)
    return fb.stack(((x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1), dim=-1)


def box_iou(boxes1, boxes2, fmt: str = "xyxy"):
    """Intersection over union of all pairs: (N, 4), (M, 4) -> (N, M).

    Example:
        >>> box_iou(fb.tensor([[0.0, 0.0, 2.0, 2.0]]), fb.tensor([[1.0, 0.0, 3.0, 2.0]]))
        tensor([[0.3333]])
    """
    boxes1, boxes2 = (box_convert(b, fmt, "xyxy") for b in (boxes1, boxes2))
    low = fb.maximum(boxes1[:, None, :2], boxes2[None, :, :2])
    high = fb.minimum(boxes1[:, None, 2:], boxes2[None, :, 2:])
    sides = (high - low).clamp(min=0)
    inter = sides[..., 0] * sides[..., 1]
    return inter / (box_area(boxes1)[:, None] + box_area(boxes2) - inter)


def nms(boxes, scores, iou_threshold: float):
    """Numbers of the boxes kept, best first, when those that overlap a better one by more than the threshold go.

    Example:
        >>> boxes = fb.tensor([[0.0, 0.0, 2.0, 2.0], [0.0, 0.0, 2.0, 2.1], [5.0, 5.0, 6.0, 6.0]])
        >>> nms(boxes, fb.tensor([0.5, 0.9, 0.1]), 0.5)
        tensor([1, 2])
    """
    overlap = box_iou(boxes, boxes).detach().numpy() > iou_threshold
    kept: list[int] = []
    for k in scores.argsort(descending=True, stable=True).tolist():
        if not overlap[k, kept].any():
            kept.append(k)
    return fb.tensor(kept, dtype=fb.int64)


def batched_nms(boxes, scores, idxs, iou_threshold: float):
    """`nms` within each class; `idxs` (N,) are the classes."""
    if boxes.numel() == 0:
        return fb.zeros(0, dtype=fb.int64)
    shift = idxs.to(boxes.dtype) * (boxes.max() + 1)  # moves the classes apart
    return nms(boxes + shift[:, None], scores, iou_threshold)


def clip_boxes_to_image(boxes, size: tuple[int, int]):
    """Boxes (xyxy) cut at an image of the size (height, width).

    >>> import flambeau as torch
    >>> from flambeau.vision.ops import clip_boxes_to_image
    >>> clip_boxes_to_image(torch.tensor([[-1.0, 2.0, 9.0, 4.0]]), (5, 6))
    tensor([[0., 2., 6., 4.]])
    """
    height, width = size
    x, y = boxes[..., 0::2].clamp(min=0, max=width), boxes[..., 1::2].clamp(min=0, max=height)
    return fb.stack((x, y), dim=boxes.dim()).reshape(boxes.shape)


def remove_small_boxes(boxes, min_size: float):
    """Numbers of the boxes (xyxy) whose sides are at least `min_size`.

    >>> import flambeau as torch
    >>> from flambeau.vision.ops import remove_small_boxes
    >>> remove_small_boxes(torch.tensor([[0.0, 0.0, 1.0, 1.0], [0.0, 0.0, 5.0, 5.0]]), 2.0)
    tensor([1])
    """
    wide, high = boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]
    return fb.where((wide >= min_size) & (high >= min_size))[0]


def sigmoid_focal_loss(inputs, targets, alpha: float = 0.25, gamma: float = 2, reduction: str = "none"):
    """Cross entropy that cares less for what is easy (Lin et al. 2017, https://arxiv.org/abs/1708.02002)."""
    p = fb.sigmoid(inputs)
    loss = fb.nn.functional.binary_cross_entropy_with_logits(inputs, targets, reduction="none")
    loss = loss * (1 - (p * targets + (1 - p) * (1 - targets))) ** gamma
    if alpha >= 0:
        loss = (alpha * targets + (1 - alpha) * (1 - targets)) * loss
    if reduction not in ("none", "mean", "sum"):
        raise ArgumentError(
            f"Invalid Value for arg 'reduction': '{reduction}' \n Supported reduction modes: 'none', 'mean', 'sum'",
            why="the losses are returned as they are, averaged or summed",
            fix='use "none", "mean" or "sum"',
        )
    return loss if reduction == "none" else getattr(loss, reduction)()
