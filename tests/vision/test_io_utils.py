"""Reading and writing images; grids and drawings."""

import numpy as np
import pytest

import flambeau as fb
from flambeau.vision import io, utils

Image = pytest.importorskip("PIL.Image")


def pattern(channels=3):
    return (fb.arange(channels * 6 * 8) * 5 % 256).to(fb.uint8).view(channels, 6, 8)


@pytest.mark.parametrize("channels", [1, 3])
def test_png_round_trip(tmp_path, channels):
    path = tmp_path / "a.png"
    io.write_png(pattern(channels), path)
    assert fb.equal(io.read_image(str(path)), pattern(channels))
    assert io.read_image(str(path), io.ImageReadMode.RGB).shape == (3, 6, 8)
    assert io.decode_image(str(path), mode="GRAY").shape == (1, 6, 8)


def test_jpeg(tmp_path):
    smooth = fb.linspace(0, 255, 16 * 16).to(fb.uint8).view(1, 16, 16)
    io.write_jpeg(smooth, tmp_path / "a.jpg", quality=95)
    back = io.read_image(str(tmp_path / "a.jpg"))
    assert (back.to(fb.int32) - smooth.to(fb.int32)).abs().max().item() < 12
    assert len(io.encode_jpeg([smooth, smooth])) == 2


def test_errors(tmp_path):
    with pytest.raises(RuntimeError, match="Unsupported image file"):
        io.decode_image(fb.zeros(10, dtype=fb.uint8))
    with pytest.raises(RuntimeError, match="non empty 1-dimensional"):
        io.decode_image(fb.zeros(0, dtype=fb.uint8))
    with pytest.raises(RuntimeError, match="dtype should be uint8"):
        io.encode_png(fb.zeros(3, 2, 2))
    with pytest.raises(FileNotFoundError):
        io.read_image(str(tmp_path / "none.png"))


def test_files(tmp_path):
    io.write_file(str(tmp_path / "x"), fb.tensor([1, 2], dtype=fb.uint8))
    assert io.read_file(str(tmp_path / "x")).tolist() == [1, 2]


def test_make_grid():
    grid = utils.make_grid(fb.arange(12).view(3, 1, 2, 2).to(fb.float32), nrow=2, padding=1, pad_value=9.0)
    assert grid.shape == (3, 7, 7)
    assert grid[0, 1].tolist() == [9, 0, 1, 9, 4, 5, 9] and grid[0, 5].tolist() == [9, 10, 11, 9, 9, 9, 9]
    x = fb.arange(8.0).view(2, 1, 2, 2)
    scaled = utils.make_grid(x, normalize=True, padding=0)[0].tolist()
    assert scaled[0] == pytest.approx([0, 1 / 7, 4 / 7, 5 / 7])
    each = utils.make_grid(x, normalize=True, scale_each=True, padding=0)[0].tolist()
    assert each[0] == pytest.approx([0, 1 / 3, 0, 1 / 3])
    assert x[0, 0, 0, 0].item() == 0  # untouched
    assert utils.make_grid([fb.zeros(3, 2, 2)] * 3).shape == (3, 6, 14)
    with pytest.raises(TypeError, match="tensor or list of tensors expected"):
        utils.make_grid("x")


def test_save_image(tmp_path):
    utils.save_image(fb.full((3, 4, 5), 0.5), tmp_path / "a.png")
    assert np.asarray(Image.open(tmp_path / "a.png")).shape == (4, 5, 3)
    assert np.asarray(Image.open(tmp_path / "a.png")).max() == 128


def test_drawing():
    image = fb.zeros(3, 20, 20, dtype=fb.uint8)
    out = utils.draw_bounding_boxes(image, fb.tensor([[2, 3, 10, 12]]), labels=["a"], colors="red")
    assert out[:, 3, 5].tolist() == [255, 0, 0] and image.sum().item() == 0
    with pytest.raises(ValueError, match="Boxes need to be in"):
        utils.draw_bounding_boxes(image, fb.tensor([[10, 3, 2, 12]]))
    with pytest.raises(ValueError, match="mismatch"):
        utils.draw_bounding_boxes(image, fb.tensor([[2, 3, 10, 12]]), labels=["a", "b"])
    mask = fb.zeros(20, 20, dtype=fb.bool)
    mask[:5] = True
    out = utils.draw_segmentation_masks(image, mask, alpha=1.0, colors=["blue"])
    assert out[:, 0, 0].tolist() == [0, 0, 255] and out[:, 10, 0].tolist() == [0, 0, 0]
    out = utils.draw_keypoints(image, fb.tensor([[[5.0, 5.0], [10.0, 10.0]]]), connectivity=[(0, 1)], colors="lime")
    assert out[:, 5, 5].tolist() == [0, 255, 0] and out[:, 8, 8].tolist() == [0, 255, 0]
