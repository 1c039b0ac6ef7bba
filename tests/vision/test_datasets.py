"""Image data sets: reading, batches, errors, and that nothing half-written stays."""

import gzip
import hashlib
import pickle
import struct
import tarfile

import numpy as np
import pytest

import flambeau as fb
from flambeau.utils.data import DataLoader, default_collate
from flambeau.utils.data._utils.batch import SampleBatch
from flambeau.vision import datasets, transforms
from flambeau.vision.datasets import utils
from flambeau.vision.transforms import v2

Image = pytest.importorskip("PIL.Image")


def idx(array, packed=True):
    raw = b"\0\0\x08" + bytes([array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()
    return gzip.compress(raw) if packed else raw


@pytest.fixture
def mnist_root(tmp_path):
    folder = tmp_path / "MNIST" / "raw"
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for split, n in (("train", 20), ("t10k", 6)):
        images = rng.integers(0, 256, (n, 28, 28)).astype(np.uint8)
        (folder / f"{split}-images-idx3-ubyte.gz").write_bytes(idx(images))
        (folder / f"{split}-labels-idx1-ubyte").write_bytes(idx(np.arange(n, dtype=np.uint8) % 10, packed=False))
    return tmp_path


def test_mnist_reads_files_packed_or_not(mnist_root):
    data = datasets.MNIST(mnist_root, train=False)
    image, label = data[3]
    assert image.mode == "L" and image.size == (28, 28) and label == 3 and isinstance(label, int)
    assert len(data) == 6 and data.data.shape == (6, 28, 28) and data.targets.dtype == fb.int64
    assert data.class_to_idx["7 - seven"] == 7
    # Files that are there are used as they are, whatever their checksum.
    assert len(datasets.MNIST(mnist_root, download=True)) == 20


def test_printed_form(mnist_root):
    data = datasets.MNIST(str(mnist_root), transform=transforms.Compose([transforms.ToTensor()]))
    assert repr(data) == (
        f"Dataset MNIST\n    Number of datapoints: 20\n    Root location: {mnist_root}\n    Split: Train\n"
        "    StandardTransform\nTransform: Compose(\n               ToTensor()\n           )"
    )


def test_missing_and_damaged_files(tmp_path, mnist_root):
    with pytest.raises(RuntimeError, match="Dataset not found. You can use download=True") as caught:
        datasets.FashionMNIST(mnist_root)
    assert "train-images-idx3-ubyte.gz" in str(caught.value) and "FashionMNIST" in str(caught.value)
    path = mnist_root / "MNIST" / "raw" / "train-images-idx3-ubyte.gz"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(RuntimeError, match="is damaged"):
        datasets.MNIST(mnist_root)
    path.write_bytes(idx(np.zeros((3, 28, 28), np.uint8)))
    with pytest.raises(RuntimeError, match="has 3 images, but .* has 20 labels"):
        datasets.MNIST(mnist_root)
    path.write_bytes(gzip.compress(b"hello world"))
    with pytest.raises(RuntimeError, match="is not an IDX file"):
        datasets.MNIST(mnist_root)


def test_offline_leaves_nothing(tmp_path):
    class Nowhere(datasets.MNIST):
        mirrors = ["http://127.0.0.1:9/"]

    with pytest.raises(RuntimeError, match="Error downloading train-images-idx3-ubyte.gz") as caught:
        Nowhere(tmp_path / "root", download=True)
    assert "by hand" in str(caught.value) and "MD5 f68b3c2dcbeaaa9fbdd348bbdeb94873" in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_download_checks_sum_and_is_atomic(tmp_path):
    source = tmp_path / "source.bin"
    source.write_bytes(b"content")
    target = tmp_path / "target"
    with pytest.raises(RuntimeError, match="MD5"):
        utils.download_url(source.as_uri(), target, "a.bin", md5="0" * 32)
    assert not target.exists()
    good = hashlib.md5(b"content").hexdigest()
    utils.download_url(source.as_uri(), target, "a.bin", md5=good)
    assert (target / "a.bin").read_bytes() == b"content" and len(list(target.iterdir())) == 1
    assert utils.check_integrity(target / "a.bin", good) and not utils.check_integrity(target / "a.bin", "0")
    source.unlink()
    utils.download_url(source.as_uri(), target, "a.bin", md5=good)  # there already


def test_download_of_mnist(tmp_path):
    source = tmp_path / "mirror"
    source.mkdir()
    files = {
        "train-images-idx3-ubyte.gz": idx(np.zeros((2, 28, 28), np.uint8)),
        "train-labels-idx1-ubyte.gz": idx(np.array([1, 2], np.uint8)),
    }
    for name, content in files.items():
        (source / name).write_bytes(content)

    class Mirrored(datasets.MNIST):
        mirrors = ["http://127.0.0.1:9/", source.as_uri() + "/"]
        resources = [(name, hashlib.md5(content).hexdigest()) for name, content in files.items()]

    data = Mirrored(tmp_path / "root", download=True)
    assert data.targets.tolist() == [1, 2]


STANDARD = transforms.Compose([transforms.ToTensor(), transforms.Normalize((0.1307,), (0.3081,))])
AUGMENT = transforms.Compose(
    [
        transforms.RandomCrop(28, padding=4),
        transforms.RandomHorizontalFlip(),
        transforms.RandomVerticalFlip(0.3),
        transforms.ToTensor(),
        transforms.Normalize((0.5,), (0.5,)),
    ]
)
SECOND = v2.Compose(
    [v2.RandomHorizontalFlip(), v2.ToImage(), v2.ToDtype(fb.float32, scale=True), v2.Normalize([0.5], [0.5])]
)


@pytest.mark.parametrize("transform", [transforms.ToTensor(), STANDARD, AUGMENT, SECOND])
def test_batches_equal_samples(mnist_root, transform):
    data = datasets.MNIST(mnist_root, transform=transform)
    indices = [5, 0, 19, 5]
    fb.manual_seed(0)
    fast = data.__getitems__(indices)
    after = fb.rand(1).item()
    assert isinstance(fast, SampleBatch)
    fb.manual_seed(0)
    slow = default_collate([data[i] for i in indices])
    assert fb.rand(1).item() == after  # the same random numbers were used
    x, y = default_collate(fast)
    assert x.dtype == slow[0].dtype and fb.equal(x, slow[0]) and fb.equal(y, slow[1])
    assert x.numpy().flags.c_contiguous and fast[1][1] == 0


def test_batches_of_any_indices(mnist_root):
    data = datasets.MNIST(mnist_root, transform=STANDARD)
    x, _ = default_collate(data.__getitems__([-1, 0] * 40))  # large enough for the kernel
    last, first = data[-1][0], data[0][0]
    assert fb.equal(x[78], last) and fb.equal(x[79], first)
    x, y = default_collate(data.__getitems__([]))
    assert x.shape == (0, 1, 28, 28) and y.shape == (0,)
    for wrong in ([20], [0, -21], [2**40]):
        with pytest.raises(IndexError, match="there are 20 images"):
            data.__getitems__(wrong)


def test_a_changed_transform_counts_at_once(mnist_root):
    normalize = transforms.Normalize([0.5], [0.5])
    data = datasets.MNIST(mnist_root, transform=transforms.Compose([transforms.ToTensor(), normalize]))
    indices = list(range(20)) * 4
    for mean, std in (([0.5], [0.5]), (fb.tensor([0.25]), [0.5]), (0.25, fb.tensor(2.0)), ((0.1307,), (0.3081,))):
        normalize.mean, normalize.std = mean, std
        x, _ = default_collate(data.__getitems__(indices))
        assert fb.equal(x[25], data[5][0])
    normalize.std = [0.0]
    with pytest.raises(ValueError, match="division by zero"):
        data.__getitems__(indices)
    normalize.mean, normalize.std = [0.5, 0.4, 0.3], [1.0, 1.0, 1.0]
    with pytest.raises(ValueError, match="broadcast"):
        data.__getitems__(indices)


class Coloured(datasets.vision.ArrayDataset):
    """Random images of three channels."""

    def __init__(self, transform):
        super().__init__(transform=transform)
        self.pixels = np.random.default_rng(0).integers(0, 256, (30, 9, 11, 3), np.uint8)

    def _pixels(self):
        return self.pixels

    def _labels(self):
        return range(30)


@pytest.mark.parametrize(
    "steps",
    [
        [transforms.ToTensor(), transforms.Normalize((0.1, 0.2, 0.3), (0.3, 0.2, 0.1))],
        [transforms.RandomCrop((8, 8), 2), transforms.RandomHorizontalFlip(), transforms.ToTensor()],
        [transforms.RandomCrop((9, 11)), transforms.RandomVerticalFlip(0.7), transforms.ToTensor()],
        [transforms.RandomHorizontalFlip(), transforms.RandomCrop((9, 12), (3, 0, 0, 1)), transforms.ToTensor()],
        [transforms.PILToTensor()],
        [transforms.PILToTensor(), transforms.ConvertImageDtype(fb.float64), transforms.Normalize([0.1], [0.3])],
        [v2.ToImage(), v2.ToDtype(fb.float32, scale=False), v2.Normalize([120.0, 110.0, 100.0], [50.0])],
    ],
)
def test_colours_and_dtypes(steps):
    kind = v2.Compose if isinstance(steps[0], v2.ToImage) else transforms.Compose
    data = Coloured(kind(steps))
    indices = [*range(30), *range(-30, 0)]
    fb.manual_seed(1)
    fast = default_collate(data.__getitems__(indices))
    after = fb.rand(1).item()
    fb.manual_seed(1)
    slow = default_collate([data[i] for i in indices])
    assert fb.rand(1).item() == after
    assert fast[0].dtype == slow[0].dtype and fb.equal(fast[0], slow[0]) and fb.equal(fast[1], slow[1])


def test_crops_that_do_not_fit_and_coins_of_another_dtype():
    data = Coloured(transforms.Compose([transforms.RandomCrop((10, 11)), transforms.ToTensor()]))
    with pytest.raises(ValueError, match="larger than input image size"):
        data.__getitems__([0, 1])
    data = Coloured(transforms.Compose([transforms.RandomHorizontalFlip(), transforms.ToTensor()]))
    assert default_collate(data.__getitems__([]))[0].shape == (0, 3, 9, 11)
    fb.set_default_dtype(fb.float64)
    try:
        assert type(data.__getitems__([0, 1])) is list  # coins take two words then
    finally:
        fb.set_default_dtype(fb.float32)


def test_not_batchable_transforms_go_one_by_one(mnist_root):
    data = datasets.MNIST(mnist_root, transform=transforms.Compose([transforms.Resize(14), transforms.ToTensor()]))
    assert type(data.__getitems__([0, 1])) is list
    data = datasets.MNIST(mnist_root, transform=STANDARD, target_transform=lambda y: -y)
    assert type(data.__getitems__([0, 1])) is list

    class Own(datasets.MNIST):
        raw_folder = str(mnist_root / "MNIST" / "raw")

        def __getitem__(self, index):
            return "own"

    assert Own(mnist_root, transform=STANDARD).__getitems__([0]) == ["own"]


def test_loader_over_mnist(mnist_root):
    data = datasets.MNIST(mnist_root, transform=STANDARD)
    for workers in (0, 1):
        (x, y), *_ = DataLoader(data, batch_size=20, num_workers=workers)
        assert x.shape == (20, 1, 28, 28) and y.tolist() == [i % 10 for i in range(20)]


def test_digits():
    whole = datasets.Digits()
    assert len(whole) == 1797 and whole.data.max().item() == 16 and whole[0][1] == 0
    parts = [datasets.Digits(split, transforms.ToTensor()) for split in ("train", "val", "test")]
    assert [len(part) for part in parts] == [1197, 300, 300]
    assert sum(part.data.to(fb.int64).sum().item() for part in parts) == whole.data.to(fb.int64).sum().item()
    image, _ = parts[0][0]
    assert image.shape == (1, 8, 8) and 0 <= image.min().item() and image.max().item() == 1.0
    with pytest.raises(ValueError, match="Unknown value 'x' for argument split"):
        datasets.Digits("x")
    assert "Split: test" in repr(parts[2])


def test_cifar(tmp_path):
    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for name in [f"data_batch_{k}" for k in range(1, 6)] + ["test_batch"]:
        data = rng.integers(0, 256, (2, 3072)).astype(np.uint8)
        (folder / name).write_bytes(pickle.dumps({"data": data, "labels": [3, 4]}, protocol=2))
    (folder / "batches.meta").write_bytes(pickle.dumps({"label_names": list("abcdefghij")}, protocol=2))
    data = datasets.CIFAR10(tmp_path, transform=transforms.ToTensor())
    assert len(data) == 10 and data.data.shape == (10, 32, 32, 3) and data.classes[3] == "d"
    assert data[1][0].shape == (3, 32, 32) and data.targets[:2] == [3, 4]
    assert fb.equal(default_collate(data.__getitems__([1]))[0][0], data[1][0])

    class Evil:
        def __reduce__(self):
            return print, ("run",)

    (folder / "test_batch").write_bytes(pickle.dumps(Evil()))
    with pytest.raises(RuntimeError, match="which no CIFAR file contains"):
        datasets.CIFAR10(tmp_path, train=False)
    with pytest.raises(RuntimeError, match="Dataset not found or corrupted"):
        datasets.CIFAR100(tmp_path)


def test_image_folder(tmp_path):
    for name, colour in (("cat", 10), ("dog", 200)):
        (tmp_path / name / "deep").mkdir(parents=True)
        Image.new("L", (4, 3), colour).save(tmp_path / name / "a.png")
        Image.new("RGB", (4, 3), (colour,) * 3).save(tmp_path / name / "deep" / "b.PNG")
        (tmp_path / name / "note.txt").write_text("no image")
    data = datasets.ImageFolder(tmp_path, transform=transforms.PILToTensor())
    assert data.classes == ["cat", "dog"] and data.class_to_idx == {"cat": 0, "dog": 1} and len(data) == 4
    assert data.targets == [0, 0, 1, 1] and data[2][0].shape == (3, 3, 4) and data[2][0].unique().tolist() == [200]
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match="Found no valid file for the classes empty"):
        datasets.ImageFolder(tmp_path)
    assert len(datasets.ImageFolder(tmp_path, allow_empty=True)) == 4
    with pytest.raises(FileNotFoundError, match="Couldn't find any class folder"):
        datasets.ImageFolder(tmp_path / "empty")


def test_fake_data():
    data = datasets.FakeData(4, (3, 8, 8), transform=transforms.ToTensor())
    fb.manual_seed(1)
    before = fb.get_rng_state()
    assert [data[k][1] for k in (0, 1, 3)] == [6, 9, 0]
    assert fb.equal(before, fb.get_rng_state()) and fb.equal(data[2][0], data[2][0])
    with pytest.raises(IndexError):
        data[4]


def test_vision_dataset_arguments():
    with pytest.raises(ValueError, match="Only transforms or transform/target_transform"):
        datasets.VisionDataset("x", transforms=print, transform=print)


def test_archives(tmp_path):
    (tmp_path / "a.txt").write_text("x")
    with tarfile.open(tmp_path / "a.tar.gz", "w:gz") as archive:
        archive.add(tmp_path / "a.txt", "inside/a.txt")
    utils.extract_archive(tmp_path / "a.tar.gz", tmp_path / "out")
    assert (tmp_path / "out" / "inside" / "a.txt").read_text() == "x"
    with pytest.raises(RuntimeError, match="neither a .zip"):
        utils.extract_archive(tmp_path / "a.txt")
