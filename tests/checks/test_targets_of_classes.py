"""FB-LOSS-02 and FB-LOSS-03: targets of cross_entropy in the wrong form, and labels that are no class."""

import pytest
from checks.cases import Mistake, check, correct

Y = "y = torch.tensor([0, 1, 2, 0, 1, 2, 0, 1])\nlogits = torch.randn(8, 3, requires_grad=True)\n"
FORMS = [
    Mistake(
        "FB-LOSS-02",
        "logits = torch.randn(8, 3, requires_grad=True)\ny = torch.tensor([0., 1., 2., 0., 1., 2., 0., 1.])\n"
        "F.cross_entropy(logits, y)  # HERE\n",
        "dtype",
        [("F.cross_entropy(logits, y)", "F.cross_entropy(logits, y.long())", "y.long()")],
        says=("expected target dtype to be Long or Byte, but got Float", "float32 holding whole numbers 0..2"),
    ),
    Mistake(
        "FB-LOSS-02",
        Y + "nn.CrossEntropyLoss()(logits, y.unsqueeze(1))  # HERE\n",
        "column",
        [("y.unsqueeze(1)", "y.unsqueeze(1).squeeze(1)")],
        says=("multi-target not supported", "has shape (8, 1)"),
    ),
    Mistake(
        "FB-LOSS-02",
        Y + "labels = y[:, None].float()\nF.cross_entropy(logits, labels)  # HERE\n",
        "column",
        [("(logits, labels)", "(logits, labels.squeeze(1).long())", "labels.squeeze(1).long()")],
    ),
    Mistake(
        "FB-LOSS-02",
        Y + "hot = F.one_hot(y, 3)\nF.cross_entropy(logits, hot)  # HERE\n",
        "one-hot",
        [("(logits, hot)", "(logits, hot.argmax(1))", "hot.argmax(1)")],
        says=("Expected floating point type for target with class probabilities, got Long",),
    ),
    Mistake(
        "FB-LOSS-02",
        Y + "loss = nn.CrossEntropyLoss()\nloss(logits, y.int())  # HERE\n",
        "dtype",
        [("y.int()", "y.int().long()")],
    ),
    Mistake("FB-LOSS-02", Y + "F.nll_loss(F.log_softmax(logits, 1), y.to(torch.int16))  # HERE\n", "dtype"),
    Mistake("FB-LOSS-02", Y + "F.cross_entropy(logits, torch.rand(8))  # HERE\n", "fractions", says=("F.mse_loss",)),
    Mistake(
        "FB-LOSS-02",
        "maps, masks = torch.randn(2, 3, 4, 4), torch.zeros(2, 1, 4, 4).long()\nF.cross_entropy(maps, masks)  # HERE\n",
        "column",
        [("(maps, masks)", "(maps, masks.squeeze(1))", "masks.squeeze(1)")],
    ),
    Mistake(
        "FB-LOSS-02",
        "scores, y = torch.randn(5), torch.tensor([0, 1, 1, 0, 1])\nF.cross_entropy(scores, y)  # HERE\n",
        "one-score",
        [("F.cross_entropy(scores, y)", "F.binary_cross_entropy_with_logits(scores, y.float())")],
    ),
]  # fmt: skip
LABELS = [
    Mistake(
        "FB-LOSS-03",
        "logits = nn.Linear(4, 10)(torch.randn(6, 4))\ny = torch.tensor([1, 2, 3, 9, 10, 4])\n"
        "F.cross_entropy(logits, y)  # HERE\n",
        "one-based",
        [("(logits, y)", "(logits, y - 1)", "y - 1")],
        says=("Target 10 is out of bounds.", "the model gives 10 scores", "0..9; 1 of 6 are not"),
    ),
    Mistake(
        "FB-LOSS-03",
        "maps = torch.randn(2, 3, 4, 4)\nmask = torch.zeros(2, 4, 4).long()\nmask[0, 0] = 255\n"
        "nn.CrossEntropyLoss()(maps, mask)  # HERE\n",
        "mark",
        [("nn.CrossEntropyLoss()", "nn.CrossEntropyLoss(ignore_index=255)", "ignore_index=255")],
        says=("4 of 32 are not, the first is 255 at [0, 0, 0]",),
    ),
    Mistake(
        "FB-LOSS-03",
        "head = nn.Linear(4, 3)\nF.cross_entropy(head(torch.ones(4, 4)), torch.tensor([0, 1, 3, 4]))  # HERE\n",
        "too-few",
        [("nn.Linear(4, 3)", "nn.Linear(4, 5)", "5 outputs")],
    ),
    Mistake("FB-LOSS-03", "F.cross_entropy(torch.randn(3, 2), torch.tensor([0, -1, 1]))  # HERE\n", "mark"),
    Mistake("FB-LOSS-03", "F.cross_entropy(torch.randn(3, 2), torch.tensor([-2, -1, 1]))  # HERE\n", "negative"),
]  # fmt: skip


@pytest.mark.parametrize("mistake", FORMS)
def test_forms(mistake):
    assert isinstance(check(mistake).error, RuntimeError)


@pytest.mark.parametrize("mistake", LABELS)
def test_labels(mistake):
    assert isinstance(check(mistake).error, IndexError)


def test_legal_targets():
    correct("""
logits = torch.randn(4, 3)
F.cross_entropy(logits, torch.tensor([0, 1, 2, -100]))  # ignored
F.cross_entropy(logits, torch.full((4, 3), 1 / 3))  # probabilities
F.cross_entropy(logits, torch.tensor([0, 1, 2, 0], dtype=torch.uint8))
F.cross_entropy(torch.randn(2, 3, 4, 4), torch.zeros(2, 4, 4).long())
F.cross_entropy(torch.randn(3), torch.tensor(1))
""")
