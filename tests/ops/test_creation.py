"""Creation operations: results, dtypes and errors as recorded from PyTorch 2.13; NumPy, DLPack, legacy constructors."""
# ruff: noqa: E501

import array
import warnings

import numpy as np
import pytest

import flambeau as torch

SAME = [
    ("torch.tensor([-1],dtype=torch.uint8)", "tensor([255], dtype=torch.uint8)"),
    ("torch.tensor([np.float64(1.5)])", "tensor([1.5000], dtype=torch.float64)"),
    ("torch.tensor(np.float64(1.5))", "tensor(1.5000, dtype=torch.float64)"),
    ("torch.tensor([np.float32(1.5)])", "tensor([1.5000])"),
    ("torch.tensor([np.int32(1)])", "tensor([1], dtype=torch.int32)"),
    ("torch.tensor([np.zeros(2),np.ones(2)])", "tensor([[0., 0.], [1., 1.]], dtype=torch.float64)"),
    ("torch.tensor([np.zeros(2,dtype=np.float32),np.ones(2)])", "tensor([[0., 0.], [1., 1.]], dtype=torch.float64)"),
    ("torch.tensor([torch.tensor(1),torch.tensor(2.5)])", "tensor([1.0000, 2.5000])"),
    ("torch.tensor([torch.tensor([1]),torch.tensor([2])])", "tensor([1, 2])"),
    ("torch.tensor([True,2])", "tensor([1, 2])"),
    ("torch.tensor([1,2.5,3j])", "tensor([1.0000+0.j, 2.5000+0.j, 0.0000+3.j])"),
    ("torch.tensor([])", "tensor([])"),
    ("torch.tensor([[],[]])", "tensor([], size=(2, 0))"),
    ("torch.tensor(range(3))", "tensor([0, 1, 2])"),
    ("torch.tensor((1,2))", "tensor([1, 2])"),
    ("torch.tensor(1.5,dtype=torch.int32)", "tensor(1, dtype=torch.int32)"),
    ("torch.tensor([1.5],dtype=torch.int64)", "tensor([1])"),
    ("torch.tensor([1e50])", "tensor([inf])"),
    ("torch.tensor([1e50],dtype=torch.float16)", "tensor([inf], dtype=torch.float16)"),
    ("torch.tensor(torch.ones(2))", "tensor([1., 1.])"),
    ("torch.tensor(array.array('f',[1,2]))", "tensor([1., 2.])"),
    ("torch.tensor([(1,2),[3,4]])", "tensor([[1, 2], [3, 4]])"),
    ("torch.as_tensor([1,2])", "tensor([1, 2])"),
    ("torch.as_tensor(np.ones(2),dtype=torch.float32)", "tensor([1., 1.])"),
    ("torch.asarray(b'abcd',dtype=torch.uint8)", "tensor([ 97, 98, 99, 100], dtype=torch.uint8)"),
    ("torch.asarray(3.5)", "tensor(3.5000)"),
    ("torch.frombuffer(bytearray(8),dtype=torch.int32)", "tensor([0, 0], dtype=torch.int32)"),
    ("torch.frombuffer(b'12345678',dtype=torch.int32)", "tensor([875770417, 943142453], dtype=torch.int32)"),
    ("torch.zeros((2,),dtype=float)", "tensor([0., 0.], dtype=torch.float64)"),
    ("torch.zeros(2,dtype=int)", "tensor([0, 0])"),
    ("torch.zeros(2,dtype=bool)", "tensor([False, False])"),
    ("torch.zeros(torch.tensor(2))", "tensor([0., 0.])"),
    ("torch.zeros((torch.tensor(2),3)).shape", "torch.Size([2, 3])"),
    ("torch.full((2,),3)", "tensor([3, 3])"),
    ("torch.full((2,),3.)", "tensor([3., 3.])"),
    ("torch.full((2,),True)", "tensor([True, True])"),
    ("torch.full((2,),1j)", "tensor([0.+1.j, 0.+1.j])"),
    ("torch.full((2,),torch.tensor(3.))", "tensor([3., 3.])"),
    ("torch.arange(5)", "tensor([0, 1, 2, 3, 4])"),
    ("torch.arange(5.)", "tensor([0., 1., 2., 3., 4.])"),
    ("torch.arange(1,2,0.5)", "tensor([1.0000, 1.5000])"),
    ("torch.arange(5,dtype=torch.float16)", "tensor([0., 1., 2., 3., 4.], dtype=torch.float16)"),
    ("torch.arange(torch.tensor(5))", "tensor([0, 1, 2, 3, 4])"),
    ("torch.arange(torch.tensor(5.))", "tensor([0., 1., 2., 3., 4.])"),
    ("torch.arange(True)", "tensor([0])"),
    ("torch.arange(start=1,end=3)", "tensor([1, 2])"),
    ("torch.arange(end=3)", "tensor([0, 1, 2])"),
    ("torch.range(0,3)", "tensor([0., 1., 2., 3.])"),
    ("torch.linspace(0,1,5)", "tensor([0.0000, 0.2500, 0.5000, 0.7500, 1.0000])"),
    ("torch.linspace(0,1,1)", "tensor([0.])"),
    ("torch.linspace(0,10,5,dtype=torch.int64)", "tensor([ 0, 2, 5, 7, 10])"),
    ("torch.linspace(0,1j,3)", "tensor([0.+0.0000j, 0.+0.5000j, 0.+1.0000j])"),
    ("torch.logspace(0,2,3)", "tensor([ 1., 10., 100.])"),
    ("torch.logspace(0,2,3,base=-2)", "tensor([ 1., -2., 4.])"),
    ("torch.logspace(0,3,4,2,dtype=torch.int64)", "tensor([1, 2, 4, 8])"),
    ("torch.eye(2,3)", "tensor([[1., 0., 0.], [0., 1., 0.]])"),
    ("torch.eye(2,dtype=torch.bool)", "tensor([[ True, False], [False, True]])"),
    ("torch.tril_indices(3,3)", "tensor([[0, 1, 1, 2, 2, 2], [0, 0, 1, 0, 1, 2]])"),
    ("torch.tril_indices(3,4,1)", "tensor([[0, 0, 1, 1, 1, 2, 2, 2, 2], [0, 1, 0, 1, 2, 0, 1, 2, 3]])"),
    ("torch.triu_indices(2,3,-1)", "tensor([[0, 0, 0, 1, 1, 1], [0, 1, 2, 0, 1, 2]])"),
    ("torch.complex(torch.ones(2),torch.ones(2))", "tensor([1.+1.j, 1.+1.j])"),
    ("torch.polar(torch.ones(2),torch.ones(2))", "tensor([0.5403+0.8415j, 0.5403+0.8415j])"),
    ("torch.scalar_tensor(3)", "tensor(3.)"),
    ("torch.scalar_tensor(True)", "tensor(1.)"),
    ("torch.ones(2).new_tensor([1,2])", "tensor([1., 2.])"),
    ("torch.ones(2).new_tensor([1,2],dtype=torch.int32)", "tensor([1, 2], dtype=torch.int32)"),
    ("torch.ones(2,dtype=torch.int32).new_tensor([1.5])", "tensor([1], dtype=torch.int32)"),
    ("torch.ones(2).new_full((2,),1)", "tensor([1., 1.])"),
    ("torch.ones(2).new_ones(2,3)", "tensor([[1., 1., 1.], [1., 1., 1.]])"),
    ("torch.ones(2).new_zeros([])", "tensor(0.)"),
    ("torch.full_like(torch.ones(2,dtype=torch.int32),2.7)", "tensor([2, 2], dtype=torch.int32)"),
    ("torch.hann_window(5)", "tensor([0.0000, 0.3455, 0.9045, 0.9045, 0.3455])"),
    ("torch.hann_window(0)", "tensor([])"),
    ("torch.hann_window(1)", "tensor([1.])"),
    ("torch.hann_window(5,periodic=False)", "tensor([0.0000, 0.5000, 1.0000, 0.5000, 0.0000])"),
    ("torch.hamming_window(5)", "tensor([0.0800, 0.3979, 0.9121, 0.9121, 0.3979])"),
    ("torch.hamming_window(5,True,0.5,0.4)", "tensor([0.1000, 0.3764, 0.8236, 0.8236, 0.3764])"),
    ("torch.bartlett_window(5)", "tensor([0.0000, 0.4000, 0.8000, 0.8000, 0.4000])"),
    ("torch.kaiser_window(5)", "tensor([5.2773e-05, 1.0172e-01, 7.9294e-01, 7.9294e-01, 1.0172e-01])"),
    ("torch.kaiser_window(5,False,10.)", "tensor([3.5515e-04, 2.8206e-01, 1.0000e+00, 2.8206e-01, 3.5515e-04])"),
    ("torch.signal.windows.cosine(5)", "tensor([0.3090, 0.8090, 1.0000, 0.8090, 0.3090])"),
    ("torch.signal.windows.exponential(5)", "tensor([0.1353, 0.3679, 1.0000, 0.3679, 0.1353])"),
    ("torch.signal.windows.gaussian(5)", "tensor([0.1353, 0.6065, 1.0000, 0.6065, 0.1353])"),
    ("torch.signal.windows.kaiser(5)", "tensor([5.2773e-05, 2.1567e-01, 1.0000e+00, 2.1567e-01, 5.2773e-05])"),
    ("torch.signal.windows.general_cosine(5,a=[.5,.3,.2])", "tensor([0.4000, 0.3000, 1.0000, 0.3000, 0.4000])"),
    ("torch.signal.windows.general_hamming(5)", "tensor([0.0800, 0.5400, 1.0000, 0.5400, 0.0800])"),
    ("torch.signal.windows.nuttall(5)", "tensor([3.6280e-04, 2.2698e-01, 1.0000e+00, 2.2698e-01, 3.6280e-04])"),
    ("torch.signal.windows.hann(1)", "tensor([1.])"),
    ("torch.signal.windows.bartlett(5,sym=False)", "tensor([0.0000, 0.4000, 0.8000, 0.8000, 0.4000])"),
    ("torch.signal.windows.gaussian(0)", "tensor([])"),
]

ERRORS = [
    ("torch.tensor([[1,2],[1,2,3]])", ValueError, "expected sequence of length 2 at dim 1 (got 3)"),
    ("torch.tensor([1,[2]])", TypeError, "'list' object cannot be interpreted as an integer"),
    ("torch.tensor([[1],2])", TypeError, "not a sequence"),
    ("torch.tensor('a')", TypeError, "new(): invalid data type 'str'"),
    ("torch.tensor(['a'])", ValueError, "too many dimensions 'str'"),
    ("torch.tensor(None)", RuntimeError, "Could not infer dtype of NoneType"),
    ("torch.tensor([None])", RuntimeError, "Could not infer dtype of NoneType"),
    ("torch.tensor([1,None])", RuntimeError, "Could not infer dtype of NoneType"),
    ("torch.tensor([300],dtype=torch.uint8)", RuntimeError, "value cannot be converted to type uint8 without overflow"),
    ("torch.tensor(2**63)", ValueError, "Overflow when unpacking long long"),
    ("torch.tensor(2**70)", ValueError, "Overflow when unpacking long long"),
    (
        "torch.tensor([torch.tensor([1,2])])",
        TypeError,
        "only integer tensors of a single element can be converted to an index",
    ),
    ("torch.tensor({1,2})", RuntimeError, "Could not infer dtype of set"),
    ("torch.tensor({'a':1})", RuntimeError, "Could not infer dtype of dict"),
    ("torch.tensor([1j],dtype=torch.float32)", TypeError, "must be real number, not complex"),
    (
        "torch.tensor(np.array(['a']))",
        TypeError,
        "can't convert np.ndarray of type numpy.str_. The only supported types are: float64, float32, float16, complex64, complex128, int64, int32, int16, int8, uint64, uint32, uint16, uint8, and bool.",
    ),
    (
        "torch.tensor(np.array([None]))",
        TypeError,
        "can't convert np.ndarray of type numpy.object_. The only supported types are: float64, float32, float16, complex64, complex128, int64, int32, int16, int8, uint64, uint32, uint16, uint8, and bool.",
    ),
    (
        "torch.tensor([1,2],requires_grad=True)",
        RuntimeError,
        "Only Tensors of floating point and complex dtype can require gradients",
    ),
    ("torch.tensor(b'ab')", TypeError, "new(): invalid data type 'bytes'"),
    ("torch.tensor()", TypeError, "tensor() missing 1 required positional argument"),
    ("torch.tensor([1],foo=1)", TypeError, "tensor() got an unexpected keyword argument 'foo'"),
    (
        "torch.tensor(np.ones(3)[::-1])",
        ValueError,
        "At least one stride in the given numpy array is negative, and tensors with negative strides are not currently supported. (You can probably work around this by making a copy of your array  with array.copy().)",
    ),
    (
        "torch.tensor(np.ones(2,dtype='>f4'))",
        ValueError,
        "given numpy array has byte order different from the native byte order. Conversion between byte orders is currently not supported.",
    ),
    (
        "torch.tensor(float('nan'),dtype=torch.int32)",
        RuntimeError,
        "value cannot be converted to type int32 without overflow",
    ),
    ("torch.tensor([[[1,2]],[[3]]])", ValueError, "expected sequence of length 2 at dim 2 (got 1)"),
    ("torch.from_numpy([1])", TypeError, "expected np.ndarray (got list)"),
    (
        "torch.from_numpy(np.array(['a']))",
        TypeError,
        "can't convert np.ndarray of type numpy.str_. The only supported types are: float64, float32, float16, complex64, complex128, int64, int32, int16, int8, uint64, uint32, uint16, uint8, and bool.",
    ),
    (
        "torch.from_numpy(np.ones(3)[::-1])",
        ValueError,
        "At least one stride in the given numpy array is negative, and tensors with negative strides are not currently supported. (You can probably work around this by making a copy of your array  with array.copy().)",
    ),
    (
        "torch.from_numpy(np.ones(2,dtype='>f4'))",
        ValueError,
        "given numpy array has byte order different from the native byte order. Conversion between byte orders is currently not supported.",
    ),
    ("torch.from_numpy(np.float32(1))", TypeError, "expected np.ndarray (got numpy.float32)"),
    (
        "torch.frombuffer(bytearray(0),dtype=torch.int32)",
        ValueError,
        "both buffer length (0) and count (-1) must not be 0",
    ),
    (
        "torch.frombuffer(bytearray(7),dtype=torch.int32)",
        ValueError,
        "buffer length (7 bytes) after offset (0 bytes) must be a multiple of element size (4)",
    ),
    (
        "torch.frombuffer(bytearray(8),dtype=torch.int32,count=3)",
        ValueError,
        "requested buffer length (3 * 4 bytes) after offset (0 bytes) must not be greater than actual buffer length (8 bytes)",
    ),
    (
        "torch.frombuffer(bytearray(8),dtype=torch.int32,offset=8)",
        ValueError,
        "offset (8 bytes) must be non-negative and no greater than buffer length (8 bytes) minus 1",
    ),
    (
        "torch.frombuffer(bytearray(8),dtype=torch.int32,count=0)",
        ValueError,
        "both buffer length (8) and count (0) must not be 0",
    ),
    ("torch.frombuffer(3,dtype=torch.int32)", ValueError, "object does not implement Python buffer protocol."),
    ("torch.zeros(2.5)", TypeError, "zeros(): argument 'size' (position 1) must be tuple of ints, not float"),
    ("torch.zeros('a')", TypeError, "zeros(): argument 'size' (position 1) must be tuple of ints, not str"),
    ("torch.zeros(-1)", RuntimeError, ""),
    ("torch.zeros()", TypeError, 'zeros() missing 1 required positional arguments: "size"'),
    ("torch.zeros(2,(3,))", TypeError, "zeros(): argument 'size'"),
    ("torch.zeros(2,dtype=np.float32)", TypeError, "zeros(): argument 'dtype' must be torch.dtype, not type"),
    ("torch.full(2,1)", TypeError, "full(): argument 'size' (position 1) must be tuple of ints, not int"),
    ("torch.full((2,),'a')", TypeError, "full(): argument 'fill_value' (position 2) must be Number, not str"),
    (
        "torch.zeros(2,dtype=torch.int64,requires_grad=True)",
        RuntimeError,
        "Only Tensors of floating point and complex dtype can require gradients",
    ),
    ("torch.arange(0,5,0)", RuntimeError, "step must be nonzero"),
    ("torch.arange(5,0)", RuntimeError, "upper bound and lower bound inconsistent with step sign"),
    ("torch.arange(1,float('inf'))", RuntimeError, "unsupported range: 1 -> inf"),
    ("torch.arange('a')", TypeError, "arange(): argument 'end' (position 1) must be Number, not str"),
    ("torch.arange()", TypeError, "arange() received an invalid combination of arguments - got ()"),
    ("torch.arange(3,dtype=torch.bool)", NotImplementedError, "\"arange_cpu\" not implemented for 'Bool'"),
    ("torch.arange(1j)", RuntimeError, "value cannot be converted to type double without overflow"),
    ("torch.range(0,3,0)", RuntimeError, "step must be nonzero"),
    ("torch.range(3,0)", RuntimeError, "upper bound and lower bound inconsistent with step sign"),
    ("torch.linspace(0,1,-1)", RuntimeError, "number of steps must be non-negative"),
    ("torch.linspace(0,1)", TypeError, ""),
    (
        "torch.linspace(torch.tensor(0.),torch.tensor([1.]),3)",
        RuntimeError,
        "linspace only supports 0-dimensional start and end tensors, but got start with 0 dimension(s) and end with 1 dimension(s).",
    ),
    ("torch.linspace(0,1j,3,dtype=torch.float32)", RuntimeError, "torch.linspace(): inferred dtype"),
    ("torch.eye(-1)", RuntimeError, "n must be greater or equal to 0, got -1"),
    ("torch.eye(2,-1)", RuntimeError, "m must be greater or equal to 0, got -1"),
    ("torch.tril_indices(-1,3)", RuntimeError, "row must be non-negative, got-1"),
    ("torch.tril_indices(3,3,dtype=torch.float32)", NotImplementedError, '"tril_indices" not implemented for \'Float'),
    (
        "torch.complex(torch.ones(2),torch.ones(2).double())",
        RuntimeError,
        "Expected object of scalar type Float but got scalar type Double for second argument",
    ),
    (
        "torch.complex(torch.ones(2,dtype=torch.int64),torch.ones(2,dtype=torch.int64))",
        RuntimeError,
        "Expected both inputs to be Half, Float or Double tensors but got Long and Long",
    ),
    (
        "torch.polar(torch.ones(2,dtype=int),torch.ones(2))",
        RuntimeError,
        "Expected both inputs to be Half, Float or Double tensors but got Long and Float",
    ),
    ("torch.zeros_like([1])", TypeError, "zeros_like(): argument 'input' (position 1) must be Tensor, not list"),
    ("torch.full_like(torch.ones(2),2j)", RuntimeError, "value cannot be converted to type float"),
    (
        "torch.full_like(torch.ones(2,dtype=torch.uint8),300)",
        RuntimeError,
        "value cannot be converted to type uint8_t without overflow",
    ),
    (
        "torch.full((2,),300,dtype=torch.uint8)",
        RuntimeError,
        "value cannot be converted to type uint8_t without overflow",
    ),
    ("torch.hann_window(-1)", RuntimeError, "hann_window requires non-negative window_length, got window_length=-1"),
    ("torch.hann_window(5,dtype=torch.int64)", RuntimeError, "hann_window expects floating point dtypes, got:"),
    ("torch.signal.windows.exponential(5,center=1,sym=True)", ValueError, "Center must be None for symmetric windows"),
    ("torch.signal.windows.exponential(5,tau=-1)", ValueError, "Tau must be positive, got: -1 instead."),
    ("torch.signal.windows.gaussian(5,std=-1)", ValueError, "Standard deviation must be positive, got: -1 instead."),
    ("torch.signal.windows.kaiser(5,beta=-1)", ValueError, "beta must be non-negative, got: -1 instead."),
    ("torch.signal.windows.general_cosine(5,a=[])", ValueError, "Coefficients cannot be empty"),
    ("torch.signal.windows.general_cosine(5,a=3)", TypeError, "Coefficients must be a list/tuple"),
    (
        "torch.signal.windows.hann(5,dtype=torch.float16)",
        ValueError,
        "general_cosine expects float32 or float64 dtypes, got: torch.float16",
    ),
    ("torch.signal.windows.hann(-5)", ValueError, "general_cosine requires non-negative window length, got M=-5"),
    (
        "torch.signal.windows.hann(5,dtype=torch.int64)",
        ValueError,
        "general_cosine expects float32 or float64 dtypes, got: torch.int64",
    ),
    (
        "torch.hann_window(5,layout=torch.sparse_coo)",
        RuntimeError,
        "hann_window is not implemented for sparse types, got:",
    ),
]


def evaluate(expression):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return eval(expression, {"torch": torch, "np": np, "array": array})


@pytest.mark.parametrize("expression, expected", SAME)
def test_result(expression, expected):
    assert " ".join(repr(evaluate(expression)).split()) == " ".join(expected.split())


@pytest.mark.parametrize("expression, kind, message", ERRORS)
def test_error(expression, kind, message):
    with pytest.raises(kind) as error:
        evaluate(expression)
    assert str(error.value).startswith(message)


def test_ragged_rows_say_how_to_pad():
    with pytest.raises(ValueError, match="pad_sequence"):
        torch.tensor([[1, 2], [1, 2, 3]])


# ---------------------------------------------------------------------- memory


def test_numpy_shares_memory_both_ways():
    a = np.zeros((2, 3), np.float32)
    t = torch.from_numpy(a)
    a[0, 0] = 1
    t[1, 2] = 2
    assert t[0, 0] == 1 and a[1, 2] == 2
    back = t.numpy()
    back[0, 1] = 3
    assert a[0, 1] == 3
    assert torch.as_tensor(a).data_ptr() == t.data_ptr() and torch.tensor(a).data_ptr() != t.data_ptr()
    assert torch.from_numpy(a.T).stride() == (1, 3)


def test_read_only_arrays_warn():
    a = np.zeros(2)
    a.flags.writeable = False
    with pytest.warns(UserWarning, match="not writable"):
        torch.from_numpy(a)


def test_numpy_refusals():
    x = torch.ones(2, requires_grad=True)
    with pytest.raises(RuntimeError, match="detach"):
        x.numpy()
    assert x.numpy(force=True).tolist() == [1, 1]
    with pytest.raises(TypeError, match="BFloat16"):
        torch.ones(2, dtype=torch.bfloat16).numpy()
    with pytest.raises(TypeError, match="meta"):
        torch.ones(2, device="meta").numpy()


def test_numpy_functions_on_tensors():
    a, x = np.ones(2), torch.ones(2, requires_grad=True)
    for made in (a + x, a * x, a - x, np.sin(x)):
        assert isinstance(made, torch.Tensor) and made.requires_grad
    assert isinstance(np.add.reduce(torch.ones(2)), torch.Tensor)
    assert (np.float64(2) * torch.ones(2)).dtype is torch.float32
    b = np.zeros(2)
    b += torch.ones(2)
    assert type(b) is np.ndarray and b.tolist() == [1, 1]
    assert np.asarray(torch.ones(2)).dtype == np.float32


def test_dlpack():
    a = np.arange(3.0)
    t = torch.from_dlpack(a)
    t[0] = 7
    assert a[0] == 7 and np.from_dlpack(t)[0] == 7
    assert torch.utils.dlpack.from_dlpack(torch.utils.dlpack.to_dlpack(t)).data_ptr() == t.data_ptr()
    with pytest.raises(BufferError, match="detach"):
        torch.ones(2, requires_grad=True).__dlpack__()


def test_like_keeps_the_memory_order():
    x = torch.zeros(2, 3, 4, 5).to(memory_format=torch.channels_last)
    assert torch.zeros_like(x).stride() == x.stride()
    assert torch.zeros_like(x, memory_format=torch.contiguous_format).stride() == (60, 20, 5, 1)
    assert torch.empty(2, 3, 4, 5, memory_format=torch.channels_last).stride() == x.stride()
    assert torch.ones_like(torch.ones(1).expand(3, 3)).stride() == (3, 1)


def test_meta_and_default_device():
    assert torch.zeros(2, 3, device="meta").is_meta and torch.arange(3, device="meta").shape == (3,)
    with torch.device("meta"):
        assert torch.ones(2).is_meta and torch.tensor([1]).is_meta and torch.rand(2).is_meta
    assert not torch.ones(2).is_meta


def test_out():
    out = torch.empty(0)
    assert torch.zeros(2, out=out) is out and out.tolist() == [0, 0]
    assert torch.arange(3, out=torch.empty(0)).dtype is torch.float32


def test_legacy_constructors():
    assert torch.FloatTensor([1, 2]).dtype is torch.float32 and torch.LongTensor(2, 3).shape == (2, 3)
    assert isinstance(torch.ones(2), torch.FloatTensor) and not isinstance(torch.ones(2), torch.DoubleTensor)
    assert torch.Tensor(2, 3).shape == (2, 3) and torch.Tensor([1, 2]).tolist() == [1, 2]
    assert torch.ones(2).type("torch.LongTensor").dtype is torch.int64
    assert torch.ones(2).new([3, 4]).tolist() == [3, 4]


def test_shared_memory():
    x = torch.arange(6.0).view(2, 3)
    assert not x.is_shared() and x.share_memory_() is x and x.is_shared() and x.tolist() == [[0, 1, 2], [3, 4, 5]]
