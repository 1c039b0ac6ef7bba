"""How the rules are tested: small programs, run as a user would, with what must be found in them.

`Mistake`: a program, its code, the line (marked by `# HERE`), and replacements that apply the printed fix literally:
after them nothing may be found any more. `correct` programs must give no finding of level E or W at all.
"""

import contextlib
import io
import linecache
import warnings
from dataclasses import dataclass, field

import numpy as np

import flambeau as torch
from flambeau.checks import collect
from flambeau.errors import FlambeauError

PRELUDE = """
import copy, math, random, time, warnings
import numpy as np
import flambeau as torch
from flambeau import nn, optim
import flambeau.nn.functional as F
from flambeau.utils.data import DataLoader, Dataset, TensorDataset
random.seed(0); np.random.seed(0)
torch.default_generator.manual_seed(0)
"""
_count = 0


@dataclass
class Outcome:
    """What running a program gave: findings (E, W and H), the error that ended it, its variables."""

    findings: list
    error: BaseException | None
    names: dict
    printed: str = ""

    def codes(self, levels="EW"):
        """The codes found, errors included."""
        found = [f.code for f in self.findings if f.level in levels]
        code = getattr(self.error, "code", "")
        return found + ([code] if code and "E" in levels else [])


@dataclass
class Mistake:
    """A program with a mistake. `fix`: (old, new) or (old, new, what of it the message prints) replacements."""

    code: str
    program: str
    cause: str = ""
    fix: list = field(default_factory=list)
    level: str = ""
    says: tuple = ()  # pieces that the message must contain
    around: object = None  # a context manager factory: what the program runs in (doctor.watch)
    after: object = None  # called with the outcome when the program has run (doctor.examine)


def run(program: str, around=None, after=None) -> Outcome:
    """Run a program afresh, in a file of its own name; warnings are recorded, not printed."""
    global _count
    _count += 1
    name = f"program{_count}.py"
    linecache.cache[name] = (len(program), None, program.splitlines(True), name)
    names = {"__name__": "__main__"}
    exec(compile(PRELUDE, "prelude.py", "exec"), names)
    error, printed = None, io.StringIO()
    grad, default = torch.is_grad_enabled(), torch.get_default_dtype()
    with warnings.catch_warnings(record=True), contextlib.redirect_stdout(printed), np.errstate(all="ignore"):
        warnings.simplefilter("always")
        with collect(fresh=True) as findings:
            outcome = Outcome(findings, None, names)
            with around() if around else contextlib.nullcontext():
                try:
                    exec(compile(program, name, "exec"), names)
                except Exception as raised:
                    error = raised
            outcome.error = error
            if after is not None:
                after(outcome)
    torch.set_grad_enabled(grad)
    torch.set_default_dtype(default)
    outcome.printed = printed.getvalue()
    return outcome


def line_of(program: str) -> int | None:
    """The number of the line marked by `# HERE`."""
    return next((i for i, line in enumerate(program.splitlines(), 1) if "# HERE" in line), None)


def check(mistake: Mistake) -> Outcome:
    """Assert that a mistake is found, at its line, and that the printed fix removes it."""
    program = mistake.program.strip("\n") + "\n"
    outcome = run(program, mistake.around, mistake.after)
    error = outcome.error
    if getattr(error, "code", "") == mistake.code:
        text, cause, level = str(error), error.cause, "E"
        line = error.place.line if error.place else None
        fix = error.fix
    else:
        found = [f for f in outcome.findings if f.code == mistake.code]
        assert found, f"{mistake.code} not found; got {outcome.codes('EWH')}, error {error!r}"
        f = found[0]
        text, cause, level, line, fix = f.text(), f.cause, f.level, f.site.line if f.site else None, f.fix
    others = [c for c in outcome.codes() if c != mistake.code]
    assert not others, f"also found {others}: one finding per root cause"
    if mistake.cause:
        assert cause == mistake.cause, cause
    if mistake.level:
        assert level == mistake.level, level
    marked = line_of(program)
    if marked is not None:
        assert line == marked, f"line {line}, not {marked}: {text}"
    for piece in mistake.says:
        assert piece in text, f"{piece!r} is not in:\n{text}"
    if mistake.fix:
        fixed = program
        for old, new, *printed in mistake.fix:
            assert old in fixed, old
            fixed = fixed.replace(old, new)
            for piece in printed or [new]:
                assert piece in fix, f"{piece!r} is not in the fix: {fix}"
        again = run(fixed, mistake.around, mistake.after)
        assert not isinstance(again.error, FlambeauError) and again.error is None, (
            f"the fixed program fails: {again.error}"
        )
        assert mistake.code not in again.codes("EWH" if level == "H" else "EW"), "the fix does not remove it"
    return outcome


def correct(program: str, around=None, after=None) -> None:
    """Assert that a program runs and nothing of level E or W is found in it."""
    outcome = run(program.strip("\n") + "\n", around, after)
    if outcome.error is not None:
        raise outcome.error
    found = [f"{f.code}: {f.saw}" for f in outcome.findings if f.level in "EW"]
    assert not found, found
