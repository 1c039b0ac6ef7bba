"""Errors outside of the operations say why and what to do, with the numbers of the call; class and sentence stay."""

import pytest

import flambeau as torch
from flambeau import nn
from flambeau.errors import FlambeauError
from flambeau.nn import functional as F
from flambeau.utils import data

x234 = torch.zeros(2, 3, 4)
linear = nn.Linear(2, 1)
sgd = torch.optim.SGD(linear.parameters(), lr=0.1)
loader = data.DataLoader(data.TensorDataset(torch.zeros(4)))


class Unfinished(nn.Module):
    def __init__(self):
        self.layer = nn.Linear(1, 1)


class Forwardless(nn.Module):
    pass


def sets_weight():
    nn.Linear(2, 2).weight = torch.zeros(2, 2)


def sets_batch_size():
    loader.batch_size = 2


# (call, class, in PyTorch's sentence, in the reason, in the remedy)
CASES = {
    "hardtanh": (lambda: F.hardtanh(x234, 2.0, 1.0), ValueError,
        "min_val cannot be", "2.0 > 1.0", "min_val=1.0, max_val=2.0"),
    "glu": (lambda: F.glu(x234, 1), RuntimeError,
        "Halving dimension must be even", "same size", "produce 4 instead of 3"),
    "attention": (
        lambda: F.scaled_dot_product_attention(torch.zeros(1, 2, 8), torch.zeros(1, 2, 4), torch.zeros(1, 2, 4)),
        RuntimeError, "Expected size for first two dimensions", "(1, 2, 4)", "`nn.Linear(4, 8)`"),
    "heads": (lambda: nn.MultiheadAttention(10, 4), AssertionError, "must be divisible", "10 / 4", "`embed_dim=12`"),
    "group_norm": (lambda: nn.GroupNorm(4, 6), ValueError, "num_channels (6) must be", "6 / 4", "[1, 2, 3, 6] groups"),
    "dropout": (lambda: nn.Dropout(50), ValueError, "dropout probability", "share", "`p=0.5` if 50 percent"),
    "pixel_shuffle": (lambda: F.pixel_shuffle(torch.zeros(1, 6, 2, 2), 2), RuntimeError,
        "is not divisible by 4", "2 x 2 pixels", "8 channels"),
    "ctc": (lambda: F.ctc_loss(torch.zeros(5, 1, 3), torch.ones(1, 2).long(), [9], [2]), RuntimeError,
        "at most 5, but got value 9", "5 time steps", "clamp(0, 5)"),
    "interpolate": (lambda: F.interpolate(x234), ValueError,
        "either size or scale_factor", "how large", "`scale_factor=2`"),
    "interpolate sizes": (lambda: F.interpolate(torch.zeros(1, 1, 4, 4), size=(2, 2, 2)), ValueError,
        "(o1, o2, ...,oK)", "size has 3 numbers", "a size of 2 numbers"),
    "pad": (lambda: F.pad(x234, (1,)), RuntimeError, "must be divisible by 2", "it has 1 numbers", "use 2 numbers"),
    "pool padding": (lambda: F.max_pool2d(torch.zeros(1, 4, 4), 2, padding=2), RuntimeError,
        "at most half", "a window of 2", "`padding=1`"),
    "pool rank": (lambda: F.max_pool2d(torch.zeros(4, 4), 2), RuntimeError,
        "3D or 4D", "(4, 4) are pooled", "(1, 4, 4)"),
    "bags": (lambda: F.embedding_bag(torch.tensor([0]), torch.zeros(3, 2)), ValueError,
        "1D Tensor but got None", "where one bag", "torch.tensor([0])"),
    "one_hot": (lambda: F.one_hot(torch.tensor([3]), 2), RuntimeError,
        "smaller than num_classes", "the largest is 3", "`num_classes=4`"),
    "gaussian": (lambda: F.gaussian_nll_loss(x234, x234, -1.0), ValueError, "negative entry", "-1.0", "log_var.exp()"),
    "multi_margin": (lambda: F.multi_margin_loss(torch.zeros(2, 3), torch.tensor([0, 3])), RuntimeError,
        "target out of range", "0 to 2", "4 outputs"),
    "conv groups": (lambda: nn.Conv2d(3, 4, 1, groups=2), ValueError,
        "in_channels must be divisible", "3 % 2 = 1", "`in_channels=4`"),
    "lstm": (lambda: nn.LSTM(3, 5)(torch.zeros(2, 1, 4)), RuntimeError,
        "Expected 3, got 4", "(2, 1, 4)", "`nn.LSTM(input_size=4, hidden_size=5)`"),
    "lstm state": (
        lambda: nn.LSTM(3, 5)(torch.zeros(2, 1, 3), (torch.zeros(1, 2, 5), torch.zeros(1, 1, 5))), RuntimeError,
        "Expected hidden[0] size (1, 1, 5), got [1, 2, 5]", "layers x directions", "`torch.zeros(1, 1, 5)`"),
    "lstm rank": (lambda: nn.LSTM(3, 5)(torch.zeros(3)), ValueError,
        "LSTM: Expected input to be 2D or 3D", "features", "unsqueeze(-1)"),
    "before init": (Unfinished, AttributeError,
        "before Module.__init__() call", "constructor", "`__init__` of Unfinished"),
    "no forward": (lambda: Forwardless()(1), NotImplementedError,
        'missing the required "forward"', "Forwardless", "`def forward(self, x):`"),
    "parameter": (sets_weight, TypeError,
        "cannot assign 'torch.FloatTensor' as parameter 'weight'", "in place",
        "`self.weight = torch.nn.Parameter(value)`"),
    "class for module": (lambda: nn.Sequential(nn.ReLU), TypeError,
        "is not a Module subclass", "instances", "`ReLU()`"),
    "module name": (lambda: nn.Module().add_module("a.b", linear), KeyError, 'can\'t contain "."', "a dot", "'a_b'"),
    "submodule": (lambda: nn.Sequential(linear).get_submodule("1"), AttributeError,
        "has no attribute `1`", "['0']", "named_modules"),
    "eye": (lambda: nn.init.eye_(torch.zeros(3)), ValueError, "Only tensors with 2 dimensions", "(3,)", "zeros_"),
    "pack": (lambda: nn.utils.rnn.pack_padded_sequence(torch.zeros(3, 2, 1), [2, 3]), RuntimeError,
        "must be sorted in decreasing order", "[2, 3]", "`enforce_sorted=False`"),
    "lr": (lambda: torch.optim.SGD(linear.parameters(), lr=-0.1), ValueError,
        "Invalid learning rate: -0.1", "downhill", "`lr=0.1`"),
    "betas": (lambda: torch.optim.Adam(linear.parameters(), betas=(1.0, 0.9)), ValueError,
        "beta parameter at index 0: 1.0", "share", "betas=(0.9, 0.999)"),
    "params": (lambda: torch.optim.SGD(torch.ones(2)), TypeError,
        "should be an iterable of Tensors", "alone", "`[tensor]`"),
    "scheduler": (lambda: torch.optim.lr_scheduler.StepLR(linear, 1), TypeError,
        "Linear is not an Optimizer", "learning rates", "optimizer"),
    "milestones": (
        lambda: torch.optim.lr_scheduler.SequentialLR(sgd, [torch.optim.lr_scheduler.ConstantLR(sgd)], [3]), ValueError,
        "one more than the number", "takes over", "0 milestone(s)"),
    "plateau": (lambda: torch.optim.lr_scheduler.ReduceLROnPlateau(sgd, "low"), ValueError,
        "mode low is unknown", "fall", '`mode="min"`'),
    "batch size": (lambda: data.DataLoader([1], batch_size=2.0), ValueError,
        "positive integer value", "batch", "`batch_size=2`"),
    "fixed": (sets_batch_size, ValueError, "should not be set after", "iterators", "new DataLoader"),
    "split": (lambda: data.random_split(range(10), [8, 3]), ValueError,
        "Sum of input lengths", "add up to 11", "`[8, 2]`"),
    "empty set": (lambda: data.RandomSampler([]), ValueError,
        "num_samples=0", "the data set is empty", "len(dataset)"),
    "tensors": (lambda: data.TensorDataset(torch.zeros(2), torch.zeros(3)), AssertionError,
        "first dimensions: 2, 3", "sample i", "same first"),
    "len": (lambda: len(torch.tensor(1)), TypeError, "len() of a 0-d tensor", "single number", "`x.numel()`"),
    "iter": (lambda: list(torch.tensor(1)), TypeError, "iteration over a 0-d tensor", "single number", "`x.item()`"),
    "bool": (lambda: bool(x234), RuntimeError, "more than one value is ambiguous", "(2, 3, 4)", "`.any()`"),
    "item": (lambda: x234.item(), RuntimeError, "cannot be converted to Scalar", "(2, 3, 4)", "`x.mean()`"),
    "seed": (lambda: torch.Generator().manual_seed(1.5), RuntimeError,
        "expected a long", "whole number", "`manual_seed(2)`"),
    "iinfo": (lambda: torch.iinfo(torch.float32), TypeError,
        "requires an integer", "whole number", "torch.finfo(torch.float32)"),
    "autocast": (lambda: torch.autocast(1), ValueError,
        "Expected `device_type`", "name of a device", 'torch.autocast("cpu")'),
    "hook": (lambda: torch.zeros(1).register_hook(print), RuntimeError,
        "cannot register a hook", "never run", "requires_grad_()"),
    "unused": (
        lambda: torch.autograd.grad(torch.ones(1, requires_grad=True).sum(), torch.ones(2, requires_grad=True)),
        RuntimeError, "appears to not have been used", "(2,)", "allow_unused=True"),
    "compile mode": (lambda: torch.compile(mode="fastest"), RuntimeError,
        "Unrecognized mode=fastest", "trade", '`mode="default"`'),
    "close": (lambda: torch.testing.assert_close(torch.zeros(2), torch.tensor([0.0, 1.0])), AssertionError,
        "Mismatched elements: 1 / 2 (50.0%)", "element by element", "`rtol=`"),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_error_is_explained(name):
    call, kind, fact, why, fix = CASES[name]
    with pytest.raises(kind) as caught:
        call()
    error = caught.value
    assert isinstance(error, FlambeauError)
    assert fact in error.fact and why in error.why and fix in error.fix
    assert not error.why.endswith(".") and not error.fix.endswith(".")
