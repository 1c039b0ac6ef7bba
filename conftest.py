"""The package is imported before pytest collects doctests from its files: a file imported by its path first would
define every operation a second time."""

import flambeau  # noqa: F401
