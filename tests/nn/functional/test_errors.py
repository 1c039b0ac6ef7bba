"""Wrong arguments: the class and the first sentence are PyTorch's, and a reason or a remedy follows."""

import pytest

import flambeau as torch

F = torch.nn.functional
attention = F.scaled_dot_product_attention
x = torch.ones(3, 5)
ints = torch.zeros(3, 5, dtype=torch.int64)
q = torch.ones(1, 2, 3, 4)
image = torch.ones(1, 3, 4, 4)
none = torch.tensor([])

WRONG = {
    "linear": (lambda: F.linear(torch.ones(64, 100), torch.ones(10, 50)), RuntimeError,
               "mat1 and mat2 shapes cannot be multiplied (64x100 and 50x10)"),
    "linear dtype": (lambda: F.linear(x.double(), torch.ones(2, 5), torch.ones(2)), RuntimeError,
                     "mat1 and mat2 must have the same dtype, but got Double and Float"),
    "linear bias": (lambda: F.linear(x, torch.ones(2, 5), torch.ones(3)), RuntimeError,
                    "The expanded size of the tensor (2) must match the existing size (3) at non-singleton dimension "
                    "1."),
    "target": (lambda: F.cross_entropy(x, torch.tensor([10, 0, 0])), IndexError, "Target 10 is out of bounds."),
    "target dtype": (lambda: F.cross_entropy(x, torch.ones(3)), RuntimeError,
                     "expected target dtype to be Long or Byte, but got Float"),
    "target batch": (lambda: F.cross_entropy(x, torch.tensor([1, 0])), ValueError,
                     "Expected input batch_size (3) to match target batch_size (2)."),
    "target column": (lambda: F.cross_entropy(x, torch.tensor([[1], [0], [2]])), RuntimeError,
                      "0D or 1D target tensor expected, multi-target not supported"),
    "target weights": (lambda: F.cross_entropy(x, torch.tensor([1, 0, 2]), torch.ones(3)), RuntimeError,
                       "weight tensor should be defined either for all 5 classes or no classes but got weight tensor "
                       "of "
                       "shape: [3]"),
    "target one-hot": (lambda: F.cross_entropy(x, ints), RuntimeError,
                       "Expected floating point type for target with class probabilities, got Long"),
    "reduction": (lambda: F.mse_loss(x, x, reduction="average"), ValueError,
                  "average is not a valid value for reduction"),
    "losses broadcast": (lambda: F.mse_loss(x, torch.ones(4, 5)), RuntimeError,
                         "The size of tensor a (3) must match the size of tensor b (4) at non-singleton dimension 0"),
    "bce range": (lambda: F.binary_cross_entropy(x * 2, x), RuntimeError,
                  "all elements of input should be between 0 and 1"),
    "bce size": (lambda: F.binary_cross_entropy_with_logits(x, torch.ones(4)), ValueError,
                 "Target size (torch.Size([4])) must be the same as input size (torch.Size([3, 5]))"),
    "embedding range": (lambda: F.embedding(torch.tensor([9]), x), IndexError, "index out of range in self"),
    "embedding dtype": (lambda: F.embedding(x, x), RuntimeError,
                        "Expected tensor for argument #1 'indices' to have one of the following scalar types: Long, "
                        "Int; "
                        "but got torch.FloatTensor instead (while checking arguments for embedding)"),
    "softmax dtype": (lambda: F.softmax(ints, 1), NotImplementedError,
                      "\"softmax_lastdim_kernel_impl\" not implemented for 'Long'"),
    "softmax dim": (lambda: F.softmax(x, 3), IndexError,
                    "Dimension out of range (expected to be in range of [-2, 1], but got 3)"),
    "layer_norm": (lambda: F.layer_norm(x, (4,)), RuntimeError,
                   "Given normalized_shape=[4], expected input with shape [*, 4], but got input of size[3, 5]"),
    "batch_norm statistics": (lambda: F.batch_norm(x, torch.zeros(4), torch.ones(4)), RuntimeError,
                              "running_mean should contain 5 elements not 4"),
    "batch_norm of one": (lambda: F.batch_norm(x[:1], None, None, training=True), ValueError,
                          "Expected more than 1 value per channel when training, got input size torch.Size([1, 5])"),
    "group_norm": (lambda: F.group_norm(x, 2), RuntimeError,
                   "Expected number of channels in input to be divisible by num_groups, but got input of shape [3, 5] "
                   "and "
                   "num_groups=2"),
    "max_pool2d": (lambda: F.max_pool2d(image, 7), RuntimeError,
                   "Given input size: (3x4x4). Calculated output size: (3x0x0). Output size is too small"),
    "max_pool2d padding": (lambda: F.max_pool2d(image, 2, padding=2), RuntimeError,
                           "pad should be at most half of effective kernel size, but got pad=2, kernel_size=2 and "
                           "dilation=1"),
    "max_pool2d rank": (lambda: F.max_pool2d(x, 2), RuntimeError,
                        "non-empty 3D or 4D (batch mode) tensor expected for input"),
    "adaptive_avg_pool2d": (lambda: F.adaptive_avg_pool2d(x, 2), RuntimeError,
                            "adaptive_avg_pool2d(): Expected 3D or 4D tensor, but got [3, 5]"),
    "dropout": (lambda: F.dropout(x, 1.5), ValueError,
                "dropout probability has to be between 0 and 1, but got 1.5"),
    "glu": (lambda: F.glu(x), RuntimeError, "Halving dimension must be even, but dimension 1 is size 5"),
    "prelu": (lambda: F.prelu(x, torch.ones(3)), RuntimeError,
              "Mismatch of parameter numbers and input channel size. Found parameter numbers = 3 and channel size = "
              "5."),
    "attention dtype": (lambda: attention(q, q.double(), q), RuntimeError,
                        "Expected query, key, and value to have the same dtype, but got query.dtype: float key.dtype: "
                        "double and value.dtype: float instead."),
    "attention mask": (lambda: attention(q, q, q, torch.ones(2, 2)), RuntimeError,
                       "The size of tensor a (3) must match the size of tensor b (2) at non-singleton dimension 3"),
    "pad odd": (lambda: F.pad(x, (1,)), RuntimeError, "Padding length must be divisible by 2"),
    "pad reflect": (lambda: F.pad(x, (7, 7), "reflect"), RuntimeError,
                    "Argument #4: Padding size should be less than the corresponding input dimension, but got: padding "
                    "(7, 7) at dimension 1 of input [3, 5]"),
    "interpolate": (lambda: F.interpolate(x[None]), ValueError, "either size or scale_factor should be defined"),
    "interpolate rank": (lambda: F.interpolate(x[None], 2, mode="bilinear"), NotImplementedError,
                         "Got 3D input, but bilinear mode needs 4D input"),
    "one_hot": (lambda: F.one_hot(torch.tensor([3]), 2), RuntimeError,
                "Class values must be smaller than num_classes."),
    "pixel_shuffle": (lambda: F.pixel_shuffle(torch.ones(3, 2, 2), 2), RuntimeError,
                      "pixel_shuffle expects its input's 'channel' dimension to be divisible by the square of "
                      "upscale_factor, but input.size(-3)=3 is not divisible by 4"),
    "grid_sample": (lambda: F.grid_sample(image, torch.ones(1, 2, 2, 3), align_corners=False), RuntimeError,
                    "grid_sampler(): expected grid to have size 2 in last dimension, but got grid with sizes "
                    "[1, 2, 2, 3]"),
    "triplet": (lambda: F.triplet_margin_loss(x, x, x, margin=0.0), ValueError,
                "margin must be greater than 0, got 0.0"),
    "heads": (lambda: F.multi_head_attention_forward(x, x, x, 4, 2, none, None, None, None, False, 0.0, none, None),
              AssertionError, "was expecting embedding dimension of 4, but got 5"),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", WRONG)
def test_message(name):
    call, kind, sentence = WRONG[name]
    with pytest.raises(kind) as caught:
        call()
    assert str(caught.value).split("\n")[0].startswith(sentence)


@pytest.mark.parametrize("name", ["linear", "target", "target batch", "bce range", "embedding range", "max_pool2d",
                                  "batch_norm of one", "layer_norm", "prelu", "attention mask"])  # fmt: skip
def test_message_explains(name):
    call, kind, _ = WRONG[name]
    with pytest.raises(kind) as caught:
        call()
    assert "why: " in str(caught.value)


def test_remedies_have_the_numbers_in():
    with pytest.raises(RuntimeError, match=r"Linear\(100, 10\)"):
        F.linear(torch.ones(64, 100), torch.ones(10, 50))
    with pytest.raises(RuntimeError, match=r"flatten\(1\)`, of shape \(2, 12\)"):
        F.linear(torch.ones(2, 3, 4), torch.ones(10, 12))
    with pytest.raises(IndexError, match="labels must be 0..4"):
        F.cross_entropy(x, torch.tensor([5, 0, 0]))
    with pytest.raises(IndexError, match="num_embeddings=10"):
        F.embedding(torch.tensor([9]), x)
