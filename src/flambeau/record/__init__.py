"""The record of a training run: one page of HTML that holds all there is to know about it.

`Run` writes it, `load` reads it again, `compare` lays several side by side.

>>> from flambeau import record
>>> record.Run, record.load, record.compare
(<class 'flambeau.record.running.Run'>, <function load at ...>, <function compare at ...>)
"""

import importlib as _importlib

_LAZY = {"Run": "running", "Record": "records", "load": "records", "compare": "comparison"}


def __getattr__(name):
    if name in _LAZY:
        found = globals()[name] = getattr(_importlib.import_module(f".{_LAZY[name]}", __name__), name)
        return found
    raise AttributeError(f"module '{__name__}' has no attribute '{name}'")


def __dir__():
    return sorted({*globals(), *_LAZY})
