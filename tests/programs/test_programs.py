"""Programs as people write them for PyTorch, unchanged: they print what PyTorch 2.13 printed (the .txt files)."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
NUMBER = re.compile(r"[-+]?(?:\d+\.\d*(?:e[-+]?\d+)?|\d+|inf|nan)")


def split(text):
    """The words of a text, without its numbers; and the numbers."""
    return re.sub(r"\s+", " ", NUMBER.sub("#", text)).strip(), [float(n) for n in NUMBER.findall(text)]


@pytest.mark.parametrize("name", sorted(p.stem for p in HERE.glob("*.txt")))
def test_prints_what_pytorch_prints(name):
    done = subprocess.run(
        [sys.executable, "-m", "flambeau", "run", str(HERE / f"{name}.py")], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    words, numbers = split(done.stdout)
    expected_words, expected = split((HERE / f"{name}.txt").read_text())
    assert words == expected_words
    assert numbers == pytest.approx(expected, rel=2e-3, abs=2e-4, nan_ok=True)
