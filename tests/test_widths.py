"""Text measured in columns, and shortened to fit into some."""

import pytest

from flambeau.widths import shorten, wide


def test_a_letter_with_its_accent_apart_is_one_column():
    assert wide("e\u0301") == 1 and wide("模型 a") == 6 and wide("") == 0


@pytest.mark.parametrize("text", ["a" * 50, "很长的类别名称" * 5, "layer_编码器_" * 6, "e\u0301" * 40])
@pytest.mark.parametrize("most", [1, 2, 3, 8, 21])
def test_shortened_text_fits_and_has_both_ends(text, most):
    found = shorten(text, most)
    assert most - 2 < wide(found) <= most or most < 3
    head, tail = found.split("…")
    assert text.startswith(head) and text.endswith(tail) and wide(head) - wide(tail) in (-2, -1, 0, 1, 2)


def test_what_fits_stays():
    assert shorten("很长", 4) == "很长" and shorten("abc", 3) == "abc"
