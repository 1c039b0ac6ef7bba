"""Examples on sequences: tagging, prices with days missing, names, Shakespeare."""

import math


def test_lstm_tagger(run):
    accuracy, tags = run("lstm_tagger", "--epochs", 40)
    assert accuracy == 1.0
    assert tags == ["DET", "ADJ", "NOUN", "VERB", "DET", "NOUN"]


def test_lstm_prices_mask(run, capsys):
    error, naive = run("lstm_prices_mask", "--epochs", 20)
    assert "unmasked loss: nan" in capsys.readouterr().out
    assert math.isfinite(error) and error < 0.7 * naive


def test_char_rnn(run):
    accuracy, losses, names = run("char_rnn", "--steps", 60)
    assert accuracy > 0.7
    assert losses[-1] < 0.7 * losses[0]
    assert all(name[0] in "smr" and len(name) > 1 for made in names.values() for name in made)


def test_gpt_shakespeare(run, tmp_path):
    losses, text = run("gpt_shakespeare", "--steps", 40, "--length", 30)
    assert losses[0] > 3.7 and losses[-1] < 2.8
    assert len(text) == 31
    own = tmp_path / "own.txt"
    own.write_text("to be or not to be, " * 30)
    losses, text = run("gpt_shakespeare", "--text", own, "--steps", 40, "--block", 16, "--length", 20, "--lr", 1e-2)
    assert losses[-1] < 1.3 and set(text) <= set("to be or not to be, ")


def test_explain_sentiment(run, tmp_path):
    page = tmp_path / "词.html"
    accuracy, records = run("explain_sentiment", "--epochs", 4, "--sentences", 2000, "--page", page)
    assert accuracy > 0.97
    for record in records:
        weights = dict(zip(record.raw_input_ids, record.word_attributions.tolist()))
        strongest = max(weights, key=lambda word: abs(weights[word]))
        assert strongest in {"good", "not", "wonderful", "好看", "不", "感人", "精彩", "一点也"}
        assert (weights[strongest] > 0) == (record.pred_class == "positive")
        assert record.true_class == record.pred_class
        assert abs(record.convergence_score) < 0.05
    assert "好看</mark>" in page.read_text(encoding="utf-8")
