"""Random operations: numbers, gradients and errors as recorded from PyTorch 2.13; seeds and states."""
# ruff: noqa: E501

import numpy as np
import pytest

import flambeau as torch

SAME = [
    ("torch.randint(5,(2,),dtype=torch.float32)", "tensor([4., 4.])"),
    ("torch.randint(2,(2,),dtype=torch.bool)", "tensor([False, True])"),
    ("torch.randint(0,2**24+5,(2,),dtype=torch.float32)", "tensor([ 8325104., 12887868.])"),
    ("torch.randint_like(x,5)", "tensor([4., 4., 3.])"),
    ("torch.randint_like(x,2,5)", "tensor([4., 2., 4.])"),
    ("torch.randperm(3,dtype=torch.float32)", "tensor([2., 0., 1.])"),
    ("torch.normal(0,1,(2,))", "tensor([ 1.5410, -0.2934])"),
    ("torch.normal(x,x)", "tensor([ 2.5410, 0.7066, -1.1788])"),
    ("torch.normal(0.,x)", "tensor([ 1.5410, -0.2934, -2.1788])"),
    ("torch.normal(x)", "tensor([ 2.5410, 0.7066, -1.1788])"),
    ("i.geometric_(.5)", "tensor([1, 1, 2])"),
    ("i.random_(-3,3)", "tensor([-1, 0, 2])"),
    ("torch.bernoulli(x,0.5)", "tensor([0., 0., 1.])"),
    ("torch.multinomial(torch.tensor([0.,1.,0.]),2)", "tensor([1, 0])"),
    ("torch.multinomial(torch.ones(2,3),4,True).shape", "torch.Size([2, 4])"),
    ("torch.binomial(x,x*2)", "tensor([1., 1., 1.])"),
    ("torch.rand_like(x,dtype=torch.float64)", "tensor([0.9701, 0.7078, 0.4594], dtype=torch.float64)"),
    ("torch.rand(2,device='meta')", "tensor(..., device='meta', size=(2,))"),
    ("torch.randn(2,requires_grad=True)", "tensor([ 1.5410, -0.2934], requires_grad=True)"),
    (
        "torch.normal(mean=torch.zeros(2,requires_grad=True),std=torch.ones(2))",
        "tensor([ 1.5410, -0.2934], grad_fn=<NormalBackward3>)",
    ),
    ("torch.bernoulli(torch.full((2,),.5,requires_grad=True))", "tensor([1., 0.], grad_fn=<BernoulliBackward0>)"),
    ("torch.poisson(torch.ones(2,requires_grad=True))", "tensor([2., 3.], grad_fn=<PoissonBackward0>)"),
    ("torch.randint(high=3,size=(2,)).shape", "torch.Size([2])"),
    ("torch.randint(1,high=3,size=(2,)).shape", "torch.Size([2])"),
    ("torch.normal(mean=0.,std=1.,size=(2,)).shape", "torch.Size([2])"),
    ("torch.zeros(2,requires_grad=True).mul(2).uniform_()", "tensor([0.4963, 0.7682], grad_fn=<UniformBackward0>)"),
    ("torch.zeros(2,requires_grad=True).mul(2).bernoulli_()", "tensor([0., 0.], grad_fn=<BernoulliBackward2>)"),
    ("torch.zeros(2,requires_grad=True).mul(2).normal_()", "tensor([ 1.5410, -0.2934], grad_fn=<NormalBackward0>)"),
    (
        "torch.zeros(2,requires_grad=True).mul(2).exponential_()",
        "tensor([3.5083, 1.2304], grad_fn=<ExponentialBackward0>)",
    ),
    ("torch.zeros(2,requires_grad=True).mul(2).random_()", "tensor([ 8325664., 12888472.], grad_fn=<RandomBackward2>)"),
    ("torch.zeros(2,requires_grad=True).mul(2).cauchy_()", "tensor([10.5977, 0.7648], grad_fn=<CauchyBackward0>)"),
    ("torch.zeros(2,requires_grad=True).mul(2).geometric_(.5)", "tensor([1., 1.], grad_fn=<GeometricBackward0>)"),
    (
        "torch.zeros(2,requires_grad=True).mul(2).log_normal_()",
        "tensor([59.2634, 1.5116], grad_fn=<LogNormalBackward0>)",
    ),
    ("torch.normal(torch.zeros(2,requires_grad=True),torch.ones(2,requires_grad=True)).sum().backward()", "None"),
    ("torch.multinomial(torch.ones(2,requires_grad=True),1)", "tensor([1])"),
    ("torch.rand(2,3,dtype=torch.complex64).dtype", "torch.complex64"),
    ("torch.normal(torch.zeros(2,dtype=torch.complex64),1.).dtype", "torch.complex64"),
    ("torch.randn(2,dtype=torch.complex128)", "tensor([ 1.0896-0.2075j, -1.5406+0.4019j], dtype=torch.complex128)"),
]

ERRORS = [
    ("torch.rand(2,dtype=torch.int64)", NotImplementedError, "\"check_uniform_bounds\" not implemented for 'Long'"),
    ("torch.randn(2,dtype=torch.int64)", NotImplementedError, "\"normal_kernel_cpu\" not implemented for 'Long'"),
    ("torch.rand(2,dtype=torch.bool)", NotImplementedError, "\"check_uniform_bounds\" not implemented for 'Bool'"),
    ("torch.randint(5,5,(2,))", RuntimeError, "random_ expects 'from' to be less than 'to', but got from=5 >= to=5"),
    ("torch.randint(5,3,(2,))", RuntimeError, "random_ expects 'from' to be less than 'to', but got from=5 >= to=3"),
    ("torch.randint(0,300,(2,),dtype=torch.uint8)", RuntimeError, "to - 1 is out of bounds for unsigned char"),
    ("torch.randint(-1,5,(2,),dtype=torch.uint8)", RuntimeError, "from is out of bounds for unsigned char"),
    ("torch.randint(3,(2,),dtype=torch.bool)", RuntimeError, "to - 1 is out of bounds for bool"),
    ("torch.randint(5)", TypeError, "randint() received an invalid combination of arguments - got (int)"),
    ("torch.randint(5,3)", TypeError, "randint(): argument 'size' (position 2) must be tuple of ints, not int"),
    ("torch.randint(0,2**63,(2,))", ValueError, "Overflow when unpacking long long"),
    ("torch.randperm(-1)", RuntimeError, "Trying to create tensor with negative dimension -1: [-1]"),
    (
        "torch.randperm(300,dtype=torch.uint8)",
        RuntimeError,
        "value cannot be converted to type uint8_t without overflow",
    ),
    ("torch.randperm(2.5)", TypeError, "randperm(): argument 'n' (position 1) must be int, not float"),
    ("torch.normal(x,-1)", RuntimeError, "normal expects std >= 0.0, but found std -1"),
    ("torch.normal(x,-x)", RuntimeError, "normal expects all elements of std >= 0.0"),
    (
        "torch.normal(x,torch.ones(2))",
        RuntimeError,
        "The size of tensor a (3) must match the size of tensor b (2) at non-singleton dimension 0",
    ),
    ("torch.normal(0.,1.)", TypeError, "normal() received an invalid combination of arguments - got (float, float)"),
    (
        "torch.normal(0,1,(2,),dtype=torch.int64)",
        NotImplementedError,
        "\"normal_kernel_cpu\" not implemented for 'Long'",
    ),
    ("torch.normal(i,1.)", NotImplementedError, "\"normal_kernel_cpu\" not implemented for 'Long'"),
    ("x.normal_(0,-1)", RuntimeError, "normal expects std >= 0.0, but found std -1"),
    ("i.normal_()", NotImplementedError, "\"normal_kernel_cpu\" not implemented for 'Long'"),
    ("i.uniform_()", NotImplementedError, "\"check_uniform_bounds\" not implemented for 'Long'"),
    ("x.uniform_(1,0)", RuntimeError, "uniform_ expects to return a [from, to) range, but found from=1 > to=0"),
    ("x.uniform_(float('nan'),1)", RuntimeError, "from is out of bounds for float"),
    ("x.uniform_(0,1e39)", RuntimeError, "to is out of bounds for float"),
    ("x.exponential_(-1)", RuntimeError, "exponential_ expects lambda > 0.0, but found lambda=-1"),
    ("x.exponential_(0)", RuntimeError, "exponential_ expects lambda > 0.0, but found lambda=0"),
    (
        "i.exponential_()",
        RuntimeError,
        "Exponential distribution is a continuous probability distribution. dtype must be a floating point but you specified Long",
    ),
    ("x.geometric_(0)", RuntimeError, "geometric_ expects p to be in (0, 1), but got p=0"),
    ("x.geometric_(1)", RuntimeError, "geometric_ expects p to be in (0, 1), but got p=1"),
    ("x.cauchy_(0,-1)", RuntimeError, "cauchy_ expects sigma > 0.0, but found sigma=-1"),
    (
        "i.cauchy_()",
        RuntimeError,
        "Cauchy distribution is a continuous probability distribution. dtype must be a floating point but you specified",
    ),
    ("x.log_normal_(0,0)", RuntimeError, "log_normal_ expects std > 0.0, but found std=0"),
    ("i.log_normal_()", NotImplementedError, "\"log_normal_cpu\" not implemented for 'Long'"),
    ("x.random_(0)", RuntimeError, "random_ expects 'from' to be less than 'to', but got from=0 >= to=0"),
    ("x.random_(5,3)", RuntimeError, "random_ expects 'from' to be less than 'to', but got from=5 >= to=3"),
    ("torch.bernoulli(x*2)", RuntimeError, "Expected p_in >= 0 && p_in <= 1 to be true, but got false."),
    ("torch.bernoulli(i)", NotImplementedError, "\"bernoulli_tensor_cpu_p_\" not implemented for 'Long'"),
    ("torch.bernoulli(x,p=1.5)", RuntimeError, "bernoulli_ expects p to be in [0, 1], but got p=1.5"),
    ("x.bernoulli_(2)", RuntimeError, "bernoulli_ expects p to be in [0, 1], but got p=2"),
    (
        "x.bernoulli_(torch.ones(2))",
        RuntimeError,
        "The expanded size of the tensor (3) must match the existing size (2) at non-singleton dimension 0.  Target sizes: [3].  Tensor sizes: [2]",
    ),
    ("torch.multinomial(x,5)", RuntimeError, "cannot sample n_sample > prob_dist.size(-1) samples without replacement"),
    ("torch.multinomial(x*0,1)", RuntimeError, "invalid multinomial distribution (sum of probabilities <= 0)"),
    ("torch.multinomial(-x,1)", RuntimeError, "probability tensor contains either `inf`, `nan` or element < 0"),
    ("torch.multinomial(x/0,1)", RuntimeError, "probability tensor contains either `inf`, `nan` or element < 0"),
    ("torch.multinomial(x,0)", RuntimeError, "cannot sample n_sample <= 0 samples"),
    ("torch.multinomial(torch.ones(1,1,1),1)", RuntimeError, "prob_dist must be 1 or 2 dim"),
    ("torch.multinomial(i,1)", RuntimeError, "multinomial only supports floating-point dtypes for input, got: Long"),
    ("torch.poisson(x*-1)", RuntimeError, "invalid Poisson rate, expected rate to be non-negative"),
    ("torch.poisson(i)", NotImplementedError, "\"poisson_cpu\" not implemented for 'Long'"),
    ("torch.binomial(x,i)", ValueError, "binomial only supports floating-point dtypes for prob, got: Long"),
    ("torch.rand_like(i)", NotImplementedError, "\"check_uniform_bounds\" not implemented for 'Long'"),
    ("torch.randn_like(i)", NotImplementedError, "\"normal_kernel_cpu\" not implemented for 'Long'"),
    ("torch.rand(2,generator=3)", TypeError, ""),
    ("torch.rand(-1)", RuntimeError, "Trying to create tensor with negative dimension -1: [-1]"),
    ("torch.manual_seed('a')", ValueError, "invalid literal for int() with base 10: 'a'"),
    ("torch.set_rng_state(torch.zeros(3))", TypeError, "RNG state must be a torch.ByteTensor"),
    ("torch.rand((2,),names=None)", TypeError, ""),
    (
        "torch.randint(0,5,(2,),requires_grad=True)",
        RuntimeError,
        "Only Tensors of floating point and complex dtype can require gradients",
    ),
    ("torch.randn(3,layout=torch.sparse_coo)", NotImplementedError, ""),
]


def evaluate(expression):
    torch.manual_seed(0)
    names = {"torch": torch, "x": torch.ones(3), "i": torch.ones(3, dtype=torch.int64)}
    return eval(expression, names)


@pytest.mark.parametrize("expression, expected", SAME)
def test_result(expression, expected):
    assert " ".join(repr(evaluate(expression)).split()) == " ".join(expected.split())


@pytest.mark.parametrize("expression, kind, message", ERRORS)
def test_error(expression, kind, message):
    with pytest.raises(kind) as error:
        evaluate(expression)
    assert str(error.value).startswith(message)


def test_fork_rng_and_state():
    torch.manual_seed(0)
    with torch.random.fork_rng():
        torch.rand(100)
    first = torch.rand(1).item()
    assert first == pytest.approx(0.4962565899)
    state = torch.get_rng_state()
    a = torch.randn(20)
    torch.set_rng_state(state)
    assert torch.equal(torch.randn(20), a)


def test_fills_in_memory_order():
    torch.manual_seed(0)
    flat = torch.rand(12)
    torch.manual_seed(0)
    assert torch.equal(torch.empty(4, 3).t().uniform_().t().flatten(), flat)


def test_poisson_and_binomial_numbers():
    torch.manual_seed(0)
    assert torch.poisson(torch.tensor([0.5, 3.0, 9.9, 10, 50, 1000])).tolist() == [2, 4, 10, 13, 54, 1002]
    torch.manual_seed(0)
    drawn = torch.binomial(torch.full((6,), 40.0), torch.tensor([0.1, 0.3, 0.5, 0.7, 0.9, 0.01]))
    assert drawn.tolist() == [7, 13, 20, 29, 36, 1]


def test_large_draws_have_their_moments():
    torch.manual_seed(1)
    x = torch.randn(200_000)
    assert abs(x.mean()) < 0.01 and abs(x.std() - 1) < 0.01
    counts = np.bincount(torch.randint(7, (70_000,)).numpy(), minlength=7)
    assert len(counts) == 7 and counts.min() > 9_500
    picked = torch.multinomial(torch.tensor([1.0, 2.0, 7.0]), 100_000, replacement=True)
    assert np.allclose(np.bincount(picked.numpy()) / 1e5, [0.1, 0.2, 0.7], atol=0.01)
    assert sorted(torch.randperm(1000).tolist()) == list(range(1000))


def test_no_gradient_through_draws():
    p = torch.full((3,), 0.5, requires_grad=True)
    torch.bernoulli(p).sum().backward()
    assert p.grad.tolist() == [0, 0, 0]
    mean, std = torch.zeros(3, requires_grad=True), torch.ones(3, requires_grad=True)
    torch.normal(mean, std).sum().backward()
    assert mean.grad.tolist() == [0, 0, 0] and std.grad.tolist() == [0, 0, 0]


def test_generators_are_independent():
    a, b = torch.Generator().manual_seed(3), torch.Generator().manual_seed(3)
    torch.rand(10)
    assert torch.equal(torch.randperm(20, generator=a), torch.randperm(20, generator=b))


def test_dropout_mask_is_pytorchs():
    torch.manual_seed(0)
    assert torch.nn.functional.dropout(torch.ones(8), 0.5).tolist() == [0.0, 0.0, 2.0, 0.0, 0.0, 0.0, 2.0, 2.0]
