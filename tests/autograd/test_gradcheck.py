"""gradcheck and gradgradcheck accept right gradients and reject wrong ones."""

import pytest

import flambeau as torch
from flambeau.autograd import GradcheckError, gradcheck, gradgradcheck


def doubles(*shape):
    torch.manual_seed(0)
    return torch.randn(*shape, dtype=torch.float64, requires_grad=True)


class WrongSquare(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * x

    @staticmethod
    def backward(ctx, g):
        return g * ctx.saved_tensors[0]  # forgets the 2


def test_right_gradients():
    assert gradcheck(lambda x, y: (x @ y).tanh(), (doubles(2, 3), doubles(3, 2)))
    assert gradgradcheck(lambda x: x**3 + x.exp(), doubles(4))


def test_several_outputs_and_complex():
    assert gradcheck(lambda x: (x.sin(), x.sum()), doubles(3))
    z = torch.tensor([1 + 2j, -0.5j], dtype=torch.complex128, requires_grad=True)
    assert gradcheck(lambda z: z * z.conj() + z**2, z)
    assert gradcheck(lambda z: z.abs(), z)


def test_wrong_gradient():
    with pytest.raises(GradcheckError, match="Jacobian mismatch for output 0 with respect to input 0") as error:
        gradcheck(WrongSquare.apply, doubles(2))
    assert "numerical:tensor" in str(error.value) and "analytical:tensor" in str(error.value)
    assert gradcheck(WrongSquare.apply, doubles(2), raise_exception=False) is False


def test_second_derivative_of_a_wrong_gradient_may_be_consistent():
    assert gradgradcheck(WrongSquare.apply, doubles(2))


def test_what_it_refuses():
    x = doubles(2)
    with pytest.raises(ValueError, match="at least one input tensor to require gradient"):
        gradcheck(torch.sin, x.detach())
    with pytest.raises(RuntimeError, match="dimension with stride 0"):
        gradcheck(torch.sin, doubles(1).expand(3))
    with pytest.warns(UserWarning, match="not a double precision"):
        gradcheck(torch.sin, torch.ones(2, requires_grad=True), raise_exception=False)
    with pytest.raises(NotImplementedError):
        gradcheck(torch.sin, x, check_forward_ad=True)


def test_detached_result():
    with pytest.raises(GradcheckError, match="expected to be zero"):
        gradcheck(lambda x: x.detach() * 1, doubles(2))
