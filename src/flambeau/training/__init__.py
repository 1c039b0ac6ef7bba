"""What surrounds a training step: progress bars, the loop, the search for a learning rate."""

from ..lazy import names as _names

_LAZY = {
    "progress": "bars", "fit": "loop", "accuracy": "steps", "Training": "loop",
    "History": "history", "EarlyStopping": "stopping", "Checkpoint": "checkpoints",
    "lr_find": "rates", "overfit_one_batch": "overfitting",
}  # fmt: skip

__getattr__, __dir__ = _names(__name__, _LAZY)
