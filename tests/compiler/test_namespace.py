"""torch.compiler: what is compiled and when, and what torch.compile returns looks like what it was given."""

import copy
import cProfile
import pickle
import pstats
import sys
import time

import pytest

import flambeau as torch
from flambeau import nn
from flambeau.compiler.function import MOST_STEPS
from flambeau.kernels.build import backend

pytestmark = pytest.mark.skipif(backend() is None, reason="no LLVM here")
from flambeau.compiler.surroundings import Watcher
from flambeau.kernels import record


@torch.compile
def doubled(x):
    """Twice x."""
    return x * 2


class Scale(nn.Module):
    def __init__(self, by):
        super().__init__()
        self.by = nn.Parameter(torch.tensor(by))

    @torch.compile
    def twice(self, x):
        return x * self.by * 2

    def forward(self, x):
        return x * self.by


def prints(x):
    time.time()
    return x + 1


X = torch.arange(4.0)


def test_a_function_keeps_its_name_and_pickles():
    assert doubled.__name__ == "doubled" and doubled.__doc__ == "Twice x." and "doubled" in repr(doubled)
    assert pickle.loads(pickle.dumps(doubled)) is doubled and copy.deepcopy(doubled) is doubled
    other = torch.compile(prints)
    assert pickle.loads(pickle.dumps(other)).function is prints
    assert torch.compile(doubled) is doubled


def test_a_method_belongs_to_its_object():
    a, b = Scale(2.0), Scale(3.0)
    for _ in range(3):
        assert a.twice(X).tolist() == (X * 4).tolist() and b.twice(X).tolist() == (X * 6).tolist()
    assert len(Scale.twice.steps) == 2


def test_a_module_is_seen_through():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3))
    compiled = torch.compile(model)
    assert isinstance(compiled, torch._dynamo.OptimizedModule) and repr(compiled).startswith(
        "OptimizedModule(\n  (_orig_mod): Sequential("
    )
    assert list(compiled.state_dict()) == [f"_orig_mod.{k}" for k in model.state_dict()]
    assert list(compiled.parameters())[0] is model[0].weight
    compiled.load_state_dict(compiled.state_dict())
    x = torch.randn(5, 4)
    for _ in range(2):
        torch.testing.assert_close(compiled(x), copy.deepcopy(model)(x), rtol=1e-5, atol=1e-6)
    assert compiled.steps and not compiled.splits
    assert not compiled.eval().training and not model.training and not model[1].training
    torch.testing.assert_close(compiled(x), model(x), rtol=1e-5, atol=1e-6)
    assert compiled.train() is compiled and model.training
    compiled.note = 3
    assert model.note == 3 and "note" in dir(compiled)
    del compiled.note
    assert not hasattr(model, "note")
    with pytest.raises(AttributeError, match="no attribute 'other'"):
        _ = compiled.other


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))])
@pytest.mark.parametrize("made", [torch.compile, torch.compiler.disable])
def test_a_module_is_copied_without_its_recordings(copied, made):
    compiled = made(Scale(2.0))
    compiled(X)
    other = copied(compiled)
    with torch.no_grad():
        other.by.fill_(5.0)
    assert other(X).tolist() == (X * 5).tolist() and compiled(X).tolist() == (X * 2).tolist()
    assert other._orig_mod.by is other.by


def test_hooks_of_a_compiled_module_run():
    compiled, seen = torch.compile(Scale(2.0)), []
    compiled.register_forward_hook(lambda module, args, out: seen.append(type(module).__name__))
    compiled(X)
    assert seen == ["OptimizedModule"]


def test_a_compiled_function_may_be_part_of_a_step():
    model = torch.compile(Scale(2.0))
    f = torch.compile(lambda x: model(doubled(x)))
    for k in range(3):
        assert f(X + k).tolist() == ((X + k) * 4).tolist()
    assert len(f.steps) == 1, f.splits


def test_disabled_functions_keep_a_step_with_python():
    @torch.compiler.disable(reason="for the test")
    def slow(x):
        return doubled(x) + 1

    torch.compiler.reset()
    f = torch.compile(lambda x: slow(x) * 2)
    assert f(X).tolist() == (X * 4 + 2).tolist() == f(X).tolist()
    assert not f.steps and not doubled.steps
    (reason, line) = f.splits[0]
    assert reason.endswith("slow() is not to be compiled (torch.compiler.disable: for the test)")
    assert line.startswith(__file__)

    outer = torch.compiler.disable(lambda x: doubled(x), recursive=False)
    assert outer(X).tolist() == (X * 2).tolist() and doubled.steps
    with pytest.raises(TypeError, match="function or a module"):
        torch.compiler.disable(Scale)


def test_is_compiling_while_a_step_is_recorded():
    f = torch.compile(lambda x: x + (10 if torch.compiler.is_compiling() else 0))
    assert f(X).tolist() == (X + 10).tolist() == f(X + 1 - 1).tolist()
    assert not torch.compiler.is_compiling() and not torch.compiler.is_exporting()


def test_reset_drops_recordings():
    doubled(X)
    assert doubled.steps
    torch._dynamo.reset()
    assert not doubled.steps
    assert doubled(X).tolist() == (X * 2).tolist() and doubled.steps


def test_assumed_constants():
    calls = []

    @torch.compiler.assume_constant_result
    def table(n):
        calls.append(time.time())
        return {"weights": torch.arange(float(n))}

    f = torch.compile(lambda x: x * table(4)["weights"])
    for k in range(3):
        assert f(X + k).tolist() == ((X + k) * X).tolist()
    assert len(calls) == 1 and not f.splits
    assert table(2)["weights"].tolist() == [0, 1] and len(calls) == 2
    assert torch.compiler.allow_in_graph(table) is table


def test_stances():
    f = torch.compile(lambda x: x + 1)
    with torch.compiler.set_stance("force_eager"):
        f(X)
    assert not f.steps
    with torch.compiler.set_stance("eager_on_recompile"):
        f(X)
    assert not f.steps and f.eager_calls == 2
    with torch.compiler.set_stance("fail_on_recompile"), pytest.raises(RuntimeError, match="Detected recompile"):
        f(X)
    f(X)
    decorated = torch.compiler.set_stance("fail_on_recompile")(f)
    assert decorated(X).tolist() == (X + 1).tolist()
    with pytest.raises(RuntimeError, match="Detected recompile"):
        decorated(torch.ones(7))
    assert f(torch.ones(7)).sum() == 14  # outside, the stance is the default one
    torch.compiler.set_stance("force_eager")
    try:
        f(X)
        assert f.eager_calls == 3
    finally:
        torch.compiler.set_stance("default")
    with pytest.raises(RuntimeError, match="invalid torch.compile stance"):
        torch.compiler.set_stance("other")
    with pytest.raises(NotImplementedError):
        torch.compiler.set_stance("eager_then_compile")


def test_arguments_that_there_are_not():
    for arguments, message in [
        ({"mode": "fast"}, "Unrecognized mode=fast, should be one of"),
        ({"backend": "other"}, "Invalid backend: 'other'"),
        ({"options": {"other": True}}, "Unexpected optimization option other"),
        ({"options": {"max_autotune": "yes"}}, "Unexpected type of attr max_autotune, got str should be bool"),
    ]:  # fmt: skip
        with pytest.raises(RuntimeError, match=message):
            torch.compile(**arguments)
    with pytest.raises(NotImplementedError, match="tvm"):
        torch.compile(prints, backend="tvm")
    with pytest.raises(TypeError, match="dynamic"):
        torch.compile(prints, dynamic="yes")
    assert torch.compiler.list_backends() == ["inductor"]


def test_arguments_that_there_are():
    for arguments in ({"mode": "max-autotune"}, {"options": {"epilogue_fusion": True}}, {"dynamic": True}):
        f = torch.compile(lambda x: x + 1, **arguments)
        assert f(X).tolist() == (X + 1).tolist() and f.steps
    f = torch.compile(lambda x: x + 1, backend="aot_eager")
    assert f(X).tolist() == (X + 1).tolist() and not f.steps and f.eager_calls == 1


def test_fullgraph_names_the_line():
    f = torch.compile(prints, fullgraph=True)
    for _ in range(5):
        with pytest.raises(RuntimeError, match=r"prints\(\) cannot be replayed(.|\n)*time \(.*test_namespace.py:\d+\)"):
            f(X)
    g = torch.compile(lambda x: x + 1, fullgraph=True)
    for n in range(MOST_STEPS):
        g(torch.ones(n + 2))
    with pytest.raises(RuntimeError, match="signatures already"):
        g(torch.ones(100))
    h = torch.compile(lambda x: x + 1, dynamic=True)
    for n in range(MOST_STEPS + 2):
        assert h(torch.ones(n + 2)).sum() == 2 * n + 4
    assert len(h.steps) == MOST_STEPS and h.eager_calls == 2


def test_a_profiler_that_runs_is_left_running():
    profiler = cProfile.Profile()
    compiled = torch.compile(lambda x: x * 3)
    found = profiler.runcall(compiled, torch.ones(2))
    assert found.tolist() == [3, 3]
    names = {name for _, _, name in pstats.Stats(profiler).stats}
    assert "_record" in names


def test_watching_rests_while_kernels_are_written():
    def watch(frame, event, arg):
        pass

    before = sys.getprofile()
    try:
        sys.setprofile(watch)
        with record.unwatched():
            assert sys.getprofile() is watch  # somebody else's
        watcher = Watcher()
        with watcher:
            with record.unwatched():
                assert sys.getprofile() is None
            assert sys.getprofile() is watcher
        assert sys.getprofile() is watch
    finally:
        sys.setprofile(before)
