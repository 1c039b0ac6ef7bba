"""The catalogues of messages: `extract`, `check`, `compile`, `traditional`, `merge FILE`; also `todo` for translators.

    python tools/messages.py extract        # bring the .po files up to date with the source
    python tools/messages.py check          # what is missing, superfluous, wrong, or cannot be read from the source
    python tools/messages.py todo nn optim  # list the untranslated messages of some files
    python tools/messages.py merge my.txt   # take over such a list with translations in place of the English
    python tools/messages.py traditional    # make zh_TW (catalogue and pages) from zh_CN
    python tools/messages.py compile        # make the .mo files

A translation keeps the places ({name}) and the code in backquotes as they are. `traditional` needs OpenCC
(`pip install flambeau[dev]`); its result is then corrected by the table in tools/taiwan.txt.
"""

import difflib
import hashlib
import re
import sys
from pathlib import Path

import polib
from message_sources import Package

from flambeau.translation import parse

ROOT = Path(__file__).resolve().parent.parent / "src" / "flambeau"
LANGUAGES = ("zh_CN", "zh_TW")
CHINESE = re.compile(r"[\u4e00-\u9fff]")
CODE = re.compile(r"`[^`]*`")
# A row of a table is 行 in Simplified Chinese and 列 in Taiwan, a column the other way; a line of code is 行 in both.
ROWS, LINES = re.compile(r"\b(n?rows?|columns?)\b"), re.compile(r"\blines?\b")
ROW_OR_COLUMN = re.compile("[執進平並運可不]行|行[為程列]|[序陣佇串系下數排並]列|列[表出舉印]|[行列]")
TOKEN = re.compile(r"\{\{|\}\}|`[^`]*`|\{[^{}]+\}")


def catalogue(language):
    return ROOT / "locale" / language / "LC_MESSAGES" / "flambeau.po"


def opened(language):
    path = catalogue(language)
    if path.exists():
        return polib.pofile(str(path), wrapwidth=120)
    path.parent.mkdir(parents=True, exist_ok=True)
    po = polib.POFile(wrapwidth=120)
    po.metadata = {"Project-Id-Version": "flambeau", "Language": language, "MIME-Version": "1.0"}
    po.metadata |= {"Content-Type": "text/plain; charset=utf-8", "Content-Transfer-Encoding": "8bit"}
    po.save(str(path))
    return polib.pofile(str(path), wrapwidth=120)


def form(template):
    """A template without the names of its places and the code in it, and these: messages alike are translated alike."""
    tokens = []

    def number(found):
        if found[0] in ("{{", "}}"):
            return found[0]
        if found[0] not in tokens:
            tokens.append(found[0])
        return f"{found[0][0]}{tokens.index(found[0])}"

    return TOKEN.sub(number, template), tokens


def adapted(translation, before, after):
    """The translation of a template that has the tokens `before`, for one of the same form with the tokens `after`."""
    new = dict(zip(before, after, strict=True))
    return TOKEN.sub(lambda found: new.get(found[0], found[0]), translation)


def extract():
    """Brings the catalogues up to date; a translation stays with its message, or as a suggestion with a similar one."""
    messages = list(Package(ROOT).read().messages.values())
    messages.sort(key=lambda m: (m.where[0].partition(":")[0], int(m.where[0].partition(":")[2])))
    for language in LANGUAGES:
        old = opened(language)
        known = {e.msgid: e for e in old}
        now = {m.template for m in messages}
        gone = {e.msgid: e for e in old if e.msgid not in now and e.msgstr}
        entries = []
        for m in messages:
            files = dict.fromkeys(w.partition(":")[0] for w in m.where)
            entry = polib.POEntry(msgid=m.template, occurrences=[(f, "") for f in files])
            entry.comment = ", ".join(f"{{{n}}} is {source}" for n, source in m.notes.items())
            before = known.get(m.template)
            if before is not None:
                entry.msgstr, entry.flags, entry.previous_msgid = before.msgstr, before.flags, before.previous_msgid
            entries.append(entry)
        alike(entries, old)
        for entry in entries:
            for similar in () if entry.msgstr else difflib.get_close_matches(entry.msgid, gone, 1, 0.8):
                entry.msgstr, entry.previous_msgid = gone[similar].msgstr, similar
                entry.flags = ["fuzzy"]
        old[:] = entries
        old.save()
    return 0


def alike(entries, known):
    """Translates what has the form of a message that is translated."""
    memory = {form(e.msgid)[0]: e for e in known if e.msgstr and not e.fuzzy}
    for entry in entries:
        key, tokens = form(entry.msgid)
        if (not entry.msgstr or entry.fuzzy) and key in memory:
            model = memory[key]
            entry.msgstr = adapted(model.msgstr, form(model.msgid)[1], tokens)
            entry.flags, entry.previous_msgid = [], None


def problems(language, package, po=None):
    """What is wrong with a catalogue, each as one line: missing, superfluous, wrong."""
    po = opened(language) if po is None else po
    entries = {e.msgid: e for e in po}
    for m in package.messages.values():
        entry = entries.pop(m.template, None)
        where = f"{language}: {m.where[0]}: {m.template!r}"
        if entry is None or not entry.msgstr or entry.fuzzy:
            yield f"{where} is not translated"
        else:
            yield from (f"{where} {fault}" for fault in faults(m.template, entry.msgstr))
    for msgid in entries:
        yield f"{language}: {msgid!r} is not a message of the source"


def faults(template, translation):
    """What is wrong with one translation."""
    places, others = (sorted(set(parse(t)[1])) for t in (template, translation))
    if places != others:
        yield f"has the places {places}, its translation {others}"
    if sorted(CODE.findall(template)) != sorted(CODE.findall(translation)):
        yield f"and its translation differ in code: {CODE.findall(template)}, {CODE.findall(translation)}"
    words = "".join(parse(CODE.sub("", template))[0])
    if not CHINESE.search(translation) and re.search(r"[A-Za-z]{2,} [A-Za-z]{2,}", words):
        yield "is left in English"


def check():
    package = Package(ROOT).read()
    lines = [line for language in LANGUAGES for line in problems(language, package)]
    lines += [f"not readable from the source: {line}" for line in package.unreadable]
    lines += [f"{mo.relative_to(ROOT)} is not up to date: compile" for mo in stale()]
    print("\n".join(lines) or "all messages are translated")
    return bool(lines)


def stale():
    """The .mo files that are not what `compile` would make."""
    for language in LANGUAGES:
        path = catalogue(language).with_suffix(".mo")
        if not path.exists() or path.read_bytes() != opened(language).to_binary():
            yield path


def compile_all():
    for language in LANGUAGES:
        catalogue(language).with_suffix(".mo").write_bytes(opened(language).to_binary())
    return 0


def number(entry):
    """A short name of a message, for lists."""
    return hashlib.sha1(entry.msgid.encode()).hexdigest()[:8]


def todo(*files):
    """Prints the untranslated messages of some files, one a line: a short name and the English text.

    Of those of one form the first stands for all. A translator makes of it a list of lines with the same short names
    and the translations, which `merge` takes.
    """
    shown = set()
    for e in opened("zh_CN"):
        key = form(e.msgid)[0]
        if (e.msgstr and not e.fuzzy) or not e.occurrences[0][0].startswith(files or "") or key in shown:
            continue
        shown.add(key)
        print(number(e), e.msgid.replace("\n", "\\n"), *([f"   # {e.comment}"] if e.comment else []))
    return 0


def merge(*paths):
    """Takes over translations from lists as `todo` prints them; reports those that have faults, and takes none.

    Six digits of a short name are enough where they name one message only.
    """
    po, bad = opened("zh_CN"), 0
    names = [(number(e), e) for e in po]
    for line in (line for path in paths for line in Path(path).read_text(encoding="utf-8").splitlines()):
        name, _, text = line.partition(" ")
        named = [e for n, e in names if n.startswith(name)] if re.fullmatch("[0-9a-f]{6,8}", name) else []
        if not named or not text.strip():
            continue
        if len(named) > 1:
            print(f"{name} is the name of {' and of '.join(repr(e.msgid) for e in named)}")
            bad += 1
            continue
        entry, text = named[0], text.strip().replace("\\n", "\n")
        wrong = list(faults(entry.msgid, text))
        for fault in wrong:
            print(f"{name} {entry.msgid!r} {fault}")
        if not wrong:
            entry.msgstr, entry.flags, entry.previous_msgid = text, [], None
        bad += bool(wrong)
    alike(po, po)
    po.save()
    return bad > 0


def traditional():
    """Makes the Traditional catalogue and pages from the Simplified ones."""
    convert = converter()
    po = opened("zh_CN")
    for e in po:
        e.msgstr = convert(e.msgstr, bool(ROWS.search(e.msgid)) and not LINES.search(e.msgid))
    po.metadata["Language"] = "zh_TW"
    po.save(str(catalogue("zh_TW")))
    pages = ROOT / "pages"
    (pages / "zh_TW").mkdir(parents=True, exist_ok=True)
    for path in sorted((pages / "zh_CN").glob("*.md")):
        (pages / "zh_TW" / path.name).write_text(convert(path.read_text(encoding="utf-8")), encoding="utf-8")
    return 0


def converter():
    """From Simplified to Traditional with Taiwan's terms: OpenCC's phrases, then the corrections in taiwan.txt."""
    import opencc  # noqa: PLC0415 - only this command needs it

    cc = opencc.OpenCC("s2twp")
    lines = Path(__file__).with_name("taiwan.txt").read_text(encoding="utf-8").splitlines()
    terms = [line.split(" = ") for line in lines if line and not line.startswith("#")]

    def convert(text, rows=False):
        text = cc.convert(text)
        if rows:
            text = ROW_OR_COLUMN.sub(lambda found: {"行": "列", "列": "行"}.get(found[0], found[0]), text)
        for old, new in terms:
            text = text.replace(old, new)
        return text

    return convert


COMMANDS = {"extract": extract, "check": check, "compile": compile_all, "todo": todo, "merge": merge,
            "traditional": traditional}  # fmt: skip

if __name__ == "__main__":
    command = COMMANDS.get(sys.argv[1] if len(sys.argv) > 1 else "")
    sys.exit(command(*sys.argv[2:]) if command else __doc__)
