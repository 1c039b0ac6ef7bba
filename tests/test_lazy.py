"""Packages whose names are imported when they are first used."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from flambeau import doctor, record, training, viz

PACKAGES = [doctor, record, training, viz]


@pytest.mark.parametrize("package", PACKAGES, ids=lambda p: p.__name__)
def test_every_name_is_found_listed_and_no_submodule(package):
    for name in package._LAZY:
        assert getattr(package, name).__name__ == name and name in dir(package)
        assert not (Path(package.__file__).parent / f"{name}.py").exists(), "importing it would hide the function"


def test_what_editors_are_told_is_what_is_there():
    tree = ast.parse(Path(viz.__file__).read_text(encoding="utf-8"))
    told = {
        alias.name: node.module
        for part in tree.body
        if isinstance(part, ast.If)
        for node in part.body
        for alias in node.names
    }
    assert told == viz._LAZY


@pytest.mark.parametrize(
    ("package", "wrong", "right"), [("viz", "make_dots", "make_dot"), ("training", "lr_fnd", "lr_find")]
)
def test_a_misspelt_name(package, wrong, right):
    with pytest.raises(AttributeError, match=f"did you mean `flambeau.{package}.{right}`"):
        getattr({"viz": viz, "training": training}[package], wrong)


def test_importing_viz_imports_nothing_of_it():
    code = (
        "import sys, flambeau.viz as viz\n"
        "heavy = {'matplotlib', 'PIL', 'flambeau.nn', 'flambeau.vision', 'flambeau.compiler'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
        "viz.summary\n"
        "print('flambeau.viz.layers' in sys.modules, 'matplotlib' in sys.modules, 'flambeau.vision' in sys.modules)"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert ran.stdout.split("\n")[:2] == ["[]", "True False False"], ran.stdout + ran.stderr
