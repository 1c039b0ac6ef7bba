"""nn.utils: clipping, vectors, packing, fusion, skip_init, functional_call."""

import pytest

import flambeau as torch
from flambeau import nn
from flambeau.nn import utils
from flambeau.nn.utils import rnn


def with_grads(*grads):
    made = []
    for g in grads:
        p = nn.Parameter(torch.zeros(len(g)))
        p.grad = torch.tensor(g)
        made.append(p)
    return made


def test_clip_grad_norm():
    params = with_grads([0.0, 1.0, 2.0], [0.0, 1.0])
    assert utils.clip_grad_norm_(params, 1.0).item() == pytest.approx(6**0.5)
    assert params[0].grad.tolist() == pytest.approx([0, 0.40825, 0.8165], abs=1e-4)
    assert utils.get_total_norm([p.grad for p in params]).item() == pytest.approx(1, abs=1e-5)
    before = params[0].grad.clone()
    utils.clip_grad_norm_(iter(params), 10.0)
    assert torch.equal(params[0].grad, before)
    assert utils.clip_grad_norm_([], 1.0) == 0
    assert utils.clip_grad_norm_(with_grads([3.0, -4.0]), 1.0, norm_type=float("inf")) == 4
    assert utils.clip_grad_norm_(with_grads([3.0, -4.0]), 1.0, norm_type=1) == 7


def test_norm_of_half_precision_does_not_overflow():
    grads = [torch.full((4,), 300.0, dtype=torch.float16)]
    assert utils.get_total_norm(grads).item() == 600 and utils.get_total_norm(grads).dtype is torch.float16
    assert utils.get_total_norm([torch.tensor([3 + 4j])]).item() == pytest.approx(5)


def test_clip_errors_and_values():
    params = with_grads([float("nan"), 1.0])
    with pytest.raises(RuntimeError, match="The total norm of order 2.0 for gradients from `parameters` is non-finite"):
        utils.clip_grad_norm_(params, 1.0, error_if_nonfinite=True)
    params = with_grads([-3.0, 0.05])
    utils.clip_grad_value_(params, 0.1)
    assert params[0].grad.tolist() == pytest.approx([-0.1, 0.05])
    with pytest.warns(FutureWarning):
        utils.clip_grad_norm(params, 1.0)


def test_parameters_as_a_vector():
    layer = nn.Linear(2, 3)
    vector = utils.parameters_to_vector(layer.parameters())
    other = nn.Linear(2, 3)
    utils.vector_to_parameters(vector, other.parameters())
    assert torch.equal(other.weight, layer.weight) and torch.equal(other.bias, layer.bias)
    with pytest.raises(TypeError, match="expected torch.Tensor, but got: int"):
        utils.vector_to_parameters(3, layer.parameters())


def test_fusion():
    torch.manual_seed(0)
    for layer, norm, x in (
        (nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3), torch.randn(2, 2, 5, 5)),
        (nn.Linear(2, 3), nn.BatchNorm1d(3), torch.randn(4, 2)),
    ):
        for _ in range(3):
            norm(layer(x))
        layer.eval(), norm.eval()
        fuse = utils.fuse_linear_bn_eval if isinstance(layer, nn.Linear) else utils.fuse_conv_bn_eval
        assert torch.allclose(fuse(layer, norm)(x), norm(layer(x)), atol=1e-5)
        with pytest.raises(AssertionError, match="Fusion only for eval!"):
            fuse(layer, norm.train())
    transposed, norm = nn.ConvTranspose2d(2, 3, 3).eval(), nn.BatchNorm2d(3).eval()
    norm.running_mean.fill_(0.5)
    x = torch.randn(1, 2, 4, 4)
    fused = utils.fuse_conv_bn_eval(transposed, norm, transpose=True)
    assert torch.allclose(fused(x), norm(transposed(x)), atol=1e-5)


def test_skip_init():
    layer = utils.skip_init(nn.Linear, 2, 3)
    assert layer.weight.shape == (3, 2) and not layer.weight.is_meta
    with pytest.raises(RuntimeError, match="Module must support a 'device' arg"):
        utils.skip_init(nn.ReLU)


def test_padding_and_packing():
    a, b = torch.tensor([1.0, 2.0, 3.0]), torch.tensor([4.0, 5.0])
    packed = rnn.pack_sequence([b, a], enforce_sorted=False)
    assert packed.data.tolist() == [1, 4, 2, 5, 3] and packed.batch_sizes.tolist() == [2, 2, 1]
    assert packed.sorted_indices.tolist() == [1, 0]
    padded, lengths = rnn.pad_packed_sequence(packed, batch_first=True, padding_value=-1, total_length=4)
    assert padded.tolist() == [[4, 5, -1, -1], [1, 2, 3, -1]] and lengths.tolist() == [2, 3]
    assert [s.tolist() for s in rnn.unpack_sequence(packed)] == [[4, 5], [1, 2, 3]]
    assert rnn.pad_sequence([a, b], padding_side="left").T.tolist() == [[1, 2, 3], [0, 4, 5]]
    assert [s.tolist() for s in rnn.unpad_sequence(rnn.pad_sequence([a, b]), torch.tensor([3, 2]))] == [
        [1, 2, 3], [4, 5],
    ]  # fmt: skip
    assert packed.to(torch.float64).data.dtype is torch.float64 and packed.double().data.dtype is torch.float64
    assert packed.to(torch.float32) is packed and not packed.is_cuda
    assert repr(rnn.PackedSequence(b, torch.tensor([1, 1]))) == (
        "PackedSequence(data=tensor([4., 5.]), batch_sizes=tensor([1, 1]), sorted_indices=None, unsorted_indices=None)"
    )


def test_packing_is_differentiable():
    x = torch.arange(6.0).view(3, 2).requires_grad_()
    packed = rnn.pack_padded_sequence(x, [3, 1])
    (rnn.pad_packed_sequence(packed)[0] * torch.tensor([2.0, 3.0])).sum().backward()
    assert x.grad.tolist() == [[2, 3], [2, 0], [2, 0]]


@pytest.mark.parametrize(
    "call, kind, text",
    [
        (
            lambda: rnn.pack_padded_sequence(torch.ones(5, 2), [3, 5]),
            RuntimeError,
            "must be sorted in decreasing order",
        ),
        (lambda: rnn.pack_padded_sequence(torch.ones(5, 2), [5, 0]), RuntimeError, "has to be greater than 0"),
        (
            lambda: rnn.pack_padded_sequence(torch.ones(5, 2), [5]),
            RuntimeError,
            "Expected `len\\(lengths\\)` to be equal",
        ),
        (lambda: rnn.pad_sequence([]), RuntimeError, "received an empty list of sequences"),
        (lambda: rnn.pad_sequence(3), RuntimeError, "Expected iterable for input sequences"),
        (lambda: rnn.pad_sequence([torch.ones(2)], padding_side="x"), RuntimeError, "one of left or right, but got x"),
        (
            lambda: rnn.pad_sequence([torch.ones(2, 1), torch.ones(3, 2)]),
            RuntimeError,
            "doesn't match the broadcast shape",
        ),
        (lambda: rnn.PackedSequence(torch.ones(3)), AssertionError, "list or tuple of length 2"),
    ],
)
def test_packing_errors(call, kind, text):
    with pytest.raises(kind, match=text):
        call()


def test_functional_call():
    layer = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    zeros = {"0.weight": torch.zeros(2, 2), "0.bias": torch.ones(2)}
    layer.eval()
    before = layer[0].weight
    assert torch.allclose(torch.func.functional_call(layer, zeros, torch.ones(1, 2)), torch.ones(1, 2), atol=1e-4)
    assert layer[0].weight is before
    weight = torch.zeros(2, 2, requires_grad=True)
    torch.func.functional_call(layer, {"0.weight": weight}, (torch.ones(1, 2),)).sum().backward()
    assert weight.grad is not None and layer[0].weight.grad is None
    with pytest.warns(FutureWarning, match="stateless.functional_call"):
        utils.stateless.functional_call(layer, zeros, torch.ones(1, 2))


@pytest.mark.parametrize("sizes", [(3, 2), (5000, 1, 70)])
def test_clipping_many_plain_gradients_is_clipping_each(sizes):
    torch.manual_seed(0)
    grads = [torch.randn(n) for n in sizes]
    params = with_grads(*[g.tolist() for g in grads])
    versions = [p.grad._version for p in params]
    norm = torch.cat(grads).norm()
    assert utils.clip_grad_norm_(params, 0.5).item() == pytest.approx(norm.item(), rel=1e-6)
    for p, g, version in zip(params, grads, versions):
        torch.testing.assert_close(p.grad, g * (0.5 / norm), rtol=1e-5, atol=1e-7)
        assert p.grad._version > version
    utils.clip_grad_value_(params, 1e-4)
    assert all(p.grad.abs().max() <= 1e-4 for p in params)
    # Gradients that are not plain: strided, and of another dtype.
    mixed = [nn.Parameter(torch.zeros(2)), nn.Parameter(torch.zeros(2, dtype=torch.float64))]
    mixed[0].grad, mixed[1].grad = torch.ones(2, 2)[:, 0], torch.ones(2, dtype=torch.float64)
    utils.clip_grad_value_(mixed, 0.25)
    assert mixed[0].grad.tolist() == mixed[1].grad.tolist() == [0.25, 0.25]
