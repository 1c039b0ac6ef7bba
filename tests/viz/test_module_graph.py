"""What a forward pass is seen to consist of: modules, operations between them, and where tensors go."""

import random

import numpy as np
import pytest

import flambeau as torch
import flambeau.nn.functional as F
from flambeau import nn
from flambeau.errors import ArgumentError, ArgumentTypeError
from flambeau.vision.models import resnet18
from flambeau.viz import module_graph


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 4, 3)
        self.fc = nn.Linear(4 * 13 * 13, 10)
        self.scale = nn.Parameter(torch.ones(10))
        self.drop = nn.Dropout()

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.conv(x)), 2)
        y = self.fc(self.drop(torch.flatten(x, 1)))
        y += 1
        y.mean()  # nothing comes of it
        y = y * self.scale
        y[:, 0] = 0
        return {"logits": F.log_softmax(y, 1), "raw": (y,)}


def test_operations_between_modules_are_seen_under_their_names():
    graph = module_graph(Net(), torch.ones(2, 1, 28, 28))
    assert [n.op for n in graph] == [
        "input", "Conv2d", "relu", "max_pool2d", "flatten", "Dropout", "Linear", "add", "scale", "mul", "setitem",
        "log_softmax", "output", "output",
    ]  # fmt: skip
    assert graph["mul"].inputs == ["add", "scale"]
    assert graph["scale"].kind == "parameter"
    assert graph["output['logits']"].inputs == ["log_softmax"]
    assert graph["output['raw'][0]"].inputs == ["setitem"]  # the change in place came last
    assert graph["fc"].details == "in_features=676, out_features=10, bias=True"
    assert graph["conv"].shape == (2, 4, 26, 26)


def test_residual_connections_of_a_resnet():
    graph = module_graph(resnet18(), torch.ones(1, 3, 32, 32))
    assert graph["layer1.0.add"].inputs == ["layer1.0.bn2", "maxpool"]
    assert graph["layer2.0.add"].inputs == ["layer2.0.bn2", "layer2.0.downsample.1"]
    assert graph["layer2.0.relu#2"].inputs == ["layer2.0.add"]
    assert sum(n.kind == "module" for n in graph) == 20 + 20 + 17 + 2 + 1  # conv, norm, relu, two pools, linear


def test_model_and_random_states_are_as_before():
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Dropout())
    model[2].eval()
    torch.manual_seed(1), random.seed(1), np.random.seed(1)
    first = torch.rand(2).tolist(), random.random(), np.random.rand()
    torch.manual_seed(1), random.seed(1), np.random.seed(1)
    before = {k: v.clone() for k, v in model.state_dict().items()}
    versions = [b._version for b in model.buffers()]
    module_graph(model, torch.randn(5, 3, generator=torch.Generator().manual_seed(0)), mode="train")
    assert (torch.rand(2).tolist(), random.random(), np.random.rand()) == first
    assert [m.training for m in model] == [True, True, False]
    assert all((v == before[k]).all() for k, v in model.state_dict().items())
    assert [b._version for b in model.buffers()] == versions


def test_what_a_module_writes_down_is_undone_also_after_an_error():
    class Counts(nn.Module):
        def __init__(self):
            super().__init__()
            self.calls, self.seen = 0, []
            self.register_buffer("total", torch.zeros(1))

        def forward(self, x):
            self.calls += 1
            self.seen.append(x)
            self.total += 1
            if x.shape[0] == 3:
                raise KeyError("no rows of three")
            return x * 2

    model = Counts()
    module_graph(model, torch.ones(2))
    with pytest.raises(KeyError, match="no rows of three"):
        module_graph(model, torch.ones(3))
    assert (model.calls, model.seen, float(model.total), model.training) == (0, [], 0.0, True)


def test_shared_modules_several_inputs_and_keywords():
    class Twins(nn.Module):
        def __init__(self):
            super().__init__()
            self.tower = nn.Linear(2, 3)

        def forward(self, left, right, *, weight=None):
            return torch.cat([self.tower(left), self.tower(right)], 1) * weight

    graph = module_graph(Twins(), (torch.ones(1, 2), torch.ones(1, 2)), {"weight": torch.ones(1)})
    assert [n.name for n in graph] == ["left", "right", "weight", "tower", "tower#2", "cat", "mul", "output"]
    assert graph["cat"].inputs == ["tower", "tower#2"]
    by_name = {"left": torch.ones(1, 2), "right": torch.ones(1, 2), "weight": torch.ones(1)}
    assert module_graph(Twins(), by_name).edges == graph.edges


def test_runs_on_the_meta_device_and_for_compiled_models():
    big = nn.Sequential(nn.Linear(1 << 14, 1 << 14, device="meta"), nn.ReLU())
    assert module_graph(big, torch.empty(4, 1 << 14, device="meta"))["1"].shape == (4, 1 << 14)
    model = nn.Sequential(nn.Linear(2, 2), nn.Tanh())
    assert module_graph(torch.compile(model), torch.ones(1, 2)).edges == module_graph(model, torch.ones(1, 2)).edges


def test_own_functions_and_unchanged_results():
    class Cube(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x**3

    class Same(nn.Module):
        def forward(self, x):
            return x

    class Outer(nn.Module):
        def __init__(self):
            super().__init__()
            self.same = Same()

        def forward(self, x):
            return Cube.apply(self.same(x))

    assert module_graph(Outer(), torch.ones(2)).edges == [("x", "same"), ("same", "Cube"), ("Cube", "output")]


def test_compiled_parts_are_seen_through():
    inner = nn.Linear(2, 2)
    model = nn.Sequential(torch.compile(inner), nn.ReLU())
    assert module_graph(model, torch.ones(1, 2)).edges == [("input", "0"), ("0", "1"), ("1", "output")]
    assert not model[0].steps  # nothing was recorded for it
    whole = nn.Sequential(nn.Linear(2, 2), nn.ReLU())
    whole.compile()
    assert module_graph(whole, torch.ones(1, 2)).edges == [("input", "0"), ("0", "1"), ("1", "output")]
    assert whole._compiled_call_impl is not None


def test_lazy_modules_learn_their_sizes():
    model = nn.Sequential(nn.LazyLinear(4), nn.LazyBatchNorm1d())
    graph = module_graph(model, torch.ones(3, 7))
    assert graph["0"].details == "in_features=7, out_features=4, bias=True"
    assert float(model[1].num_batches_tracked) == 0 and model.training and model[1].training
    assert model(torch.ones(3, 7)).shape == (3, 4)


def test_parameters_and_gradients_are_put_back():
    class Trains(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(2, 1)

        def forward(self, x):
            with torch.enable_grad():
                loss = self.layer(x).sum()
                loss.backward()
            self.layer.weight.data.fill_(7.0)
            return loss.detach()

    model = Trains()
    model.layer.bias.grad = gradient = torch.ones(1)
    before = model.layer.weight.clone()
    module_graph(model, torch.ones(3, 2))
    assert (model.layer.weight == before).all()
    assert model.layer.weight.grad is None
    assert model.layer.bias.grad is gradient and float(gradient) == 1.0


def test_what_is_one_argument_and_what_several():
    class Pair(nn.Module):
        def forward(self, pair):
            return pair[0] + pair[1]

    class Two(nn.Module):
        def forward(self, a, b):
            return a + b

    class Mapping(nn.Module):
        def forward(self, batch):
            return batch["a"] + batch["b"]

    a, b = torch.ones(1), torch.ones(1)
    for model, example, names in (
        (Pair(), (a, b), ["pair[0]", "pair[1]"]),
        (Pair(), [a, b], ["pair[0]", "pair[1]"]),
        (Two(), (a, b), ["a", "b"]),
        (Two(), {"a": a, "b": b}, ["a", "b"]),
        (Mapping(), {"a": a, "b": b}, ["batch['a']", "batch['b']"]),
    ):
        graph = module_graph(model, example)
        assert [n.name for n in graph if n.kind == "input"] == names
        assert graph["add"].inputs == names
    with pytest.raises(TypeError, match="positional argument"):
        module_graph(Two(), (a, b, a))


def test_models_without_tensors_on_one_side_and_own_calls():
    class Draws(nn.Module):
        def forward(self, n):
            return torch.rand(n).sum()

    class Prints(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(2, 1)

        def forward(self, x):
            return float(self.layer(x))

    class Calls(nn.Linear):
        def __call__(self, x):
            return self.forward(x) * 2

    assert module_graph(Draws(), 3).edges == [("rand", "sum"), ("sum", "output")]
    assert module_graph(Prints(), torch.ones(2)).edges == [("x", "layer")]
    assert module_graph(Calls(2, 2), torch.ones(2))["mul"].inputs == ["linear"]


def test_the_input_is_as_before_and_other_profilers_go_on():
    import cProfile
    import sys

    x = torch.tensor([-1.0, 2.0])
    module_graph(nn.ReLU(inplace=True), x)
    assert x.tolist() == [-1.0, 2.0] and x._version == 0

    calls = []
    sys.setprofile(lambda frame, event, arg: calls.append(event))
    try:
        module_graph(nn.ReLU(), x)
        mine = sys.getprofile()
    finally:
        sys.setprofile(None)
    assert mine is not None and calls
    profile = cProfile.Profile()
    profile.enable()
    module_graph(nn.ReLU(), x)
    sum(range(3))
    profile.disable()
    assert any("sum" in str(entry.code) for entry in profile.getstats())


def test_wrong_arguments():
    with pytest.raises(ArgumentTypeError, match="not its class"):
        module_graph(Net, torch.ones(1))
    with pytest.raises(ArgumentTypeError, match="must be an nn.Module, not function"):
        module_graph(lambda x: x, torch.ones(1))
    with pytest.raises(ArgumentError, match="'eval', 'train' or 'same'"):
        module_graph(Net(), torch.ones(1), mode="test")
    with pytest.raises(RuntimeError, match="mat1 and mat2|inner sizes|in_features|shapes"):
        module_graph(nn.Linear(2, 3), torch.ones(1, 5))
