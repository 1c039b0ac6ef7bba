"""The second generation of transforms: structures, kinds of tensors, mixing."""

import numpy as np
import pytest

import flambeau as fb
from flambeau.vision import tv_tensors
from flambeau.vision.transforms import v2
from flambeau.vision.transforms.v2 import functional as F

Image = pytest.importorskip("PIL.Image")


def sample():
    image = tv_tensors.Image(fb.arange(3 * 4 * 6, dtype=fb.uint8).view(3, 4, 6))
    boxes = tv_tensors.BoundingBoxes([[1, 0, 3, 2]], format="XYXY", canvas_size=(4, 6))
    mask = tv_tensors.Mask((fb.arange(24).view(4, 6) % 2).to(fb.uint8))
    return {"image": image, "boxes": boxes, "mask": mask, "label": 3}


def test_kinds():
    s = sample()
    assert type(s["image"] + 1) is fb.Tensor
    assert repr(s["boxes"]) == ("BoundingBoxes([[1, 0, 3, 2]], format=BoundingBoxFormat.XYXY, canvas_size=(4, 6))")
    again = tv_tensors.wrap(fb.zeros(1, 4), like=s["boxes"])
    assert isinstance(again, tv_tensors.BoundingBoxes) and again.canvas_size == (4, 6)
    assert tv_tensors.Image(Image.new("RGB", (5, 4))).shape == (3, 4, 5)


def test_flip_moves_everything_together():
    out = v2.RandomHorizontalFlip(1.0)(sample())
    assert isinstance(out["image"], tv_tensors.Image) and out["image"][0, 0].tolist() == [5, 4, 3, 2, 1, 0]
    assert out["boxes"].tolist() == [[3, 0, 5, 2]] and out["mask"][0].tolist() == [1, 0, 1, 0, 1, 0]
    assert out["label"] == 3
    assert v2.RandomVerticalFlip(1.0)(sample())["boxes"].tolist() == [[1, 2, 3, 4]]


def test_resize_crop_pad_of_boxes():
    out = v2.Resize((8, 12))(sample())
    assert out["boxes"].tolist() == [[2, 0, 6, 4]] and out["boxes"].canvas_size == (8, 12)
    assert out["image"].shape == (3, 8, 12) and out["mask"].shape == (8, 12)
    out = v2.CenterCrop(2)(sample())
    assert out["boxes"].tolist() == [[0, 0, 1, 1]] and out["image"].shape == (3, 2, 2)
    out = v2.Pad(1)(sample())
    assert out["boxes"].tolist() == [[2, 1, 4, 3]] and out["boxes"].canvas_size == (6, 8)


def test_box_formats():
    boxes = sample()["boxes"]
    other = F.convert_bounding_box_format(boxes, new_format="CXCYWH")
    assert other.tolist() == [[2, 1, 2, 2]]
    assert v2.ConvertBoundingBoxFormat("XYWH")(boxes).tolist() == [[1, 0, 2, 2]]
    outside = tv_tensors.BoundingBoxes([[-1, 0, 9, 2]], format="XYXY", canvas_size=(4, 6))
    assert v2.ClampBoundingBoxes()(outside).tolist() == [[0, 0, 6, 2]]


def test_rotation_of_boxes_and_masks():
    out = v2.RandomRotation((180, 180))(sample())
    assert out["boxes"].tolist() == [[3, 2, 5, 4]]
    assert out["mask"].numpy().tolist() == sample()["mask"].numpy()[::-1, ::-1].tolist()


def test_first_plain_tensor_is_the_image():
    image, label = v2.Compose([v2.ToDtype(fb.float32, scale=True), v2.Normalize([0.5], [0.5])])(
        fb.full((1, 2, 2), 255, dtype=fb.uint8), fb.tensor(7)
    )
    assert image.unique().tolist() == [1.0] and label.item() == 7
    assert v2.RandomCrop(1)((fb.zeros(1, 2, 2), [fb.zeros(5)]))[1][0].shape == (5,)


def test_to_image_and_back():
    pil = Image.fromarray(np.arange(12, dtype=np.uint8).reshape(3, 4))
    out = v2.Compose([v2.ToImage(), v2.ToDtype(fb.float32, scale=True)])(pil)
    assert isinstance(out, tv_tensors.Image) and out.shape == (1, 3, 4)
    back = v2.ToPILImage()(v2.ToDtype(fb.uint8, scale=True)(out))
    assert np.array_equal(np.asarray(back), np.asarray(pil))
    assert type(v2.ToPureTensor()(out)) is fb.Tensor
    assert v2.ToImage()(np.zeros((3, 4, 3), np.uint8)).shape == (3, 3, 4)


def test_to_dtype_by_kind():
    out = v2.ToDtype({tv_tensors.Image: fb.float32, tv_tensors.Mask: fb.int64, "others": None}, scale=True)(sample())
    assert out["image"].dtype == fb.float32 and out["mask"].dtype == fb.int64 and out["boxes"].dtype == fb.int64


def test_printed_forms():
    t = v2.Compose([v2.ToImage(), v2.ToDtype(fb.float32, scale=True), v2.Normalize([0.1], [0.2])])
    assert repr(t) == (
        "Compose(\n      ToImage()\n      ToDtype(scale=True)\n      Normalize(mean=[0.1], std=[0.2], inplace=False)\n)"
    )
    assert repr(v2.Resize(224)) == "Resize(size=[224], interpolation=bilinear, antialias=True)"
    assert repr(v2.RandomCrop(32, padding=4)) == (
        "RandomCrop(size=(32, 32), padding=[4, 4, 4, 4], pad_if_needed=False, fill=0, padding_mode=constant)"
    )
    assert repr(v2.MixUp(num_classes=10)) == "MixUp(alpha=1.0, num_classes=10)"
    assert repr(v2.RandAugment()) == "RandAugment(interpolation=nearest, num_ops=2, magnitude=9, num_magnitude_bins=31)"


@pytest.mark.parametrize("kind", [v2.MixUp, v2.CutMix])
def test_mixing(kind):
    fb.manual_seed(0)
    images, labels = fb.rand(4, 3, 8, 8), fb.tensor([0, 1, 2, 1])
    mixed, probabilities = kind(num_classes=3)(images, labels)
    assert mixed.shape == images.shape and probabilities.shape == (4, 3)
    np.testing.assert_allclose(probabilities.sum(1).numpy(), 1, rtol=1e-6)
    share = probabilities[0, 0].item()
    if kind is v2.MixUp:
        np.testing.assert_allclose(mixed[1].numpy(), (images[1] * share + images[0] * (1 - share)).numpy(), rtol=1e-5)
    else:
        same = (mixed[1] == images[1])[0].to(fb.float32).mean().item()
        assert same == pytest.approx(share, abs=1e-6)
    batch = {"x": images, "labels": labels}
    assert kind(num_classes=3)(batch)["labels"].shape == (4, 3)


@pytest.mark.parametrize(
    "call, match",
    [
        (lambda: v2.MixUp()(fb.zeros(2, 1, 2, 2), fb.tensor([0, 1])), "num_classes must be passed"),
        (lambda: v2.MixUp(num_classes=2)(fb.zeros(2, 1, 2, 2), 3), "labels must be a tensor"),
        (lambda: v2.CutMix(num_classes=2)(fb.zeros(1, 2, 2), fb.tensor([0, 1])), "batched input"),
        (lambda: v2.CutMix(num_classes=2)(fb.zeros(3, 1, 2, 2), fb.tensor([0, 1])), "batch size"),
    ],
)
def test_mixing_errors(call, match):
    with pytest.raises(ValueError, match=match):
        call()


def test_others_run():
    image = fb.rand(3, 9, 7)
    for t in (
        v2.ScaleJitter((8, 8)),
        v2.RandomResize(4, 6),
        v2.RandomShortestSize(5),
        v2.RandomZoomOut(p=1.0),
        v2.RandomPhotometricDistort(p=1.0),
        v2.GaussianNoise(),
        v2.RandomChannelPermutation(),
        v2.AutoAugment(),
        v2.AugMix(),
        v2.ElasticTransform(),
        v2.RandomApply([v2.RandomInvert(1.0)], p=1.0),
        v2.RandomChoice([v2.Grayscale(3), v2.Identity()]),
        v2.RandomOrder([v2.Grayscale(3), v2.Pad(1)]),
        v2.RandomErasing(p=1.0),
        v2.Lambda(lambda x: x),
    ):
        assert t(image).ndim == 3
    assert v2.JPEG(50)(tv_tensors.Image(image.mul(255).to(fb.uint8))).shape == (3, 9, 7)
