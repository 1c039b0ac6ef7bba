"""The training doctor: `examine` before training, `watch` while training, and the report of either.

>>> from flambeau import doctor
>>> doctor.Report([]).ok
True
"""

from ..lazy import names as _names

_LAZY = {
    "Report": "report",
    "Table": "report",
    "Curve": "report",
    "watch": "watching",
    "examine": "examination",
    "examine_data": "examination",
}

__getattr__, __dir__ = _names(__name__, _LAZY)
