"""The command line: `flambeau demo`, `run`, `doctor`, `explain`, `compare` and `info`; and `as_torch` for notebooks."""

from __future__ import annotations

import argparse
import importlib
import importlib.abc
import importlib.machinery
import importlib.metadata
import io
import os
import platform
import re
import runpy
import sys
from pathlib import Path

from .arguments import Parser
from .errors import ArgumentError, CannotWrite, MissingDependency, MissingFile, StateError
from .language import part
from .language import text as _

# What scripts for PyTorch import: the framework, and tools whose work is part of it (captum.attr is flambeau.attr).
ALIASES = {
    "torch": "flambeau",
    "torchvision": "flambeau.vision",
    "torchviz": "flambeau.viz",
    "torchinfo": "flambeau.viz",
    "captum": "flambeau",
}


class _Alias(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Makes `import torch.nn` find flambeau.nn, as one and the same module object."""

    def find_spec(self, fullname, path=None, target=None):
        top, _, rest = fullname.partition(".")
        if top not in ALIASES:
            return None
        real = ALIASES[top] + (f".{rest}" if rest else "")
        try:
            module = importlib.import_module(real)
        except ModuleNotFoundError as error:
            if error.name is None or not real.startswith(error.name):
                raise
            missing = MissingDependency(
                f"No module named '{fullname}': the script runs on flambeau, which has no '{real}'",
                why=f"'{real}' is not part of flambeau",
                fix=f"look whether the script can do without `{fullname}`",
            )
            missing.name = fullname
            raise missing from None
        spec = importlib.machinery.ModuleSpec(fullname, self, is_package=hasattr(module, "__path__"))
        spec.loader_state = (module, module.__spec__)
        return spec

    def create_module(self, spec):
        return spec.loader_state[0]

    def exec_module(self, module):
        # The import system has put the alias's spec on the module: give it its own back.
        spec = module.__spec__
        if spec is not None and spec.loader_state is not None:
            module.__spec__ = spec.loader_state[1]


def as_torch() -> None:
    """Make `import torch` and `import torchvision` mean flambeau, for the rest of this process.

    Raises RuntimeError when the real PyTorch has been imported already.

    >>> import flambeau
    >>> flambeau.as_torch()
    >>> import torch
    >>> torch is flambeau
    True
    """
    loaded = sys.modules.get("torch")
    if loaded is not None and loaded.__name__ != "flambeau":
        raise StateError(
            "torch is imported already: call flambeau.as_torch() first, in a fresh process",
            why="modules that are imported already go on using it",
            fix="call `flambeau.as_torch()` before anything imports torch",
        )
    if not any(isinstance(f, _Alias) for f in sys.meta_path):
        sys.meta_path.insert(0, _Alias())


def run(script: str, args: list[str]) -> None:
    """Run a PyTorch script on flambeau, with its own arguments."""
    if not Path(script).is_file():
        raise SystemExit(f"flambeau run: there is no file '{script}'")
    as_torch()
    sys.argv = [script, *args]
    sys.path.insert(0, str(Path(script).resolve().parent))
    runpy.run_path(script, run_name="__main__")


def info() -> dict[str, str]:
    """What this installation is and runs on: versions, CPU, threads, BLAS, cache, devices."""
    import numpy as np  # noqa: PLC0415 - only for this report

    import flambeau  # noqa: PLC0415

    from .record.surroundings import cpu_name  # noqa: PLC0415

    def version(package):
        try:
            return importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            return _("not installed")

    config = np.show_config(mode="dicts") or {}
    blas = config.get("Build Dependencies", {}).get("blas", {})
    simd = config.get("SIMD Extensions", {}).get("found", [])
    facts = {
        "flambeau": flambeau.__version__,
        "Python": f"{platform.python_version()} ({platform.platform()})",
        **{p: version(p) for p in ("numpy", "llvmlite", "ml_dtypes", "rich", "pillow", "matplotlib")},
        "CPU": _(f"{cpu_name()}, {os.cpu_count()} core(s)"),
        part("CPU features"): " ".join(simd) or _("unknown"),
        part("threads"): str(flambeau.get_num_threads()),
        "BLAS": f"{blas.get('name', 'unknown')} {blas.get('version', '')}".strip(),
        part("kernels"): os.environ.get("FLAMBEAU_BACKEND", "llvm"),
        part("kernel cache"): _cache_folder(),
        part("devices"): "cpu, meta",
    }
    return facts


def explain(words: str) -> int:
    """Print the page of a code; the codes that fit other words; all of them for none. Returns the exit code."""
    from . import pages  # noqa: PLC0415 - only for this command

    if not words:
        for code in pages.codes():
            print(f"{code:12} {pages.title(code)}")
        return 0
    if re.fullmatch(r"(fb-)?[a-z]+-\d+", words.strip(), re.IGNORECASE):
        try:
            print(pages.page(words))
            return 0
        except KeyError as error:
            print(error, file=sys.stderr)
            return 2
    found = pages.search(words)[:8]
    for code in found:
        print(f"{code:12} {pages.title(code)}")
    if not found:
        print(_("No page speaks of that; `flambeau explain` lists all codes."), file=sys.stderr)
    return 0 if found else 2


def _escape(stream) -> None:
    """Let a stream write escapes for the letters that its encoding lacks, such as Chinese on an ASCII terminal."""
    if isinstance(stream, io.TextIOWrapper) and stream.errors == "strict":
        stream.reconfigure(errors="backslashreplace")


def _cache_folder() -> str:
    default = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "flambeau" / "kernels"
    return os.environ.get("FLAMBEAU_CACHE_DIR", str(default))


def main(argv: list[str] | None = None) -> int:
    """Entry point of the `flambeau` command."""
    argv = sys.argv[1:] if argv is None else argv
    parser = Parser(prog="flambeau", description=_("PyTorch's API in readable Python."))
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    commands.add_parser("demo", help=_("train a small network on real data, with plots and a report"), add_help=False)
    running = commands.add_parser("run", help=_("run a PyTorch script on flambeau"))
    running.add_argument("script", help=_("the script's file"))
    rest = running.add_argument("args", nargs=argparse.REMAINDER, help=_("the script's own arguments"))
    rest.required = False  # else the error for a missing script asks for these too
    doctor = commands.add_parser("doctor", help=_("run a script and report the mistakes in it"))
    doctor.add_argument("--json", metavar="FILE", help=_("write the report as JSON"))
    doctor.add_argument("--html", metavar="FILE", help=_("write the report as a page"))
    doctor.add_argument("--torch", action="store_true", help=_("run it on PyTorch itself, not on flambeau"))
    doctor.add_argument("script", help=_("the script's file"))
    doctor.add_argument("args", nargs=argparse.REMAINDER, help=_("the script's own arguments")).required = False
    explaining = commands.add_parser("explain", help=_("print the page of a mistake's code, or list all codes"))
    explaining.add_argument("code", nargs="*", help=_("such as FB-LOSS-01; or words of a message"))
    comparing = commands.add_parser("compare", help=_("write a page that compares recorded runs"))
    comparing.add_argument("runs", nargs="+", help=_("the folders of two or more runs"))
    comparing.add_argument("--out", metavar="FILE", help=_("where to write it (default: beside the first run)"))
    commands.add_parser("info", help=_("versions, CPU features, threads, BLAS, cache, devices"))
    if argv[:1] == ["demo"]:
        from . import demo  # noqa: PLC0415 - it needs the whole of nn, optim and data

        return demo.main(argv[1:]) or 0
    if argv[:1] not in (["run"], ["doctor"]) or argv[1:2] in (["-h"], ["--help"]):
        _escape(sys.stdout)
    options = parser.parse_args(argv)
    if options.command == "run":
        run(options.script, options.args)
    elif options.command == "doctor":
        from .doctor.script import report_of  # noqa: PLC0415 - it needs the whole of the package

        try:
            return report_of(options.script, options.args, options.json, options.html, options.torch)
        except (FileNotFoundError, CannotWrite, MissingDependency) as error:  # of the command itself, not the script
            print(error, file=sys.stderr)
            return 2
    elif options.command == "explain":
        return explain(" ".join(options.code))
    elif options.command == "compare":
        from .record import compare  # noqa: PLC0415 - only for this command

        try:
            print(compare(*options.runs, out=options.out))
        except (MissingFile, ArgumentError, CannotWrite) as error:
            print(error, file=sys.stderr)
            return 2
    elif options.command == "info":
        for name, value in info().items():
            print(f"{_(name):14} {value}")  # not a message
    else:
        parser.print_help()
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
