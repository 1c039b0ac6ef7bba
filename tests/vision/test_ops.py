"""Boxes."""

import pytest

import flambeau as fb
from flambeau.vision import ops


def test_formats():
    boxes = fb.tensor([[1.0, 2.0, 4.0, 8.0]])
    for fmt in ("xywh", "cxcywh", "xyxy"):
        there = ops.box_convert(boxes, "xyxy", fmt)
        assert fb.equal(ops.box_convert(there, fmt, "xyxy"), boxes)
        assert ops.box_area(there, fmt).item() == 18
    with pytest.raises(ValueError, match="Unsupported Bounding Box Conversions"):
        ops.box_convert(boxes, "xyxy", "x")


def test_nms_keeps_classes_apart():
    boxes = fb.tensor([[0.0, 0.0, 10.0, 10.0], [1.0, 1.0, 10.0, 10.0], [20.0, 20.0, 30.0, 30.0]])
    scores = fb.tensor([0.8, 0.9, 0.7])
    assert ops.nms(boxes, scores, 0.5).tolist() == [1, 2]
    assert ops.nms(boxes, scores, 0.9).tolist() == [1, 0, 2]
    assert ops.batched_nms(boxes, scores, fb.tensor([0, 1, 0]), 0.5).tolist() == [1, 0, 2]
    assert ops.nms(fb.zeros(0, 4), fb.zeros(0), 0.5).tolist() == []


def test_clip_and_filter():
    boxes = fb.tensor([[-1.0, 0.0, 5.0, 9.0], [0.0, 0.0, 1.0, 1.0]])
    assert ops.clip_boxes_to_image(boxes, (6, 4)).tolist() == [[0, 0, 4, 6], [0, 0, 1, 1]]
    assert ops.remove_small_boxes(boxes, 2).tolist() == [0]


def test_focal_loss():
    x, y = fb.tensor([0.0, 2.0]), fb.tensor([1.0, 0.0])
    # -alpha (1 - p)^2 log p, and its mirror image, by hand.
    expected = [0.25 * 0.25 * 0.6931472, 0.75 * 0.8807971**2 * 2.126928]
    assert ops.sigmoid_focal_loss(x, y).tolist() == pytest.approx(expected, rel=1e-5)
    with pytest.raises(ValueError, match="Invalid Value for arg 'reduction'"):
        ops.sigmoid_focal_loss(x, y, reduction="x")
