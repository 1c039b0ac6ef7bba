"""What surrounds a training step: progress bars, the loop, the search for a learning rate."""

import importlib as _importlib

_LAZY = {
    "progress": "bars", "fit": "loop", "accuracy": "steps", "Training": "loop",
    "History": "history", "EarlyStopping": "stopping", "Checkpoint": "checkpoints",
    "lr_find": "rates", "overfit_one_batch": "overfitting",
}  # fmt: skip


def __getattr__(name):
    if name in _LAZY:
        found = globals()[name] = getattr(_importlib.import_module(f".{_LAZY[name]}", __name__), name)
        return found
    raise AttributeError(f"module '{__name__}' has no attribute '{name}'")


def __dir__():
    return sorted({*globals(), *_LAZY})
