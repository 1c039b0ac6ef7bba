"""The type stubs say what the registry holds."""

import subprocess
import sys
from pathlib import Path

import pytest

TOOL = Path(__file__).parent.parent / "tools" / "make_stubs.py"


@pytest.mark.skipif(not TOOL.exists(), reason="the tool is part of the checkout, not of the package")
def test_stubs_are_up_to_date():
    done = subprocess.run([sys.executable, str(TOOL), "--check"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr or done.stdout
