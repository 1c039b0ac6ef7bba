"""torch.optim: optimizers, learning rate schedulers and averaged weights."""

import importlib as _importlib

from ..checks import loops as _loops  # noqa: F401  the rules look on
from ..checks import modules as _modules  # noqa: F401
from ..checks import optimizers as _optimizers  # noqa: F401
from ..checks import seeds as _seeds  # noqa: F401
from ..errors import attr_error as _attr_error
from . import lr_scheduler
from .adadelta import Adadelta
from .adafactor import Adafactor
from .adagrad import Adagrad
from .adam import Adam
from .adamax import Adamax
from .adamw import AdamW
from .asgd import ASGD
from .lbfgs import LBFGS
from .muon import Muon
from .nadam import NAdam
from .optimizer import Optimizer
from .radam import RAdam
from .rmsprop import RMSprop
from .rprop import Rprop
from .sgd import SGD
from .sparse_adam import SparseAdam
from .swap import swap_in_optimizer_params_and_state

__all__ = [
    "ASGD",
    "Adadelta",
    "Adafactor",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "LBFGS",
    "Muon",
    "NAdam",
    "Optimizer",
    "RAdam",
    "RMSprop",
    "Rprop",
    "SGD",
    "SparseAdam",
    "lr_scheduler",
    "swa_utils",
    "swap_in_optimizer_params_and_state",
]


def __getattr__(name):
    # Averaged models are modules: importing torch.optim alone does not load torch.nn.
    if name == "swa_utils":
        return _importlib.import_module(".swa_utils", __name__)
    raise _attr_error("torch.optim", name)
