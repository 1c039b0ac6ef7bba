"""The examples in the docstrings of public operations run, also of those that a factory made in another module."""

import doctest
import inspect

import pytest

import flambeau
from flambeau.ops.entry import METHODS, REGISTRY

FLAGS = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS

COMMON = """
    tensor as_tensor from_numpy zeros ones full empty eye arange linspace zeros_like ones_like full_like rand randn
    randint randperm rand_like randn_like manual_seed normal bernoulli multinomial
    cat stack split chunk unbind hstack vstack reshape permute transpose t unsqueeze squeeze flatten unflatten movedim
    narrow select diagonal broadcast_to flip roll tile repeat_interleave tril triu diag meshgrid clone
    add sub mul div pow neg abs sqrt rsqrt square exp log log2 log10 log1p expm1 sin cos tan asin acos atan atan2 sinh
    cosh tanh sigmoid relu softmax log_softmax reciprocal sign floor ceil round trunc frac fmod remainder floor_divide
    maximum minimum clamp clamp_min clamp_max lerp addcmul addcdiv erf lgamma digamma logit nan_to_num hypot logaddexp
    eq ne lt le gt ge logical_and logical_or logical_not logical_xor bitwise_and bitwise_or bitwise_not isnan isinf
    isfinite isclose allclose equal isin where masked_select masked_fill nonzero take gather scatter scatter_add
    index_select index_add searchsorted bucketize
    sum mean prod var std amax amin max min argmax argmin all any count_nonzero logsumexp median mode quantile
    cumsum cumprod diff sort argsort topk kthvalue unique bincount histc norm dist cdist
    matmul mm bmm mv dot outer addmm einsum tensordot kron trace cross det inverse
    linalg.norm linalg.det linalg.inv linalg.solve linalg.svd linalg.eigh linalg.qr linalg.cholesky linalg.lstsq
    linalg.pinv fft.fft fft.ifft fft.rfft fft.irfft conv1d conv2d stft complex real imag view_as_real
""".split()


def _documented():
    """One name for each function that has an example: aliases and in-place forms share their docstring."""
    functions = {}
    for name, fn in (*REGISTRY.items(), *METHODS.items()):
        if callable(fn) and ">>>" in (fn.__doc__ or ""):
            functions.setdefault(fn.__doc__, (name, fn))
    return list(functions.values())


@pytest.mark.parametrize(("name", "fn"), _documented(), ids=lambda value: value if isinstance(value, str) else "")
def test_example_runs(name, fn):
    example = doctest.DocTestParser().get_doctest(inspect.getdoc(fn), {}, name, None, None)
    said = []
    failed, tried = doctest.DocTestRunner(optionflags=FLAGS).run(example, out=said.append)
    assert tried and not failed, "".join(said)


@pytest.mark.parametrize("name", COMMON)
def test_common_operation_has_an_example(name):
    documented = flambeau
    for part in name.split("."):
        documented = getattr(documented, part)
    assert ">>>" in (documented.__doc__ or "")
