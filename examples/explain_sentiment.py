"""Which words make a sentence positive or negative? English and Chinese, explained word by word on a page.

python explain_sentiment.py --epochs 6 --page words.html

The sentences are made from a small grammar in which words turn others round ("not", "不") and clauses outweigh others
("but", "但是"), so that it is known what a good explanation says. A word's number is its part in its own sentence:
"good" speaks for a positive sentence, and after "not" the two together speak against it. With PyTorch, import from
`captum.attr` instead.
"""

import argparse
import random

import flambeau as torch
from flambeau.attr import LayerIntegratedGradients, visualization

nn = torch.nn

PAD, LENGTH = "<pad>", 14
LABELS = ["negative", "positive"]
NOUNS = ["the plot", "the film", "every actor", "the music", "the ending"], ["这部电影", "剧情", "演员", "音乐", "结尾"]
GOOD = ["wonderful", "good", "moving", "clever"], ["精彩", "好看", "感人", "出色"]
BAD = ["dull", "awful", "bad", "slow"], ["无聊", "难看", "糟糕", "平淡"]
PLAIN = ["was", "was really", "was somehow"], ["", "真的", "有点"]
NOT = ["was not", "was never"], ["不", "一点也 不"]
BUT = ["but", "但是"]


def clause(language, chance):
    """Some words, and whether they are positive (1) or negative (0)."""
    good, turned = chance.random() < 0.5, chance.random() < 0.3
    verb = chance.choice((NOT if turned else PLAIN)[language])
    words = f"{chance.choice(NOUNS[language])} {verb} {chance.choice((GOOD if good else BAD)[language])}".split()
    return words, int(good != turned)


def sentence(chance):
    """One clause, or two of which the second decides."""
    language = chance.randrange(2)
    words, label = clause(language, chance)
    if chance.random() < 0.4:
        more, label = clause(language, chance)
        words += [BUT[language], *more]
    return words, label


class Sentiment(nn.Module):
    """Embedding, a GRU that reads to the end of the sentence, two scores."""

    def __init__(self, words, embedding=16, hidden=32):
        super().__init__()
        self.embedding = nn.Embedding(words, embedding, padding_idx=0)
        self.gru = nn.GRU(embedding, hidden, batch_first=True)
        self.head = nn.Linear(hidden, len(LABELS))

    def forward(self, sentences):
        _, last = self.gru(self.embedding(sentences))
        return self.head(last[0])


def encoded(sentences, number):
    """The sentences as numbers; padding comes first, so that the GRU's last word is the sentence's."""
    return torch.tensor([[number[PAD]] * (LENGTH - len(s)) + [number[word] for word in s] for s in sentences])


def explained(model, words, label, number):
    """A row of the page: what each word adds to the score "positive" or takes from it."""
    tokens = encoded([words], number)
    probability, predicted = model(tokens).softmax(1)[0].max(0)
    method = LayerIntegratedGradients(model, model.embedding)
    padding = torch.full_like(tokens, number[PAD])
    parts, delta = method.attribute(tokens, padding, target=1, n_steps=100, return_convergence_delta=True)
    of_words = parts.sum(-1)[0, LENGTH - len(words) :]  # over the embedding's dimensions, without the padding
    return visualization.VisualizationDataRecord(
        of_words / of_words.abs().max(),
        probability.item(),
        LABELS[predicted],
        LABELS[label],
        LABELS[1],
        of_words.sum().item(),
        words,
        delta.item(),
    )


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--sentences", type=int, default=3000)
    parser.add_argument("--page", default="words.html", help="where the explanations are written to")
    args = parser.parse_args(argv)

    torch.manual_seed(0)
    chance = random.Random(0)
    sentences, labels = zip(*(sentence(chance) for _ in range(args.sentences)))
    number = {word: i for i, word in enumerate([PAD, *sorted({word for s in sentences for word in s})])}
    data = torch.utils.data.TensorDataset(encoded(sentences, number), torch.tensor(labels))
    train, test = torch.utils.data.random_split(data, [0.9, 0.1])

    model = Sentiment(len(number))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for epoch in range(args.epochs):
        for x, y in torch.utils.data.DataLoader(train, batch_size=64, shuffle=True):
            x = x * (torch.rand(x.shape) > 0.2)  # some words are left out, so that padding is nothing unheard of
            loss = nn.functional.cross_entropy(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        print(f"epoch {epoch + 1}: loss {loss.item():.4f}")
    model.eval()
    with torch.no_grad():
        x, y = next(iter(torch.utils.data.DataLoader(test, batch_size=len(test))))
        accuracy = (model(x).argmax(1) == y).float().mean().item()
    print(f"accuracy on new sentences: {accuracy:.1%}")

    records = [
        explained(model, text.split(), label, number)
        for text, label in [
            ("the ending was good", 1),
            ("the ending was not good", 0),
            ("the plot was dull but every actor was wonderful", 1),
            ("这部电影 好看", 1),
            ("这部电影 不 好看", 0),
            ("剧情 有点 平淡 但是 音乐 真的 感人", 1),
            ("演员 出色 但是 结尾 一点也 不 精彩", 0),
        ]
    ]
    for record in records:
        print(" ".join(f"{w} {a:+.2f}" for w, a in zip(record.raw_input_ids, record.word_attributions.tolist())))
    visualization.visualize_text(records).save(args.page, title="Which words decide? 哪些词起作用？")
    print(f"the page: {args.page}")
    return accuracy, records


if __name__ == "__main__":
    main()
