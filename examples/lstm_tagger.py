"""Part-of-speech tagging: an LSTM reads a sentence and says what each word is.

python lstm_tagger.py --epochs 60
"""

import argparse

import flambeau as torch

nn = torch.nn

SENTENCES = """
the/DET dog/NOUN ate/VERB the/DET apple/NOUN
everybody/NOUN read/VERB that/DET book/NOUN
a/DET cat/NOUN saw/VERB the/DET dog/NOUN
the/DET small/ADJ bird/NOUN sang/VERB
she/NOUN gave/VERB him/NOUN a/DET red/ADJ apple/NOUN
that/DET old/ADJ man/NOUN read/VERB slowly/ADV
the/DET dog/NOUN quickly/ADV ate/VERB a/DET small/ADJ bird/NOUN
he/NOUN saw/VERB the/DET old/ADJ book/NOUN
"""


def parse(text):
    """[(words, tags), ...] and the vocabularies."""
    pairs = [[token.split("/") for token in line.split()] for line in text.strip().splitlines()]
    words = sorted({word for sentence in pairs for word, _ in sentence})
    tags = sorted({tag for sentence in pairs for _, tag in sentence})
    number, tag_number = {w: i for i, w in enumerate(words)}, {t: i for i, t in enumerate(tags)}
    sentences = [(torch.tensor([number[w] for w, _ in s]), torch.tensor([tag_number[t] for _, t in s])) for s in pairs]
    return sentences, number, tags


class Tagger(nn.Module):
    """Embedding, LSTM, and one score for each tag at each word."""

    def __init__(self, words, tags, embedding=16, hidden=16):
        super().__init__()
        self.embedding = nn.Embedding(words, embedding)
        self.lstm = nn.LSTM(embedding, hidden, batch_first=True, bidirectional=True)
        self.head = nn.Linear(2 * hidden, tags)

    def forward(self, sentences, lengths):
        packed = nn.utils.rnn.pack_padded_sequence(
            self.embedding(sentences), lengths, batch_first=True, enforce_sorted=False
        )
        states, _ = self.lstm(packed)
        states, _ = nn.utils.rnn.pad_packed_sequence(states, batch_first=True)
        return self.head(states)  # (batch, longest sentence, tags)


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=60)
    args = parser.parse_args(argv)

    torch.manual_seed(1)
    sentences, number, tags = parse(SENTENCES)
    inputs = nn.utils.rnn.pad_sequence([words for words, _ in sentences], batch_first=True)
    targets = nn.utils.rnn.pad_sequence([t for _, t in sentences], batch_first=True, padding_value=-100)
    lengths = torch.tensor([len(words) for words, _ in sentences])

    model = Tagger(len(number), len(tags))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.03)
    loss_fn = nn.CrossEntropyLoss(ignore_index=-100)  # padding does not count
    for epoch in range(args.epochs):
        scores = model(inputs, lengths)
        loss = loss_fn(scores.flatten(0, 1), targets.flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if (epoch + 1) % 20 == 0:
            print(f"epoch {epoch + 1}: loss {loss.item():.4f}")

    model.eval()
    with torch.no_grad():
        guess = model(inputs, lengths).argmax(-1)
        known = targets != -100
        accuracy = (guess[known] == targets[known]).float().mean().item()
        words = "the small dog saw a book".split()
        sentence = torch.tensor([[number[w] for w in words]])
        found = [tags[i] for i in model(sentence, torch.tensor([len(words)])).argmax(-1)[0].tolist()]
    print(f"accuracy {accuracy:.1%}; new sentence:", " ".join(f"{w}/{t}" for w, t in zip(words, found)))
    return accuracy, found


if __name__ == "__main__":
    main()
