"""Runs the programs of examples/ as modules."""

import importlib
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[2] / "examples"


@pytest.fixture
def run(monkeypatch):
    """`run("vae", "--epochs", 1)` is the result of that example's main."""
    monkeypatch.syspath_prepend(str(FOLDER))

    def call(name, *options):
        sys.modules.pop(name, None)
        return importlib.import_module(name).main([str(option) for option in options])

    return call
