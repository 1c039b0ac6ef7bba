"""A tour of automatic differentiation: the graph, control flow, accumulation, hooks, own functions, second derivatives.

python autograd_tour.py
"""

import argparse

import flambeau as torch


def the_graph():
    """Each result remembers the operation that made it; leaves do not."""
    x = torch.tensor(2.0, requires_grad=True)
    y = x**2 + 3 * x
    print("y =", y)
    print("behind it:", [node.name() for node, _ in y.grad_fn.next_functions])
    y.backward()
    print("dy/dx = 2x + 3 =", x.grad)
    return x.grad.item()


def control_flow():
    """The graph is what really ran: halve until small, then differentiate through that many steps."""
    x = torch.tensor(10.0, requires_grad=True)
    y, steps = x, 0
    while y > 1:
        y, steps = y / 2, steps + 1
    y.backward()
    print(f"{steps} halvings, dy/dx =", x.grad)
    return steps, x.grad.item()


def accumulation():
    """Gradients add up over backward passes, which is why training loops clear them."""
    w = torch.ones(3, requires_grad=True)
    for _ in range(2):
        (w * torch.tensor([1.0, 2.0, 3.0])).sum().backward()
    print("after two passes:", w.grad)
    return w.grad.tolist()


def vectors():
    """A result with several elements needs the vector v of vᵀ J."""
    x = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)
    y = x * x
    y.backward(torch.tensor([1.0, 0.1, 0.01]))
    print("vᵀ J =", x.grad)
    return x.grad.tolist()


def hooks_and_intermediate_gradients():
    """retain_grad keeps the gradient of a result; a hook sees it, and may change it, on its way."""
    x = torch.tensor([1.0, -2.0], requires_grad=True)
    h = x * 3
    h.retain_grad()
    seen = []
    h.register_hook(lambda g: seen.append(g.clone()))
    (h**2).sum().backward()
    print("gradient of h:", h.grad, "seen by the hook:", seen[0])
    return h.grad.tolist()


class StraightThrough(torch.autograd.Function):
    """sign(x), with the gradient of the identity: an operation whose gradient we choose."""

    @staticmethod
    def forward(ctx, x):
        return x.sign()

    @staticmethod
    def backward(ctx, g):
        return g


def own_function():
    """A gradient written by hand."""
    x = torch.tensor([-0.5, 2.0], requires_grad=True)
    StraightThrough.apply(x).sum().backward()
    print("through the sign:", x.grad)
    return x.grad.tolist()


def second_derivatives():
    """create_graph records the backward pass; a Hessian is one call."""
    x = torch.tensor(2.0, requires_grad=True)
    (first,) = torch.autograd.grad(x**3, x, create_graph=True)
    (second,) = torch.autograd.grad(first, x)
    rosenbrock = lambda p: (1 - p[0]) ** 2 + 100 * (p[1] - p[0] ** 2) ** 2
    hessian = torch.autograd.functional.hessian(rosenbrock, torch.tensor([1.0, 1.0]))
    print("x³ at 2:", first.item(), "then", second.item())
    print("Hessian of Rosenbrock's function at its minimum:\n", hessian)
    return second.item(), hessian.tolist()


def common_errors():
    """What goes wrong, and what is said."""
    messages = []

    def attempt(title, action):
        try:
            action()
        except RuntimeError as error:
            messages.append(title)
            print(f"{title}: {str(error).splitlines()[0]}")

    w = torch.ones(2, requires_grad=True)

    def edit_leaf():
        nonlocal w
        w += 1

    loss = (w * w).sum()
    loss.backward()
    attempt("in-place on a leaf", edit_leaf)
    attempt("backward twice", loss.backward)
    attempt("no graph", torch.ones(1).sum().backward)
    attempt("not a scalar", (w * 2).backward)
    return messages


def main(argv=None):
    argparse.ArgumentParser(description=__doc__).parse_args(argv)
    stops = (
        the_graph, control_flow, accumulation, vectors, hooks_and_intermediate_gradients, own_function,
        second_derivatives, common_errors,
    )  # fmt: skip
    results = {}
    for stop in stops:
        print(f"\n{stop.__name__.replace('_', ' ')}: {stop.__doc__}")
        results[stop.__name__] = stop()
    return results


if __name__ == "__main__":
    main()
