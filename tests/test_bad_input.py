"""What careless calls raise: PyTorch's exception class and words, not NumPy's; and that they change nothing."""

import numpy as np
import pytest

import flambeau as torch
from flambeau.errors import FlambeauError
from flambeau.ops.entry import METHODS, REGISTRY

F = torch.nn.functional
f, i, b8 = torch.ones(2, 3), torch.arange(3), torch.tensor([1], dtype=torch.uint8)
NAN = float("nan")

WRONG_TYPES = [
    (lambda: torch.flip("abc", (0,)), "flip(): argument 'input' (position 1) must be Tensor, not str"),
    (lambda: torch.sum(f, 0, keepdim=3), "sum(): argument 'keepdim' must be bool, not int"),
    (lambda: torch.sum(f, "a"), "sum(): argument 'dim' (position 2) must be int, not str"),
    (lambda: torch.acos_(3), "acos_(): argument 'input' (position 1) must be Tensor, not int"),
    (lambda: torch.t(True), "t(): argument 'input' (position 1) must be Tensor, not bool"),
    (lambda: torch.transpose([1], 0, 1), "transpose(): argument 'input' (position 1) must be Tensor, not list"),
    (lambda: torch.mean(f, dtype=np.ones(2)), "mean(): argument 'dtype' must be torch.dtype, not ndarray"),
    (lambda: torch.cat([f, 3]), "expected Tensor as element 1 in argument 0, but got int"),
    (lambda: torch.cat(f), "cat(): argument 'tensors' (position 1) must be tuple of Tensors, not Tensor"),
    (lambda: F.layer_norm(f, (3,), weight="w"), "layer_norm(): argument 'weight' must be Tensor, not str"),
    (lambda: F.kl_div(f, None), "kl_div(): argument 'target' (position 2) must be Tensor, not NoneType"),
    (lambda: f.new_zeros(), 'new_zeros() missing 1 required positional arguments: "size"'),
    (lambda: torch.zeros(2).__setitem__(0, "a"), "can't assign a str to a torch.FloatTensor"),
    (lambda: torch.zeros(2).__setitem__(slice(None), [1.0, 2.0]), "can't assign a list to a torch.FloatTensor"),
    (lambda: torch.autograd.backward(f.sum(), [1.0]), "gradients can be either Tensors or None, but got float"),
]


@pytest.mark.parametrize("call, text", WRONG_TYPES, ids=[t[:40] for _, t in WRONG_TYPES])
def test_argument_of_the_wrong_type(call, text):
    with pytest.raises(TypeError) as caught:
        call()
    assert str(caught.value).startswith(text)


UNFIT = "value cannot be converted to type {} without overflow"
NUMBERS = [
    (lambda: b8.clone().fill_(300), UNFIT.format("uint8_t")),
    (lambda: i.clone().fill_(NAN), UNFIT.format("int64_t")),
    (lambda: f.clone().fill_(1j), UNFIT.format("float")),
    (lambda: f.half().fill_(1e6), UNFIT.format("c10::Half")),
    (lambda: b8.masked_fill(b8 > 0, 300), UNFIT.format("uint8_t")),
    (lambda: i.clone().__setitem__(0, NAN), UNFIT.format("int64_t")),
    (lambda: f.clone().__setitem__((0, 0), 1e50), UNFIT.format("float")),
    (lambda: b8.scatter(0, torch.tensor([0]), 300), UNFIT.format("uint8_t")),
    (lambda: b8.index_fill(0, torch.tensor([0]), 300), UNFIT.format("uint8_t")),
    (lambda: torch.where(b8 > 0, b8, 300), UNFIT.format("uint8_t")),
]


@pytest.mark.parametrize("call, text", NUMBERS)
def test_number_that_the_dtype_does_not_hold(call, text):
    with pytest.raises(RuntimeError) as caught:
        call()
    assert str(caught.value).startswith(text)


def test_numbers_that_fit():
    assert b8.clone().fill_(-1).item() == 255  # wraps around, as in C
    assert i.clone().fill_(1.5).tolist() == [1, 1, 1]
    assert (b8 + 300).item() == 45
    assert f.clone().fill_(float("inf"))[0, 0] == float("inf")
    with pytest.raises(OverflowError, match="int too big to convert"):
        i + 2**70


CLASSES = [
    (lambda: torch.empty(0)[1.0], IndexError, "only integers, slices"),
    (lambda: i["a"], TypeError, "new(): invalid data type 'str'"),
    (lambda: f[torch.tensor([0, 5])], IndexError, "index 5 is out of bounds for dimension 0 with size 2"),
    (lambda: f[torch.tensor([0, 1]), torch.tensor([0, 1, 2])], IndexError,
     "shape mismatch: indexing tensors could not be "
     "broadcast together with shapes [2], [3]"),
    (lambda: f.__setitem__(torch.tensor([0, 5]), 1), IndexError,
     "index 5 is out of bounds for dimension 0 with size 2"),
    (lambda: f.index_add(0, torch.tensor([7]), f[:1]), IndexError, "index 7 is out of bounds"),
    (lambda: float(f), ValueError, "only one element tensors can be converted to Python scalars"),
    (lambda: torch.tensor([f, f]), ValueError, "only one element tensors can be converted to Python scalars"),
    (lambda: torch.ones(2, 2, dtype=torch.bool) @ torch.ones(2, 2, dtype=torch.bool), NotImplementedError,
     "\"addmm_impl_cpu_\" not implemented for 'Bool'"),
    (lambda: torch.ones(2, device="meta").tolist(), NotImplementedError, "Cannot copy out of meta tensor; no data!"),
    (lambda: torch.ones(2).copy_(torch.ones(2, device="meta")), NotImplementedError, "Cannot copy out of meta tensor"),
    (lambda: bool(torch.ones(1, device="meta")), RuntimeError, "Tensor.item() cannot be called on meta tensors"),
    (lambda: torch.FloatTensor(-1), RuntimeError, "Trying to create tensor with negative dimension -1: [-1]"),
    (lambda: torch.bincount(f[0]), NotImplementedError, "\"bincount_cpu\" not implemented for 'Float'"),
    (lambda: f.expand(4, 2, 3).add_(1), RuntimeError, "unsupported operation: more than one element"),
]  # fmt: skip


@pytest.mark.parametrize("call, error, text", CLASSES)
def test_class_and_words(call, error, text):
    with pytest.raises(error) as caught:
        call()
    assert str(caught.value).startswith(text)


@pytest.mark.parametrize("call", [
    lambda: torch.zeros(2, names=("a", "b")),
    lambda: f.new_full((2,), 1, names=("a",)),
    lambda: torch.zeros(2, layout="sparse"),
    lambda: torch.fft.fftfreq(3, layout="sparse"),
    lambda: torch.zeros(2).resize_(1, 1, 1, 1, memory_format=torch.channels_last),
])  # fmt: skip
def test_keyword_that_would_be_ignored(call):
    with pytest.raises(NotImplementedError):
        call()


def test_names_of_arguments():
    x = torch.eye(2) * 2
    assert torch.det(input=x) == torch.linalg.det(A=x) == 4
    assert torch.swapaxes(f, axis0=0, axis1=1).shape == (3, 2)
    assert torch.special.chebyshev_polynomial_t(torch.tensor([0.5]), n=torch.tensor([2])).item() == -0.5


# Values that no parameter of these functions takes, or few do. Every call must end in a result or in an error that
# flambeau raises on purpose.
STRANGE = [None, "abc", [], ["a"], {}, 2**70, -1, NAN, object(), f[:0], torch.ones((), device="meta"), np.ones(2)]
FOREIGN = (AttributeError, KeyError, ZeroDivisionError, UnboundLocalError, StopIteration, np.exceptions.AxisError)
ELSEWHERE = ("load", "save", "seed", "rng_state", "from_file", "dlpack", "Tensor", "LinAlgError", "set_", "rand",
             "window", "empty", "cuda", "polynomial")  # fmt: skip


@pytest.mark.parametrize("name", sorted(n for n in REGISTRY if not any(part in n for part in ELSEWHERE)))
def test_no_foreign_errors(name):
    fn = REGISTRY[name]
    for strange in STRANGE:
        for args in ((strange,), (f.clone(), strange), (f.clone(), f.clone(), strange)):
            try:
                fn(*args)
            except FlambeauError:
                pass
            except FOREIGN as error:
                raise AssertionError(f"{name}{args}: {type(error).__name__}: {error}") from error
            except Exception as error:
                assert "broadcast together" not in str(error) and "ufunc" not in str(error), (name, args, error)


def test_memory_that_several_elements_share_is_not_written():
    shared = torch.zeros(1).expand(3)
    for write in (lambda: torch.add(f[0], 1, out=shared), lambda: shared.copy_(f[0]), lambda: shared.zero_()):
        with pytest.raises(RuntimeError, match="more than one element of the written-to tensor"):
            write()
    p = torch.zeros(1).expand(3).requires_grad_()
    p.grad = torch.ones(3)
    with pytest.raises(RuntimeError, match="more than one element of the written-to tensor"):
        torch.optim.SGD([p], lr=0.1).step()
    w = torch.zeros(3, requires_grad=True)
    w.grad = torch.ones(1).expand(3)
    (w * torch.tensor([1.0, 2.0, 3.0])).sum().backward()
    assert w.grad.tolist() == [2, 3, 4]


# ---------------------------------------------------------------------- nothing is changed by a failed call


@pytest.mark.parametrize("name", ["add_", "mul_", "masked_fill_", "index_add_", "scatter_", "addmm_", "clamp_"])
def test_failed_in_place_operation_changes_nothing(name):
    w = torch.ones(2, requires_grad=True)
    x = w * 3
    before = x.tolist(), x._version, x.grad_fn
    for args in (("a",), (torch.ones(5, 7),), (0, torch.tensor([9]), torch.ones(1)), (1 + 1j,)):
        try:
            getattr(x, name)(*args)
        except Exception:
            assert (x.tolist(), x._version, x.grad_fn) == before
        else:
            pytest.fail(f"{name}{args} was accepted")


def test_failed_step_changes_nothing():
    p = torch.ones(3, requires_grad=True)
    optimizer = torch.optim.SGD([p], lr=0.1, momentum=0.9)
    p.sum().backward()
    p.grad.data = torch.ones(2)
    with pytest.raises(RuntimeError, match="must match the size of its gradient"):
        optimizer.step()
    assert p.tolist() == [1, 1, 1] and torch.is_grad_enabled() and not optimizer.state


def test_state_of_another_parameter():
    p = torch.ones(3000, requires_grad=True)
    optimizer = torch.optim.Adam([p])
    p.sum().backward()
    optimizer.step()
    optimizer.state[p]["exp_avg"] = torch.zeros(5)
    with pytest.raises(RuntimeError, match=r"its state 'exp_avg' \[5\]"):
        optimizer.step()


def test_failed_draws_leave_the_generator():
    torch.manual_seed(0)
    state = torch.get_rng_state()
    for draw in (lambda: torch.randn(-1), lambda: torch.randn(2, dtype=torch.int64), lambda: torch.randint(5, 2, (3,)),
                 lambda: torch.bernoulli(torch.tensor([2.0])), lambda: i.clone().normal_(),
                 lambda: F.dropout(f, 5.0)):  # fmt: skip
        with pytest.raises((RuntimeError, ValueError)):
            draw()
    assert torch.equal(state, torch.get_rng_state())


def test_every_method_is_reachable():
    assert len(METHODS) > 400 and all(hasattr(torch.Tensor, n) for n in METHODS)
