"""Arguments and results of compiled functions: layouts, aliases, dtypes, gradients, graphs that lead out."""

import pytest

import flambeau as torch
from flambeau import nn

F = nn.functional


def rows(number, size=4):
    return torch.randn(size, 6, generator=torch.Generator().manual_seed(100 + number))


def calls_of(arguments):
    return [lambda f, a=a: f(*a()) for a in arguments]


@pytest.mark.parametrize("function, arguments", [
    (lambda x: (x * 2 + 1).sum(0), [lambda i=i: (rows(i, 6), rows(i, 6).t(), rows(i, 12)[::2], rows(i, 6).flip(0),
                                                 rows(1)[:1].expand(6, 6))[i % 5:i % 5 + 1] for i in range(10)]),
    (lambda x: x.softmax(-1) + x.mean(), [lambda i=i: (rows(i, (4, 1, 0, 7)[i % 4]),) for i in range(8)]),
    (lambda x: x * 2 + 1, [lambda i=i: (rows(i).to((torch.float64, torch.int64, torch.bfloat16, torch.bool)[i % 4]),)
                           for i in range(8)]),
    (lambda x: x.add_(1).mul_(2), [lambda i=i: (rows(i),) for i in range(4)]),
    (lambda x: (x * x).sum(), [lambda i=i: (rows(i).requires_grad_(i % 2 == 1),) for i in range(4)]),
    (lambda x: torch.deg2rad(x), [lambda i=i: (torch.arange(3) * i,) for i in range(4)]),
    (lambda x: torch.heaviside(x, x + 5), [lambda i=i: (rows(i).round(),) for i in range(4)]),
    (lambda x: F.conv2d(x, x[:1, :1], groups=1), [lambda i=i: (torch.arange(36).view(1, 1, 6, 6) * i,)
                                                  for i in range(4)]),
    (lambda x: x.sort(), [lambda i=i: (rows(i),) for i in range(4)]),
])  # fmt: skip
def test_arguments(agree, function, arguments):
    agree(lambda: (function, calls_of(arguments), list), True)


def test_results(agree):
    def function(x):
        y = x * 2
        return [y, y, y.view(-1), y.t(), {"one": torch.ones(3), "eye": torch.eye(2)}, (None, 3, "a")]

    agree(lambda: (function, calls_of([lambda i=i: (rows(i, 6),) for i in range(4)]), list), True)


def test_arguments_that_share_memory(agree):
    def function(x, y):
        x.add_(1)
        return y * 2

    def pair(i):
        x = rows(i)
        return [(x, rows(9)), (x, x), (x, x.view(4, 6)), (x, x[:]), (x, x.detach()), (x, rows(3))][i % 6]

    agree(lambda: (function, calls_of([lambda i=i: pair(i) for i in range(12)]), list), True)


def test_an_argument_that_is_a_parameter(agree):
    def make():
        model = nn.Linear(6, 6, bias=False)

        def function(x):
            with torch.no_grad():
                model.weight.mul_(1.5)
            return (x * 2 + model.weight).detach()

        given = [lambda: rows(0, 6), lambda: rows(1, 6), lambda: model.weight, lambda: model.weight.data.t()]
        return function, calls_of([lambda a=a: (a(),) for a in given]), lambda: [model]

    agree(make, True)


def test_results_and_gradients_that_are_kept_do_not_change(agree):
    def make():
        model = nn.Linear(6, 3)
        optimizer, kept = torch.optim.SGD(model.parameters(), lr=0.1), []

        def step(x):
            optimizer.zero_grad()
            loss = model(x).square().mean()
            loss.backward()
            optimizer.step()
            return loss.detach()

        def call(number):
            def run(f):
                kept.append([f(rows(number)), [p.grad for p in model.parameters()]])
                kept.append([p.grad.view(-1)[1:] for p in model.parameters()])

            return run

        return step, [call(i) for i in range(4)], lambda: [model, kept]

    agree(make, True)


class Two(nn.Module):
    """Two results, of different parameters."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(6, 3), nn.Linear(6, 3)

    def forward(self, x):
        return self.first(x), self.second(x).relu()


@pytest.mark.parametrize("loss", [
    lambda f, x: f(x)[0].square().mean(), lambda f, x: (f(x)[0] * f(x)[1]).mean(),
    lambda f, x: (f(x)[0] + f(x)[1].detach()).square().mean(),
])  # fmt: skip
def test_backward_outside(agree, loss):
    def make():
        model = Two()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=0.1)

        def call(number):
            def run(f):
                optimizer.zero_grad()
                x = rows(number).requires_grad_()
                value = loss(f, x)
                value.backward()
                optimizer.step()
                return [value.detach(), x.grad]

            return run

        return lambda x: model(x), [call(i) for i in range(4)], lambda: [model, optimizer]

    agree(make, True)


def test_hooks_run_as_often_as_in_eager_mode(agree):
    def make():
        model, seen = nn.Linear(6, 3), []
        model.register_full_backward_hook(lambda module, inputs, outputs: seen.append(outputs[0]))

        def call(number):
            def run(f):
                f(rows(number).requires_grad_()).sum().backward()

            return run

        return lambda x: model(x), [call(i) for i in range(4)], lambda: [model, len(seen)]

    agree(make)


def test_joined_and_gathered_tensors_are_replayed():
    p = torch.nn.Parameter(torch.arange(20.0).reshape(4, 5) / 7)
    x, at = torch.ones(3, 4), torch.tensor([[0, 4], [1, 1], [3, 2]])

    def step():
        h = x @ p
        loss = (torch.cat([h, h * 2], 1).max(1)[0] + h.gather(1, at).sum(1)).sum()
        p.grad = None
        loss.backward()
        return loss

    eager = step().item()
    wanted = p.grad.clone()
    f = torch.compile(step)
    for _ in range(3):
        assert f().item() == pytest.approx(eager)
        torch.testing.assert_close(p.grad, wanted)
    assert len(f.steps) == 1, f.splits
    at[1, 1] = 7
    with pytest.raises(RuntimeError, match="index 7 is out of bounds"):
        f()


def test_rows_by_an_index_tensor_that_changes():
    p = torch.nn.Parameter(torch.arange(20.0).reshape(4, 5))
    at = torch.tensor([0, 3, 3])

    def step():
        p.grad = None
        loss = (p[at] ** 2).sum()
        loss.backward()
        return loss

    f = torch.compile(step)
    for rows in ([0, 3, 3], [1, 1, 2], [-1, 0, 2], [2, 2, 2]):
        at.copy_(torch.tensor(rows))
        compiled, grad = f().item(), p.grad.clone()
        assert step().item() == compiled
        torch.testing.assert_close(p.grad, grad)
    assert len(f.steps) == 1, f.splits
    at[1] = 4
    with pytest.raises(IndexError):
        f()


def test_writes_through_an_index_or_mask_that_changes():
    def by(key):
        z = torch.zeros(4)
        z[key] = 1.0
        return z

    f = torch.compile(by)
    for k in range(4):
        assert f(torch.tensor([k])).tolist() == [float(i == k) for i in range(4)]
        assert f(torch.arange(4) == k).tolist() == [float(i == k) for i in range(4)]


def test_a_subscript_that_is_a_tensor_of_one_number():
    f = torch.compile(lambda x, t: x[t] * 2)
    for k in range(4):
        assert f(torch.arange(4.0), torch.tensor(k)).item() == 2 * k


@pytest.mark.parametrize("layer", [torch.nn.ReLU(), torch.nn.Tanh(), torch.nn.Softmax(-1)])
def test_a_result_changed_in_place_before_backward_is_an_error(layer):
    model = torch.nn.Sequential(torch.nn.Linear(3, 3), layer)
    f, x = torch.compile(model), torch.ones(2, 3)
    for _ in range(3):
        y = f(x)
        y += 1.0
        with pytest.raises(RuntimeError, match="modified by an inplace operation"):
            y.sum().backward()


def test_gradients_through_permute_are_replayed():
    p = torch.nn.Parameter(torch.ones(2, 3, 4))

    def step():
        p.grad = None
        loss = (p.permute(2, 0, 1) * torch.arange(24.0).reshape(4, 2, 3)).sum()
        loss.backward()
        return loss

    f = torch.compile(step)
    for _ in range(3):
        f()
        assert torch.equal(p.grad, torch.arange(24.0).reshape(4, 2, 3).permute(1, 2, 0))
    assert len(f.steps) == 1, f.splits


def test_a_bad_index_of_a_write_is_explained_at_replay():
    def put(i):
        z = torch.zeros(4)
        z[i] = 1.0
        return z

    f = torch.compile(put)
    for k in (0, 3):
        f(torch.tensor([k]))
    with pytest.raises(IndexError, match="(?s)out of bounds.*compiled step"):
        f(torch.tensor([9]))
    assert f(torch.tensor([2])).tolist() == [0, 0, 1, 0]
