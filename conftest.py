"""The package is imported before pytest collects doctests from its files: a file imported by its path first would
define every operation a second time."""

from importlib.util import find_spec

import flambeau

flambeau.checks.log.strict = True  # a check that fails fails the test

# The doctor for PyTorch's modules is imported only where PyTorch is installed.
collect_ignore_glob = [] if find_spec("torch") else ["src/flambeau/doctor/pytorch/*"]
