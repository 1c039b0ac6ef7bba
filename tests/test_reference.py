"""The reference is made from docstrings: their habits become Markdown, and nothing public is left out."""

import inspect
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "tools"))
import reference

import flambeau
from flambeau import nn


def test_a_docstring_becomes_markdown():
    doc = inspect.cleandoc(
        """Affine map, y = x Wᵀ + b_1.

        Arguments:
            in_features, out_features: sizes
                before and after.
            bias: learn *b*. Default: True.
        Shapes: (*, in_features) -> (*, out)

        >>> a[0]
        1

        Raises ValueError for `x[0]`.
        """
    )
    assert reference.described(doc).split("\n") == [
        "Affine map, y = x Wᵀ + b\\_1.",
        "",
        "",
        "**Arguments**",
        "",
        "- `in_features, out_features`: sizes",
        "  before and after.",
        "- `bias`: learn \\*b\\*. Default: True.",
        "",
        "**Shapes**: (\\*, in\\_features) -\\> (\\*, out)",
        "",
        "```pycon",
        ">>> a[0]",
        "1",
        "```",
        "",
        "",
        "**Raises** ValueError for `x[0]`.",
    ]


def test_signatures_name_what_stands_for_nothing():
    assert reference.signature(nn.Linear) == "(in_features, out_features, bias=True, device=None, dtype=None)"

    def f(x: int, key=len, made=object()) -> int: ...

    assert reference.signature(f) == "(x, key=len, made=...)"


def test_one_thing_under_several_names_is_described_once():
    names = reference.public(flambeau)
    assert "abs" in names and "absolute" not in names
    assert "absolute" in reference.aliases(flambeau, "abs", flambeau.abs)


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    return {path.stem: path.read_text() for path in reference.write(tmp_path_factory.mktemp("reference"))}


def test_everything_public_has_a_place(pages):
    whole = "\n".join(pages.values())
    spaces = {"": flambeau, ".nn": nn, ".nn.functional": nn.functional, ".optim": flambeau.optim}
    for space, module in spaces.items():
        for name, thing in reference.public(module).items():
            names = [name, *reference.aliases(module, name, thing)]
            assert (
                thing is flambeau.Tensor
                or any(f" flambeau{space}.{n}(" in whole for n in names)
                or any(f".{n}(" in whole for n in names)
            ), name
    assert "{py:class} flambeau.nn.Linear(in_features, out_features" in pages["nn"]
    assert "Source: `nn/modules/linear.py`" in pages["nn"]


def test_methods_that_are_functions_refer_to_them(pages):
    assert "{py:func}`tanh_ <flambeau.tanh>`" in pages["tensor"]
    assert "{py:method} flambeau.Tensor.backward(" in pages["tensor"]
