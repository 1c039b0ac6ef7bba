"""What callbacks of fit are told, and when."""

import pytest
from training.small import data, parts

import flambeau as torch


class Witness:
    """Notes every call."""

    def __init__(self):
        self.calls = []

    def on_start(self, t):
        self.calls.append(("start", t.epochs, t.batches, t.settings["optimizer"]))

    def on_step(self, t):
        self.calls.append(("step", t.epoch, t.step, t.batch))
        assert t.loss.grad_fn is None and not t.loss.requires_grad

    def on_epoch(self, t):
        self.calls.append(("epoch", t.epoch, t.step, t.history["loss"][-1]))

    def on_end(self, t):
        self.calls.append(("end", t.history.epochs))

    def on_error(self, t, error):
        self.calls.append(("error", t.epoch, t.step, error))


def test_the_order_of_calls():
    witness = Witness()
    history = torch.fit(*with_data(), epochs=2, callbacks=[witness], progress=False)
    steps = [("step", e, 6 * (e - 1) + k, k) for e in (1, 2) for k in range(1, 7)]
    losses = history["loss"]
    assert witness.calls == [
        ("start", 2, 6, "Adam"), *steps[:6], ("epoch", 1, 6, losses[0]), *steps[6:], ("epoch", 2, 12, losses[1]),
        ("end", 2),
    ]  # fmt: skip


def with_data(**options):
    model, loss_fn, optimizer = parts()
    return model, data(**options), loss_fn, optimizer


def test_a_function_is_called_after_each_epoch():
    epochs = []
    torch.fit(*with_data(), epochs=3, callbacks=[lambda t: epochs.append(t.epoch)], progress=False)
    assert epochs == [1, 2, 3]


def test_a_callback_may_stop_the_training():
    def enough(t):
        if t.epoch == 2:
            t.stop("enough")

    history = torch.fit(*with_data(), epochs=9, callbacks=[enough], progress=False)
    assert history.epochs == 2 and history.stopped == "enough"


def test_errors_are_told_and_come_through():
    witness = Witness()

    def fails(t):
        raise ZeroDivisionError("mine")

    with pytest.raises(ZeroDivisionError, match="mine") as caught:
        torch.fit(*with_data(), epochs=3, callbacks=[fails, witness], progress=False)
    assert witness.calls[-1] == ("error", 1, 6, caught.value)
    assert caught.value.history["loss"] and caught.value.history.stopped == "ZeroDivisionError"
