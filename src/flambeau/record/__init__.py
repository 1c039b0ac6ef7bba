"""The record of a training run: one page of HTML that holds all there is to know about it.

`Run` writes it, `load` reads it again, `compare` lays several side by side.

>>> from flambeau import record
>>> record.Run, record.load, record.compare
(<class 'flambeau.record.running.Run'>, <function load at ...>, <function compare at ...>)
"""

from ..lazy import names as _names

_LAZY = {"Run": "running", "Record": "records", "load": "records", "compare": "comparison"}

__getattr__, __dir__ = _names(__name__, _LAZY)
