"""doctor.examine with models, losses and data of unexpected kinds; nothing of them is changed."""

import io
import pickle
import threading

import pytest

import flambeau as torch
from flambeau import doctor, nn
from flambeau.utils.data import DataLoader, IterableDataset, TensorDataset

X, Y = torch.randn(16, 3), torch.randint(0, 2, (16,))


def examined(loss, data=(X, Y), optimizer=None):
    return doctor.examine(nn.Linear(3, 2), data, loss, optimizer)


def test_a_loss_that_is_no_tensor_is_named():
    loss = nn.CrossEntropyLoss()
    for wrong in (lambda o, t: 1.0, lambda o, t: loss(o, t).item()):
        (found,) = (f for f in examined(wrong).findings if f.level == "E")
        assert found.saw == "the loss function returned float, not a tensor"


def test_a_loss_with_things_to_log_is_taken():
    loss = nn.CrossEntropyLoss()
    assert examined(lambda o, t: (loss(o, t), {"n": 1})).ok
    assert examined(lambda o, t: {"loss": loss(o, t), "n": 1}).ok


@pytest.mark.parametrize("given", [("ce",), (None, (X, Y), 5)])
def test_what_is_not_a_loss_or_an_optimizer(given):
    with pytest.raises(ValueError, match="examine\\(\\) takes"):
        examined(*given)


def test_a_loader_without_an_end():
    class Endless(IterableDataset):
        def __iter__(self):
            while True:
                yield torch.randn(3), torch.tensor(1)

    assert "E" not in {f.level for f in examined(nn.CrossEntropyLoss(), DataLoader(Endless(), 4)).findings}


def test_a_lazy_model_is_as_lazy_afterwards():
    model = nn.Sequential(nn.LazyLinear(4), nn.ReLU(), nn.LazyLinear(2))
    before = str(model)
    doctor.examine(model, (X, Y), nn.CrossEntropyLoss())
    assert str(model) == before and all(nn.parameter.is_lazy(p) for p in model.parameters())
    assert model(X).shape == (16, 2) and type(model[0]) is nn.Linear


def test_threads_examine_one_after_the_other():
    reports = []
    threads = [threading.Thread(target=lambda: reports.append(examined(nn.CrossEntropyLoss()))) for _ in range(3)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert [r.ok for r in reports] == [True] * 3


def test_nothing_that_the_checks_remember_is_pickled():
    net = nn.Linear(3, 2)
    optimizer = torch.optim.Adam(net.parameters())
    loader = DataLoader(TensorDataset(X, Y), 4)
    for x, y in loader:
        nn.functional.cross_entropy(net(x), y).backward()
        optimizer.step()
        optimizer.zero_grad()
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, 1)
    for thing in (
        net,
        optimizer,
        loader,
        schedule,
        net.state_dict(),
        optimizer.state_dict(),
        net(X).softmax(1).detach(),
    ):
        file = io.BytesIO()
        torch.save(thing, file)
        assert b"_fb_" not in pickle.dumps(thing) and b"_fb_" not in file.getvalue()
        torch.load(io.BytesIO(file.getvalue()), weights_only=False)


def test_what_hooks_write_down_is_put_back():
    net, seen = nn.Linear(3, 2), {"gradients": [], "outputs": []}
    net.weight.register_hook(lambda g: seen["gradients"].append(g))
    net.register_forward_hook(lambda m, i, o: seen["outputs"].append(o))
    assert doctor.examine(net, (X, Y), nn.CrossEntropyLoss()).ok
    assert seen == {"gradients": [], "outputs": []}
