"""What the perturbation methods are compared on: the same calls for Captum (in tools/captum_perturbation.py) and here.

Nothing of either framework is imported: `cases` is given one of them.
"""

import numpy as np


class LeastSquares:
    """An interpretable model for Lime that needs no further library, in the form that both frameworks take."""

    def __init__(self, torch):
        self.torch = torch

    def fit(self, loader):
        x, y, w = (t.numpy().astype(np.float64) for t in next(iter(loader)))
        root = np.sqrt(w)[:, None]
        columns = np.concatenate([x, np.ones((len(x), 1))], axis=1)
        self.found = np.linalg.lstsq(columns * root, y[:, None] * root, rcond=None)[0][:-1, 0]

    def representation(self):
        return self.torch.tensor(self.found, dtype=self.torch.float32).reshape(1, -1)


def cases(torch, attr):
    """Names and thunks: each returns a tensor or a tuple of them."""
    numbers = np.random.RandomState(0)

    def tensor(*shape):
        return torch.tensor(numbers.randn(*shape).round(3), dtype=torch.float32)

    w1, w2, kernel = tensor(5, 6), tensor(3, 5), tensor(3, 2, 3, 3)
    x, other, image, base = tensor(4, 6), tensor(4, 2, 3), tensor(2, 2, 6, 7), tensor(1, 6)
    three = torch.tensor([[0, 0, 1, 1, 2, 2]])
    own = torch.tensor([[0, 0, 1, 1, 2, 2], [2, 2, 1, 1, 0, 0], [0, 1, 2, 0, 1, 2], [1, 1, 1, 0, 0, 2]])

    def mlp(x):
        return torch.tanh(x @ w1.T) @ w2.T

    def two(x, other, scale=1.0):
        return mlp(x)[:, 0] * scale + torch.sin(other.sum((1, 2)))

    def conv(x):
        return torch.relu(torch.nn.functional.conv2d(x, kernel)).mean((2, 3))

    def loss(x):
        return (mlp(x) ** 2).mean()

    class Net(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.act, self.last = torch.nn.Linear(6, 5), torch.nn.Tanh(), torch.nn.Linear(5, 3)
            with torch.no_grad():
                self.first.weight.copy_(w1)
                self.first.bias.fill_(0.1)
                self.last.weight.copy_(w2)
                self.last.bias.fill_(-0.2)

        def forward(self, x, scale=1.0):
            return self.last(self.act(self.first(x))) * scale

    net = Net()

    def reversed_feature(x, mask):
        return torch.where(mask, x.flip(0), x)

    def seeded(call):
        def run():
            torch.manual_seed(3)
            return call()

        return run

    def kernel_shap(**kwargs):
        method = attr.KernelShap(mlp)
        method.interpretable_model = LeastSquares(torch)
        return method.attribute(x[:1], target=1, n_samples=30, **kwargs)

    def metrics():
        return attr.metrics if hasattr(attr, "metrics") else __import__("captum.metrics").metrics

    def smaller(x, base=None):
        change = 0.5 * (x - (0 if base is None else base)) * torch.linspace(0, 1, x.numel()).reshape(x.shape)
        return change, x - change

    def shaken(x):
        return x + 0.1 * torch.sin(torch.arange(x.numel()).reshape(x.shape))

    def similarity():  # where Captum has it, and where it is here
        home = attr if hasattr(attr, "get_exp_kernel_similarity_function") else attr._core.lime
        return home.get_exp_kernel_similarity_function("euclidean", 2.0)

    ablate, occlude = attr.FeatureAblation, attr.Occlusion
    return {
        "ablation": lambda: ablate(mlp).attribute(x, target=1),
        "ablation, several at once": lambda: ablate(mlp).attribute(
            x, 0.5, target=[0, 1, 2, 0], perturbations_per_eval=4),
        "ablation, mask": lambda: ablate(mlp).attribute(
            x, base, target=2, feature_mask=three, perturbations_per_eval=2),
        "ablation, mask of each example": lambda: ablate(mlp).attribute(x, target=0, feature_mask=own),
        "ablation, two inputs": lambda: ablate(two).attribute(
            (x, other), (base, 0.25), additional_forward_args=(0.5,), perturbations_per_eval=3),
        "ablation, features across inputs": lambda: ablate(two).attribute(
            (x, other), feature_mask=(three, torch.tensor([[[0, 0, 1], [3, 3, 3]]])), perturbations_per_eval=2),
        "ablation, loss": lambda: ablate(loss).attribute(x, feature_mask=three),
        "ablation, all outputs": lambda: ablate(mlp).attribute(x, feature_mask=three, perturbations_per_eval=2),
        "occlusion": lambda: occlude(conv).attribute(image, (2, 3, 3), target=1),
        "occlusion, strides": lambda: occlude(conv).attribute(
            image, (1, 3, 4), (1, 2, 3), baselines=0.3, target=[0, 2], perturbations_per_eval=5),
        "occlusion, one stride": lambda: occlude(conv).attribute(
            image, (2, 3, 3), 2, target=0, perturbations_per_eval=2),
        "occlusion, two inputs": lambda: occlude(two).attribute(
            (x, other), ((2,), (1, 2)), ((2,), (1, 1)), baselines=(base, 0), perturbations_per_eval=3),
        "permutation": lambda: attr.FeaturePermutation(mlp, reversed_feature).attribute(x, target=1),
        "permutation, mask": lambda: attr.FeaturePermutation(loss, reversed_feature).attribute(x, feature_mask=three),
        "permutation, random": seeded(lambda: attr.FeaturePermutation(mlp).attribute(
            x, target=1, feature_mask=three, perturbations_per_eval=2)),
        "shapley": lambda: attr.ShapleyValues(mlp).attribute(x, base, target=1, feature_mask=three),
        "shapley, mask of each example": lambda: attr.ShapleyValues(mlp).attribute(
            x, target=1, feature_mask=own, perturbations_per_eval=2),
        "shapley, loss": lambda: attr.ShapleyValues(loss).attribute(x, feature_mask=(three,)),
        "shapley, all outputs": lambda: attr.ShapleyValues(mlp).attribute(x, feature_mask=three),
        "shapley sampling": seeded(lambda: attr.ShapleyValueSampling(mlp).attribute(x, target=1, n_samples=7)),
        "shapley sampling, two inputs": seeded(lambda: attr.ShapleyValueSampling(two).attribute(
            (x, other), (base, 0.5), n_samples=3, perturbations_per_eval=5)),
        "lime": seeded(lambda: attr.Lime(mlp, LeastSquares(torch)).attribute(
            x[:1], target=1, perturbations_per_eval=8)),
        "lime, batch": seeded(lambda: attr.Lime(mlp, LeastSquares(torch), similarity()).attribute(
            x, base, target=[0, 1, 2, 0], feature_mask=three, n_samples=12)),
        "lime, coefficients": seeded(lambda: attr.Lime(two, LeastSquares(torch)).attribute(
            (x[:1], other[:1]), feature_mask=(three, torch.tensor([[[3]]])), return_input_shape=False)),
        "lime, loss": seeded(lambda: attr.Lime(loss, LeastSquares(torch)).attribute(x, feature_mask=three)),
        "kernel shap": seeded(kernel_shap),
        "layer ablation": lambda: attr.LayerFeatureAblation(net, net.act).attribute(
            x, target=1, perturbations_per_eval=2),
        "layer ablation, input": lambda: attr.LayerFeatureAblation(net, net.last).attribute(
            x, 0.5, target=2, additional_forward_args=2.0, layer_mask=torch.tensor([[0, 0, 1, 1, 1]]),
            attribute_to_layer_input=True),
        "infidelity": lambda: metrics().infidelity(mlp, smaller, x, x * w1[0], target=[0, 1, 2, 0]),
        "infidelity, in portions": lambda: metrics().infidelity(
            mlp, smaller, x, x * w1[0], base, target=1, n_perturb_samples=5, max_examples_per_batch=8, normalize=True),
        "infidelity, decorated": lambda: metrics().infidelity(
            mlp, metrics().infidelity_perturb_func_decorator()(lambda x: smaller(x)[1]), x, x * w1[0], target=1),
        "sensitivity": lambda: metrics().sensitivity_max(
            ablate(mlp).attribute, x, shaken, target=[0, 1, 2, 0], baselines=x + 1, max_examples_per_batch=12),
        "neuron ablation": lambda: attr.NeuronFeatureAblation(net, net.act).attribute(x, 3, perturbations_per_eval=3),
    }  # fmt: skip
