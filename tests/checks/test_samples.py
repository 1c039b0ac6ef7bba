"""FB-DATA-01: samples that cannot be put into a batch."""

import pytest
from checks.cases import Mistake, check, correct

DATASET = """
class Pairs(Dataset):
    def __len__(self): return 4
    def __getitem__(self, i): {sample}
for batch in DataLoader(Pairs(), batch_size=4, shuffle=False): pass  # HERE
"""
CASES = [
    Mistake("FB-DATA-01", DATASET.format(sample="return torch.zeros(i + 1), i"), "ragged",
            [("return torch.zeros(i + 1), i", "return torch.zeros(4), i", "")],
            says=("stack expects each tensor to be equal size, but got [1] at entry 0 and [2] at entry 1",
                  "Pairs: `sample[0]` has shape (1,) for dataset[0]",
                  "pad_sequence([sample[0] for sample in batch], batch_first=True)")),
    Mistake("FB-DATA-01", DATASET.format(sample="return {'x': np.zeros((2, i + 1)), 'y': i}"), "ragged",
            says=("`sample['x']` has shape (2, 1)",)),
    Mistake("FB-DATA-01", DATASET.format(sample="\n        if i < 3: return torch.zeros(2)"), "none",
            says=("found <class 'NoneType'>", "None for dataset[3]: a branch of `__getitem__` has no return")),
    Mistake("FB-DATA-01", DATASET.format(sample="return [1] * (i + 1)"), "ragged",
            says=("each element in list of batch should be of equal size",)),
    Mistake("FB-DATA-01", DATASET.format(sample="return object(), i"), "type",
            says=("default_collate: batch must contain tensors", "`sample[0]` of dataset[0] is object")),
    Mistake("FB-DATA-01", DATASET.format(sample="return np.array(['a', 'b'])"), "type"),
    Mistake("FB-DATA-01", DATASET.format(sample="return {'x': i} if i else {'y': i}"), "keys"),
    Mistake("FB-DATA-01", DATASET.format(sample="return 1").replace("    def __len__(self): return 4\n", ""),
            "no-len", says=("object of type 'Pairs' has no len()", "def __len__(self)")),
    Mistake("FB-DATA-01", "samples = [torch.zeros(3), torch.zeros(4)]\nloader = DataLoader(samples, batch_size=2)\n"
            "next(iter(loader))  # HERE\n", "ragged",
            [("loader = ", "from flambeau.nn.utils.rnn import pad_sequence\nloader = ", ""),
             ("batch_size=2)", "batch_size=2, collate_fn=lambda batch: pad_sequence(batch, batch_first=True))",
              "collate_fn=lambda batch: pad_sequence(batch, batch_first=True)")]),
]  # fmt: skip


@pytest.mark.parametrize("mistake", CASES, ids=lambda m: m.cause)
def test_samples(mistake):
    error = check(mistake).error
    assert isinstance(error, (RuntimeError, TypeError, KeyError))


def test_samples_that_fit():
    correct(DATASET.format(sample="return torch.zeros(3), i, {'a': np.ones(2), 'b': 'text'}"))
