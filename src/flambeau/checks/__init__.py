"""The mistakes that PyTorch lets pass silently, looked for while programs run.

`log.py` keeps what has happened, `events.py` tells the rules, a file per group of codes holds them (`losses.py`,
`shapes.py`...), `findings.py` says what they found, `codes.py` is the table of codes and thresholds. A rule never
changes a result: it looks at arrays with NumPy, draws no random number and records nothing. `FLAMBEAU_CHECKS=off`
switches all of it off.
"""

from .findings import WARNINGS as _WARNINGS
from .findings import Finding, FlambeauWarning, allow, collect, found, so_far
from .log import log

globals().update({name.__name__: name for name in _WARNINGS.values()})
__all__ = ["Finding", "FlambeauWarning", "allow", "collect", "found", "log", "so_far"]
