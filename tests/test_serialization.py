"""Saving and loading: PyTorch's files, sharing, what is refused, damaged files, writers that are killed."""

import collections
import io
import os
import pathlib
import pickle
import signal
import subprocess
import sys
import textwrap
import time
import zipfile

import numpy as np
import pytest

import flambeau as torch
from flambeau.archive import atomic_file
from flambeau.utils import safetensors

FIXTURES = pathlib.Path(__file__).parent / "fixtures"


def round_trip(obj, **options):
    file = io.BytesIO()
    torch.save(obj, file)
    file.seek(0)
    return torch.load(file, **options)


@pytest.mark.parametrize("name", ["pytorch.pt", "pytorch_legacy.pt"])
def test_reads_what_pytorch_wrote(name):
    found = torch.load(FIXTURES / name)
    assert type(found) is collections.OrderedDict and found["step"] == 3
    assert type(found["weight"]) is torch.nn.Parameter and found["weight"].tolist() == [[1.5, -2.0], [0.25, 3.0]]
    assert found["half"].dtype is torch.bfloat16 and found["half"].tolist() == [1.5, 2.0]
    assert found["z"].tolist() == [1 + 2j]
    assert found["whole"].stride() == (1, 3)
    found["head"][0] = 42.0
    assert found["whole"][0, 0] == 42.0


def test_file_is_laid_out_as_pytorchs(tmp_path):
    path = tmp_path / "model.pt"
    torch.save({"a": torch.ones(3), "b": torch.nn.Parameter(torch.ones(2, dtype=torch.float64))}, path)
    with zipfile.ZipFile(path) as archive:
        assert archive.namelist()[0] == "model/data.pkl"
        assert archive.read("model/version") == b"3\n" and archive.read("model/byteorder") == b"little"
        assert archive.read("model/data/0") == np.ones(3, np.float32).tobytes()
        text = archive.read("model/data.pkl")
        raw = path.read_bytes()
        assert raw.find(np.ones(3, np.float32).tobytes()) % 64 == 0
    for name in (b"ctorch._utils\n_rebuild_tensor_v2\n", b"ctorch\nFloatStorage\n", b"ctorch\nDoubleStorage\n",
                 b"ctorch._utils\n_rebuild_parameter\n"):  # fmt: skip
        assert name in text
    assert b"flambeau" not in text


DTYPES = ["bool", "uint8", "int8", "int16", "int32", "int64", "uint16", "uint32", "uint64", "float16", "bfloat16",
          "float32", "float64", "complex64", "complex128", "float8_e4m3fn", "float8_e5m2"]  # fmt: skip


@pytest.mark.parametrize("name", DTYPES)
def test_dtypes(name):
    x = torch.tensor([0, 1, 2, 3]).to(getattr(torch, name))
    for found in (round_trip(x), pickle.loads(pickle.dumps(x))):
        assert found.dtype is x.dtype and found.tolist() == x.tolist()


def test_sharing_strides_and_offsets():
    x = torch.arange(12.0)
    found = round_trip({"x": x, "part": x[4:], "t": x.view(3, 4).t()})
    assert found["part"].storage_offset() == 4 and found["t"].stride() == (1, 4)
    found["x"][4] = -1
    assert found["part"][0] == -1 and found["t"][0, 1] == -1
    p = torch.nn.Parameter(torch.ones(2))
    found = round_trip([p, p])
    assert found[0] is found[1]


def test_other_objects():
    obj = {"size": torch.Size([2]), "dtype": torch.float16, "device": torch.device("cpu"), "none": None, "c": 1j,
           "set": {1}, "tuple": (1, "a", b"b", 2**70), "od": collections.OrderedDict(a=1), "empty": torch.zeros(0, 3),
           "meta": torch.ones(2, 3, device="meta"), "scalar": torch.tensor(3)}  # fmt: skip
    found = round_trip(obj)
    assert {k: v for k, v in found.items() if k not in ("empty", "meta", "scalar")} == {
        k: v for k, v in obj.items() if k not in ("empty", "meta", "scalar")
    }
    assert found["empty"].shape == (0, 3) and found["meta"].is_meta and found["scalar"].item() == 3
    assert type(found["size"]) is torch.Size


def test_training_checkpoint(tmp_path):
    def build():
        torch.manual_seed(0)
        model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4), torch.nn.Linear(4, 1))
        return model, torch.optim.AdamW(model.parameters(), lr=0.1)

    def step(model, optimizer):
        optimizer.zero_grad()
        model(torch.randn(8, 3)).pow(2).mean().backward()
        optimizer.step()

    model, optimizer = build()
    step(model, optimizer)
    path = tmp_path / "checkpoint.pt"
    torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict(), "rng": torch.get_rng_state()}, path)
    step(model, optimizer)
    again, other = build()
    saved = torch.load(path)
    again.load_state_dict(saved["model"])
    other.load_state_dict(saved["optimizer"])
    torch.set_rng_state(saved["rng"])
    step(again, other)
    for a, b in zip(model.parameters(), again.parameters()):
        assert torch.equal(a, b)


def test_map_location():
    x = torch.ones(3)
    assert round_trip(x, map_location="meta").is_meta
    assert round_trip(x, map_location={"cpu": "meta"}).is_meta
    assert round_trip(x, map_location=torch.device("cpu")).device.type == "cpu"
    seen = []
    round_trip(x, map_location=lambda storage, location: seen.append((storage.nbytes(), location)))
    assert seen == [(12, "cpu")]
    with pytest.raises(RuntimeError, match="torch.cuda.is_available\\(\\) is False"):
        round_trip(x, map_location="cuda")


def test_mmap(tmp_path):
    path = tmp_path / "x.pt"
    torch.save({"x": torch.arange(1000.0), "y": torch.ones(2)}, path)
    found = torch.load(path, mmap=True)
    found["x"][0] = 5  # a private copy of the page: the file stays as it is
    assert found["x"].tolist()[:2] == [5, 1] and torch.load(path)["x"][0] == 0
    with pytest.raises(ValueError, match="file path"):
        round_trip(torch.ones(1), mmap=True)


# ---------------------------------------------------------------------- what is refused


class Config:
    def __init__(self, width=3):
        self.width = width


class Evil:
    def __reduce__(self):
        return os.system, ("echo this must not run",)


def test_refused_class_is_named_and_can_be_allowed():
    with pytest.raises(pickle.UnpicklingError, match=r"add_safe_globals\(\[Config\]\)"):
        round_trip(Config())
    with torch.serialization.safe_globals([Config]):
        assert round_trip(Config(7)).width == 7
    assert torch.serialization.get_safe_globals() == []
    torch.serialization.add_safe_globals([Config])
    try:
        assert round_trip(Config(8)).width == 8
    finally:
        torch.serialization.clear_safe_globals()
    assert round_trip(Config(9), weights_only=False).width == 9


def test_no_code_runs_by_default(tmp_path, capfd):
    with pytest.raises(pickle.UnpicklingError, match="posix.system|nt.system"):
        round_trip(Evil())
    assert "must not run" not in capfd.readouterr().out
    torch.save(Evil(), tmp_path / "evil.pt")
    assert torch.serialization.get_unsafe_globals_in_checkpoint(tmp_path / "evil.pt") in (
        ["posix.system"],
        ["nt.system"],
    )


def crafted(text):
    """An archive around a hand-made pickle."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("archive/data.pkl", text)
        archive.writestr("archive/version", "3\n")
    file.seek(0)
    return file


@pytest.mark.parametrize("text", [
    b"\x80\x02ctorch\nTensor\n}X\x05\x00\x00\x00shapeK\x01sb.",  # set attributes of the class Tensor
    b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\nN}X\x0c\x00\x00\x00__defaults__Ns\x86b.",  # and of a function
    b"(S'echo'\nios\nsystem\n.",  # the old instruction that calls anything
    b"\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x04echo\x85R.",
    b"\x80\x04\x8c\x05torch\x8c\x0fTensor.__init__\x93.",
])  # fmt: skip
def test_crafted_pickles_are_refused(text):
    with pytest.raises(pickle.UnpicklingError):
        torch.load(crafted(text))


def test_a_tensor_may_not_reach_beyond_its_storage():
    storage = b"(X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpuK\x02tQ"
    text = b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n(" + storage + b"K\x00M\xe8\x03\x85K\x01\x85\x89}tR."
    file = crafted(text)
    with zipfile.ZipFile(file, "a") as archive:
        archive.writestr("archive/data/0", bytes(8))
    file.seek(0)
    with pytest.raises(RuntimeError, match="out of bounds"):
        torch.load(file)


# ---------------------------------------------------------------------- damaged files


@pytest.fixture
def checkpoint(tmp_path):
    path = tmp_path / "model.pt"
    torch.save({"w": torch.ones(1000)}, path)
    return path


def test_truncated_file(checkpoint):
    raw = checkpoint.read_bytes()
    for keep in (10, len(raw) // 2, len(raw) - 5):
        checkpoint.write_bytes(raw[:keep])
        with pytest.raises(RuntimeError, match="model.pt"):
            torch.load(checkpoint)


def test_damaged_record(checkpoint):
    raw = bytearray(checkpoint.read_bytes())
    raw[raw.find(np.ones(4, np.float32).tobytes()) + 100] ^= 1
    checkpoint.write_bytes(raw)
    with pytest.raises(RuntimeError, match="data/0 is damaged") as error:
        torch.load(checkpoint)
    assert "model.pt" in str(error.value)


def test_no_checkpoint_at_all(tmp_path):
    path = tmp_path / "text.pt"
    path.write_text("hello world")
    with pytest.raises(pickle.UnpicklingError, match="text.pt"):
        torch.load(path)
    path.write_bytes(b"")
    with pytest.raises(EOFError, match="text.pt"):
        torch.load(path)
    with pytest.raises(FileNotFoundError):
        torch.load(tmp_path / "absent.pt")


def test_truncated_legacy_file(tmp_path):
    path = tmp_path / "old.pt"
    path.write_bytes((FIXTURES / "pytorch_legacy.pt").read_bytes()[:-3])
    with pytest.raises(RuntimeError, match="old.pt"):
        torch.load(path)


# ---------------------------------------------------------------------- all or nothing


def test_failed_save_leaves_the_old_file(checkpoint):
    with pytest.raises((pickle.PicklingError, AttributeError, TypeError)):
        torch.save({"w": torch.zeros(5), "f": lambda: 0}, checkpoint)
    assert torch.equal(torch.load(checkpoint)["w"], torch.ones(1000))
    with pytest.raises(KeyboardInterrupt), atomic_file(checkpoint) as file:
        file.write(b"half")
        raise KeyboardInterrupt
    assert torch.equal(torch.load(checkpoint)["w"], torch.ones(1000))
    assert os.listdir(checkpoint.parent) == ["model.pt"]


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
def test_killed_in_the_middle_leaves_the_old_file(checkpoint):
    program = """
        import sys
        from flambeau.archive import atomic_file
        with atomic_file(sys.argv[1]) as file:
            for _ in range(1000):
                file.write(b"x" * 100_000)
                file.flush()
                print("writing", flush=True)
            sys.stdin.read()
    """
    process = subprocess.Popen([sys.executable, "-c", textwrap.dedent(program), str(checkpoint)], stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE)  # fmt: skip
    process.stdout.readline()
    time.sleep(0.01)
    process.kill()
    process.wait()
    process.stdout.close()
    process.stdin.close()
    assert torch.equal(torch.load(checkpoint)["w"], torch.ones(1000))


def test_save_through_a_link_and_keep_the_mode(checkpoint):
    os.chmod(checkpoint, 0o640)
    link = checkpoint.with_name("latest.pt")
    link.symlink_to(checkpoint.name)
    torch.save(torch.zeros(2), link)
    assert link.is_symlink() and torch.load(checkpoint).tolist() == [0, 0]
    assert os.stat(checkpoint).st_mode & 0o777 == 0o640


def test_no_such_folder(tmp_path):
    with pytest.raises(RuntimeError, match="Parent directory"):
        torch.save(1, tmp_path / "absent" / "x.pt")


# ---------------------------------------------------------------------- whole modules, copies


def test_whole_module():
    model = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.ReLU())
    with pytest.raises(pickle.UnpicklingError, match="Sequential"):
        round_trip(model)
    found = round_trip(model, weights_only=False)
    x = torch.ones(1, 2)
    assert torch.equal(found(x), model(x))


def test_deepcopy():
    import copy

    x = torch.arange(4.0)
    y, z = copy.deepcopy([x, x[2:]])
    y[2] = 9
    assert z[0] == 9 and x[2] == 2
    leaf = torch.ones(2, requires_grad=True)
    assert copy.deepcopy(leaf).requires_grad
    with pytest.raises(RuntimeError, match="graph leaves"):
        copy.deepcopy(leaf * 2)
    leaf.tag = "mine"
    assert copy.deepcopy(leaf).tag == "mine" and pickle.loads(pickle.dumps(leaf)).tag == "mine"


def test_storages():
    x = torch.arange(6.0)
    part = x[2:]
    assert part.untyped_storage().data_ptr() == x.untyped_storage().data_ptr() and part.untyped_storage().nbytes() == 24
    assert len(part.storage()) == 6 and part.storage()[1] == 1.0 and part.storage().tolist() == [0, 1, 2, 3, 4, 5]
    part.storage()[2] = 7.0
    assert x[2] == 7


# ---------------------------------------------------------------------- safetensors


def test_safetensors(tmp_path):
    tensors = {"a": torch.arange(6.0).view(2, 3).t(), "b": torch.ones(3, dtype=torch.bfloat16), "c": torch.tensor(True),
               "empty": torch.zeros(0, 2)}  # fmt: skip
    path = tmp_path / "x.safetensors"
    safetensors.save_file(tensors, path, metadata={"made": "here"})
    found = safetensors.load_file(path)
    assert found.keys() == tensors.keys() and safetensors.metadata(path) == {"made": "here"}
    for k in tensors:
        assert found[k].dtype is tensors[k].dtype and found[k].tolist() == tensors[k].tolist()
    assert safetensors.load(safetensors.save(tensors)).keys() == tensors.keys()
    raw = path.read_bytes()
    for damaged in (raw[:4], raw[:-1], b"\xff" * 40, raw[:8] + b"x" + raw[9:]):
        path.write_bytes(damaged)
        with pytest.raises(RuntimeError, match="deserializing"):
            safetensors.load_file(path)


def test_safetensors_by_its_library(tmp_path):
    library = pytest.importorskip("safetensors.numpy")
    path = tmp_path / "x.safetensors"
    safetensors.save_file({"a": torch.ones(2, 3), "b": torch.arange(3)}, path)
    found = library.load_file(path)
    assert found["a"].tolist() == [[1.0] * 3] * 2 and found["b"].tolist() == [0, 1, 2]
    library.save_file({"c": np.arange(4, dtype=np.int16)}, path)
    assert safetensors.load_file(path)["c"].tolist() == [0, 1, 2, 3]
