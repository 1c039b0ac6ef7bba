"""Messages in Chinese: which language, finding a message's template again, and catalogues without a gap."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

import flambeau as torch
from flambeau import language, nn, translation
from flambeau.errors import FlambeauError, ShapeError

CHINESE = re.compile(r"[\u4e00-\u9fff]")
TOOLS = Path(__file__).parent.parent / "tools"


@pytest.fixture(autouse=True)
def english():
    yield
    language.set_language(None)


@pytest.fixture(scope="module")
def messages():
    sys.path.insert(0, str(TOOLS))
    try:
        return __import__("messages")
    finally:
        sys.path.remove(str(TOOLS))


@pytest.mark.parametrize(
    "variables, expected",
    [
        ({}, "en"),
        ({"LANG": "C.UTF-8"}, "en"),
        ({"LANG": "fr_FR.UTF-8"}, "en"),
        ({"LANG": "zh_CN.UTF-8"}, "zh_CN"),
        ({"LANG": "zh"}, "zh_CN"),
        ({"LANG": "zh_SG"}, "zh_CN"),
        ({"LANG": "zh_TW.Big5"}, "zh_TW"),
        ({"LANG": "zh_HK"}, "zh_TW"),
        ({"LANG": "zh-Hant"}, "zh_TW"),
        ({"LANG": "zh_Hans_HK"}, "zh_CN"),
        ({"LC_MESSAGES": "zh_MO", "LANG": "en_US"}, "zh_TW"),
        ({"LC_ALL": "C", "LC_MESSAGES": "zh_CN"}, "en"),
        ({"LC_ALL": "", "LC_MESSAGES": "zh_CN"}, "zh_CN"),
        ({"FLAMBEAU_LANG": "en", "LANG": "zh_CN"}, "en"),
        ({"FLAMBEAU_LANG": "zh_TW", "LC_ALL": "C"}, "zh_TW"),
    ],
)
def test_language_of_the_environment(monkeypatch, variables, expected):
    for name in ("FLAMBEAU_LANG", "LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert language.language() == expected


def test_a_chosen_language_goes_before_the_environment(monkeypatch):
    monkeypatch.setenv("FLAMBEAU_LANG", "zh_CN")
    language.set_language("en")
    assert language.language() == "en" and language.translate("why:") is None
    language.set_language(None)
    assert language.language() == "zh_CN"


CATALOGUE = translation.Catalogue(
    {
        "expected {n} dimensions": "应有 {n} 维",
        "expected {n} dimensions, got {m}": "应有 {n} 维，得到 {m}",
        "sizes {a}, {b} differ": "{b} 与 {a} 不同",
        "{a} is not {a}": "{a} 不等于自身",
        "{name}() takes no {{}} here: {why}": "{name}() 这里不能有 {{}}：{why}",
        "an odd size": "奇数大小",
        "{x}": "无",
    }
)


@pytest.mark.parametrize(
    "english, chinese",
    [
        ("an odd size", "奇数大小"),
        ("expected 4 dimensions", "应有 4 维"),
        ("expected 4 dimensions, got (2, 3)", "应有 4 维，得到 (2, 3)"),  # the template with most text fits best
        ("sizes (2, 3), (4, 5) differ", "(4, 5) 与 (2, 3) 不同"),  # brackets close
        ("sizes (2, 3 differ", "3 与 (2 不同"),  # as well as it can be done
        ("x is not x", "x 不等于自身"),
        ("x is not y", "无"),  # one name stands for one text
        ("f() takes no {} here: an odd size", "f() 这里不能有 {}：奇数大小"),  # a sentence as a value
    ],
)
def test_a_finished_message_finds_its_template(english, chinese):
    assert CATALOGUE.translate(english) == chinese


def test_lines_of_a_message_are_translated_by_themselves():
    parts = translation.Catalogue(
        {"cannot load {x}:\n\t{lines}": "无法载入 {x}：\n\t{lines}", "no key {k}": "缺少键 {k}"}
    )
    assert parts.translate("cannot load a:\n\tno key b\n\tno door") == "无法载入 a：\n\t缺少键 b\n\tno door"


REAL = {
    "mat1 and mat2 shapes cannot be multiplied (2x3 and 4x5)": lambda: torch.ones(2, 3) @ torch.ones(4, 5),
    "The size of tensor a (2) must match": lambda: torch.ones(2) + torch.ones(3),
    "Expected all tensors to be on the same device": lambda: torch.ones(2) + torch.ones(2, device="meta"),
    "Dimension out of range (expected to be in range of [-1, 0], but got 3)": lambda: torch.ones(2).sum(3),
    "shape '[3]' is invalid for input of size 2": lambda: torch.ones(2).view(3),
    "grad can be implicitly created only for scalar outputs": lambda: (
        torch.ones(2, requires_grad=True).exp().backward()
    ),
    "Target 7 is out of bounds.": lambda: nn.CrossEntropyLoss()(torch.ones(1, 3), torch.tensor([7])),
    "index out of range in self": lambda: nn.Embedding(3, 2)(torch.tensor([3])),
    "optimizer got an empty parameter list": lambda: torch.optim.SGD([], 0.1),
    "Error(s) in loading state_dict for Linear": lambda: nn.Linear(2, 1).load_state_dict({}),
    "Invalid device string: 'gpu'": lambda: torch.device("gpu:a"),
    "a leaf Variable that requires grad": lambda: torch.ones(2, requires_grad=True).add_(1),
    "can't convert meta device type tensor to numpy": lambda: torch.ones(2, device="meta").numpy(),
    "'Linear' object has no attribute 'test'": lambda: nn.Linear(2, 1).test(),
    "Boolean value of Tensor with more than one value": lambda: bool(torch.ones(2)),
}


@pytest.mark.parametrize("folder", ["zh_CN", "zh_TW"])
@pytest.mark.parametrize("fact", REAL)
def test_real_errors_in_chinese(fact, folder):
    language.set_language(folder)
    with pytest.raises(FlambeauError) as caught:
        REAL[fact]()
    lines = str(caught.value).splitlines()
    assert lines[0].startswith(fact.partition(":")[0].partition(" (")[0])
    labelled = [line for line in lines if line.startswith("  ")]
    own = [line for line in lines[1:] if line not in labelled and not line.startswith("\t")]
    assert own and all(map(CHINESE.search, own)), own
    assert {"  原因", "  修正方法"} <= {line.partition("：")[0] for line in labelled}
    assert all(CHINESE.search(line.partition("：")[2]) for line in labelled[:2]), labelled


def test_a_message_without_a_template_has_no_translation():
    assert translation.Catalogue({"an odd size": "奇数大小"}).translate("an even size") is None


def test_many_alike_parts_are_matched_in_linear_time():
    many = translation.Catalogue({" ".join(f"a {{x{i}}}" for i in range(30)) + " end": "中"})
    assert many.translate("a a " * 2000) is None


def test_english_loads_no_catalogue():
    code = (
        "import sys, flambeau\ntry: flambeau.ones(2) + flambeau.ones(3)\nexcept RuntimeError as e: print(e)\n"
        "assert 'flambeau.translation' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env={"FLAMBEAU_LANG": "en"})
    assert done.returncode == 0 and "size of tensor a (2)" in done.stdout, done.stderr


def test_an_error_in_chinese_keeps_the_english_sentence_first():
    error = ShapeError("no template fits this", why="nor this", fix="`x`", code="FB-SHAPE-01")
    language.set_language("zh_CN")
    text = str(error).replace(str(error.place), "PLACE")
    assert text.splitlines() == [
        "no template fits this",
        "  原因：nor this",
        "  修正方法：`x`",
        "  位置：PLACE",
        "  详见：flambeau explain FB-SHAPE-01",
    ]


def test_a_warning_in_chinese_keeps_the_english_sentence_first():
    language.set_language("zh_CN")
    with pytest.warns(UserWarning) as caught:
        nn.init.kaiming_uniform_(torch.empty(0, 2))
    assert str(caught[0].message).splitlines() == [
        "Initializing zero-element tensors is a no-op",
        "初始化没有元素的张量不起作用",
    ]
    assert caught[0].filename == __file__


def test_what_is_english_and_what_is_code(messages):
    is_code = sys.modules["message_sources"].is_code
    assert not any(map(is_code, ("it is {1}", "{a} is not {b}", "clear", "use `x`, or `y`")))
    assert all(map(is_code, ("`x.detach()`", "x.detach()", "{x}[0]", "x is y.z")))


def test_a_short_name_that_two_messages_share_is_not_guessed(messages, tmp_path, capsys, monkeypatch):
    po = messages.polib.POFile()
    po.extend(messages.polib.POEntry(msgid=text) for text in ("first message", "second message"))
    monkeypatch.setattr(messages, "opened", lambda language: po)
    monkeypatch.setattr(messages, "number", lambda e: "abcdef01" if e.msgid.startswith("first") else "abcdef02")
    monkeypatch.setattr(po, "save", lambda: None)
    (tmp_path / "list.txt").write_text("abcdef 两者\nabcdef02 第二条\n", encoding="utf-8")
    assert messages.merge(tmp_path / "list.txt")
    assert [e.msgstr for e in po] == ["", "第二条"] and "first message" in capsys.readouterr().out


@pytest.mark.parametrize("code", ["zh_CN", "zh_TW"])
def test_catalogues_have_every_message_and_no_other(messages, code):
    package = messages.Package(messages.ROOT).read()
    wrong = list(messages.problems(code, package))
    assert not wrong, "\n".join(wrong)
    assert not package.unreadable, "\n".join(package.unreadable)


def test_compiled_catalogues_are_up_to_date(messages):
    assert not list(messages.stale())
