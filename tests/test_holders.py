"""Out of memory: the error says who holds the memory."""

import gc
import re

import pytest

import flambeau as torch
from flambeau import nn
from flambeau.holders import holders, size_of


def growth(make):
    """What `make` added to each kind of owner, as (bytes, arrays); its result is kept meanwhile."""
    gc.collect()
    before = holders()
    kept = make()
    after = holders()
    del kept
    return {k: (after[k][0] - before[k][0], after[k][1] - before[k][1]) for k in after if after[k] != before[k]}


def test_every_owner_is_counted_once():
    x = torch.ones(3, 100)

    def trained():
        net = nn.Linear(100, 10)
        optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
        net(x).sum().backward()
        optimizer.step()
        return net, optimizer, net.weight.view(-1), net.weight.detach()

    weight = 4 * (100 * 10 + 10)
    assert growth(trained) == {"parameters": (weight, 2), "gradients": (weight, 2), "optimizer state": (weight, 2)}


def test_what_graphs_keep_counts_as_activations():
    def graph():
        return torch.ones(1000, requires_grad=True).exp().exp()

    found = growth(graph)
    # Each result of exp is kept by its own node; the leaf is an ordinary tensor.
    assert found["activations"] == (8000, 2) and found["others"] == (4000, 1)


def test_the_error_says_who_holds_what():
    with pytest.raises(torch.OutOfMemoryError) as caught:
        torch.empty(1 << 50)
    error = caught.value
    assert error.fact.endswith(f"you tried to allocate {1 << 52} bytes.")
    assert error.why.startswith(f"a tensor of shape ({1 << 50},) with dtype float32 needs 4096.0 TiB, and tensors hold")
    assert re.search(
        r"parameters [\d.]+ \w+ in \d+, gradients .* optimizer state .* activations kept by graphs", error.why
    )
    assert error.fix.startswith("check the shape first") and set(error.holders) == set(holders())


@pytest.mark.parametrize(
    "call", [lambda x: x + x, lambda x: x.exp(), lambda x: x * 2.0, lambda x: x.double(), lambda x: x.clone(),
             lambda x: x @ torch.ones(1, 1), lambda x: x.sort(0), lambda x: x[:, 0].clone(), lambda x: x.cumsum(0)],
)  # fmt: skip
def test_operations_say_it_too(call):
    x = torch.ones(1, 1).expand(1 << 50, 1)
    with pytest.raises(torch.OutOfMemoryError, match=r"can't allocate memory(.|\n)*activations kept by graphs"):
        call(x)


def test_sizes_have_units():
    assert [size_of(n) for n in (0, 1023, 1024, 1 << 20, 3 << 29, 1 << 50)] == [
        "0 B", "1023 B", "1.0 KiB", "1.0 MiB", "1.5 GiB", "1024.0 TiB",
    ]  # fmt: skip
