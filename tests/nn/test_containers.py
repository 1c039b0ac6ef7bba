"""Sequential, ModuleList, ModuleDict, ParameterList, ParameterDict."""

from collections import OrderedDict

import pytest

import flambeau as torch
from flambeau import nn


def test_sequential():
    net = nn.Sequential(OrderedDict(a=nn.Linear(2, 3), b=nn.ReLU()))
    assert net.a is net[0] and len(net) == 2 and net(torch.ones(1, 2)).shape == (1, 3)
    assert list(net[1:]._modules) == ["b"]
    net.append(nn.Linear(3, 1)).insert(1, nn.Tanh())
    assert [type(m).__name__ for m in net] == ["Linear", "Tanh", "ReLU", "Linear"]
    del net[1]
    assert list(net._modules) == ["0", "1", "2"]
    assert len(net + net) == 6 and len(net * 2) == 6
    assert type(net.pop(-1)) is nn.Linear
    net[0] = nn.Identity()
    net += nn.Sequential(nn.GELU())
    assert [type(m).__name__ for m in net] == ["Identity", "ReLU", "GELU"]


def test_module_list():
    rows = nn.ModuleList([nn.ReLU(), nn.Tanh()])
    rows.insert(1, nn.GELU())
    rows.extend([nn.ELU()])
    assert [type(m).__name__ for m in rows + [nn.SiLU()]] == ["ReLU", "GELU", "Tanh", "ELU", "SiLU"]
    assert type(rows[-1]) is nn.ELU and len(rows[1:3]) == 2
    del rows[:2]
    assert list(rows._modules) == ["0", "1"]


def test_module_dict():
    named = nn.ModuleDict([("a", nn.ReLU()), ("b", nn.Tanh())])
    assert list(named) == ["a", "b"] and "a" in named and type(named.pop("a")) is nn.ReLU
    named.update({"c": nn.GELU()})
    assert list(named.keys()) == ["b", "c"] and len(list(named.items())) == 2
    named.clear()
    assert len(named) == 0


def test_parameter_list():
    values = nn.ParameterList([torch.ones(2), 3])
    values += [torch.zeros(1)]
    assert isinstance(values[0], nn.Parameter) and values[1] == 3 and len(values) == 3 and len(values[1:]) == 2
    values[0] = torch.zeros(2)
    assert values[0].sum() == 0 and list(values.state_dict()) == ["0", "2"]


def test_parameter_dict():
    values = nn.ParameterDict({"b": torch.ones(1), "a": torch.zeros(1)})
    assert list(values) == ["a", "b"]  # a plain dict is sorted
    assert values.get("c") is None and values.setdefault("c", torch.ones(2)).shape == (2,)
    assert list(values | nn.ParameterDict({"d": torch.ones(1)})) == ["a", "b", "c", "d"]
    assert values.popitem()[0] == "c" and values.pop("a") is not None and list(reversed(values)) == ["b"]


@pytest.mark.parametrize(
    "call, kind, text",
    [
        (lambda: nn.Sequential(3), TypeError, "int is not a Module subclass"),
        (lambda: nn.ModuleDict([3]), TypeError, "ModuleDict update sequence element #0 should be Iterable; isint"),
        (lambda: nn.ModuleDict(3), TypeError, "ModuleDict.update should be called with an iterable of key/value pairs"),
        (lambda: nn.ModuleDict([(1, 2, 3)]), ValueError, "sequence element #0 has length 3; 2 is required"),
        (lambda: nn.ModuleDict({3: nn.ReLU()}), TypeError, "module name should be a string. Got int"),
        (lambda: nn.Sequential(nn.ReLU())[3], IndexError, "index 3 is out of range"),
        (lambda: nn.ModuleList()[0], IndexError, "index 0 is out of range"),
        (lambda: nn.ModuleList().extend(3), TypeError, "ModuleList.extend should be called with an iterable"),
        (lambda: nn.ParameterList(3), TypeError, "ParameterList.extend should be called with an iterable"),
        (lambda: nn.ParameterDict({3: 3}), TypeError, "Index given to ParameterDict cannot be used as a key"),
        (lambda: nn.Sequential() + 3, ValueError, "add operator supports only objects of Sequential class"),
        (lambda: nn.Sequential() * 0, ValueError, "Non-positive multiplication factor 0"),
        (lambda: nn.Sequential().insert(4, nn.ReLU()), IndexError, "Index out of range: 4"),
        (lambda: nn.ParameterList()(3), RuntimeError, "ParameterList should not be called."),
        (lambda: nn.ModuleList()(3), NotImplementedError, "missing the required"),
    ],
)
def test_errors(call, kind, text):
    with pytest.raises(kind) as error:
        call()
    assert text in str(error.value)
