"""Small programs for PyTorch and flambeau alike: functions of the framework that give something to call."""


def linear(T):
    """A product with a bias, forward."""
    layer, x = T.nn.Linear(10, 20), T.ones(5, 10)
    return lambda: layer(x)


def linear_backward(T):
    """The same with the gradients of weight and bias; the input needs none."""
    layer, x = T.nn.Linear(10, 20, bias=False), T.ones(5, 10)
    return lambda: layer(x).backward(T.ones(5, 20))


def chain_backward(T):
    """Two products, the second of which passes a gradient on."""
    a, b, x = (T.ones(n, m, requires_grad=True) for n, m in ((10, 20), (20, 7), (5, 10)))
    x = x.detach()
    return lambda: ((x @ a) @ b).backward(T.ones(5, 7))


def batched(T):
    """A batch of products."""
    a, b = T.ones(3, 4, 5), T.ones(3, 5, 6)
    return lambda: T.bmm(a, b)


def convolution(T):
    """A strided, padded convolution in groups."""
    layer, x = T.nn.Conv2d(4, 8, 3, stride=2, padding=1, groups=2, bias=False), T.ones(2, 4, 9, 9)
    return lambda: layer(x)


def products_and_sums(T):
    """Element by element."""
    a, b = T.ones(6, 7), T.ones(6, 7)
    return lambda: a * b + a


def new_tensors(T):
    """What is made and kept, made and dropped, shared, and changed in place."""
    x = T.ones(100)

    def run():
        y = T.zeros(1000)
        z = y.exp()
        w = z.view(10, 100) + x
        y.add_(1)
        z.view(-1)
        return w

    return run


PROGRAMS = {f.__name__: f for f in (linear, linear_backward, chain_backward, batched, convolution, products_and_sums,
                                    new_tensors)}  # fmt: skip
