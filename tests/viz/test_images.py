"""Batches as pictures: every layout of images, what is written over them, odd pixels, sources, bad input."""

import numpy as np
import pytest

import flambeau as torch
from flambeau import viz
from flambeau.utils.data import DataLoader, IterableDataset, TensorDataset
from flambeau.vision import transforms
from flambeau.vision.datasets import Digits
from flambeau.viz import style

pytest.importorskip("matplotlib")


def captions(figure):
    return [text.get_text() for text in figure.axes[0].texts]


def pixels(figure):
    """The images drawn, without the frames around them."""
    return [np.ma.getdata(image.get_array()) for image in figure.axes[0].images]


@pytest.mark.parametrize(
    ("shape", "count", "one"),
    [
        ((5, 3, 8, 6), 5, (8, 6, 3)),
        ((5, 1, 8, 6), 5, (8, 6)),
        ((5, 8, 6, 3), 5, (8, 6, 3)),
        ((5, 8, 6), 5, (8, 6)),
        ((4, 8, 6), 4, (8, 6)),
        ((3, 8, 6), 1, (8, 6, 3)),
        ((8, 6), 1, (8, 6)),
        ((2, 4, 8, 6), 2, (8, 6, 4)),
    ],
)
def test_layouts(shape, count, one):
    images = torch.rand(*shape)
    for given in (images, images.numpy(), images.double().requires_grad_()):
        found = pixels(viz.show_batch(given))
        assert len(found) == count and all(image.shape == one for image in found)
    whole = images.numpy().reshape(
        count, *shape[-3:] if len(shape) == 4 or count == 1 and len(shape) == 3 else shape[-2:]
    )
    first = whole[0].transpose(1, 2, 0) if one[-1] in (3, 4) and whole[0].shape != one else whole[0]
    assert np.allclose(found[0], first.reshape(one))


def test_labels_predictions_and_names():
    batch = (torch.rand(4, 1, 8, 8), torch.tensor([0, 1, 2, 3]))
    names = ["猫", "dog", "bird"]
    assert captions(viz.show_batch(batch)) == ["0", "1", "2", "3"]
    assert captions(viz.show_batch(list(batch), names)) == ["猫", "dog", "bird", "3"]
    scores = torch.eye(4)[torch.tensor([0, 2, 2, 3])]
    figure = viz.show_batch(batch, names, scores, title="batch")
    assert captions(figure) == ["猫", "bird, not dog", "bird", "3"] and figure.axes[0].get_title() == "batch"
    assert [text.get_color() == style.WRONG for text in figure.axes[0].texts] == [False, True, False, False]
    assert captions(viz.show_batch(batch[0], predictions=[3, 2, 1, 0])) == ["3", "2", "1", "0"]
    one_hot = (batch[0], torch.eye(4))
    assert captions(viz.show_batch(one_hot)) == ["0", "1", "2", "3"]
    assert captions(viz.show_batch((batch[0], ["a", "b", "c", "d"]))) == ["a", "b", "c", "d"]


def test_quantities_are_never_wrong():
    figure = viz.show_batch((torch.rand(2, 8, 8), torch.tensor([1.5, 2.25])), predictions=torch.tensor([1.25, 2.25]))
    assert captions(figure) == ["1.25 (1.5)", "2.25"]


def test_only_the_first_are_shown():
    figure = viz.show_batch(torch.rand(40, 8, 8), n=6)
    assert len(pixels(figure)) == 6 and figure.axes[0].get_title() == "the first 6 of 40"
    style.png(viz.show_batch((torch.rand(1000, 8, 8), torch.arange(1000)), n=1000))


def test_grey_levels():
    grey = torch.tensor([[0, 51], [102, 255]], dtype=torch.uint8)
    assert np.allclose(pixels(viz.show_batch(grey))[0], [[0, 0.2], [0.4, 1]])
    assert np.allclose(pixels(viz.show_batch(grey.float() - 100))[0], [[0, 0.2], [0.4, 1]])  # from smallest to largest
    assert np.allclose(pixels(viz.show_batch(grey / 510))[0], [[0, 0.1], [0.2, 0.5]])  # within 0 ... 1 as they are
    assert np.allclose(pixels(viz.show_batch(torch.full((2, 2), 7.0)))[0], 0)
    mean, std = (0.5, 0.4, 0.3), (0.2, 0.3, 0.1)
    images = torch.rand(3, 3, 4, 4)
    normalised = transforms.Normalize(mean, std)(images)
    found = pixels(viz.show_batch(normalised, mean=mean, std=torch.tensor(std)))
    assert np.allclose(found[2], images[2].permute(1, 2, 0).numpy(), atol=1e-5)


def test_pixels_that_are_not_finite_are_red_and_counted():
    images = torch.rand(3, 4, 4)
    images[0, 0, :2] = float("nan")
    images[1, 0, 0] = float("inf")
    images[2] = float("nan")
    figure = viz.show_batch((images, [1, 2, 3]))
    assert captions(figure) == ["1 (2 not finite)", "2 (1 not finite)", "3 (16 not finite)"]
    assert np.allclose(pixels(figure)[0][0, 1], (0.73, 0, 0)) and pixels(figure)[1].shape == (4, 4, 3)


def test_sources_and_the_random_state():
    digits = Digits("test", transforms.ToTensor())
    torch.manual_seed(3)
    expected = torch.rand(2).tolist()
    torch.manual_seed(3)
    for source in (digits, DataLoader(digits, 32, shuffle=True), Digits("test"), TensorDataset(digits.data)):
        figure = viz.show_batch(source, n=4)
        assert len(pixels(figure)) == 4 and pixels(figure)[0].shape == (8, 8)
    assert torch.rand(2).tolist() == expected

    class Stream(IterableDataset):
        def __iter__(self):
            return iter(digits)

    assert captions(viz.show_batch(Stream(), n=3)) == [str(digits[k][1]) for k in range(3)]
    assert len(pixels(viz.show_batch([np.zeros((4, 6)), np.zeros((9, 5, 3))]))) == 2  # of different sizes


def test_augmentations():
    image = Digits("test")[0][0]
    torch.manual_seed(3)
    expected = torch.rand(2).tolist()
    torch.manual_seed(3)
    random = transforms.Compose([transforms.RandomRotation(45), transforms.ToTensor(), transforms.Normalize(0.3, 0.4)])
    found = pixels(viz.show_augmentations((image, 9), random, n=4, mean=0.3, std=0.4))
    assert len(found) == 5 and np.allclose(found[0], np.asarray(image) / 255)
    assert not np.allclose(found[1], found[2]) and torch.rand(2).tolist() == expected


@pytest.mark.parametrize(
    ("batch", "options", "message"),
    [
        ((np.zeros((4, 64)), [0, 1, 2, 3]), {}, r"\(4, 64\) are not images.*reshape\(-1, 1, 8, 8\)"),
        (np.zeros((4, 16, 8, 8)), {}, "1, 3 or 4 channels"),
        (np.zeros(5), {}, "are not images"),
        (np.zeros((0, 1, 8, 8)), {}, "there are no images"),
        ([], {}, "there are no images"),
        (DataLoader(TensorDataset(torch.zeros(0, 8, 8)), 4), {}, "there are no images"),
        ({"image": 1}, {}, "not dict"),
        (3, {}, "not int"),
        (np.zeros((2, 8, 8)), {"predictions": [1]}, "1 predictions for 2 images"),
        (np.zeros((2, 8, 8)), {"mean": (0.1, 0.2, 0.3)}, "mean has 3 numbers, but the images have 1 channels"),
        (np.zeros((2, 8, 8)), {"n": 0}, "n=0"),
        (np.zeros((2, 8, 8), complex), {}, "are not images"),
    ],
)
def test_bad_input(batch, options, message):
    with pytest.raises((ValueError, RuntimeError, TypeError), match=f"(?s){message}"):
        viz.show_batch(batch, **options)
