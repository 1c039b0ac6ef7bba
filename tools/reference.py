"""The API reference as Markdown for Sphinx, made from docstrings: a page per namespace, or per group of functions.

Docstrings are Markdown with a few habits (`Arguments:` and an indented list; `Shapes:`, `Raises` at the start of a
line; examples with `>>>`). `described` turns them into what MyST reads; everything public that has one appears.
"""

from __future__ import annotations

import enum
import importlib
import inspect
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "src" / "flambeau"

# The functions of `flambeau` itself, by the file that holds them: what a reader looks for together.
GROUPS = {
    "creation": (
        "Making tensors",
        ("creation", "from_data", "ranges", "filling", "random", "random_filling", "windows"),
    ),
    "elementwise": (
        "Element by element",
        (
            "elementwise",
            "unary",
            "binary",
            "ternary",
            "arithmetic",
            "logic",
            "complexes",
            "special_functions",
            "promotion",
        ),
    ),  # fmt: skip
    "shape": ("Shape and layout", ("views", "shape", "join", "split", "strided", "arrange", "resizing")),
    "choosing": ("Choosing elements", ("index", "index_slices", "scatter", "masks", "sort")),
    "reduce": ("Sums, means and other reductions", ("reduce", "scan", "stats", "histograms")),
    "linear-algebra": (
        "Products and linear algebra",
        ("linalg", "linalg_solve", "linalg_more", "linalg_spectral", "linalg_norms", "linalg_lu", "einsum"),
    ),  # fmt: skip
    "layers": ("Layers as functions", ("conv", "rnn", "activation", "softmax", "native", "sampling", "short_time")),
}
# Namespaces: the page's title is the name. What a namespace takes over from another is described where it belongs.
NAMESPACES = (
    "nn", "nn.functional", "nn.init", "nn.utils", "nn.utils.rnn", "nn.utils.parametrize", "nn.utils.parametrizations",
    "nn.attention", "optim", "optim.lr_scheduler", "optim.swa_utils", "autograd", "autograd.functional",
    "autograd.forward_ad", "autograd.graph", "utils.data", "utils.checkpoint", "utils.tensorboard",
    "linalg", "fft", "special", "signal.windows", "masked", "func", "distributions", "amp", "random", "compiler",
    "doctor", "checks", "training", "record", "viz", "attr", "attr.visualization", "attr.metrics", "profiler",
    "autograd.profiler",
    "vision.datasets", "vision.transforms", "vision.transforms.v2", "vision.transforms.functional", "vision.models",
    "vision.ops", "vision.utils", "vision.io", "cuda", "accelerator", "distributed", "testing", "errors",
)  # fmt: skip
TOOLS = tuple(f"flambeau.{space}" for space in ("training", "record", "viz", "attr", "profiler", "doctor"))
# What namespaces import for their own use.
INNER = ("flambeau.errors", "flambeau.tensor", "flambeau.devices", "flambeau.dtypes", "flambeau.ops.public")


def public(module) -> dict[str, object]:
    """The functions and classes that a namespace offers, each under its own name; other names follow it."""
    listed = getattr(module, "__all__", None)
    names = listed or [name for name in dir(module) if not name.startswith("_")]
    whole = listed or module.__name__ in ("flambeau", *INNER)
    found: dict[int, tuple[str, object]] = {}
    for name in sorted(names, key=lambda n: (n != getattr(getattr(module, n, None), "__name__", n), n)):
        thing = getattr(module, name, None)
        home = getattr(thing, "__module__", "") or ""
        ours = home.split(".")[0] in ("flambeau", "torch") and (whole or home not in INNER)
        if callable(thing) and ours and inspect.getdoc(thing):
            found.setdefault(id(thing), (name, thing))
    return dict(sorted(found.values(), key=lambda pair: (pair[0].lower(), pair[0])))


def aliases(module, name: str, thing) -> list[str]:
    return [n for n in dir(module) if n != name and not n.startswith("_") and getattr(module, n, None) is thing]


def signature(thing) -> str:
    """Parameters with their defaults, without annotations."""
    if inspect.isclass(thing) and issubclass(thing, enum.Enum):
        return ""
    try:
        found = inspect.signature(thing)
    except (TypeError, ValueError):
        return "(...)"
    parameters = []
    for p in found.parameters.values():
        default = p.default
        if default is not p.empty and not isinstance(default, int | float | str | bool | tuple | None):
            default = _Named(getattr(default, "__name__", None) or str(default))
        parameters.append(p.replace(annotation=p.empty, default=default))
    return str(found.replace(parameters=parameters, return_annotation=found.empty))


class _Named:
    """A default that is written by its name."""

    def __init__(self, name):
        self.name = name if re.fullmatch(r"[\w.]+", name) else "..."

    def __repr__(self):
        return self.name


def escaped(text: str) -> str:
    """Text in which only backquotes and emphasis by ** mean something to Markdown."""
    parts = re.split(r"(``.+?``|`[^`]+`)", text)
    return "".join(
        part if i % 2 else re.sub(r"(?<!\*)\*(?!\*)|[<>_\[\]]", r"\\\g<0>", part) for i, part in enumerate(parts)
    )


def described(doc: str) -> str:
    """A docstring as MyST Markdown."""
    out: list[str] = []
    lines = doc.expandtabs().split("\n")
    i = 0
    while i < len(lines):
        line = lines[i]
        if line.lstrip().startswith(">>>"):
            example = []
            while i < len(lines) and lines[i].strip():
                example.append(lines[i])
                i += 1
            if out and out[-1].strip():
                out.append("")
            out += ["```pycon", *inspect.cleandoc("\n".join(example)).split("\n"), "```", ""]
            continue
        if re.fullmatch(r"Examples?:+", line.strip()):
            i += 1
            continue
        heading = re.fullmatch(r"([A-Z][a-z]+(?: [a-z]+)?):", line)
        if heading and i + 1 < len(lines) and lines[i + 1].startswith("    "):
            out += ["", f"**{heading[1]}**", ""]
            i += 1
            while i < len(lines) and (lines[i].startswith("    ") or not lines[i].strip()):
                if lines[i].lstrip().startswith(">>>"):
                    break
                entry = lines[i][4:]
                if not entry.strip():
                    out.append("")
                elif entry.startswith(" "):
                    out.append("  " + escaped(entry.strip()))
                else:
                    name, colon, rest = entry.partition(": ")
                    out.append(f"- `{name.strip('`')}`: {escaped(rest)}" if colon else f"- {escaped(entry)}")
                i += 1
            out.append("")
            continue
        if line.startswith("    ") and (not out or not out[-1].strip()):
            block = []
            while i < len(lines) and (lines[i].startswith("    ") or not lines[i].strip()):
                if lines[i].lstrip().startswith(">>>"):
                    break
                block.append(lines[i])
                i += 1
            out += ["```text", *inspect.cleandoc("\n".join(block)).split("\n"), "```", ""]
            continue
        label = re.match(r"((?:Shapes?|Errors|References?|Source|Note)(?=: )|Returns\b|Raises\b|See\b)", line)
        if label:
            if out and out[-1].strip():
                out.append("")
            out.append(f"**{label[1]}**{escaped(line[label.end() :])}")
        else:
            out.append(escaped(line))
        i += 1
    return "\n".join(out).strip()


def source(thing) -> str:
    """Where it is in the package, or nothing."""
    try:
        file = Path(inspect.getsourcefile(inspect.unwrap(thing)) or "")
        return str(file.resolve().relative_to(PACKAGE))
    except (TypeError, ValueError, OSError):
        return ""


def entry(where: str, name: str, thing, others: list[str], depth: int = 0) -> str:
    """One function or class with its methods, as directives of Sphinx's Python domain."""
    kind = "class" if inspect.isclass(thing) else "function"
    fence = "`" * (6 - depth)
    parts = [f"{fence}{{py:{kind}}} {where}.{name}{signature(thing)}", "", described(inspect.getdoc(thing) or "")]
    if inspect.isclass(thing) and issubclass(thing, enum.Enum):
        parts += ["", ", ".join(f"`{member}`" for member in thing.__members__)]
    if others:
        parts += ["", "Also: " + ", ".join(f"`{where}.{o}`" for o in others) + "."]
    if file := source(thing):
        parts += ["", f"Source: `{file}`"]
    if inspect.isclass(thing):
        for method, function in vars(thing).items():
            inner = getattr(function, "__func__", function)
            if method.startswith("_") or not (inspect.isfunction(inner) or isinstance(inner, property)):
                continue
            if not inner.__doc__:
                continue
            head = "property" if isinstance(inner, property) else "method"
            arguments = "" if head == "property" else re.sub(r"^\((self|cls)(, )?", "(", signature(inner))
            inside = "`" * (5 - depth)
            parts += ["", f"{inside}{{py:{head}}} {method}{arguments}", "", described(inspect.getdoc(inner)), inside]
    return "\n".join([*parts, fence, ""])


def page(title: str, intro: str, entries: list[str]) -> str:
    return "\n".join([f"# {title}", "", intro, "", *entries])


def tensor_page(flambeau) -> str:
    """The methods of Tensor: those that are functions too as links to them, the others described."""
    functions = {name: thing for name, thing in public(flambeau).items() if not inspect.isclass(thing)}
    links: dict[str, list[str]] = {}
    entries = []
    for name in sorted(n for n in dir(flambeau.Tensor) if not n.startswith("_")):
        method = inspect.getattr_static(flambeau.Tensor, name)
        doc = inspect.getdoc(method) or ""
        base = name.rstrip("_")
        if base in functions:
            links.setdefault(name[0], []).append(f"{{py:func}}`{name} <flambeau.{base}>`")
        elif doc and (callable(method) or isinstance(method, property)):
            kind = "property" if isinstance(method, property) else "method"
            arguments = "" if kind == "property" else re.sub(r"^\((self|cls)(, )?", "(", signature(method))
            entries.append(f"``````{{py:{kind}}} flambeau.Tensor.{name}{arguments}\n\n{described(doc)}\n``````\n")
    return "\n".join(
        [
            "# Tensor",
            "",
            described(inspect.getdoc(flambeau.Tensor) or ""),
            "",
            "## Functions as methods",
            "",
            "Each takes the tensor as its first argument; a name that ends in `_` changes the tensor in place.",
            "",
            *(", ".join(names) + "\n" for names in links.values()),
            "## Other methods and attributes",
            "",
            *entries,
            "",
        ]
    )


def write(folder: Path) -> list[Path]:
    """Write all pages; pages that are as before keep their time, so that Sphinx need not read them again."""
    import flambeau

    folder.mkdir(parents=True, exist_ok=True)
    pages: dict[str, str] = {"tensor": tensor_page(flambeau)}
    mine = {
        name: thing
        for name, thing in public(flambeau).items()
        if name != "Tensor" and not thing.__module__.startswith(TOOLS)  # on the pages of those
    }
    place = {f"flambeau.ops.{file}": group for group, (_, files) in GROUPS.items() for file in files}
    by_group: dict[str, list[str]] = {group: [] for group in (*GROUPS, "other")}
    for name, thing in mine.items():
        made = entry("flambeau", name, thing, aliases(flambeau, name, thing))
        by_group[place.get(getattr(thing, "__module__", ""), "other")].append(made)
    for group, (title, files) in GROUPS.items():
        intro = "Functions of `flambeau`. Files: " + ", ".join(f"`ops/{f}.py`" for f in files) + "."
        pages[group] = page(title, intro, by_group[group])
    pages["other"] = page(
        "Settings, saving, devices and the rest", "Functions and classes of `flambeau`.", by_group["other"]
    )
    described_already = {id(thing) for thing in mine.values()}
    for space in NAMESPACES:
        module = importlib.import_module(f"flambeau.{space}")
        things = {n: t for n, t in public(module).items() if id(t) not in described_already}
        described_already |= {id(t) for t in things.values()} if space not in ("nn", "nn.functional") else set()
        entries = [
            entry("flambeau" if getattr(flambeau, n, None) is t else f"flambeau.{space}", n, t, aliases(module, n, t))
            for n, t in things.items()
        ]
        if entries:
            pages[space] = page(f"flambeau.{space}", described(inspect.getdoc(module) or ""), entries)
    contents = ["tensor", *GROUPS, "other", *(s for s in NAMESPACES if s in pages)]
    pages["index"] = "\n".join(
        [
            "# Reference",
            "",
            "Everything public. In programs written for PyTorch `torch` stands for `flambeau`.",
            "",
            "```{toctree}",
            ":maxdepth: 1",
            "",
            *contents,
            "```",
            "",
        ]
    )
    for name, text in pages.items():
        path = folder / f"{name}.md"
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
    for old in folder.glob("*.md"):
        if old.stem not in pages:
            old.unlink()
    return [folder / f"{name}.md" for name in pages]
