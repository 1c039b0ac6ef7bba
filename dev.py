#!/usr/bin/env python3
"""Set up and run, with nothing but Python: `python3 dev.py demo`, `test`, `check` (lint, types) or `docs` (the site).

Each command makes the virtual environment it needs (.venv, or $FLAMBEAU_VENV), installs flambeau into it once, and
runs. Arguments after the command are passed on.
"""

import hashlib
import os
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent
ENV = Path(os.environ.get("FLAMBEAU_VENV", ROOT / ".venv"))
PYTHON = ENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
EXTRAS = {"demo": "viz", "test": "test", "check": "dev", "docs": "docs"}


def install(extra):
    """Make the environment and install the package with an extra, unless that has been done for this pyproject."""
    if not PYTHON.exists():
        print(f"making a virtual environment in {ENV}", flush=True)
        venv.create(ENV, with_pip=True)
    stamp = ENV / f".flambeau-{extra}"
    wanted = hashlib.sha256((ROOT / "pyproject.toml").read_bytes() + str(ROOT).encode()).hexdigest()
    if not stamp.exists() or stamp.read_text() != wanted:
        print(f"installing flambeau[{extra}]", flush=True)
        pip = [str(PYTHON), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, "--editable", f"{ROOT}[{extra}]"], check=True)
        stamp.write_text(wanted)


def main():
    command, *rest = sys.argv[1:] or [""]
    if sys.version_info < (3, 11):  # noqa: UP036 - the file is run by whatever Python the machine has
        return f"flambeau needs Python 3.11 or newer; this is {sys.version.split()[0]}"
    if command not in EXTRAS:
        return __doc__
    install(EXTRAS[command])
    run = lambda *args: subprocess.run([str(PYTHON), *args], cwd=ROOT).returncode
    if command == "demo":
        return run("-m", "flambeau", "demo", *rest)
    if command == "test":
        return run("-m", "pytest", *(rest or ["-n", "2"]))
    if command == "docs":
        return run("tools/documentation.py", *rest)
    return run("-m", "ruff", "check", ".") or run("-m", "ruff", "format", "--check", ".") or run("-m", "mypy")


if __name__ == "__main__":
    sys.exit(main())
