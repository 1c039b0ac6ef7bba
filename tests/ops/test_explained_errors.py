"""Every error of operations, functional transforms and distributions says why, and what to do, with actual values."""

import ast
from pathlib import Path

import numpy as np
import pytest

import flambeau as torch
from flambeau import errors
from flambeau.errors import FlambeauError

PACKAGE = Path(torch.__file__).parent
CLASSES = {n for n, c in vars(errors).items() if isinstance(c, type) and issubclass(c, FlambeauError)} | {"LinAlgError"}
PLAIN = {"TypeError", "ValueError", "RuntimeError", "IndexError", "KeyError", "NotImplementedError", "AttributeError"}
# Said to who writes gradient rules, not to users.
INTERNAL = {("node.py", "TypeError")}


def unexplained(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in CLASSES:
            if not {"why", "fix"} <= {k.arg for k in node.keywords}:
                yield f"{path.name}:{node.lineno}: {node.func.id} without a reason or a remedy"
        elif isinstance(node, ast.Raise) and isinstance(node.exc, (ast.Call, ast.Name)):
            name = getattr(getattr(node.exc, "func", node.exc), "id", "")
            if name in PLAIN and (path.name, name) not in INTERNAL:
                yield f"{path.name}:{node.lineno}: a plain {name}"


@pytest.mark.parametrize("folder", ["ops", "func", "distributions"])
def test_errors_have_a_reason_and_a_remedy(folder):
    assert [text for path in sorted((PACKAGE / folder).glob("*.py")) for text in unexplained(path)] == []


def test_unexplained_errors_are_found(tmp_path):
    file = tmp_path / "some.py"
    file.write_text("raise ShapeError('no', fix='x')\nraise ValueError\nraise DtypeError('no', why='a', fix='b')\n")
    assert len(list(unexplained(file))) == 2


f, NAN = torch.ones(2, 3), float("nan")
CASES = [
    (lambda: f[2], "the tensor has shape (2, 3), so indices run from 0 to 1",
     "use an index between -2 and 1; the last element is `x[-1]`"),
    (lambda: f[0, 0, 0], "the tensor has shape (2, 3)", "use at most 2 indices"),
    (lambda: f[torch.tensor([0, 1]), torch.tensor([0, 1, 2])],
     "several tensors of indices name one element together, so they are matched element by element",
     "use `x[rows[:, None], columns]` for all pairs of rows and columns"),
    (lambda: f.sum(5), "`f` has 2 dimension(s), its shape is (2, 3)", "pass `dim` between -2 and 1"),
    (lambda: f + torch.ones(2), "shapes (2, 3) and (2,) are aligned from the right, and sizes must be equal or 1",
     "use `torch.ones(2).unsqueeze(1)`: the result then has shape (2, 3)"),
    (lambda: f.view(7), "the new shape has 7 element(s), the tensor 6",
     "write -1 for one size, which is then computed, or use `x.flatten(1)` to keep the batch dimension"),
    (lambda: torch.cat([f, torch.ones(2, 2)]), "tensor 0 has shape (2, 3), tensor 1 has shape (2, 2)",
     "pass `dim=1` if they differ only there, or make them equal with slices or `F.pad`"),
    (lambda: f.split([1, 2], 0), "they add up to 3", "pass sizes that add up to 2"),
    (lambda: torch.topk(f, 4), "`k` is 4, dimension 1 has 3 element(s)", "pass `k` of at most 3: `min(4, x.shape[1])`"),
    (lambda: torch.nn.functional.kl_div(f, None), "`target` is None",
     "pass it, or look where `target` comes from: a function without `return` gives None"),
    (lambda: torch.flip(np.ones(3), (0,)), "`input` is ndarray of shape (3,)", "convert it: `torch.as_tensor(input)`"),
    (lambda: f.sum(kepdim=True), "the parameters are input, dim, keepdim, dtype", "did you mean `keepdim`?"),
    (lambda: torch.cumsum(f), "the parameters are input, dim, dtype", "pass 'dim' too"),
    (lambda: torch.rot90(f, 1, (0, 1), 3), "the parameters are input, k, dims",
     "leave out the rest, or pass options by name"),
    (lambda: f.flip(dim=(0,), dims=(0,)), "the parameters are input, dims", "leave out `dim=`"),
    (lambda: torch.bincount(f[0]), "the operation is not defined for float32 numbers",
     "convert it to whole numbers first: `x.long()`"),
    (lambda: torch.arange(3).mean(), "the result may be a fraction, and `torch.arange(3)` is int64",
     "use `torch.arange(3).float().mean()`"),
    (lambda: torch.einsum("ij,jk->ik", f, f), "operand 1, named `jk`, has shape (2, 3)",
     "name its dimensions in their order: `kj` instead of `jk`"),
    (lambda: torch.einsum("ij,jk->ik", f), "the equation 'ij,jk->ik' names 2, 1 were given",
     "pass 2 tensor(s): each part between commas belongs to one"),
    (lambda: torch.linalg.inv(f), "the last two sizes of (2, 3) must be equal",
     "use `torch.linalg.lstsq` or `torch.linalg.pinv` for other matrices"),
    (lambda: torch.linalg.inv(torch.zeros(2, 2)), "a singular matrix has no inverse: its rows depend on each other",
     "use `torch.linalg.pinv(A)`, or add `1e-6 * torch.eye(A.shape[-1])` to it"),
    (lambda: torch.quantile(f, 50), "`q` is a share of the sorted values, and 50 lies outside 0 to 1",
     "pass a number between 0 and 1, such as 0.5 for the median"),
    (lambda: torch.multinomial(f, 4), "4 different indices are asked for, and there are 3",
     "pass `replacement=True`, or draw fewer"),
    (lambda: torch.randint(3, 2, (1,)), "the upper end is not included", "pass an upper end above 3"),
    (lambda: torch.tensor([1, NAN], dtype=torch.int64), "nan and infinity are no integers",
     "use `dtype=torch.float32`, or remove them first"),
    (lambda: torch.stft(f[0], 8, return_complex=True, center=False), "a frame of 8 samples does not fit in 3",
     "pass a smaller `n_fft`, or a longer signal"),
    (lambda: torch.distributions.Normal(0.0, -1.0), "the values of `scale` go from -1 to -1",
     "make it positive first: `torch.nn.functional.softplus(scale)`"),
    (lambda: torch.distributions.Normal(torch.tensor(NAN), 1.0), "`loc` holds nan, so something before it went wrong",
     "look where it begins: `loc.isnan().any()` after each step"),
    (lambda: torch.distributions.Bernoulli(0.5).log_prob(torch.tensor([0.5, 1.0])),
     "1 of 2 values can never be drawn from it",
     "pass values inside the support, or make the distribution with `validate_args=False`"),
    (lambda: torch.func.grad(lambda x: x * 2)(f), "a gradient is that of one number, and the result has shape (2, 3)",
     "return `out.sum()` or `out.mean()`, or use `torch.func.jacrev`"),
    (lambda: torch.vmap(torch.dot, in_dims=(0, 2))(f, f), "the input has shape (2, 3)",
     "pass `in_dims` between -2 and 1"),
]  # fmt: skip


@pytest.mark.parametrize("call, why, fix", CASES)
def test_reason_and_remedy(call, why, fix):
    with pytest.raises(FlambeauError) as caught:
        call()
    assert (caught.value.why, caught.value.fix) == (why, fix)


def test_numpy_errors_inside_a_call_are_explained():
    from flambeau.ops.misuse import guarded

    names = {}
    exec("def broken(input): return input._array.reshape(2, 2)", names)  # no file of a user's
    with pytest.raises(RuntimeError, match="broken\\(\\): the arguments do not fit together") as caught:
        guarded(names["broken"])(f)
    assert caught.value.why == "the call failed inside with: cannot reshape array of size 6 into shape (2,2)"
    assert caught.value.fix == "compare the arguments with the example in the function's docstring"
