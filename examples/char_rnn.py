"""Names, letter by letter: one network says what language a name is from, another invents new ones.

python char_rnn.py --steps 1500
"""

import argparse
import random

import flambeau as torch

nn = torch.nn

NAMES = {
    "English": """
        smith jones taylor brown wilson walker wright green baker hill clarke cooper turner parker foster
        carter mitchell edwards collins stewart bennett chapman fletcher gardner hudson jackson kingston
        lawson marshall newton""",
    "Italian": """
        rossi russo ferrari esposito bianchi romano colombo ricci marino greco bruno gallo conti deluca
        costa giordano mancini rizzo lombardi moretti barbieri fontana santoro mariani rinaldi caruso
        ferrara galli martini leone""",
    "Japanese": """
        sato suzuki takahashi tanaka watanabe ito yamamoto nakamura kobayashi kato yoshida yamada sasaki
        yamaguchi matsumoto inoue kimura hayashi shimizu saito mori abe ikeda hashimoto ishikawa ogawa goto
        okada hasegawa""",
    "Russian": """
        ivanov smirnov kuznetsov popov vasiliev petrov sokolov mikhailov novikov fedorov morozov volkov
        alekseev lebedev semenov egorov pavlov kozlov stepanov nikolaev orlov andreev makarov nikitin
        zakharov zaitsev soloviev""",
}
LANGUAGES = list(NAMES)
LETTERS = "abcdefghijklmnopqrstuvwxyz"
END = len(LETTERS)  # ends a name, and begins one


def numbers(name: str) -> list:
    """The letters of a name as numbers."""
    return [LETTERS.index(c) for c in name]


def pairs() -> list:
    """[(name, number of its language), ...], shuffled."""
    found = [(name, i) for i, language in enumerate(LANGUAGES) for name in NAMES[language].split()]
    random.Random(0).shuffle(found)
    return found


class Classifier(nn.Module):
    """Reads the letters with a GRU; its last state decides."""

    def __init__(self, hidden=64):
        super().__init__()
        self.embedding = nn.Embedding(len(LETTERS), 16)
        self.rnn = nn.GRU(16, hidden, batch_first=True)
        self.head = nn.Linear(hidden, len(LANGUAGES))

    def forward(self, names, lengths):
        packed = nn.utils.rnn.pack_padded_sequence(
            self.embedding(names), lengths, batch_first=True, enforce_sorted=False
        )
        _, last = self.rnn(packed)
        return self.head(last[0])


class Generator(nn.Module):
    """Predicts the next letter from the language and the letters so far."""

    def __init__(self, hidden=96):
        super().__init__()
        self.language = nn.Embedding(len(LANGUAGES), 16)
        self.letter = nn.Embedding(len(LETTERS) + 1, 24)
        self.rnn = nn.LSTM(40, hidden, batch_first=True)
        self.head = nn.Linear(hidden, len(LETTERS) + 1)

    def forward(self, letters, languages, state=None):
        which = self.language(languages).unsqueeze(1).expand(-1, letters.shape[1], -1)
        out, state = self.rnn(torch.cat([self.letter(letters), which], -1), state)
        return self.head(out), state

    @torch.no_grad()
    def invent(self, language: int, first: str, longest=12, temperature=0.5) -> str:
        """A name that begins with `first`."""
        name, state = first, None
        letters = torch.tensor([[END] + numbers(first)])
        for _ in range(longest):
            scores, state = self(letters, torch.tensor([language]), state)
            chances = (scores[0, -1] / temperature).softmax(-1)
            letter = torch.multinomial(chances, 1).item()
            if letter == END:
                break
            name += LETTERS[letter]
            letters = torch.tensor([[letter]])
        return name


def batch_of(names, pad):
    """(padded letters, lengths) of a list of lists of numbers."""
    padded = nn.utils.rnn.pad_sequence([torch.tensor(n) for n in names], batch_first=True, padding_value=pad)
    return padded, torch.tensor([len(n) for n in names])


def train_classifier(steps, known):
    model = Classifier()
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    for step in range(steps):
        chosen = random.sample(known, 16)
        letters, lengths = batch_of([numbers(name) for name, _ in chosen], pad=0)
        loss = nn.functional.cross_entropy(model(letters, lengths), torch.tensor([i for _, i in chosen]))
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        if (step + 1) % 100 == 0:
            print(f"classifier, step {step + 1}: loss {loss.item():.3f}")
    return model


def train_generator(steps, known):
    model = Generator()
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3)
    loss_fn = nn.CrossEntropyLoss(ignore_index=-1)
    losses = []
    for step in range(steps):
        chosen = random.sample(known, 16)
        letters, _ = batch_of([[END] + numbers(name) for name, _ in chosen], pad=END)
        targets, _ = batch_of([numbers(name) + [END] for name, _ in chosen], pad=-1)
        scores, _ = model(letters, torch.tensor([i for _, i in chosen]))
        loss = loss_fn(scores.flatten(0, 1), targets.flatten())
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        losses.append(loss.item())
        if (step + 1) % 100 == 0:
            print(f"generator, step {step + 1}: loss {loss.item():.3f}")
    return model, losses


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=400)
    args = parser.parse_args(argv)

    torch.manual_seed(0)
    random.seed(0)
    everything = pairs()
    known, unknown = everything[:-20], everything[-20:]

    classifier = train_classifier(args.steps, known)
    with torch.no_grad():
        letters, lengths = batch_of([numbers(name) for name, _ in unknown], pad=0)
        guess = classifier(letters, lengths).argmax(-1).tolist()
    accuracy = sum(g == i for g, (_, i) in zip(guess, unknown)) / len(unknown)
    print(f"languages of {len(unknown)} names it has not seen: {accuracy:.0%} right")

    generator, losses = train_generator(args.steps, known)
    names = {language: [generator.invent(i, c) for c in "smr"] for i, language in enumerate(LANGUAGES)}
    for language, made in names.items():
        print(f"{language:>9}: {', '.join(made)}")
    return accuracy, losses, names


if __name__ == "__main__":
    main()
