"""profile: what is recorded, sums, schedules, threads, errors, and that everything is as before afterwards."""

import threading
import warnings

import pytest

import flambeau as torch
from flambeau.errors import StateError
from flambeau.profiler import ProfilerAction, ProfilerActivity, profile, record_function, schedule, supported_activities
from flambeau.profiler.watched import watches


class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.features = torch.nn.Sequential(torch.nn.Linear(6, 8), torch.nn.ReLU())
        self.head = torch.nn.Linear(8, 3)

    def forward(self, x):
        return self.head(self.features(x))


@pytest.fixture
def training():
    torch.manual_seed(0)
    model = Net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    x, y = torch.randn(5, 6), torch.randint(0, 3, (5,))

    def step():
        loss = torch.nn.functional.cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    return step


def names(prof):
    return [event.name for event in prof.events()]


def test_a_training_step_is_recorded(training):
    with profile() as prof:
        training()
    found = names(prof)
    assert found[:7] == [
        "nn.Module: Net", "nn.Module: Sequential", "nn.Module: Linear", "aten::linear", "nn.Module: ReLU",
        "aten::relu", "nn.Module: Linear",
    ]  # fmt: skip
    assert found.count("AddmmBackward0") == 2 and found.count("torch::autograd::AccumulateGrad") == 4
    assert {"aten::cross_entropy_loss", "Optimizer.zero_grad#SGD.zero_grad", "autograd::backward", "NllLossBackward0",
            "Optimizer.step#SGD.step"} <= set(found)  # fmt: skip


def test_self_times_add_up_and_children_lie_within_their_parents(training):
    with profile() as prof:
        for _ in range(3):
            training()
    events = prof.events()
    for event in events:
        assert event.self_cpu_time_total >= 0
        for child in event.cpu_children:
            assert child.cpu_parent is event
            assert event.time_range.start <= child.time_range.start <= child.time_range.end <= event.time_range.end
    top = sum(e.cpu_time_total for e in events if e.cpu_parent is None)
    assert prof.key_averages().self_cpu_time_total == pytest.approx(top)
    assert prof.total_average().self_cpu_time_total == pytest.approx(top)
    rows = prof.by_module()
    assert sum(row.own for row in rows) == pytest.approx(rows.duration)


def test_nothing_stays_behind(training):
    functions = [watch.function for watch in watches()]
    codes = [function.__code__ for function in functions]
    with pytest.raises(ZeroDivisionError):
        with profile(record_shapes=True, profile_memory=True, with_stack=True, with_flops=True):
            assert [function.__code__ for function in functions] != codes
            training()
            1 / 0
    assert [function.__code__ for function in functions] == codes


def test_results_are_the_same_while_a_profile_is_taken():
    def train(options=None):
        torch.manual_seed(0)
        model, x, y = Net(), torch.randn(5, 6), torch.randint(0, 3, (5,))
        optimizer = torch.optim.Adam(model.parameters())
        losses = []
        for _ in range(3):
            with profile(**options) if options is not None else record_function("alone"):
                loss = torch.nn.functional.cross_entropy(model(x), y)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                losses.append(loss.item())
        return losses

    everything = dict.fromkeys(("record_shapes", "profile_memory", "with_stack", "with_flops"), True)
    assert train() == train({}) == train(everything)


def test_a_function_imported_before_is_watched():
    from flambeau import tanh

    with profile() as prof:
        tanh(torch.ones(2))
    assert names(prof) == ["aten::ones", "aten::tanh"]


def test_an_error_ends_the_events_that_were_open():
    with profile() as prof:
        with pytest.raises(RuntimeError):
            torch.ones(2, 3) @ torch.ones(2, 3)
        torch.ones(1)
    assert [(e.name, e.cpu_parent) for e in prof.events()][-1] == ("aten::ones", None)


def test_errors_read_the_same_while_a_profile_is_taken():
    def told():
        with pytest.raises(RuntimeError) as error:
            torch.ones(2, 3).add(torch.ones(4))
        return str(error.value)

    alone = told()
    with profile():
        assert told() == alone


def test_all_threads_are_recorded():
    def work():
        torch.ones(3).exp()

    with profile() as prof:
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        torch.ones(3).log()
    by_thread = {event.name: event.thread for event in prof.events() if event.name != "aten::ones"}
    assert by_thread["aten::exp"] != by_thread["aten::log"]


def test_blocks_and_functions_with_a_name():
    @record_function("预处理")
    def prepare():
        return torch.ones(2)

    with profile() as prof:
        with record_function("outer"), record_function("inner", "epoch 1"):
            prepare()
    assert names(prof) == ["outer", "inner: epoch 1", "预处理", "aten::ones"]
    assert prof.events()[3].cpu_parent.is_user_annotation
    assert prepare().sum() == 2  # without a profile, nothing happens
    with pytest.raises(TypeError, match="argument 'name' must be str, not int"):
        record_function(3)


def test_custom_functions_and_gradients_of_gradients():
    class Double(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

        @staticmethod
        def backward(ctx, g):
            return g * 2

    x = torch.ones(2, requires_grad=True)
    with profile() as prof:
        Double.apply(x).sum().backward()
        torch.autograd.grad((x * x).sum(), x)
    assert {"Double", "DoubleBackward", "autograd::grad"} <= set(names(prof))


def test_waiting_for_data_is_shown():
    data = torch.utils.data.TensorDataset(torch.arange(6.0))
    with profile() as prof:
        for _ in torch.utils.data.DataLoader(data, batch_size=3):
            pass
    waits = [event for event in prof.events() if event.kind == "data"]
    assert [event.name for event in waits] == ["enumerate(DataLoader)#_SingleProcessDataLoaderIter.__next__"] * 3
    assert [row.calls for row in prof.by_module() if row.name == "(data loading)"] == [3]


# ---------------------------------------------------------------------------------------------- schedules


def test_a_schedule_records_its_steps():
    ready = []
    plan = schedule(wait=1, warmup=1, active=2, repeat=2, skip_first=1)
    with profile(schedule=plan, on_trace_ready=lambda prof: ready.append((prof.step_num, names(prof)))) as prof:
        for _ in range(12):
            torch.ones(1)
            prof.step()
    expected = lambda *steps: [name for step in steps for name in (f"ProfilerStep#{step}", "aten::ones")]
    assert ready == [(5, expected(3, 4)), (9, expected(7, 8))]
    assert [e.count for e in prof.key_averages() if e.key == "ProfilerStep*"] == [2]


def test_events_of_all_cycles_are_kept_on_request():
    with profile(schedule=schedule(wait=0, warmup=1, active=1), acc_events=True) as prof:
        for _ in range(4):
            torch.ones(1)
            prof.step()
    assert names(prof) == ["ProfilerStep#1", "aten::ones", "ProfilerStep#3", "aten::ones"]


def test_without_a_schedule_the_end_is_when_the_profile_is_ready():
    ready = []
    prof = profile(on_trace_ready=ready.append)
    prof.start()
    torch.ones(1)
    prof.step()
    prof.stop()
    assert ready == [prof] and names(prof) == ["aten::ones"]


def test_a_schedule_tells_each_step():
    plan = schedule(wait=1, warmup=1, active=2, repeat=1, skip_first=1)
    kinds = [ProfilerAction.NONE, ProfilerAction.NONE, ProfilerAction.WARMUP, ProfilerAction.RECORD,
             ProfilerAction.RECORD_AND_SAVE, ProfilerAction.NONE]  # fmt: skip
    assert [plan(step) for step in range(6)] == kinds
    assert schedule(wait=2, warmup=1, active=1, skip_first_wait=1)(0) is ProfilerAction.WARMUP


@pytest.mark.parametrize("given", [{"active": 0}, {"wait": -1}, {"repeat": -2}])
def test_schedules_that_record_nothing_are_refused(given):
    with pytest.raises(AssertionError, match="Invalid profiler schedule arguments"):
        schedule(**{"wait": 1, "warmup": 1, "active": 1, **given})


def test_a_schedule_without_warmup_warns():
    with pytest.warns(UserWarning, match="won't be using warmup"):
        schedule(wait=0, warmup=0, active=1)
    with pytest.raises(TypeError, match="'active' must be int, not float"):
        schedule(wait=0, warmup=1, active=1.0)


def test_incorrect_schedules_warn():
    actions = [ProfilerAction.RECORD, ProfilerAction.NONE, ProfilerAction.WARMUP, ProfilerAction.NONE]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with profile(schedule=lambda step: actions[step]) as prof:
            for _ in range(3):
                prof.step()
    assert [str(w.message).splitlines()[0] for w in caught] == [
        "Incorrect schedule: RECORD followed by NONE", "Incorrect schedule: WARMUP followed by NONE",
    ]  # fmt: skip


# ---------------------------------------------------------------------------------------------- bad input


def test_two_profiles_at_once_are_refused(training):
    with profile() as outer:
        with pytest.raises(StateError, match="a profile is already being taken"):
            profile().start()
        training()
    assert "autograd::backward" in names(outer)
    with profile() as prof:
        torch.ones(1)
    assert names(prof) == ["aten::ones"]


@pytest.mark.parametrize("ask", [profile.events, profile.key_averages, profile.total_average, profile.by_module,
                                 profile.by_line, lambda prof: prof.export_chrome_trace("x.json")])  # fmt: skip
def test_results_before_the_end_are_refused(ask):
    prof = profile()
    with pytest.raises(AssertionError, match="initialized and stopped"):
        ask(prof)
    with prof, pytest.raises(AssertionError, match="initialized and stopped"):
        ask(prof)


def test_step_stop_and_start_out_of_place():
    prof = profile()
    for wrong in (prof.step, prof.stop):
        with pytest.raises(StateError, match="not running"):
            wrong()
    with prof, pytest.raises(StateError, match="runs already"):
        prof.start()


def test_activities():
    assert supported_activities() == {ProfilerActivity.CPU}
    with pytest.warns(UserWarning, match="CUDA is not available, disabling CUDA profiling"):
        profile(activities=[ProfilerActivity.CPU, ProfilerActivity.CUDA])
    with pytest.raises(AssertionError, match="No valid profiler activities"):
        profile(activities=[])
    with pytest.raises(TypeError, match="Expected ProfilerActivity"):
        profile(activities=["cpu"])
    for activities in (3, ProfilerActivity.CPU):
        with pytest.raises(TypeError, match="is no list"):
            profile(activities=activities)
    with pytest.raises(ValueError, match="more than once"):
        profile(activities=[ProfilerActivity.CPU] * 2)


@pytest.mark.parametrize("name", ["experimental_config", "execution_trace_observer"])
def test_what_is_not_supported_is_said(name):
    with pytest.raises(NotImplementedError, match=name):
        profile(**{name: object()})


def test_wrong_types():
    with pytest.raises(TypeError, match="'schedule' must be callable"):
        profile(schedule=3)
    with pytest.raises(TypeError, match="should give a ProfilerAction"):
        profile(schedule=lambda step: "record")
    with profile() as prof:
        torch.ones(1)
    with pytest.raises(AttributeError, match="cannot be sorted by 'speed'"):
        prof.key_averages().table(sort_by="speed")
    with pytest.raises(ValueError, match="time_unit"):
        prof.key_averages().table(time_unit="h")
    with pytest.raises(ValueError, match="cannot be sorted by 'speed'"):
        prof.by_module().table(sort_by="speed")
    with pytest.raises(StateError, match="with_stack=True"):
        prof.by_line()


# ---------------------------------------------------------------------------------------------- the older names


def test_torch_autograd_profiler():
    with torch.autograd.profiler.profile(with_flops=True) as prof:
        with torch.autograd.profiler.record_function("product"):
            torch.ones(2, 3) @ torch.ones(3, 4)
    assert [e.name for e in prof.function_events] == ["product", "aten::ones", "aten::ones", "aten::matmul"]
    assert prof.key_averages().total_average().flops == 48
    assert "aten::matmul" in str(prof) and prof.self_cpu_time_total > 0
    with torch.autograd.profiler.profile(enabled=False) as nothing:
        torch.ones(1)
    assert nothing is None
    with pytest.raises(NotImplementedError, match="emit_nvtx"):
        torch.autograd.profiler.emit_nvtx()
    with pytest.raises(AttributeError, match="record_functions"):
        torch.autograd.profiler.record_functions
