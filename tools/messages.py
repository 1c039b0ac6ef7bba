"""The catalogues of messages: `extract`, `check`, `compile`, `traditional`, `merge FILE`; also `todo` for translators.

    python tools/messages.py extract        # bring the .po files up to date with the source
    python tools/messages.py check          # what is missing, superfluous, wrong, or cannot be read from the source
    python tools/messages.py todo nn optim  # untranslated messages of some files, as a .po on stdout
    python tools/messages.py merge my.po    # take translations over from such a file
    python tools/messages.py traditional    # make zh_TW (catalogue and pages) from zh_CN
    python tools/messages.py compile        # make the .mo files

A translation keeps the places ({name}) and the code in backquotes as they are. `traditional` needs OpenCC
(`pip install flambeau[dev]`); its result is then corrected by the table in tools/taiwan.txt.
"""

import difflib
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


def shape(template):
    """A template without the names of its places: what it has in common with one where only names differ."""
    literals, names = parse(template)
    order = list(dict.fromkeys(names))
    return tuple(literals), tuple(order.index(n) for n in names), order


def renamed(entry, template):
    """The translation of an entry, with the names of places that `template` has."""
    new = dict(zip(shape(entry.msgid)[2], shape(template)[2], strict=True))
    literals, names = parse(entry.msgstr)
    text = literals[0]
    for name, literal in zip(names, literals[1:], strict=True):
        text += "{" + new[name] + "}" + literal
    return text


def extract():
    """Brings the catalogues up to date; a translation stays with its message, or as a suggestion with a similar one."""
    messages = list(Package(ROOT).read().messages.values())
    messages.sort(key=lambda m: (m.where[0].partition(":")[0], int(m.where[0].partition(":")[2])))
    for language in LANGUAGES:
        old = opened(language)
        known = {shape(e.msgid)[:2]: e for e in old}
        now = {shape(m.template)[:2] for m in messages}
        gone = {e.msgid: e for key, e in known.items() if key not in now and e.msgstr}
        entries = []
        for m in messages:
            files = dict.fromkeys(w.partition(":")[0] for w in m.where)
            entry = polib.POEntry(msgid=m.template, occurrences=[(f, "") for f in files])
            entry.comment = ", ".join(f"{{{n}}} is {source}" for n, source in m.notes.items())
            before = known.get(shape(m.template)[:2])
            if before is not None:
                entry.msgstr, entry.flags = renamed(before, m.template), before.flags
                entry.previous_msgid = before.previous_msgid
            else:
                for similar in difflib.get_close_matches(m.template, gone, 1, 0.8):
                    entry.msgstr, entry.previous_msgid = gone[similar].msgstr, similar
                    entry.flags = ["fuzzy"]
            entries.append(entry)
        old[:] = entries
        old.save()
    return 0


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


def todo(*folders):
    """Prints the untranslated entries whose first file starts with one of the names given."""
    po = polib.POFile(wrapwidth=120)
    for e in opened("zh_CN"):
        if (not e.msgstr or e.fuzzy) and (not folders or e.occurrences[0][0].startswith(folders)):
            po.append(e)
    print(po)
    return 0


def merge(path):
    """Takes over the translations in a .po file; reports those that have faults, and takes none of these."""
    po, bad = opened("zh_CN"), 0
    entries = {e.msgid: e for e in po}
    for given in polib.pofile(path):
        entry = entries.get(given.msgid)
        if entry is None or not given.msgstr or given.fuzzy:
            continue
        wrong = list(faults(given.msgid, given.msgstr))
        for fault in wrong:
            print(f"{given.msgid!r} {fault}")
        if not wrong:
            entry.msgstr, entry.flags, entry.previous_msgid = given.msgstr, [], None
        bad += bool(wrong)
    po.save()
    return bad > 0


def traditional():
    """Makes the Traditional catalogue and pages from the Simplified ones."""
    convert = converter()
    po = opened("zh_CN")
    for e in po:
        e.msgstr = convert(e.msgstr)
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

    def convert(text):
        text = cc.convert(text)
        for old, new in terms:
            text = text.replace(old, new)
        return text

    return convert


COMMANDS = {"extract": extract, "check": check, "compile": compile_all, "todo": todo, "merge": merge,
            "traditional": traditional}  # fmt: skip

if __name__ == "__main__":
    command = COMMANDS.get(sys.argv[1] if len(sys.argv) > 1 else "")
    sys.exit(command(*sys.argv[2:]) if command else __doc__)
