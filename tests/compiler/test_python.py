"""What Python code may do around compiled functions: change what they see, decide by values, have effects, fail."""

import random

import numpy as np
import pytest

import flambeau as torch
from flambeau import nn

F = nn.functional
SETTINGS = {"scale": 2.0, "names": ["a"], (1, 2): 3.0}


class Holder:
    """What the functions below look at."""

    kind = 1.5

    def __init__(self):
        self.value, self.members, self.array = 2.0, {1, 2}, np.ones(3)

    def times(self, x):
        return x * self.value * self.kind


def rows(number, size=4):
    return torch.randn(size, 6, generator=torch.Generator().manual_seed(100 + number))


def program(agree, body, change=lambda env, i: None, args=lambda i: (rows(i),), n=7, replayed=None):
    """Compare body(env), called n times; `change(env, i)` is done before call i."""

    def make():
        env = Holder()
        function = body(env)

        def call(number):
            def run(f):
                change(env, number)
                return f(*args(number))

            return run

        return function, [call(i) for i in range(n)], lambda: [vars(env).get("seen")]

    return agree(make, replayed)


def _late_method(env, i):
    if i == 3:
        env.times = lambda x: x * 50


def _class_value(env, i):
    Holder.kind = 1.5 + i // 2


def _members(env, i):
    if i == 3:
        env.members.clear()
        env.members.update({1, 3})


@pytest.mark.parametrize("body, change", [
    (lambda env: lambda x: x * SETTINGS["scale"], lambda env, i: SETTINGS.update(scale=float(i // 3))),
    (lambda env: lambda x: x * len(SETTINGS["names"]), lambda env, i: SETTINGS.update(names=["a"] * (i // 3))),
    (lambda env: lambda x: x * SETTINGS[1, 2], lambda env, i: SETTINGS.update({(1, 2): i // 3})),
    (lambda env: lambda x: env.times(x), lambda env, i: setattr(env, "value", i // 3)),
    (lambda env: lambda x: env.times(x), _class_value),
    (lambda env: lambda x: env.times(x), _late_method),
    (lambda env: lambda x: x * (2 if 3 in env.members else 1), _members),
    (lambda env: lambda x: x * env.array[0], lambda env, i: env.array.fill(i // 3)),
    (lambda env: lambda x: x * torch.ones(1), lambda env, i: torch.set_default_dtype(
        torch.float64 if i in (3, 4) else torch.float32)),
])  # fmt: skip
def test_what_changes_between_calls(agree, body, change):
    program(agree, body, change, replayed=True)


def _counts(env):
    env.seen = 0

    def f(x):
        env.seen += 1
        return x * env.seen

    return f


def _appends(env):
    env.seen = []

    def f(x):
        env.seen.append(x.sum())
        return x * 2

    return f


def _iterates(env):
    numbers = iter(range(100))
    return lambda x: x * next(numbers)


def _draws(env):
    generator = np.random.default_rng(0)
    return lambda x: x * generator.normal()


@pytest.mark.parametrize("body", [
    _counts, _appends, _iterates, _draws, lambda env: lambda x: x * random.random(),
    lambda env: lambda x: x * random.choice([1, 2, 3]), lambda env: lambda x: x * np.random.rand(),
    lambda env: lambda x: x * 2 if x.sum() > 0 else x * 3, lambda env: lambda x: x * x.sum().item(),
    lambda env: lambda x: x[x > 0], lambda env: lambda x: x * len(x.nonzero()), lambda env: lambda x: torch.equal(x, x),
    lambda env: lambda x: torch.bernoulli(x.sigmoid()),
])  # fmt: skip
def test_what_stays_with_python(agree, body):
    def seeds(env, i):
        random.seed(i)
        np.random.seed(i)

    program(agree, body, seeds, replayed=False)


@pytest.mark.parametrize("body", [
    lambda env: lambda x: x + torch.randn(4, 6), lambda env: lambda x: F.dropout(x, 0.5),
    lambda env: lambda x: (torch.manual_seed(3), x + torch.randn(4, 1))[1],
    lambda env: lambda x: x + torch.randn(4, 1, generator=torch.Generator().manual_seed(5)),
])  # fmt: skip
def test_random_numbers_are_the_same(agree, body):
    program(agree, body, replayed=True)


def test_numpy_is_drawn_from_elsewhere(agree):
    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = float(np.random.rand())

        def forward(self, x):
            return x * self.scale

    program(agree, lambda env: Model().forward, replayed=True)


def test_errors_leave_everything_as_it_was(agree):
    def make():
        table, model = nn.Embedding(5, 6), nn.Linear(6, 3)
        optimizer = torch.optim.SGD([*table.parameters(), *model.parameters()], lr=0.1, momentum=0.9)

        def step(words, labels):
            loss = F.cross_entropy(model(table(words)), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            return loss.detach()

        pairs = [([1, 2], [0, 1]), ([1, 3], [0, 2]), ([1, 7], [0, 2]), ([1, 4], [0, 2]), ([1, 3], [0, 5]),
                 ([1, -1], [0, 2]), ([1, 3], [-100, 2]), ([1, 3, 4], [1, 2]), ([1, 3], [1, 2])]  # fmt: skip
        calls = [lambda f, p=p: f(torch.tensor(p[0]), torch.tensor(p[1])) for p in pairs]
        return step, calls, lambda: [[p.detach() for p in (*table.parameters(), *model.parameters())], optimizer]

    agree(make, True)


def test_effects_of_code_that_no_file_holds_are_seen(capsys):
    """A function typed at the prompt or in a notebook prints at each call, as in a file."""
    scope = {"torch": torch}
    exec(compile("def step(x):\n    print('seen')\n    return x + 1\n", "<stdin>", "exec"), scope)
    step = torch.compile(scope["step"])
    for _ in range(4):
        step(torch.ones(3))
    assert capsys.readouterr().out == "seen\n" * 4 and not step.steps
