"""What becomes of a value further on in the user's function, read off its source: whether it is only reported.

Used for models that run under no_grad in training mode: an evaluation ends in numbers that are printed or kept, whereas
targets, samples of a generator and the like go on into a loss.
"""

from __future__ import annotations

import ast

from .flow import dotted, names, own_expressions, source_of
from .sites import Site

# What makes a plain number, or a figure for the reader, of a tensor.
NUMBERS = {"item", "tolist", "numpy", "float", "int", "round", "len", "print", "format", "argmax", "eq", "equal"}
# Calls that show or keep what they are given.
REPORTS = {"print", "append", "add_scalar", "log", "info", "write", "plot", "record", "set_postfix", "extend", "debug"}
_TRAINING = {"backward", "grad", "scale", "step"}
_EVALUATES = ("val", "eval", "test", "acc", "metric", "predict", "score")


def only_reported(site: Site) -> bool:
    """Whether the call at a place gives what is measured, and nothing of it goes on into training.

    True only where both can be read: numbers or classes are made of the result, and neither backward() nor another
    model, an attribute or (in a function that is not named as an evaluation) the caller gets a tensor of it.
    """
    source, call = source_of(site.code), site.expression()
    if source is None or call is None:
        return False
    text, line = ast.dump(call), site.line
    tainted: set[str] = set()
    measured = False
    evaluation = any(word in site.function.lower() for word in _EVALUATES)
    for _ in range(3):  # loops hand values back
        for statement, _loops, _maybe in source.statements:
            for e in own_expressions(statement):
                if not _carries(e, tainted, text, line):
                    continue
                if _trains(e, tainted, text, line):
                    return False
                number = _number(e, tainted, text, line)
                measured = measured or number or _calls(e, REPORTS)
                if isinstance(statement, (ast.Assign, ast.AugAssign, ast.AnnAssign, ast.For)):
                    if number and not isinstance(statement, ast.For):
                        continue
                    targets = getattr(statement, "targets", None) or [statement.target]  # type: ignore[union-attr]
                    for target in targets:
                        if isinstance(target, ast.Attribute):
                            return False
                        tainted.update(n for n in names(target) if n != "self")
                elif isinstance(statement, ast.Return):
                    if not number and not evaluation:
                        return False
                    measured = True
    return measured


def _carries(e: ast.AST, tainted: set[str], text: str, line: int) -> bool:
    """Whether an expression uses the call's result."""
    for n in ast.walk(e):
        if isinstance(n, ast.Name) and n.id in tainted and isinstance(n.ctx, ast.Load):
            return True
        if isinstance(n, ast.Call) and n.lineno <= line <= (n.end_lineno or n.lineno) and ast.dump(n) == text:
            return True
    return False


def _number(e: ast.AST, tainted, text, line) -> bool:
    """Whether an expression makes a number, or classes that are compared, of the result."""
    return any(
        (isinstance(n, (ast.Compare, ast.FormattedValue)) or _calls(n, NUMBERS)) and _carries(n, tainted, text, line)
        for n in ast.walk(e)
    )


def _trains(e: ast.AST, tainted, text, line) -> bool:
    """Whether backward() is called on something that the result went into."""
    return any(_calls(n, _TRAINING) and _carries(n, tainted, text, line) for n in ast.walk(e))


def _calls(e: ast.AST, functions: set[str]) -> bool:
    """Whether an expression calls one of these functions or methods."""
    if not isinstance(e, ast.Call):
        return False
    name = dotted(e.func).rpartition(".")[2]
    return (name or (e.func.attr if isinstance(e.func, ast.Attribute) else "")) in functions
