"""Module: registration, errors, printing, walking, conversion, copying."""

import copy
import gc
import pickle
import weakref

import pytest

import flambeau as torch
from flambeau import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Linear(2, 3)
        self.layers = nn.ModuleList([nn.Linear(1, 1), nn.Linear(1, 1), nn.ReLU()])
        self.named = nn.ModuleDict({"x": nn.Conv2d(1, 2, 3, padding=1)})
        self.p = nn.ParameterList([torch.ones(2), nn.Parameter(torch.ones(3, 3)), "s"])
        self.q = nn.ParameterDict({"a": nn.Parameter(torch.ones(2)), "b": torch.ones(1), "c": 3})
        self.register_buffer("seen", torch.ones(3))


PRINTED = """\
Net(
  (a): Linear(in_features=2, out_features=3, bias=True)
  (layers): ModuleList(
    (0-1): 2 x Linear(in_features=1, out_features=1, bias=True)
    (2): ReLU()
  )
  (named): ModuleDict(
    (x): Conv2d(1, 2, kernel_size=(3, 3), stride=(1, 1), padding=(1, 1))
  )
  (p): ParameterList(
      (0): Parameter containing: [torch.float32 of size 2]
      (1): Parameter containing: [torch.float32 of size 3x3]
      (2): Object of type: str
  )
  (q): ParameterDict(
      (a): Parameter containing: [torch.FloatTensor of size 2]
      (b): Parameter containing: [torch.FloatTensor of size 1]
      (c): Object of type: int
  )
)"""


def test_prints_as_pytorch():
    assert repr(Net()) == PRINTED


class Lines(nn.Module):
    def extra_repr(self):
        return "a=1\nb=2"


def test_prints_several_lines_of_its_own():
    assert repr(Lines()) == "Lines(\n  a=1\n  b=2\n)"
    assert repr(nn.ModuleList([Lines(), Lines()])) == "ModuleList(\n  (0-1): 2 x Lines(\n    a=1\n    b=2\n  )\n)"
    assert repr(nn.ModuleList()) == "ModuleList()" and repr(nn.Sequential()) == "Sequential()"


def test_parameter_prints_and_computes_as_a_tensor():
    p = nn.Parameter(torch.ones(2))
    assert repr(p) == "Parameter containing:\ntensor([1., 1.], requires_grad=True)"
    assert type(p * 2) is torch.Tensor and p.is_leaf


def test_names_in_order():
    net = Net()
    assert [n for n, _ in net.named_parameters()] == [
        "a.weight", "a.bias", "layers.0.weight", "layers.0.bias", "layers.1.weight", "layers.1.bias",
        "named.x.weight", "named.x.bias", "p.0", "p.1", "q.a", "q.b",
    ]  # fmt: skip
    assert [n for n, _ in net.named_buffers()] == ["seen"]
    assert [n for n, _ in net.named_children()] == ["a", "layers", "named", "p", "q"]
    assert [n for n, _ in net.named_modules()] == [
        "", "a", "layers", "layers.0", "layers.1", "layers.2", "named", "named.x", "p", "q",
    ]  # fmt: skip
    assert [n for n, _ in net.named_parameters(prefix="net", recurse=False)] == []


def test_shared_parameters_come_once():
    layer = nn.Linear(1, 1)
    twice = nn.ModuleList([layer, layer])
    assert [n for n, _ in twice.named_parameters()] == ["0.weight", "0.bias"]
    assert len(list(twice.named_parameters(remove_duplicate=False))) == 4
    assert len(list(twice.modules())) == 2


@pytest.mark.parametrize(
    "call, kind, text",
    [
        (lambda n: n.foo, AttributeError, "'Net' object has no attribute 'foo'"),
        (lambda n: n.get_submodule("a.b.c"), AttributeError, "Linear has no attribute `b`"),
        (lambda n: n.get_submodule("a.weight"), AttributeError, "`weight` is not an nn.Module"),
        (lambda n: n.get_parameter("a.z"), AttributeError, "Linear has no attribute `z`"),
        (lambda n: n.get_parameter("layers.0"), AttributeError, "`0` is not an nn.Parameter"),
        (lambda n: n.get_buffer("a.weight"), AttributeError, "`weight` is not a buffer"),
        (lambda n: n.register_parameter("x.y", None), KeyError, "parameter name can't contain \".\""),
        (lambda n: n.register_parameter("", None), KeyError, "parameter name can't be empty string"),
        (lambda n: n.register_parameter("a", None), KeyError, "attribute 'a' already exists"),
        (lambda n: n.register_parameter("u", 3), TypeError, "cannot assign 'int' object to parameter 'u'"),
        (lambda n: n.register_parameter(3, None), TypeError, "parameter name should be a string. Got int"),
        (lambda n: n.register_buffer("a", None), KeyError, "attribute 'a' already exists"),
        (lambda n: n.register_buffer("u", 3), TypeError, "cannot assign 'int' object to buffer 'u'"),
        (lambda n: n.add_module("x.y", None), KeyError, "module name can't contain"),
        (lambda n: n.add_module("training", None), KeyError, "attribute 'training' already exists"),
        (lambda n: n.add_module("u", 3), TypeError, "int is not a Module subclass"),
        (lambda n: setattr(n, "seen", 3), TypeError, "cannot assign 'int' as buffer 'seen'"),
        (lambda n: setattr(n, "a", 3), TypeError, "cannot assign 'int' as child module 'a'"),
        (lambda n: setattr(n.a, "weight", torch.ones(3)), TypeError,
         "cannot assign 'torch.FloatTensor' as parameter 'weight' (torch.nn.Parameter or None expected)"),
        (lambda n: n.train(3), ValueError, "training mode is expected to be boolean"),
        (lambda n: n(3), NotImplementedError, 'Module [Net] is missing the required "forward" function'),
        (lambda n: n.to(torch.int64), TypeError, "nn.Module.to only accepts floating point or complex dtypes"),
        (lambda n: n.set_submodule("", nn.ReLU()), ValueError, "Cannot set the submodule without a target name!"),
        (lambda n: n.set_submodule("zz", nn.ReLU(), strict=True), AttributeError, "Net has no attribute `zz`"),
        (lambda n: delattr(n, "nope"), AttributeError, "nope"),
        (lambda n: nn.Module(3), TypeError, "takes 1 positional argument but 2 were given"),
        (lambda n: nn.Linear(2, 2, device="meta").to("cpu"), NotImplementedError, "Cannot copy out of meta tensor"),
    ],
)  # fmt: skip
def test_errors(call, kind, text):
    with pytest.raises(kind) as error:
        call(Net())
    assert text in str(error.value.args[0])  # str() of a KeyError escapes quotes


def test_parts_before_init_are_refused():
    class Module(nn.Module):
        def __init__(self):
            self.a = nn.Linear(1, 1)

    class Parameter(nn.Module):
        def __init__(self):
            self.a = nn.Parameter(torch.ones(1))

    for made, text in ((Module, "cannot assign module"), (Parameter, "cannot assign parameters")):
        with pytest.raises(AttributeError, match=text):
            made()


def test_attributes_follow_what_is_registered():
    layer = nn.Linear(1, 1)
    new = nn.Parameter(torch.full((1, 1), 3.0))
    layer.weight = new
    assert layer.weight is new and layer._parameters["weight"] is new and list(layer.state_dict()) == ["weight", "bias"]
    layer._parameters["weight"] = other = nn.Parameter(torch.zeros(1, 1))
    assert layer.weight is other
    del layer._parameters["weight"]
    assert not hasattr(layer, "weight")
    layer.weight = torch.ones(1, 1)
    assert list(layer.state_dict()) == ["bias"] and layer(torch.ones(1, 1)).shape == (1, 1)
    layer.bias = None
    assert layer.bias is None and repr(layer) == "Linear(in_features=1, out_features=1, bias=False)"
    layer.weight = nn.Parameter(torch.ones(1, 1))
    assert list(layer._parameters) == ["bias", "weight"]
    layer.bias = nn.Linear(1, 1)
    assert list(layer._modules) == ["bias"] and "bias" not in layer._parameters
    del layer.bias
    assert not hasattr(layer, "bias")


def test_buffers():
    class Held(nn.Module):
        def __init__(self):
            super().__init__()
            self.register_buffer("a", torch.ones(1), persistent=False)
            self.b = nn.Buffer(torch.ones(2))
            self.c = nn.Buffer(torch.ones(1), persistent=False)

    held = Held()
    assert list(held.state_dict()) == ["b"] and [n for n, _ in held.named_buffers()] == ["a", "b", "c"]
    held.a = torch.zeros(1)
    assert held.a.item() == 0 and list(held.state_dict()) == ["b"]
    held.b = None
    assert list(held.state_dict()) == []


def test_conversion_keeps_parameters_the_same_objects():
    net = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    weight = net[0].weight
    net(torch.ones(3, 2)).sum().backward()
    net.double()
    assert net[0].weight is weight and weight.dtype is torch.float64 and weight.grad.dtype is torch.float64
    assert net[1].running_mean.dtype is torch.float64 and net[1].num_batches_tracked.dtype is torch.int64
    assert net.to(torch.bfloat16)[0].bias.dtype is torch.bfloat16
    assert net.half().float().to("cpu", torch.float64)[0].bias.dtype is torch.float64
    assert net.to(torch.ones(1))[0].weight.dtype is torch.float32


def test_meta_and_to_empty():
    layer = nn.Linear(3, 4, device="meta")
    assert layer.weight.is_meta and layer(torch.ones(2, 3, device="meta")).shape == (2, 4)
    assert not layer.to_empty(device="cpu").weight.is_meta


def test_train_eval_requires_grad_zero_grad_apply():
    net = nn.Sequential(nn.Linear(2, 2), nn.Dropout())
    assert not net.eval()[1].training and net.train()[1].training
    assert not any(p.requires_grad for p in net.requires_grad_(False).parameters())
    net.requires_grad_()
    net(torch.ones(1, 2)).sum().backward()
    net.zero_grad(set_to_none=False)
    assert net[0].bias.grad.abs().sum() == 0
    net.zero_grad()
    assert net[0].bias.grad is None
    seen = []
    net.apply(lambda m: seen.append(type(m).__name__))
    assert seen == ["Linear", "Dropout", "Sequential"]


def test_copies():
    layer = nn.Linear(2, 2)
    twin = copy.deepcopy(layer)
    assert twin.weight is not layer.weight and torch.equal(twin.weight, layer.weight)
    assert twin.weight is twin._parameters["weight"]
    twin.weight.data.zero_()
    assert layer.weight.abs().sum() > 0
    again = pickle.loads(pickle.dumps(nn.Sequential(layer, nn.ReLU())))
    assert torch.equal(again[0].weight, layer.weight) and again[0]._parameters["weight"] is again[0].weight
    assert copy.copy(layer).weight is layer.weight


class Restored(nn.Linear):
    def __getstate__(self):
        return self.__dict__.copy()

    def __setstate__(self, state):
        self.__dict__.update(state)


def test_copies_of_modules_with_a_state_of_their_own():
    layer = Restored(2, 2)
    twin = pickle.loads(pickle.dumps(layer)).double()
    assert twin.weight.dtype is torch.float64 and twin(torch.ones(1, 2).double()).shape == (1, 2)
    for twin in (copy.copy(layer), copy.deepcopy(layer)):
        twin.weight = new = nn.Parameter(torch.zeros(2, 2))
        assert twin.weight is new is twin._parameters["weight"] and layer.weight is not new
        assert layer._parameters["weight"] is layer.weight


def test_a_tied_parameter_stays_tied_in_a_copy():
    net = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    net[1].weight = net[0].weight
    twin = copy.deepcopy(net)
    assert twin[1].weight is twin[0].weight is not net[0].weight


def test_a_dropped_model_is_freed_at_once():
    gc.disable()
    try:
        net = Net()
        gone = weakref.ref(net)
        del net
        assert gone() is None
    finally:
        gc.enable()


def test_error_of_a_missing_attribute_suggests():
    with pytest.raises(AttributeError) as error:
        nn.Linear(1, 1).wieght  # noqa: B018
    assert error.value.name == "wieght"


def test_an_error_says_in_which_module():
    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.features = nn.Sequential(nn.Flatten(), nn.Linear(4, 3), nn.Linear(5, 2))

        def forward(self, x):
            return self.features(x)

    with pytest.raises(RuntimeError) as error:
        Model()(torch.ones(2, 4))
    assert error.value.place.module == "Model.features.2 = Linear(in_features=5, out_features=2, bias=True)"
    with pytest.raises(RuntimeError) as error:
        nn.Linear(5, 2)(torch.ones(2, 4))
    assert error.value.place.module == "Linear(in_features=5, out_features=2, bias=True)"
