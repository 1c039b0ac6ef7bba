"""Transforms: torchvision's numbers for the same seeds, its printed forms, its errors."""

import numpy as np
import pytest

import flambeau as fb
from flambeau.vision import transforms as T
from flambeau.vision.transforms import functional as F

Image = pytest.importorskip("PIL.Image")

PIXELS = (np.arange(8 * 10 * 3) * 37 % 256).astype(np.uint8).reshape(8, 10, 3)


def picture():
    return Image.fromarray(PIXELS)


def tensor():
    return fb.from_numpy(PIXELS.transpose(2, 0, 1).copy())


# Shape and sum of the result for a PIL image and for a tensor, recorded from torchvision 0.29 with seed 7.
RECORDED = [
    ("RandomCrop(6,padding=2)", ((6, 6, 3), 11209.0), ((3, 6, 6), 11209.0)),
    ("RandomResizedCrop(5)", ((5, 5, 3), 9720.0), ((3, 5, 5), 9714.0)),
    ("ColorJitter(.4,.3,.2,.1)", ((8, 10, 3), 36028.0), ((3, 8, 10), 35960.0)),
    ("RandomRotation(40)", ((8, 10, 3), 30248.0), ((3, 8, 10), 30248.0)),
    ("RandomAffine(10,(.1,.2),(.8,1.2),5)", ((8, 10, 3), 23946.0), ((3, 8, 10), 23946.0)),
    ("RandomPerspective(p=1.)", ((8, 10, 3), 17307.0), ((3, 8, 10), 15623.0)),
    ("GaussianBlur(3)", ((8, 10, 3), 30466.0), ((3, 8, 10), 30466.0)),
    ("AutoAugment()", ((8, 10, 3), 26278.0), ((3, 8, 10), 26290.0)),
    ("RandAugment()", ((8, 10, 3), 28390.0), ((3, 8, 10), 28390.0)),
    ("TrivialAugmentWide()", ((8, 10, 3), 24240.0), ((3, 8, 10), 23778.0)),
    ("Resize(5)", ((5, 6, 3), 11362.0), ((3, 5, 6), 11361.0)),
    ("RandomHorizontalFlip()", ((8, 10, 3), 30248.0), ((3, 8, 10), 30248.0)),
]


@pytest.mark.parametrize("text, pil, tensors", RECORDED)
def test_recorded(text, pil, tensors):
    transform = eval(text, dict(vars(T)))
    for image, (shape, total), slack in ((picture(), pil, 0), (tensor(), tensors, 20)):
        fb.manual_seed(7)
        out = np.asarray(transform(image) if not isinstance(image, fb.Tensor) else transform(image).numpy())
        assert out.shape == shape and abs(out.astype(np.float64).sum() - total) <= slack


def test_random_erasing_recorded():
    fb.manual_seed(7)
    assert T.RandomErasing(p=1.0)(fb.ones(1, 8, 10)).sum().item() == 74


@pytest.mark.parametrize(
    "transform, text",
    [
        (T.ToTensor(), "ToTensor()"),
        (T.Normalize((0.5,), (0.25,)), "Normalize(mean=(0.5,), std=(0.25,))"),
        (T.Resize(224), "Resize(size=224, interpolation=bilinear, max_size=None, antialias=True)"),
        (T.CenterCrop(10), "CenterCrop(size=(10, 10))"),
        (T.RandomCrop(32, padding=4), "RandomCrop(size=(32, 32), padding=4)"),
        (T.RandomHorizontalFlip(), "RandomHorizontalFlip(p=0.5)"),
        (
            T.RandomResizedCrop(224),
            "RandomResizedCrop(size=(224, 224), scale=(0.08, 1.0), ratio=(0.75, 1.3333), "
            "interpolation=bilinear, antialias=True)",
        ),
        (T.ColorJitter(0.1, 0.2), "ColorJitter(brightness=(0.9, 1.1), contrast=(0.8, 1.2), saturation=None, hue=None)"),
        (T.RandomRotation(30), "RandomRotation(degrees=[-30.0, 30.0], interpolation=nearest, expand=False, fill=0)"),
        (T.RandomAffine(10, scale=(0.5, 2)), "RandomAffine(degrees=[-10.0, 10.0], scale=(0.5, 2))"),
        (T.RandomErasing(), "RandomErasing(p=0.5, scale=(0.02, 0.33), ratio=(0.3, 3.3), value=0, inplace=False)"),
        (
            T.Compose([T.PILToTensor(), T.RandomPosterize(3)]),
            "Compose(\n    PILToTensor()\n    RandomPosterize(bits=3,p=0.5)\n)",
        ),
        (
            T.RandomApply([T.Pad(1)], p=0.3),
            "RandomApply(\n    p=0.3\n    Pad(padding=1, fill=0, padding_mode=constant)\n)",
        ),
        (T.Lambda(lambda x: x), "Lambda()"),
    ],
)
def test_printed_form(transform, text):
    assert repr(transform) == text


def test_to_tensor():
    out = F.to_tensor(picture())
    assert out.shape == (3, 8, 10) and out.dtype == fb.float32
    np.testing.assert_array_equal(out.numpy(), PIXELS.transpose(2, 0, 1) / np.float32(255))
    assert F.to_tensor(np.zeros((4, 5))).dtype == fb.float64
    assert F.to_tensor(picture().convert("1")).max().item() in (0.0, 1.0)
    assert F.to_tensor(picture().convert("I")).dtype == fb.int32
    with pytest.raises(TypeError, match="pic should be PIL Image or ndarray"):
        F.to_tensor([1])
    with pytest.raises(ValueError, match="2/3 dimensional"):
        F.to_tensor(np.zeros(3))


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "I", "LA"])
def test_pil_round_trip(mode):
    image = picture().convert(mode)
    back = F.to_pil_image(F.pil_to_tensor(image))
    assert back.mode == mode and np.array_equal(np.asarray(back), np.asarray(image))


def test_to_pil_image_errors():
    with pytest.raises(ValueError, match="should not have > 4 channels"):
        F.to_pil_image(fb.zeros(5, 2, 2))
    with pytest.raises(TypeError, match="pic should be Tensor or ndarray"):
        F.to_pil_image("x")
    with pytest.raises(ValueError, match="Incorrect mode"):
        F.to_pil_image(fb.zeros(1, 2, 2), mode="I")


def test_normalize():
    x = fb.rand(2, 3, 4, 5)
    out = F.normalize(x, [0.1, 0.2, 0.3], [0.5, 0.6, 0.7])
    mean, std = (np.array(v, np.float32).reshape(3, 1, 1) for v in ([0.1, 0.2, 0.3], [0.5, 0.6, 0.7]))
    np.testing.assert_array_equal(out.numpy(), (x.numpy() - mean) / std)
    assert F.normalize(x, [0.0] * 3, [2.0] * 3, inplace=True) is x
    with pytest.raises(TypeError, match="Input tensor should be a float tensor. Got torch.uint8"):
        F.normalize(tensor(), [0.0] * 3, [1.0] * 3)
    with pytest.raises(ValueError, match="leading to division by zero"):
        F.normalize(x, [0.0] * 3, [1.0, 0.0, 1.0])
    with pytest.raises(ValueError, match="tensor image of size"):
        F.normalize(fb.zeros(3), [0.0], [1.0])


def test_normalize_is_differentiable():
    x = fb.ones(1, 2, 2, requires_grad=True)
    F.normalize(x, [0.5], [0.25]).sum().backward()
    assert x.grad.tolist() == [[[4.0, 4.0], [4.0, 4.0]]]


def test_convert_image_dtype():
    assert F.convert_image_dtype(fb.tensor([[[0, 255]]], dtype=fb.uint8)).tolist() == [[[0.0, 1.0]]]
    assert F.convert_image_dtype(fb.tensor([[[0.0, 1.0]]]), fb.uint8).tolist() == [[[0, 255]]]
    assert F.convert_image_dtype(fb.tensor([[[255]]], dtype=fb.uint8), fb.int16).item() == 255 * 128
    with pytest.raises(RuntimeError, match="cannot be performed safely"):
        F.convert_image_dtype(fb.zeros(1, 1, 1), fb.int64)


@pytest.mark.parametrize("mode", ["nearest", "bilinear", "bicubic"])
def test_resize_keeps_constants_and_matches_pillow(mode):
    mode = T.InterpolationMode(mode)
    assert (F.resize(fb.full((3, 7, 9), 0.25), [13, 5], mode) - 0.25).abs().max().item() < 1e-6
    small = np.asarray(F.resize(picture(), [4, 6], mode)).transpose(2, 0, 1).astype(int)
    ours = F.resize(tensor(), [4, 6], mode).numpy().astype(int)
    assert abs(small - ours).max() <= (1 if mode.value != "nearest" else 255)


def test_resize_sizes_and_errors():
    x = fb.zeros(1, 10, 20)
    assert F.resize(x, 5).shape == (1, 5, 10)
    assert F.resize(x, [5], max_size=8).shape == (1, 4, 8)
    assert F.resize(x, [10, 20]) is x
    with pytest.raises(ValueError, match="must be strictly greater"):
        F.resize(x, 5, max_size=5)
    with pytest.raises(ValueError, match="unsupported with Tensor input"):
        F.resize(x, 5, T.InterpolationMode.LANCZOS)
    with pytest.raises(TypeError, match="img should be PIL Image or Tensor"):
        F.hflip(np.zeros((3, 3)))


def test_geometry_moves_pixels_where_they_belong():
    x = fb.arange(12).view(1, 3, 4)
    assert F.hflip(x)[0, 0].tolist() == [3, 2, 1, 0]
    assert F.vflip(x)[0, :, 0].tolist() == [8, 4, 0]
    assert F.crop(x, -1, 2, 3, 4).tolist() == [[[0, 0, 0, 0], [2, 3, 0, 0], [6, 7, 0, 0]]]
    assert F.center_crop(x, 2).tolist() == [[[1, 2], [5, 6]]]
    assert F.center_crop(x, 5).shape == (1, 5, 5)
    assert F.pad(x, [1, 0], fill=9)[0, 0].tolist() == [9, 0, 1, 2, 3, 9]
    assert F.pad(x, 1, padding_mode="reflect")[0, 0].tolist() == [5, 4, 5, 6, 7, 6]
    assert F.rotate(x[:, :, :3], 90).tolist() == [[[2, 6, 10], [1, 5, 9], [0, 4, 8]]]
    assert F.rotate(x, 90, expand=True).shape == (1, 5, 4)  # as torchvision rounds
    assert F.affine(x, 0, [1, 0], 1.0, [0.0, 0.0])[0, 0].tolist() == [0, 0, 1, 2]
    assert len(F.ten_crop(x, 2)) == 10
    with pytest.raises(ValueError, match="is bigger than input size"):
        F.five_crop(x, 9)


def test_colour():
    x = tensor()
    assert F.adjust_brightness(x, 0).sum().item() == 0
    assert fb.equal(F.adjust_saturation(x, 1), x) and fb.equal(F.adjust_contrast(x, 1), x)
    assert fb.equal(F.invert(F.invert(x)), x)
    assert (F.adjust_hue(F.adjust_hue(x, 0.25), -0.25).to(fb.int16) - x.to(fb.int16)).abs().max().item() <= 3
    assert F.posterize(x, 1).unique().tolist() == [0, 128]
    assert F.rgb_to_grayscale(x, 3).shape == x.shape
    assert F.equalize(x).dtype == fb.uint8
    with pytest.raises(ValueError, match=r"hue_factor \(0.7\) is not in"):
        F.adjust_hue(x, 0.7)


@pytest.mark.parametrize(
    "make, error, match",
    [
        (lambda: T.RandomErasing(value="x"), ValueError, "it should be 'random'"),
        (lambda: T.RandomRotation(-1), ValueError, "degrees is a single number, it must be positive"),
        (lambda: T.GaussianBlur(2), ValueError, "odd and positive"),
        (lambda: T.ColorJitter(-1), ValueError, "must be non negative"),
        (lambda: T.Resize(1.5), TypeError, "Size should be int or sequence"),
        (lambda: T.RandomCrop(20)(tensor()), ValueError, "larger than input image size"),
        (lambda: T.Lambda(3), TypeError, "should be callable"),
        (lambda: T.LinearTransformation(fb.zeros(2, 3), fb.zeros(2)), ValueError, "should be square"),
    ],
)
def test_errors(make, error, match):
    with pytest.raises(error, match=match):
        make()


def test_linear_transformation():
    t = T.LinearTransformation(fb.eye(4) * 2, fb.ones(4))
    assert t(fb.ones(1, 2, 2) * 3).tolist() == [[[4.0, 4.0], [4.0, 4.0]]]


def test_compose_with_lambda_target():
    t = T.Lambda(lambda y: fb.zeros(10).scatter_(0, fb.tensor(y), value=1))
    assert t(3).tolist() == [0, 0, 0, 1, 0, 0, 0, 0, 0, 0]


def test_augmix_runs():
    assert T.AugMix()(tensor()).shape == (3, 8, 10) and T.AugMix()(picture()).size == (10, 8)
