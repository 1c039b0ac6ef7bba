"""Compiled training steps with every optimizer and scheduler leave what the eager ones leave."""

import pytest

import flambeau as torch
from flambeau import nn
from flambeau.optim import lr_scheduler

F = nn.functional


def network():
    return nn.Sequential(nn.Linear(6, 12), nn.ReLU(), nn.Linear(12, 3))


def batch(number, size=8):
    g = torch.Generator().manual_seed(100 + number)
    return torch.randn(size, 6, generator=g), torch.randint(0, 3, (size,), generator=g)


def trained(model, optimizer, after=lambda: None, inside=lambda: None):
    """(step, calls): classification of eight batches; `inside` and `after` are done in and after each step."""

    def step(x, y):
        loss = F.cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        inside()
        return loss.detach()

    def call(number):
        def run(f):
            loss = f(*batch(number))
            after()
            return loss

        return run

    return step, [call(i) for i in range(8)]


OPTIMIZERS = {
    "sgd": lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, weight_decay=0.01),
    "dampening": lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, dampening=0.5),
    "adam": lambda p: torch.optim.Adam(p, lr=0.01, amsgrad=True),
    "tensor lr": lambda p: torch.optim.Adam(p, lr=torch.tensor(0.01)),
    "adamw": lambda p: torch.optim.AdamW(p),
    "adamax": lambda p: torch.optim.Adamax(p),
    "nadam": lambda p: torch.optim.NAdam(p, weight_decay=0.1, decoupled_weight_decay=True),
    "radam": lambda p: torch.optim.RAdam(p),
    "adagrad": lambda p: torch.optim.Adagrad(p, lr_decay=0.1),
    "adadelta": lambda p: torch.optim.Adadelta(p),
    "rmsprop": lambda p: torch.optim.RMSprop(p, centered=True, momentum=0.9),
    "rprop": lambda p: torch.optim.Rprop(p),
    "asgd": lambda p: torch.optim.ASGD(p, lambd=0.5),
    "adafactor": lambda p: torch.optim.Adafactor(p),
    "groups": lambda p: torch.optim.AdamW([{"params": [q], "lr": 0.01 * (i + 1)} for i, q in enumerate(p)]),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizers(agree, name):
    def make():
        model = network()
        optimizer = OPTIMIZERS[name](model.parameters())
        return *trained(model, optimizer), lambda: [model, optimizer]

    agree(make, name not in ("tensor lr", "adafactor"))


SCHEDULERS = {
    "step": lambda o: lr_scheduler.StepLR(o, 2),
    "lambda": lambda o: lr_scheduler.LambdaLR(o, lambda epoch: 1 / (1 + epoch)),
    "warm": lambda o: lr_scheduler.CosineAnnealingWarmRestarts(o, 3),
    "cycle": lambda o: lr_scheduler.OneCycleLR(o, 0.1, total_steps=20),
    "polynomial": lambda o: lr_scheduler.PolynomialLR(o, 5),
    "sequential": lambda o: lr_scheduler.SequentialLR(
        o, [lr_scheduler.LinearLR(o, total_iters=2), lr_scheduler.ExponentialLR(o, 0.9)], [3]
    ),
    "chained": lambda o: lr_scheduler.ChainedScheduler([lr_scheduler.ExponentialLR(o, 0.9)]),
}


@pytest.mark.parametrize("inside", [False, True])
@pytest.mark.parametrize("name", SCHEDULERS)
def test_schedulers_are_stepped_at_each_call(agree, name, inside):
    def make():
        model = network()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
        scheduler = SCHEDULERS[name](optimizer)
        where = {"inside" if inside else "after": lambda: scheduler.step()}
        return *trained(model, optimizer, **where), lambda: [model, optimizer, scheduler.get_last_lr()]

    agree(make, True)


def test_parameters_that_have_taken_different_numbers_of_steps(agree):
    def make():
        model = network()
        optimizer = torch.optim.Adam(model.parameters(), eps=1e-3)

        def step(x, y):
            optimizer.zero_grad()
            F.cross_entropy(model(x), y).backward()
            optimizer.step()

        def call(number):
            def run(f):
                model[2].requires_grad_(number not in (2, 3))
                f(*batch(number))

            return run

        return step, [call(i) for i in range(7)], lambda: [model, optimizer]

    agree(make, True)


@pytest.mark.parametrize("clip", [
    lambda p: nn.utils.clip_grad_norm_(p, 0.5), lambda p: nn.utils.clip_grad_norm_(p, 0.05, float("inf")),
    lambda p: nn.utils.clip_grad_value_(p, 0.01),
])  # fmt: skip
def test_clipped_gradients(agree, clip):
    def make():
        model = network()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)

        def step(x, y):
            optimizer.zero_grad()
            F.cross_entropy(model(x), y).backward()
            norm = clip(model.parameters())
            optimizer.step()
            return norm

        return step, [lambda f, i=i: f(*batch(i)) for i in range(5)], lambda: [model, optimizer]

    agree(make, True)


@pytest.mark.parametrize("set_to_none", [False, True])
def test_gradients_are_accumulated_over_calls(agree, set_to_none):
    def make():
        model = network()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)

        def step(x, y, last):
            F.cross_entropy(model(x), y).backward()
            if last:
                optimizer.step()
                optimizer.zero_grad(set_to_none=set_to_none)

        return step, [lambda f, i=i: f(*batch(i), i % 3 == 2) for i in range(12)], lambda: [model, optimizer]

    agree(make, True)


def test_changes_between_calls(agree):
    def make():
        model = network()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
        step, _ = trained(model, optimizer)
        weights = {k: v.clone() for k, v in model.state_dict().items()}
        state = optimizer.state_dict()
        group = optimizer.param_groups[0]
        changes = [
            lambda: model[0].weight.requires_grad_(False), lambda: model[0].weight.requires_grad_(True),
            lambda: setattr(model[2].weight, "data", torch.ones(3, 12)), lambda: model.load_state_dict(weights),
            lambda: optimizer.load_state_dict(state), lambda: group.update(lr=0.01), lambda: model.append(nn.Tanh()),
            lambda: model[0].weight.register_hook(lambda g: g * 3), lambda: setattr(model[2], "weight", None),
        ]  # fmt: skip

        def call(change, number):
            def run(f):
                change()
                return f(*batch(number))

            return run

        calls = [call(c, 3 * i + j) for i, what in enumerate(changes) for j, c in enumerate((what, list, list))]
        return step, calls, lambda: [model, optimizer]

    agree(make, True)
