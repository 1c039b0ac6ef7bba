"""RNN, LSTM, GRU and cells: against a loop over steps, packed and unbatched input, gradients, errors."""

import pytest

import flambeau as torch
from flambeau import nn
from flambeau.autograd import gradcheck, gradgradcheck
from flambeau.nn.utils.rnn import PackedSequence, pack_padded_sequence, pack_sequence, pad_packed_sequence

KINDS = [(nn.RNN, {}), (nn.RNN, {"nonlinearity": "relu"}), (nn.GRU, {}), (nn.LSTM, {}), (nn.LSTM, {"proj_size": 2})]


def step(layer, x, states, suffix):
    """One step written out; states is (h,) or (h, c)."""
    get = lambda name: getattr(layer, f"{name}_{suffix}")
    gi = x @ get("weight_ih").T + get("bias_ih")
    gh = states[0] @ get("weight_hh").T + get("bias_hh")
    if layer.mode == "LSTM":
        i, f, g, o = (gi + gh).chunk(4, 1)
        c = f.sigmoid() * states[1] + i.sigmoid() * g.tanh()
        h = o.sigmoid() * c.tanh()
        return (h @ get("weight_hr").T if layer.proj_size else h, c)
    if layer.mode == "GRU":
        (ri, zi, ni), (rh, zh, nh) = gi.chunk(3, 1), gh.chunk(3, 1)
        r, z = (ri + rh).sigmoid(), (zi + zh).sigmoid()
        n = (ni + r * nh).tanh()
        return ((1 - z) * n + z * states[0],)
    return ((gi + gh).tanh() if layer.mode == "RNN_TANH" else (gi + gh).relu(),)


def by_steps(layer, x, states):
    """The whole stack by loops: (output, last states); x is (L, N, features)."""
    directions = 2 if layer.bidirectional else 1
    lasts = [[] for _ in states]
    for k in range(layer.num_layers):
        outs = []
        for d in range(directions):
            now = tuple(s[k * directions + d] for s in states)
            made = [None] * len(x)
            for t in reversed(range(len(x))) if d else range(len(x)):
                now = step(layer, x[t], now, f"l{k}" + ("_reverse" if d else ""))
                made[t] = now[0]
            outs.append(torch.stack(made))
            for kept, s in zip(lasts, now):
                kept.append(s)
        x = torch.cat(outs, 2)
    return x, [torch.stack(s) for s in lasts]


def initial(layer, batch):
    n = layer.num_layers * (2 if layer.bidirectional else 1)
    sizes = [layer.proj_size or layer.hidden_size] + [layer.hidden_size] * (layer.mode == "LSTM")
    return [torch.randn(n, batch, s, dtype=torch.float64, requires_grad=True) for s in sizes]


def packed(states):
    return states[0] if len(states) == 1 else tuple(states)


def listed(h):
    return list(h) if isinstance(h, tuple) else [h]


@pytest.mark.parametrize("kind, options", KINDS)
@pytest.mark.parametrize("bidirectional", [False, True])
def test_values_and_gradients_against_steps(kind, options, bidirectional):
    torch.manual_seed(0)
    layer = kind(3, 4, 2, bidirectional=bidirectional, **options).double()
    x = torch.randn(5, 2, 3, dtype=torch.float64, requires_grad=True)
    states = initial(layer, 2)
    output, lasts = layer(x, packed(states))
    expected, expected_lasts = by_steps(layer, x, states)
    assert torch.allclose(output, expected)
    for found, wanted in zip(listed(lasts), expected_lasts):
        assert torch.allclose(found, wanted)
    inputs = [x, *states, *layer.parameters()]
    weigh = lambda out, last: (out * out).sum() + sum((s.sin()).sum() for s in last)
    found = torch.autograd.grad(weigh(output, listed(lasts)), inputs)
    wanted = torch.autograd.grad(weigh(expected, expected_lasts), inputs)
    for f, w in zip(found, wanted):
        assert torch.allclose(f, w)


@pytest.mark.parametrize("kind, options", KINDS)
def test_batch_first_is_the_same_transposed(kind, options):
    torch.manual_seed(6)
    layer = kind(3, 4, 2, bidirectional=True, dropout=0.5, **options).double()
    first = kind(3, 4, 2, bidirectional=True, dropout=0.5, batch_first=True, **options).double()
    first.load_state_dict(layer.state_dict())
    x = torch.randn(5, 2, 3, dtype=torch.float64, requires_grad=True)
    torch.manual_seed(7)
    output, lasts = layer(x)
    torch.manual_seed(7)
    found, found_lasts = first(x.transpose(0, 1))
    assert torch.allclose(found.transpose(0, 1), output)
    for a, b in zip(listed(found_lasts), listed(lasts)):
        assert torch.allclose(a, b)
    inputs, also = [x, *layer.parameters()], [x, *first.parameters()]
    wanted = torch.autograd.grad((output * output).sum(), inputs)
    for f, w in zip(torch.autograd.grad((found * found).sum(), also), wanted):
        assert torch.allclose(f, w)


@pytest.mark.parametrize("kind, options", KINDS)
def test_second_derivatives(kind, options):
    torch.manual_seed(1)
    layer = kind(2, 3, **options).double()
    x = torch.randn(3, 2, 2, dtype=torch.float64, requires_grad=True)
    assert gradcheck(lambda x: layer(x)[0], (x,))
    assert gradgradcheck(lambda x: layer(x)[0], (x,))
    layer.batch_first = True
    assert gradgradcheck(lambda x: layer(x)[0], (x,))


@pytest.mark.parametrize("kind, options", KINDS)
def test_packed_equals_each_sequence_alone(kind, options):
    torch.manual_seed(2)
    layer = kind(3, 4, 2, bidirectional=True, **options).double()
    sequences = [torch.randn(n, 3, dtype=torch.float64) for n in (3, 5, 1)]
    states = [s.detach() for s in initial(layer, 3)]
    output, lasts = layer(pack_sequence(sequences, enforce_sorted=False), packed(states))
    assert isinstance(output, PackedSequence)
    padded, lengths = pad_packed_sequence(output)
    assert lengths.tolist() == [3, 5, 1]
    for i, sequence in enumerate(sequences):
        alone, last = layer(sequence, packed([s[:, i] for s in states]))
        assert torch.allclose(padded[: len(sequence), i], alone)
        for a, b in zip(listed(lasts), listed(last)):
            assert torch.allclose(a[:, i], b)


def test_packed_gradients():
    torch.manual_seed(3)
    layer = nn.LSTM(2, 3, bidirectional=True).double()
    data = torch.randn(4, 3, 2, dtype=torch.float64, requires_grad=True)
    run = lambda x: layer(pack_padded_sequence(x, [4, 2, 1]))[0].data
    assert gradcheck(run, (data,))


def test_shapes():
    x = torch.randn(5, 2, 3)
    layer = nn.LSTM(3, 4, 2, batch_first=True, bidirectional=True)
    output, (h, c) = layer(x)
    assert output.shape == (5, 2, 8) and h.shape == c.shape == (4, 5, 4)
    output, (h, c) = layer(x[0])
    assert output.shape == (2, 8) and h.shape == (4, 4)
    output, h = nn.GRU(3, 4, device="meta")(x.to("meta"))
    assert output.is_meta and output.shape == (5, 2, 4)


def test_recorded_values():
    """PyTorch's numbers for seed 0."""
    torch.manual_seed(0)
    layer = nn.LSTM(3, 2)
    output, (h, c) = layer(torch.ones(2, 1, 3))
    assert torch.allclose(output.flatten(), torch.tensor(RECORDED["output"]), atol=1e-4)
    assert torch.allclose(c.flatten(), torch.tensor(RECORDED["c"]), atol=1e-4)
    output.sum().backward()
    assert torch.allclose(layer.weight_hh_l0.grad[0], torch.tensor(RECORDED["grad"]), atol=1e-4)


RECORDED = {"output": [-0.20315, 0.08417, -0.34892, 0.11936], "c": [-0.62611, 0.16783], "grad": [0.01932, -0.00801]}


def test_dropout_between_layers_only_in_training():
    torch.manual_seed(4)
    layer = nn.GRU(3, 4, 2, dropout=0.5)
    x = torch.randn(5, 2, 3)
    assert not torch.equal(layer(x)[0], layer(x)[0])
    layer.eval()
    assert torch.equal(layer(x)[0], layer(x)[0])


@pytest.mark.parametrize("bias", [True, False])
def test_cells_are_one_step(bias):
    torch.manual_seed(5)
    x = torch.randn(2, 3)
    for cell, kind in ((nn.LSTMCell, nn.LSTM), (nn.GRUCell, nn.GRU), (nn.RNNCell, nn.RNN)):
        one, layer = cell(3, 4, bias=bias), kind(3, 4, bias=bias)
        layer.load_state_dict({k + "_l0": v for k, v in one.state_dict().items()})
        found, expected = one(x), layer(x[None])[1]
        for a, b in zip(listed(found), listed(expected)):
            assert torch.allclose(a, b[0])
        alone = one(x[0])
        assert torch.allclose(listed(alone)[0], listed(found)[0][0])
        sum((s * s).sum() for s in listed(found)).backward()
        sum((s * s).sum() for s in listed(expected)).backward()
        for a, b in zip(one.parameters(), layer.parameters()):
            assert torch.allclose(a.grad, b.grad)


def test_all_weights_and_flatten_parameters():
    layer = nn.LSTM(3, 4, 2, bidirectional=True)
    assert [len(w) for w in layer.all_weights] == [4] * 4 and layer.all_weights[0][0] is layer.weight_ih_l0
    assert layer.flatten_parameters() is None and len(layer._flat_weights) == 16


def test_half_precision():
    layer = nn.LSTM(3, 4).bfloat16()
    output, _ = layer(torch.randn(2, 1, 3, dtype=torch.bfloat16))
    output.sum().backward()
    assert output.dtype is torch.bfloat16 and layer.weight_hh_l0.grad.dtype is torch.bfloat16


x = torch.ones(5, 2, 3)


@pytest.mark.parametrize(
    "call, kind, text",
    [
        (lambda: nn.LSTM(3, 4)(torch.ones(3)), ValueError, "LSTM: Expected input to be 2D or 3D, got 1D instead"),
        (lambda: nn.LSTM(7, 4)(x), RuntimeError, "input.size(-1) must be equal to input_size. Expected 7, got 3"),
        (lambda: nn.LSTM(3, 4)(x, (torch.ones(1, 2, 4), torch.ones(1, 2, 3))), RuntimeError,
         "Expected hidden[1] size (1, 2, 4), got [1, 2, 3]"),
        (lambda: nn.LSTM(3, 4)(x, (torch.ones(1, 4), torch.ones(1, 4))), RuntimeError,
         "For batched 3-D input, hx and cx should also be 3-D but got (2-D, 2-D) tensors"),
        (lambda: nn.GRU(3, 4)(x[:, 0], torch.ones(1, 2, 4)), RuntimeError,
         "For unbatched 2-D input, hx should also be 2-D but got 3-D tensor"),
        (lambda: nn.GRU(3, 4)(x, torch.ones(2, 2, 4)), RuntimeError, "Expected hidden size (1, 2, 4), got [2, 2, 4]"),
        (lambda: nn.GRU(3, 4)(x.double()), ValueError,
         "RNN input dtype (torch.float64) does not match weight dtype (torch.float32)"),
        (lambda: nn.LSTMCell(3, 4)(torch.ones(2, 2)), RuntimeError, "inconsistent input_size: got 2 expected 3"),
        (lambda: nn.LSTMCell(3, 4)(x[0], (torch.ones(3, 4), torch.ones(2, 4))), RuntimeError,
         "Input batch size 2 doesn't match hidden0 batch size 3"),
        (lambda: nn.LSTMCell(3, 4)(x[0], torch.ones(2, 4)), TypeError, "must be tuple of Tensors, not Tensor"),
        (lambda: nn.GRUCell(3, 4)(x), ValueError, "GRUCell: Expected input to be 1D or 2D, got 3D instead"),
        (lambda: nn.LSTM(3, 4, 1, 1), TypeError, "bias should be of type bool, got: int"),
    ],
)  # fmt: skip
def test_errors(call, kind, text):
    with pytest.raises(kind) as error:
        call()
    assert text in str(error.value)
