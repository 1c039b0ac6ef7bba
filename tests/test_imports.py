"""The import order of docs/architecture.md: a module imports only from layers above its own."""

import ast
from pathlib import Path

import flambeau

ROOT = Path(flambeau.__file__).parent
LAYERS = (
    ("language", "translation", "widths"), ("place",), ("told",), ("calls",), ("errors",), ("holders", "lazy"),
    ("pages", "arguments"), ("checks",),
    ("dtypes", "constants"), ("devices",), ("arrays",), ("kernels",), ("normal", "generator"), ("tensor",),
    ("mistakes",), ("autograd",), ("ops",), ("settings", "return_types", "types", "version"),
    ("formatting", "random", "special", "linalg", "fft", "signal", "masked", "storage"),
    ("archive",), ("pickling",), ("serialization",),
    ("nn", "optim", "utils", "func", "distributions"), ("compiler",), ("_dynamo",),
    ("testing", "amp", "accelerator", "backends", "cuda", "distributed", "mps", "multiprocessing", "xpu"),
    ("vision",), ("pages",), ("profiler",), ("viz",), ("attr",), ("doctor",), ("training",), ("record",), ("demo",),
    ("cli",), ("__main__",),
)  # fmt: skip
RANK = {name: i for i, names in enumerate(LAYERS) for name in names}
# ops make named tuples; nn, optim and utils stand side by side. The rules of checks/ are imported by what they watch.
ALLOWED = {("ops", "return_types"), ("ops", "formatting"), ("ops", "storage"),
           ("checks", "tensor"), ("checks", "autograd"),
           ("checks", "dtypes"), ("checks", "generator")}  # fmt: skip


def layer_of(path):
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def imports(path):
    """(line, first part of the flambeau module imported), for the imports at module level."""
    package = path.relative_to(ROOT).parts[:-1]
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.ImportFrom) and node.level:
            base = package[: len(package) - (node.level - 1)]
            parts = (*base, *(node.module or "").split(".")) if node.module else base
            if parts:
                yield node.lineno, parts[0]
            else:
                for alias in node.names:
                    yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom) and node.module.startswith("flambeau."):
            yield node.lineno, node.module.split(".")[1]


def test_every_module_has_a_layer():
    assert {layer_of(p) for p in ROOT.rglob("*.py")} - {"__init__"} <= set(RANK)


def test_modules_import_only_from_layers_above():
    wrong = []
    for path in sorted(ROOT.rglob("*.py")):
        here = layer_of(path)
        if here == "__init__":
            continue
        for line, there in imports(path):
            if there in RANK and RANK[there] > RANK[here] and (here, there) not in ALLOWED:
                wrong.append(f"{path.relative_to(ROOT)}:{line} imports {there}")
    assert not wrong, "\n".join(wrong)


def test_only_the_declared_dependencies_are_imported():
    third_party = {"scipy", "torch", "torchvision", "pandas", "sklearn"}
    for path in ROOT.rglob("*.py"):
        if path.parent.name == "pytorch":  # the doctor for PyTorch's modules: imported where they are only
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            names = []
            if isinstance(node, ast.Import):
                names = [a.name for a in node.names]
            elif isinstance(node, ast.ImportFrom) and not node.level:
                names = [node.module]
            assert not third_party & {n.split(".")[0] for n in names}, path
