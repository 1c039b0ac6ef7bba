"""Tensors print as PyTorch prints them: every text here was recorded from PyTorch 2.13."""
# ruff: noqa: E501

import pytest

import flambeau as torch

nan, inf = float("nan"), float("inf")
CASES = [
    ("torch.tensor(3)", "tensor(3)"),
    ("torch.tensor(2.5)", "tensor(2.5000)"),
    ("torch.tensor([1.,2.,3.])", "tensor([1., 2., 3.])"),
    ("torch.tensor([1.5,nan,inf,-inf])", "tensor([1.5000,    nan,    inf,   -inf])"),
    ("torch.tensor([0.,nan])", "tensor([0., nan])"),
    ("torch.tensor([1e-5,1.])", "tensor([1.0000e-05, 1.0000e+00])"),
    ("torch.tensor([1e10,1.])", "tensor([1.0000e+10, 1.0000e+00])"),
    ("torch.tensor([1.,1000.])", "tensor([   1., 1000.])"),
    ("torch.tensor([0.1,1000.])", "tensor([1.0000e-01, 1.0000e+03])"),
    ("torch.tensor([True,False])", "tensor([ True, False])"),
    ("torch.tensor([[1,-20],[300,4]])", "tensor([[  1, -20],\n        [300,   4]])"),
    ("torch.tensor([1+2j,-3.5-1j])", "tensor([ 1.0000+2.j, -3.5000-1.j])"),
    ("torch.tensor([])", "tensor([])"),
    ("torch.zeros(0,3)", "tensor([], size=(0, 3))"),
    ("torch.zeros(0,dtype=torch.int64)", "tensor([], dtype=torch.int64)"),
    ("torch.zeros(2,3,device='meta')", "tensor(..., device='meta', size=(2, 3))"),
    (
        "torch.zeros(2,3,dtype=torch.float16,device='meta')",
        "tensor(..., device='meta', size=(2, 3), dtype=torch.float16)",
    ),
    ("torch.zeros(2,2,dtype=torch.bfloat16)", "tensor([[0., 0.],\n        [0., 0.]], dtype=torch.bfloat16)"),
    ("torch.arange(1001)", "tensor([   0,    1,    2,  ...,  998,  999, 1000])"),
    (
        "torch.arange(30.)",
        "tensor([ 0.,  1.,  2.,  3.,  4.,  5.,  6.,  7.,  8.,  9., 10., 11., 12., 13.,\n        14., 15., 16., 17., 18., 19., 20., 21., 22., 23., 24., 25., 26., 27.,\n        28., 29.])",
    ),
    (
        "torch.arange(5000).reshape(50,100)",
        "tensor([[   0,    1,    2,  ...,   97,   98,   99],\n        [ 100,  101,  102,  ...,  197,  198,  199],\n        [ 200,  201,  202,  ...,  297,  298,  299],\n        ...,\n        [4700, 4701, 4702,  ..., 4797, 4798, 4799],\n        [4800, 4801, 4802,  ..., 4897, 4898, 4899],\n        [4900, 4901, 4902,  ..., 4997, 4998, 4999]])",
    ),
    (
        "torch.arange(24).reshape(2,3,4)",
        "tensor([[[ 0,  1,  2,  3],\n         [ 4,  5,  6,  7],\n         [ 8,  9, 10, 11]],\n\n        [[12, 13, 14, 15],\n         [16, 17, 18, 19],\n         [20, 21, 22, 23]]])",
    ),
    ("torch.zeros(2,requires_grad=True)", "tensor([0., 0.], requires_grad=True)"),
    ("torch.zeros(2,requires_grad=True)+1", "tensor([1., 1.], grad_fn=<AddBackward0>)"),
    (
        "torch.zeros(1,3,dtype=torch.float64,requires_grad=True)",
        "tensor([[0., 0., 0.]], dtype=torch.float64, requires_grad=True)",
    ),
    ("torch.tensor([1,2],dtype=torch.uint8)", "tensor([1, 2], dtype=torch.uint8)"),
    (
        "torch.ones(4,6,dtype=torch.float64).mul(1/3)",
        "tensor([[0.3333, 0.3333, 0.3333, 0.3333, 0.3333, 0.3333],\n        [0.3333, 0.3333, 0.3333, 0.3333, 0.3333, 0.3333],\n        [0.3333, 0.3333, 0.3333, 0.3333, 0.3333, 0.3333],\n        [0.3333, 0.3333, 0.3333, 0.3333, 0.3333, 0.3333]], dtype=torch.float64)",
    ),
    ("torch.tensor([123456.78,0.5])", "tensor([1.2346e+05, 5.0000e-01])"),
    ("torch.tensor([1e-8])", "tensor([1.0000e-08])"),
    (
        "torch.full((12,),1/3)",
        "tensor([0.3333, 0.3333, 0.3333, 0.3333, 0.3333, 0.3333, 0.3333, 0.3333, 0.3333,\n        0.3333, 0.3333, 0.3333])",
    ),
    (
        "torch.zeros(12,requires_grad=True).exp()",
        "tensor([1., 1., 1., 1., 1., 1., 1., 1., 1., 1., 1., 1.],\n       grad_fn=<ExpBackward0>)",
    ),
]


@pytest.fixture(autouse=True)
def default_options():
    yield
    torch.set_printoptions(profile="default")


@pytest.mark.parametrize("expression, expected", CASES)
def test_repr(expression, expected):
    assert repr(eval(expression)) == expected


def test_parameter():
    p = torch.nn.Parameter(torch.ones(2))
    assert repr(p) == "Parameter containing:\ntensor([1., 1.], requires_grad=True)"


def test_options():
    x = torch.tensor([[1.12345, 2.0], [3.0, 4.0]])
    torch.set_printoptions(precision=2)
    assert repr(x) == "tensor([[1.12, 2.00],\n        [3.00, 4.00]])"
    torch.set_printoptions(sci_mode=True)
    assert repr(torch.tensor([1.5])) == "tensor([1.50e+00])"
    torch.set_printoptions(profile="short")
    assert repr(torch.arange(2000)) == "tensor([   0,    1,  ..., 1998, 1999])"
    torch.set_printoptions(profile="full")
    assert "..." not in repr(torch.arange(1200))
    torch.set_printoptions(profile="default", linewidth=30)
    assert repr(torch.arange(12)) == "tensor([ 0,  1,  2,  3,  4,\n         5,  6,  7,  8,  9,\n        10, 11])"


def test_get_printoptions():
    assert torch.get_printoptions() == {
        "precision": 4,
        "threshold": 1000,
        "edgeitems": 3,
        "linewidth": 80,
        "sci_mode": None,
    }


def test_format_and_contents():
    assert f"{torch.tensor(1.5):.3f}" == "1.500"
    assert torch.ones(2).__repr__(tensor_contents="[x]") == "tensor([x])"
