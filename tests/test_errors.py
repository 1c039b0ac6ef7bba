"""Every error that the package raises is one of `flambeau.errors` and says what happened."""

import ast
import builtins
from pathlib import Path

import pytest

import flambeau
from flambeau import errors

ROOT = Path(flambeau.__file__).parent
# Python's own protocols: (file, exception). `except` clauses of the interpreter or of libraries wait for them.
PROTOCOLS = {
    # caught where they are raised, with what the libraries raise there
    ("attr/visual_scale.py", "ValueError"),
    ("utils/tensorboard/event_file.py", "FileNotFoundError"),
    ("cli.py", "SystemExit"),
    ("cli.py", "argparse.ArgumentTypeError"),
    ("demo.py", "SystemExit"),
    # Ctrl-C, raised again once the step that was running has ended
    ("training/loop.py", "KeyboardInterrupt"),
    ("training/surroundings.py", "KeyboardInterrupt"),
    # how iterators end
    ("utils/data/dataloader.py", "StopIteration"),
    ("utils/data/_utils/parallel.py", "StopIteration"),
    ("utils/data/_utils/fetch.py", "StopIteration"),
    ("utils/data/_utils/batch.py", "IndexError"),  # how sequences end
    ("testing.py", "AssertionError"),  # with the user's own message
    # caught where they are called, or a defect of the package itself
    ("arrays.py", "ValueError"),
    ("nn/functional/regression.py", "ValueError"),
    ("ops/node.py", "TypeError"),
    ("pickling.py", "TypeError"),
    ("tensor.py", "TypeError"),
    ("doctor/pytorch/adapter.py", "NotImplementedError"),  # PyTorch's own protocol: the doctor looks at its models
}
# Exceptions that never leave the package: how one part tells another that it cannot do something.
INTERNAL = {"NotTraceable", "NotSymbolic", "CannotReplay", "HasHooks", "Unsupported", "_Enough"}


def calls_of(tree):
    """(node, name of the class or function called) of everything that is raised as a call."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Raise) and node.exc is not None:
            called = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
            yield node.exc, ast.unparse(called)


def exceptions_of(name):
    """The exception class that a name stands for outside the package, or None."""
    found = getattr(builtins, name.rpartition(".")[2], None)
    return found if isinstance(found, type) and issubclass(found, BaseException) else None


def sources():
    for path in sorted(ROOT.rglob("*.py")):
        yield path.relative_to(ROOT).as_posix(), ast.parse(path.read_text())


def our_classes():
    """Names of all subclasses of FlambeauError that the package defines."""
    names = {n for n, c in vars(errors).items() if isinstance(c, type) and issubclass(c, errors.FlambeauError)}
    for _ in range(2):  # subclasses of subclasses
        for _, tree in sources():
            for node in ast.walk(tree):
                if isinstance(node, ast.ClassDef) and names & {ast.unparse(b).rpartition(".")[2] for b in node.bases}:
                    names.add(node.name)
    return names


def in_protocol_method(tree):
    """Lines of raise statements in methods that Python calls for attributes: they raise AttributeError."""
    lines = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and node.name in ("__getattr__", "__getattribute__"):
            lines |= {n.lineno for n in ast.walk(node) if isinstance(n, ast.Raise)}
    return lines


def test_only_errors_of_the_package_are_raised():
    foreign = []
    for file, tree in sources():
        protocol = in_protocol_method(tree)
        for node, name in calls_of(tree):
            if exceptions_of(name) is None or name in INTERNAL or (file, name) in PROTOCOLS:
                continue
            if name == "AttributeError" and node.lineno in protocol or name == "StopIteration":
                continue
            if name == "NotImplementedError" and not isinstance(node, ast.Call):
                continue  # a method that subclasses define
            if file.startswith("kernels/"):
                continue  # code generators: caught, or a defect of theirs
            foreign.append(f"{file}:{node.lineno} raises {name}")
    assert not foreign, f"{len(foreign)}:\n" + "\n".join(foreign)


def test_every_error_states_a_fact():
    silent, ours = [], our_classes()
    for file, tree in sources():
        for node, name in calls_of(tree):
            if name.rpartition(".")[2] in ours and (not isinstance(node, ast.Call) or not node.args):
                silent.append(f"{file}:{node.lineno} {name} without a fact")
    assert not silent, "\n".join(silent)


def test_codes_are_well_formed_and_have_a_cause_in_words():
    for file, tree in sources():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call):
                for keyword in node.keywords:
                    if keyword.arg == "code" and isinstance(keyword.value, ast.Constant) and keyword.value.value:
                        assert keyword.value.value.startswith("FB-"), f"{file}:{node.lineno}"


@pytest.mark.parametrize("name", sorted(our_classes() & set(vars(errors))))
def test_classes_derive_from_what_pytorch_raises(name):
    kind = getattr(errors, name)
    builtin = [c for c in kind.__mro__ if c.__module__ == "builtins" and c not in (Exception, BaseException, object)]
    assert builtin or kind is errors.FlambeauError


def test_unknown_names_propose_close_ones():
    with pytest.raises(
        AttributeError, match=r"(?s)module 'torch' has no attribute 'sigmod'.*did you mean `torch.sigmoid`"
    ):
        _ = flambeau.sigmod
    with pytest.raises(AttributeError) as caught:
        _ = flambeau.nothing_like_this
    assert caught.value.fix == ""
