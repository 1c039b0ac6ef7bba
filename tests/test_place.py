"""Where an error says that it happened: the user's line, the module, and the call with its arguments."""

import copy
import pickle
import sys

import pytest

import flambeau as torch
from flambeau import errors, nn
from flambeau.place import Place, module_path, user_frame
from flambeau.utils.data import DataLoader, Dataset


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Flatten(), nn.Linear(4, 3))
        self.head = nn.Linear(5, 2)

    def forward(self, x):
        return self.head(self.body(x))  # the head does not fit


def caught(call) -> errors.FlambeauError:
    with pytest.raises(errors.FlambeauError) as found:
        call()
    return found.value


def test_the_place_is_the_innermost_line_of_the_user():
    error = caught(lambda: Net()(torch.ones(2, 4)))
    assert error.place.file == __file__ and error.place.function == "forward"
    assert error.place.source == "return self.head(self.body(x))  # the head does not fit"
    assert error.place.module == "Net.head = Linear(in_features=5, out_features=2, bias=True)"
    assert error.call == "linear(input: float32 (2, 3), weight: float32 (2, 5), bias: float32 (2,))"
    lines = str(error).split("\n")
    assert lines[0] == "mat1 and mat2 shapes cannot be multiplied (2x3 and 5x2)"
    assert f"  call: {error.call}" in lines
    assert f"  at: {error.place}" in lines and str(error.place).startswith(f"{error.place.where()} in forward: `")


def test_layers_inside_library_modules_are_found_by_their_path():
    model = nn.Sequential(nn.Flatten(), nn.Sequential(nn.ReLU(), nn.Linear(5, 2)))
    error = caught(lambda: model(torch.ones(2, 4)))
    assert error.place.module == "Sequential.1.1 = Linear(in_features=5, out_features=2, bias=True)"
    assert error.place.function == "<lambda>"


def test_modules_are_named_by_class_when_they_have_parts_or_belong_to_the_user():
    class Broken(nn.Module):
        def forward(self, x):
            return x.view(7)

    error = caught(lambda: nn.Sequential(nn.Identity(), Broken())(torch.ones(2)))
    assert error.place.module == "Sequential.1 = Broken"


def test_no_module_no_module_path():
    error = caught(lambda: torch.ones(2).view(3))
    assert error.place.module == "" and "module" not in str(error.place)


@pytest.mark.parametrize(
    "call, text",
    [
        (lambda: torch.ones(3) + torch.ones(4), "add(input: float32 (3,), other: float32 (4,))"),
        (lambda: torch.ones(3).add_(torch.ones(4)), "add_(input: float32 (3,), other: float32 (4,))"),
        (lambda: torch.ones(3, 4) @ torch.ones(3, 4), "float32 (3, 4) @ float32 (3, 4)"),
        (lambda: torch.ones(3, 4)[5], "float32 (3, 4)[5]"),
        (lambda: torch.ones(3, 4).view(5, 5), "view(self: float32 (3, 4), 5, 5)"),
        (lambda: torch.cat([torch.ones(3, 4), torch.ones(3)]), "cat(tensors=[float32 (3, 4), float32 (3,)])"),
        (lambda: torch.ones(3, 4, device="meta").sum(7), "sum(input: float32 (3, 4) on meta, dim=7)"),
        (lambda: torch.optim.SGD([], lr=0.1), "SGD(params=[], lr=0.1)"),
        (lambda: nn.Embedding(4, 2)(torch.tensor([4])), "embedding(input: int64 (1,), weight: float32 (4, 2))"),
        (lambda: nn.Flatten(5)(torch.ones(2, 3)), "flatten(input: float32 (2, 3), start_dim=5)"),
    ],
)
def test_the_call_shows_its_arguments_without_defaults(call, text):
    assert caught(call).call == text


def test_errors_survive_pickling_and_copying():
    error = caught(lambda: Net()(torch.ones(2, 4)))
    error.add_note("a note")
    for other in (pickle.loads(pickle.dumps(error)), copy.copy(error), copy.deepcopy(error)):
        assert type(other) is errors.ShapeError and str(other) == str(error)
        assert other.place == error.place and other.__notes__ == ["a note"] and other.args == error.args


def test_every_class_keeps_its_text_and_its_base():
    kinds = [c for c in vars(errors).values() if isinstance(c, type) and issubclass(c, errors.FlambeauError)]
    assert len(kinds) > 20
    for kind in kinds:
        error = pickle.loads(pickle.dumps(kind("what", why="because", fix="do `it`", code="FB-SHAPE-01", cause="c")))
        lines = str(error).split("\n")
        assert lines[:3] == ["what", "  why: because", "  fix: do `it`"], kind
        assert lines[-1] == "  more: flambeau explain FB-SHAPE-01 (c)", kind


class FailsInWorker(Dataset):
    def __len__(self):
        return 2

    def __getitem__(self, index):
        return torch.ones(3).view(4)  # in the worker


def test_an_error_from_a_worker_keeps_its_place():
    with pytest.raises(errors.ShapeError) as found:
        list(DataLoader(FailsInWorker(), num_workers=1))
    error, text = found.value, str(found.value)
    assert text.startswith("Caught ShapeError in DataLoader worker process 0.\nOriginal Traceback")
    assert error.place.source == "return torch.ones(3).view(4)  # in the worker"
    assert text.count("  why: ") == 1 and text.count("  at: ") == 1


def test_strange_objects_on_the_stack_do_no_harm():
    class Strange(nn.Module):
        def __getattribute__(self, name):
            if name == "_modules":
                raise ZeroDivisionError
            return super().__getattribute__(name)

        def forward(self, x):
            raise errors.ShapeError("what")

    error = caught(lambda: Strange().forward(torch.ones(1)))
    assert error.fact == "what"


def test_the_place_of_a_frame():
    frame = sys._getframe()
    here = Place.of_frame(frame)
    assert here.source == "here = Place.of_frame(frame)" and here.function == "test_the_place_of_a_frame"
    assert user_frame(frame) is frame and module_path(frame) == ""


def test_frames_of_the_library_and_of_python_are_skipped():
    found = []
    sorted([2, 1], key=lambda x: found.append(user_frame(sys._getframe())) or x)
    assert found[0].f_code.co_name == "<lambda>"
    namespace = {"sys": sys, "user_frame": user_frame}
    exec(compile("found = user_frame(sys._getframe())", "<flambeau test>", "exec"), namespace)
    assert namespace["found"] is sys._getframe()
