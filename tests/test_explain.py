"""`flambeau explain`: pages by code, by words, in a language; unknown codes."""

from flambeau.cli import main


def test_a_page_by_its_code(capsys):
    assert main(["explain", "loss-01"]) == 0
    assert capsys.readouterr().out.startswith("# FB-LOSS-01 · softmax before CrossEntropyLoss")


def test_all_codes_are_listed(capsys):
    assert main(["explain"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 100 and lines[0].startswith("FB-DATA-01")


def test_words_of_a_message_find_the_code(capsys):
    assert main(["explain", "mat1", "and", "mat2", "shapes", "cannot", "be", "multiplied"]) == 0
    assert capsys.readouterr().out.startswith("FB-SHAPE-01")


def test_an_unknown_code_is_refused(capsys):
    assert main(["explain", "FB-LOSS-77"]) == 2
    assert "there is no page for 'FB-LOSS-77'" in capsys.readouterr().err
