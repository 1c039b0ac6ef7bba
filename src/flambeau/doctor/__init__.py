"""The training doctor: `examine` before training, `watch` while training, and the report of either.

>>> from flambeau import doctor
>>> doctor.Report([]).ok
True
"""

import importlib as _importlib

_LAZY = {
    "Report": "report",
    "Table": "report",
    "Curve": "report",
    "watch": "watching",
    "examine": "examination",
    "examine_data": "examination",
}


def __getattr__(name):
    if name in _LAZY:
        found = globals()[name] = getattr(_importlib.import_module(f".{_LAZY[name]}", __name__), name)
        return found
    raise AttributeError(f"module '{__name__}' has no attribute '{name}'")


def __dir__():
    return sorted({*globals(), *_LAZY})
