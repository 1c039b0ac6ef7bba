"""Runs the programs of the pages, and writes what flambeau really says into them: `python tools/pages.py [CODE...]`.

Each page has a mistaken program and a corrected one. The block under "What flambeau says" is made of what the mistaken
program gives; for Traditional Chinese run `messages.py traditional` afterwards.
"""

import contextlib
import io
import linecache
import os
import re
import sys
import warnings
from dataclasses import dataclass

import flambeau
from flambeau import language, pages
from flambeau.checks import collect
from flambeau.errors import FlambeauError

PROGRAM = re.compile(r"```python\n(.*?)```", re.DOTALL)
SAYS = re.compile(r"```text\n(.*?)```", re.DOTALL)
# What they say depends on the machine's speed.
TIMED = ("FB-PERF-01", "FB-PERF-02")


@dataclass
class Outcome:
    """What a program gave: findings, and the error that ended it."""

    findings: list
    error: BaseException | None

    def codes(self, levels="EWH"):
        """The codes that were found."""
        return [f.code for f in self.findings if f.level in levels] + [
            c for c in [getattr(self.error, "code", "")] if c
        ]


def file_name(code, fixed=False):
    """What a program's file is called: each has a name of its own, for lines are remembered by file."""
    return f"{code}-{'fixed' if fixed else 'mistaken'}.py"


def programs(code, folder="en"):
    """The mistaken program of a page, and the corrected one."""
    return PROGRAM.findall(pages.page(code, folder))


def run(program, code, fixed=False):
    """Runs a program of a page, with its warnings and what it prints caught."""
    name = file_name(code, fixed)
    linecache.cache[name] = (len(program), None, program.splitlines(True), name)
    environment, error = dict(os.environ), None
    flambeau.default_generator.manual_seed(0)  # as in a process where nothing was drawn before
    try:
        with (
            warnings.catch_warnings(),
            collect(fresh=True) as findings,
            contextlib.redirect_stdout(io.StringIO()),
            contextlib.redirect_stderr(io.StringIO()),
        ):
            warnings.simplefilter("ignore")
            try:
                exec(compile(program, name, "exec"), {"__name__": "__main__"})
            except Exception as raised:
                error = raised
            return Outcome(list(findings), error)
    finally:
        os.environ.clear()
        os.environ.update(environment)


def said(code, outcome):
    """What was said about a code, in the language that is set; None where nothing was."""
    if isinstance(outcome.error, FlambeauError) and outcome.error.code == code:
        fact, why, fix = outcome.error.fact, outcome.error.why, outcome.error.fix
    else:
        found = next((f for f in outcome.findings if f.code == code), None)
        if found is None:
            return None
        fact, why, fix = found.saw, found.why, found.fix
    lines = [language.both(fact)]
    lines += [language.line(language.text("why:"), language.text(why))] if why else []
    lines += [language.line(language.text("fix:"), language.text(fix))] if fix else []
    return "\n".join(lines).replace(file_name(code), "train.py")


def main(codes):
    for code in codes or pages.codes():
        outcome = run(programs(code)[0], code)
        if code in TIMED:
            continue
        for folder in ("en", "zh_CN"):
            language.set_language(folder)
            text = said(code, outcome)
            if text is None:
                print(f"{code}: nothing is found")
                break
            path = pages.FOLDER / folder / f"{code}.md"
            old = path.read_text(encoding="utf-8")
            path.write_text(SAYS.sub(lambda _, text=text: f"```text\n{text}\n```", old, count=1), encoding="utf-8")
        language.set_language("en")


if __name__ == "__main__":
    main(sys.argv[1:])
