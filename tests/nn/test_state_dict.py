"""state_dict and load_state_dict: keys, metadata, error texts, hooks, extra state."""

import pytest

import flambeau as torch
from flambeau import nn


def make():
    net = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3), nn.Linear(3, 1))
    net.register_buffer("seen", torch.ones(3))
    return net


def test_keys_and_metadata():
    state = make().state_dict()
    assert list(state) == [
        "seen", "0.weight", "0.bias", "1.weight", "1.bias", "1.running_mean", "1.running_var", "1.num_batches_tracked",
        "2.weight", "2.bias",
    ]  # fmt: skip
    assert dict(state._metadata) == {"": {"version": 1}, "0": {"version": 1}, "1": {"version": 2}, "2": {"version": 1}}
    assert not state["0.weight"].requires_grad
    assert make().state_dict(keep_vars=True, prefix="net.")["net.0.weight"].requires_grad


def test_round_trip():
    one, two = make(), make()
    assert repr(two.load_state_dict(one.state_dict())) == "<All keys matched successfully>"
    assert torch.equal(one[0].weight, two[0].weight)
    with torch.no_grad():
        two[0].weight.zero_()
    assert one[0].weight.abs().sum() > 0


def test_values_are_shared_with_the_dict():
    net = make()
    net.state_dict()["0.bias"].fill_(7)
    assert net[0].bias[0] == 7


def test_error_texts():
    state = dict(make().state_dict())
    state["0.weight"] = torch.ones(3)
    state["0.bias"] = 4
    state["zz"] = 1
    del state["seen"]
    with pytest.raises(RuntimeError) as error:
        make().load_state_dict(state)
    assert str(error.value).split("\n  why:")[0] == (
        "Error(s) in loading state_dict for Sequential:\n"
        '\tMissing key(s) in state_dict: "seen". \n'
        '\tUnexpected key(s) in state_dict: "zz". \n'
        "\tsize mismatch for 0.weight: copying a param with shape torch.Size([3]) from checkpoint, "
        "the shape in current model is torch.Size([3, 2]).\n"
        '\tWhile copying the parameter named "0.bias", expected torch.Tensor or Tensor-like object from checkpoint '
        "but received <class 'int'>"
    )
    with pytest.raises(TypeError, match="Expected state_dict to be dict-like, got <class 'int'>."):
        make().load_state_dict(3)


def test_error_tells_how_to_take_a_prefix_off():
    net = nn.Linear(1, 1)
    with pytest.raises(RuntimeError, match='removeprefix\\("module."\\)'):
        net.load_state_dict({"module." + k: v for k, v in net.state_dict().items()})


def test_not_strict():
    found = make().load_state_dict({"seen": torch.zeros(3), "zz": 1}, strict=False)
    assert found.unexpected_keys == ["zz"] and "0.weight" in found.missing_keys
    assert repr(nn.ReLU().load_state_dict({"a": 1}, strict=False)) == (
        "_IncompatibleKeys(missing_keys=[], unexpected_keys=['a'])"
    )


def test_assign():
    net = nn.Linear(1, 1, device="meta")
    net.load_state_dict({"weight": torch.ones(1, 1), "bias": torch.ones(1)}, assign=True)
    assert isinstance(net.weight, nn.Parameter) and net(torch.ones(1, 1)).item() == 2
    with pytest.warns(UserWarning, match="which is a no-op"):
        nn.Linear(1, 1, device="meta").load_state_dict({"weight": torch.ones(1, 1), "bias": torch.ones(1)})
    with pytest.raises(RuntimeError, match="Cannot copy out of meta tensor; no data!"):
        nn.Linear(1, 1).load_state_dict({"weight": torch.ones(1, 1, device="meta"), "bias": torch.ones(1)})


def test_old_batch_norm_state_has_no_counter():
    norm = nn.BatchNorm1d(2)
    norm.load_state_dict({k: torch.ones(2) for k in ("weight", "bias", "running_mean", "running_var")})
    assert norm.num_batches_tracked == 0


class Extra(nn.Module):
    def __init__(self):
        super().__init__()
        self.p = nn.Parameter(torch.ones(1))
        self.state = None

    def get_extra_state(self):
        return {"k": 1}

    def set_extra_state(self, state):
        self.state = state


def test_extra_state():
    module = Extra()
    state = module.state_dict()
    assert list(state) == ["p", "_extra_state"]
    module.load_state_dict(state)
    assert module.state == {"k": 1}
    with pytest.raises(RuntimeError, match='Missing key\\(s\\) in state_dict: "_extra_state"'):
        module.load_state_dict({"p": torch.ones(1)})
    with pytest.raises(RuntimeError, match='Unexpected key\\(s\\) in state_dict: "_extra_state"'):
        nn.ReLU().load_state_dict({"_extra_state": 1})


def test_hooks_and_their_arguments():
    layer, seen = nn.Linear(2, 2), []
    layer.register_state_dict_pre_hook(lambda m, prefix, keep_vars: seen.append((prefix, keep_vars)))
    layer.register_state_dict_post_hook(lambda m, state, prefix, local: seen.append((prefix, local)))
    layer.register_load_state_dict_pre_hook(lambda m, *args: seen.append([type(a).__name__ for a in args]))
    layer.register_load_state_dict_post_hook(lambda m, keys: seen.append(repr(keys)))
    nn.Sequential(layer).load_state_dict(nn.Sequential(layer).state_dict())
    assert seen == [
        ("0.", False), ("0.", {"version": 1}), ["dict", "str", "dict", "bool", "list", "list", "list"],
        "<All keys matched successfully>",
    ]  # fmt: skip
    other = nn.Linear(1, 1)
    other.register_load_state_dict_post_hook(lambda m, keys: 3)
    with pytest.raises(AssertionError, match="not expected to return new values"):
        other.load_state_dict(other.state_dict())


def test_a_post_hook_may_forgive_missing_keys():
    layer = nn.Linear(1, 1)
    layer.register_load_state_dict_post_hook(lambda m, keys: keys.missing_keys.clear())
    assert repr(layer.load_state_dict({})) == "<All keys matched successfully>"
