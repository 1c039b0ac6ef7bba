"""Finds every message in the package's source: what the constructors of errors, findings and warnings are given.

A message is a literal, an f-string, or a choice between such; it may stand in a constant, in a variable of the same
function, in what a function of the package returns, or be handed on through parameters. An f-string's expressions
become places: names as they are, `{input.dtype}`, others by number, `{1}`.
"""

import ast
import itertools
import re
import string
from dataclasses import dataclass, field
from pathlib import Path

# What takes messages: positions and keywords. Every subclass of FlambeauError is added to these.
TAKERS = {
    "found": ((1, 2, 3), ("saw", "why", "fix")),
    "warn": ((0,), ("message",)),
    "_": ((0,), ()),
    "both": ((0,), ()),
    "part": ((0,), ()),
    "Code": ((0,), ()),
}
ERROR = ((0,), ("fact", "why", "fix"))
VALUE = "# not a message"  # a comment beside what comes from the user, or is put together of messages
# Parameters that hand a message on; a parameter of another name, such as the key of a KeyError, is a value.
TEXTS = {"fact", "saw", "why", "fix", "text", "message", "msg", "error_msg", "custom_msg", "reason"}
MOST = 64  # alternatives of one message


class NotAMessage(Exception):
    """An expression of which the text cannot be read from the source."""


@dataclass(frozen=True)
class Place:
    """A place in a message: the source of the expression, and how it is formatted."""

    source: str
    spec: str = ""


@dataclass(frozen=True)
class Parameter:
    """A message that is a parameter of the function that hands it on."""

    function: ast.AST
    name: str


@dataclass
class Message:
    """A message of the package as a template, and where it stands."""

    template: str
    notes: dict[str, str]  # what the numbered places are
    where: list[str] = field(default_factory=list)  # "ops/dense.py:100"


class Module:
    """One file of the package: its tree, and what its names are."""

    def __init__(self, path: Path, name: str):
        self.path, self.name = path, name
        text = path.read_text(encoding="utf-8")
        self.tree, self.lines = ast.parse(text), text.splitlines()
        self.constants, self.functions, self.imports = {}, {}, {}
        package = name.split(".") if path.name == "__init__.py" else name.split(".")[:-1]
        for node in ast.walk(self.tree):
            if isinstance(node, ast.ImportFrom):
                base = package[: len(package) - node.level + 1] if node.level else []
                source = ".".join([*base, *([node.module] if node.module else [])])
                for alias in node.names:
                    self.imports[alias.asname or alias.name] = (source, alias.name)
            elif isinstance(node, ast.FunctionDef):
                self.functions.setdefault(node.name, node)
        for node in self.tree.body:
            for target, value in assignments(node):
                self.constants.setdefault(target, []).append(value)


def assignments(node):
    """(name, value) of what a statement assigns; value None where it is not one expression."""
    if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value is not None:
        yield node.target.id, node.value
    elif isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name):
        yield node.target.id, None
    elif isinstance(node, ast.NamedExpr):
        yield node.target.id, node.value
    elif isinstance(node, (ast.For, ast.comprehension)):
        for name in ast.walk(node.target):
            if isinstance(name, ast.Name):
                yield name.id, None
    elif isinstance(node, ast.Assign):
        for target in node.targets:
            if isinstance(target, ast.Name):
                yield target.id, node.value
            elif isinstance(target, (ast.Tuple, ast.List)):
                same = isinstance(node.value, ast.Tuple) and len(node.value.elts) == len(target.elts)
                parts = [ast.Subscript(node.value, ast.Constant(i)) for i in range(len(target.elts))]
                values = node.value.elts if same else parts
                for name, value in zip(target.elts, values, strict=True):
                    if isinstance(name, ast.Name):
                        yield name.id, value


def parameters(function):
    a = function.args
    return [p.arg for p in (*a.posonlyargs, *a.args)], [p.arg for p in a.kwonlyargs]


class Package:
    """All modules under a folder, and the messages in them."""

    def __init__(self, root: Path):
        self.root = root
        self.modules = {}
        for path in sorted(root.rglob("*.py")):
            parts = [root.name, *path.relative_to(root).with_suffix("").parts]
            name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
            self.modules[name] = Module(path, name)
        self.takers = dict(TAKERS)
        self.errors = self._error_classes()
        self.messages: dict[tuple, Message] = {}
        self.unreadable: list[str] = []

    def _error_classes(self):
        classes = [n for m in self.modules.values() for n in ast.walk(m.tree) if isinstance(n, ast.ClassDef)]
        names = {"FlambeauError"}
        while True:
            more = {c.name for c in classes if any(last_name(b) in names for b in c.bases)} - names
            if not more:
                break
            names |= more
        for c in classes:
            own = any(isinstance(n, ast.FunctionDef) and n.name == "__init__" for n in c.body)
            if c.name in names and (not own or c.name == "FlambeauError"):
                self.takers[c.name] = ERROR
        return names

    def read(self):
        """Finds all messages; again while a function turns out to hand its parameters on to what takes messages."""
        while True:
            known = dict(self.takers)
            self.messages, self.unreadable = {}, []
            for module in self.modules.values():
                Reader(self, module).visit(module.tree)
            if self.takers == known:
                return self

    def takes(self, module, function, name, class_name):
        """Notes that a parameter of a function takes messages; methods are told apart by name only."""
        positional, _ = parameters(function)
        method = class_name is not None and positional[:1] in (["self"], ["cls"])
        key = class_name if method and function.name == "__init__" else (None if method else module, function.name)
        positions, keywords = self.takers.get(key, ((), ()))
        if name in positional:
            at = positional.index(name) - method
            positions = tuple(sorted({*positions, at}))
        self.takers[key] = (positions, tuple(sorted({*keywords, name})))

    def add(self, parts, module, line):
        template, notes, key = as_template(parts)
        if is_code(template) or not any(c.isalpha() for p in parts if isinstance(p, str) for c in p):
            return  # the same in every language
        message = self.messages.setdefault(key, Message(template, notes))
        message.where.append(f"{module.path.relative_to(self.root)}:{line}")


def as_template(parts):
    """The template of a message, what its numbered places are, and a key that other names of places do not change."""
    names, notes, text, key, taken = {}, {}, "", [], set()
    for part in parts:
        if isinstance(part, str):
            text += part.replace("{", "{{").replace("}", "}}")
            key.append(part)
            continue
        if part not in names:
            dotted = part.source.replace("_", "a").replace(".", "a").isalnum() and not part.source[0].isdigit()
            name = part.source if dotted else str(len(notes) + 1)
            if not dotted:
                notes[name] = part.source
            while name in taken:
                name += "_"
            taken.add(name)
            names[part] = name
        text += "{" + names[part] + "}"
        key.append(list(names).index(part))
    return text, notes, tuple(key)


def is_code(template):
    """Whether a text is code and nothing else, `x.detach()`; a single word and "it is {x}" are taken for English."""
    try:
        tree = ast.parse(re.sub(r"\{[^{}]+\}", "x", template).strip("`"))
    except SyntaxError:
        return False
    return not (len(tree.body) == 1 and isinstance(tree.body[0], ast.Expr) and is_english(tree.body[0].value))


def is_english(tree):
    """Whether an expression can be read as English too: a name, or names with is, in, not, and, or between them."""
    if isinstance(tree, ast.Compare):
        words = all(isinstance(o, (ast.Is, ast.IsNot, ast.In, ast.NotIn)) for o in tree.ops)
        return words and all(is_english(each) for each in (tree.left, *tree.comparators))
    if isinstance(tree, ast.BoolOp):
        return all(is_english(value) for value in tree.values)
    if isinstance(tree, ast.UnaryOp):
        return isinstance(tree.op, ast.Not) and is_english(tree.operand)
    return isinstance(tree, ast.Name)


def last_name(node):
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else None


class Reader(ast.NodeVisitor):
    """Goes through one module and reads the messages."""

    def __init__(self, package, module):
        self.package, self.module = package, module
        self.scopes, self.classes = [], []

    def visit_ClassDef(self, node):
        self.classes.append((node.name, len(self.scopes)))
        self.generic_visit(node)
        self.classes.pop()

    def visit_FunctionDef(self, node):
        self.scopes.append(node)
        self.generic_visit(node)
        self.scopes.pop()

    visit_AsyncFunctionDef = visit_Lambda = visit_FunctionDef

    def visit_Call(self, node):
        self.generic_visit(node)
        positions, keywords = self.package.takers.get(self.callee(node.func), ((), ()))
        given = [node.args[i] for i in positions if i < len(node.args)]
        if any(isinstance(a, ast.Starred) for a in given):
            given = []
        given += [k.value for k in node.keywords if k.arg in keywords]
        given = [g for g in given if VALUE not in self.module.lines[g.lineno - 1]]
        if last_name(node.func) in ("_", "both"):
            # The text of an error or finding, to print.
            given = [g for g in given if not isinstance(g, (ast.Attribute, ast.Call))]
        # What is translated there is taken there.
        given = [g for g in given if not (isinstance(g, ast.Call) and last_name(g.func) in ("_", "both"))]
        for value in given:
            self.take(value)

    def callee(self, func):
        """The name under which a call is looked up among what takes messages."""
        name = last_name(func)
        if name == "__init__" and self.classes and self.classes[-1][0] in self.package.errors:
            return "FlambeauError"
        if name in ("warn", "both") and isinstance(func, ast.Name) and self.module.name != "flambeau.language":
            source = self.module.imports.get(name)
            return name if source == ("flambeau.language", name) else source
        if name == "warn" and last_name(func.value) != "warnings":
            return None
        home = self.module.imports.get(name, (self.module.name,))[0]
        if name in ("_", "both", "part") and not home.endswith("language"):
            return None  # a variable of that name
        if name in self.package.errors or name == "warn" or (name in TAKERS and isinstance(func, ast.Name)):
            return name
        if isinstance(func, ast.Name):
            return self.module.imports.get(name, (self.module.name, name))
        if not isinstance(func, ast.Attribute):
            return None
        owner, of = self.module.imports.get(last_name(func.value), (None, None))
        return (f"{owner}.{of}", name) if f"{owner}.{of}" in self.package.modules else (None, name)

    def take(self, value):
        try:
            found = read(value, self.package, self.module, self.scopes)
        except NotAMessage:
            where = f"{self.module.path.relative_to(self.package.root)}:{value.lineno}"
            self.package.unreadable.append(f"{where}: {ast.unparse(value)}")
            return
        for each in found:
            if isinstance(each, Parameter):
                if each.name not in TEXTS:
                    continue
                inside = next((c for c, depth in self.classes if self.scopes[depth:][:1] == [each.function]), None)
                self.package.takes(self.module.name, each.function, each.name, inside)
            elif each:
                self.package.add(each, self.module, value.lineno)


def read(node, package, module, scopes, depth=0):
    """The texts that an expression can be, each a tuple of literals and places, or one Parameter."""
    if depth > 8:
        raise NotAMessage
    again = lambda n, m=module, s=scopes: read(n, package, m, s, depth + 1)
    if isinstance(node, ast.Constant):
        if node.value is None or node.value == "":
            return [()]
        if isinstance(node.value, str):
            return [(node.value,)]
    elif isinstance(node, ast.JoinedStr):
        return product([_inserted(v, again) for v in node.values])
    elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return product([_summand(node.left, again), _summand(node.right, again)])
    elif isinstance(node, ast.IfExp):
        return again(node.body) + again(node.orelse)
    elif isinstance(node, ast.BoolOp):
        return [text for value in node.values for text in again(value)]
    elif isinstance(node, ast.Name):
        return _named(node, package, module, scopes, again)
    elif isinstance(node, ast.Subscript) and isinstance(node.value, ast.Call) and isinstance(node.slice, ast.Constant):
        return _returned(node.value, package, module, again, node.slice.value)
    elif isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name):
        table = module.constants.get(node.value.id, [None])[-1]
        if isinstance(table, ast.Dict):
            return [text for value in table.values for text in again(value)]
    elif isinstance(node, ast.Call) and last_name(node.func) == "format":
        return [joined for text in again(node.func.value) for joined in product([_formatted(text, node)])]
    elif isinstance(node, ast.Call):
        return _returned(node, package, module, again)
    raise NotAMessage


def _summand(node, again):
    """A part of a sum: what is not a text in the source is a value."""
    try:
        texts = again(node)
    except NotAMessage:
        if isinstance(node, ast.BinOp):
            raise
        texts = []
    readable = texts and not any(isinstance(text, Parameter) for text in texts)
    return texts if readable else [(Place(ast.unparse(node)),)]


def _formatted(text, call):
    """What `text.format(...)` gives: its fields are places."""
    if isinstance(text, Parameter):
        raise NotAMessage
    given = {k.arg: k.value for k in call.keywords} | {str(i): a for i, a in enumerate(call.args)}
    parts, count = [], itertools.count()
    for part in text:
        if not isinstance(part, str):
            parts.append(part)
            continue
        for literal, name, spec, _ in string.Formatter().parse(part):
            parts.append(literal)
            if name is not None:
                key = re.match(r"\w*", name)[0] or str(next(count))
                parts.append(Place(ast.unparse(given[key]) + name[len(key) :] if key in given else name, spec))
    return [tuple(parts)]


def product(choices):
    """All combinations of alternatives, neighbouring literals joined."""
    texts = []
    for combination in itertools.product(*choices):
        if any(isinstance(part, Parameter) for part in combination):
            raise NotAMessage
        parts = []
        for part in itertools.chain(*combination):
            if parts and isinstance(part, str) and isinstance(parts[-1], str):
                parts[-1] += part
            else:
                parts.append(part)
        texts.append(tuple(parts))
    if len(texts) > MOST:
        raise NotAMessage
    return texts


def _inserted(value, again):
    """A part of an f-string: words that are chosen among literals are alternatives of the message, else a place."""
    if isinstance(value, ast.Constant):
        return [(value.value,)]
    expression = value.value
    spec = ast.unparse(value.format_spec) if value.format_spec else ""
    if value.conversion == -1 and not spec and isinstance(expression, (ast.IfExp, ast.Name, ast.BinOp)):
        try:
            texts = again(expression)
        except NotAMessage:
            texts = []
        literal = texts and not any(isinstance(t, Parameter) for t in texts)
        # A word that is a name or a value is the same in every language; phrases are alternatives.
        if literal and (
            isinstance(expression, ast.IfExp) or any(" " in p for t in texts for p in t if isinstance(p, str))
        ):
            return texts
    return [(Place(ast.unparse(expression), spec + (chr(value.conversion) if value.conversion > 0 else "")),)]


def _named(node, package, module, scopes, again):
    for i, function in reversed(list(enumerate(scopes))):
        if isinstance(function, ast.Lambda):
            continue
        values = [v for n in ast.walk(function) for name, v in assignments(n) if name == node.id]
        positional, keyword = parameters(function)
        is_parameter = node.id in positional or node.id in keyword
        if values:
            if any(v is None for v in values):
                raise NotAMessage
            values = [v for v in values if not (isinstance(v, ast.Name) and v.id == node.id)]
            texts = [text for v in values for text in again(v, module, scopes[: i + 1])]
            return texts + ([Parameter(function, node.id)] if is_parameter else [])
        if is_parameter:
            return [Parameter(function, node.id)]
    if node.id in module.constants:
        if any(v is None for v in module.constants[node.id]):
            raise NotAMessage
        return [text for v in module.constants[node.id] for text in again(v, module, [])]
    source, name = module.imports.get(node.id, (None, None))
    other = package.modules.get(source)
    if other is not None and name in other.constants:
        return again(ast.Name(name), other, [])
    raise NotAMessage


def _returned(node, package, module, again, element=None):
    """What a function of the package returns, or one element of the tuples that it returns."""
    name = last_name(node.func)
    if isinstance(node.func, ast.Name) and name in module.functions:
        home = module
    else:
        source, name = module.imports.get(name, (None, None))
        home = package.modules.get(source)
    function = home.functions.get(name) if home is not None else None
    if function is None:
        raise NotAMessage
    returns = [n.value for n in ast.walk(function) if isinstance(n, ast.Return) and n.value is not None]
    if element is not None:
        returns = [part for value in returns for part in elements(value, element)]
    texts = [text for value in returns for text in again(value, home, [function])]
    if not texts or any(isinstance(t, Parameter) for t in texts):
        raise NotAMessage
    return texts


def elements(value, number):
    """Element `number` of a tuple, or of tuples that a condition chooses between; None and the like have none."""
    if isinstance(value, ast.IfExp):
        yield from (*elements(value.body, number), *elements(value.orelse, number))
    elif isinstance(value, ast.Tuple) and number < len(value.elts):
        yield value.elts[number]
    elif isinstance(value, ast.Call):
        yield ast.Subscript(value, ast.Constant(number))
