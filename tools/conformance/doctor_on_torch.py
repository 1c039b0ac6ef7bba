"""Runs the mistaken programs of the pages on PyTorch under the doctor, and writes docs/doctor-for-pytorch.md.

`python tools/conformance/doctor_on_torch.py`, in an environment that has PyTorch: which codes are decided there, and
by what. `--check` writes nothing, and fails if a code that the table calls found is not.
"""

import contextlib
import io
import linecache
import os
import re
import sys
import tempfile
import warnings

import torch

import flambeau
from flambeau import doctor, pages
from flambeau.checks import collect
from flambeau.checks.codes import CODES

PROGRAM = re.compile(r"```python\n(.*?)```", re.DOTALL)
TABLE = os.path.join(os.path.dirname(__file__), "..", "..", "docs", "doctor-for-pytorch.md")
HEAD = """# The doctor on PyTorch's own modules

`doctor.watch`, `doctor.examine` and `flambeau doctor --torch script.py` take PyTorch's modules, optimizers and loaders
as they are, where PyTorch is installed: the program does not change, and what it computes does not either.

Each operation is run again on tensors of flambeau's that share the memory of PyTorch's, where all checks look on; calls
of modules, optimizers, schedulers, loaders, `torch.save` and so on are told to the checks. This is done for the first
steps of a training and for one step in 256 afterwards; what happens between the calls is followed always. All patches
are taken back when the watch ends. An operation that flambeau does not have leaves a gap: rules that need the whole
graph then say nothing.

An error that PyTorch raises within a `with doctor.watch():` goes on as it is, and is in the report with its reason and
remedy. On other devices than the CPU, rules that look at values say nothing.

The table is what `tools/conformance/doctor_on_torch.py` found with the mistaken program of each code's page.

| code | decided on PyTorch by |
|---|---|
"""
WHY_NOT = {
    "FB-DATA-10": "no: worker processes are not started for an examination of PyTorch's loaders",
    "FB-GRAD-07": "no: a PyTorch `autograd.Function` cannot be run on flambeau's tensors",
}


def program(code: str) -> str:
    """The mistaken program of a page, for PyTorch."""
    text = PROGRAM.search(pages.page(code, "en"))[1]
    lines = []
    for line in text.splitlines():
        if re.match(r"\s*(from|import) flambeau", line):
            names = line.partition(" import ")[2].split(", ") if line.startswith("from flambeau import ") else []
            if "doctor" in names:
                names.remove("doctor")
                lines.append("from flambeau import doctor")
                line = f"from flambeau import {', '.join(names)}" if names else ""
            line = re.sub(r"\bflambeau\b", "torch", line)
        lines.append(line)
    return "\n".join(lines)


def found(code: str) -> str:
    """"watch", "examine" or "error" if the doctor finds the mistake; "" if not."""
    text, name = program(code), f"{code}.py"
    linecache.cache[name] = len(text), None, text.splitlines(True), name
    torch.manual_seed(0)
    torch.set_default_dtype(torch.float32)
    error = None
    with collect(fresh=True) as findings, contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        watch = doctor.watch(quiet=True)
        try:
            exec(compile(text, name, "exec"), {"__name__": "__main__"})
        except Exception as e:
            error = e
        watch.close()
    reason = watch.reason(error) if error is not None else None
    if getattr(reason, "code", "") == code:
        return "error"
    if any(f.code == code for f in findings):
        return "examine" if "doctor.examine" in text else "watch"
    return ""


def main() -> int:
    """Write the table, or compare with it."""
    before = open(TABLE, encoding="utf-8").read() if os.path.exists(TABLE) else ""
    rows, lost = [], []
    words = {"watch": "`watch`", "examine": "`examine`", "error": "`watch`: the error is explained"}
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        os.chdir(folder)
        for code in CODES:
            how = found(code)
            rows.append(f"| {code} | {words.get(how) or WHY_NOT.get(code, 'no')} |\n")
            if not how and f"| {code} | `" in before:
                lost.append(code)
    count = sum("| `" in row for row in rows)
    print(f"{count} of {len(rows)} codes are found on PyTorch {torch.__version__}; lost: {', '.join(lost) or 'none'}")
    if "--check" in sys.argv:
        return int(bool(lost))
    with open(os.path.join(START, TABLE), "w", encoding="utf-8") as f:
        f.write(HEAD + "".join(rows) + f"\n{count} of {len(rows)}.\n")
    return 0


START = os.getcwd()
TABLE = os.path.abspath(TABLE)
if __name__ == "__main__":
    assert flambeau.__name__ != torch.__name__
    sys.exit(main())
