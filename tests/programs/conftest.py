"""The programs are run by test_programs.py, each in a process where `torch` means flambeau."""

from pathlib import Path

HERE = Path(__file__).parent
collect_ignore = [p.name for p in HERE.glob("*.py") if p.name not in ("conftest.py", "test_programs.py")]
