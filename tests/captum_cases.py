"""Models and calls that are the same for PyTorch with Captum and for flambeau: seeds give both the same numbers.

tools/attribution_fixtures.py runs them with Captum and records the results; test_captum.py runs them with flambeau.
"""

import numpy as np


def mlp(torch):
    nn = torch.nn
    return nn.Sequential(nn.Linear(5, 8), nn.ReLU(), nn.Linear(8, 6), nn.Tanh(), nn.Linear(6, 3)), torch.randn(3, 5)


def cnn(torch):
    nn = torch.nn
    model = nn.Sequential(
        nn.Conv2d(1, 3, 3, padding=1), nn.BatchNorm2d(3), nn.ReLU(inplace=True), nn.Conv2d(3, 4, 3), nn.MaxPool2d(2),
        nn.AvgPool2d(2), nn.Flatten(), nn.Linear(4, 4), nn.LeakyReLU(inplace=True), nn.Linear(4, 3),
    )  # fmt: skip
    model.train()
    model(torch.randn(8, 1, 6, 6) + 1)  # running statistics that are not the identity
    return model, torch.randn(2, 1, 6, 6)


def residual(torch):
    nn = torch.nn

    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv1, self.relu1 = nn.Conv2d(2, 2, 3, padding=1), nn.ReLU()
            self.conv2, self.relu2 = nn.Conv2d(2, 2, 3, padding=1), nn.ELU(inplace=True)

        def forward(self, x):
            return self.relu2(self.conv2(self.relu1(self.conv1(x))) + x)

    stem = nn.Conv2d(1, 2, 3, stride=2)
    return nn.Sequential(stem, Block(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(2, 3)), torch.randn(2, 1, 7, 7)


def text(torch):
    nn = torch.nn

    class Text(nn.Module):
        def __init__(self):
            super().__init__()
            self.embedding, self.lstm = nn.Embedding(12, 4), nn.LSTM(4, 5, batch_first=True)
            self.sigmoid, self.linear = nn.Sigmoid(), nn.Linear(5, 3)

        def forward(self, words, scale=None):
            states, _ = self.lstm(self.embedding(words))
            scores = self.linear(self.sigmoid(states[:, -1]))
            return scores if scale is None else scores * scale

    return Text(), torch.randint(1, 12, (2, 4))


def layer_of(name, model):
    return {"mlp": lambda: model[2], "cnn": lambda: model[3], "residual": lambda: model[1].conv1}[name]()


def neuron_of(name):
    return 4 if name == "mlp" else (1, 0, 1)


def vision_calls(torch, attr, name, model, x):
    """For the models of numbers: the name of a call, and the call."""
    layer, neuron = layer_of(name, model), neuron_of(name)
    target = [1, 0, 2][: len(x)]
    base = torch.full(x.shape, 0.25)
    many = torch.linspace(-1, 1, 3 * x[0].numel()).reshape(3, *x.shape[1:])
    first = model[0]
    yield "saliency", lambda: attr.Saliency(model).attribute(x, target)
    yield "saliency signed", lambda: attr.Saliency(model).attribute(x, 1, abs=False)
    yield "input x gradient", lambda: attr.InputXGradient(model).attribute(x, target)
    for method in ("gausslegendre", "riemann_left", "riemann_right", "riemann_middle", "riemann_trapezoid"):
        yield (
            f"ig {method}",
            lambda m=method: attr.IntegratedGradients(model).attribute(
                x, base, target, n_steps=20, method=m, return_convergence_delta=True
            ),
        )
    yield "ig in parts", lambda: attr.IntegratedGradients(model).attribute(x, 0.5, 2, internal_batch_size=7)
    yield "ig without inputs", lambda: attr.IntegratedGradients(model, multiply_by_inputs=False).attribute(x, None, 2)
    yield "deep lift", lambda: attr.DeepLift(model).attribute(x, base, target, return_convergence_delta=True)
    yield "deep lift shap", lambda: attr.DeepLiftShap(model).attribute(x, many, target, return_convergence_delta=True)
    yield "guided backprop", lambda: attr.GuidedBackprop(model).attribute(x, target)
    yield "deconvolution", lambda: attr.Deconvolution(model).attribute(x, target)
    yield "layer activation", lambda: attr.LayerActivation(model, [layer, first]).attribute(x)
    yield "layer input", lambda: attr.LayerActivation(model, layer).attribute(x, attribute_to_layer_input=True)
    yield "layer gradient x activation", lambda: attr.LayerGradientXActivation(model, layer).attribute(x, target)
    yield (
        "layer conductance",
        lambda: attr.LayerConductance(model, layer).attribute(
            x, base, target, n_steps=20, return_convergence_delta=True
        ),
    )
    yield (
        "layer conductance in parts",
        lambda: attr.LayerConductance(model, layer).attribute(
            x, None, target, n_steps=9, internal_batch_size=8, attribute_to_layer_input=True
        ),
    )
    yield "internal influence", lambda: attr.InternalInfluence(model, layer).attribute(x, base, target, n_steps=20)
    yield (
        "layer ig",
        lambda: attr.LayerIntegratedGradients(model, layer).attribute(
            x, base, target, n_steps=20, return_convergence_delta=True
        ),
    )
    yield (
        "layer ig of the input",
        lambda: attr.LayerIntegratedGradients(model, layer).attribute(
            x, base, target, n_steps=20, attribute_to_layer_input=True, internal_batch_size=9
        ),
    )
    yield (
        "layer deep lift",
        lambda: attr.LayerDeepLift(model, layer).attribute(x, base, target, return_convergence_delta=True),
    )
    yield (
        "layer deep lift of the input",
        lambda: attr.LayerDeepLift(model, layer).attribute(x, base, target, attribute_to_layer_input=True),
    )
    yield "layer deep lift shap", lambda: attr.LayerDeepLiftShap(model, layer).attribute(x, many, target)
    yield "neuron gradient", lambda: attr.NeuronGradient(model, layer).attribute(x, neuron)
    yield "neuron gradient of a sum", lambda: attr.NeuronGradient(model, layer).attribute(x, (slice(0, 2),))
    yield "neuron ig", lambda: attr.NeuronIntegratedGradients(model, layer).attribute(x, neuron, base, n_steps=20)
    yield "neuron conductance", lambda: attr.NeuronConductance(model, layer).attribute(x, neuron, base, target)
    yield "neuron deep lift", lambda: attr.NeuronDeepLift(model, layer).attribute(x, neuron, base)
    yield "neuron deep lift shap", lambda: attr.NeuronDeepLiftShap(model, layer).attribute(x, neuron, many)
    yield "neuron guided backprop", lambda: attr.NeuronGuidedBackprop(model, layer).attribute(x, neuron)
    yield "neuron deconvolution", lambda: attr.NeuronDeconvolution(model, layer).attribute(x, neuron)
    for kind in ("smoothgrad", "smoothgrad_sq", "vargrad"):
        yield (
            f"noise tunnel {kind}",
            lambda k=kind: attr.NoiseTunnel(attr.IntegratedGradients(model)).attribute(
                x,
                nt_type=k,
                nt_samples=4,
                nt_samples_batch_size=3,
                stdevs=0.3,
                target=target,
                baselines=base,
                n_steps=8,
            ),
        )
    for stdevs in (0.0, 0.1):
        yield (
            f"gradient shap with noise {stdevs}",
            lambda s=stdevs: attr.GradientShap(model).attribute(
                x, many, n_samples=4, stdevs=s, target=target, return_convergence_delta=True
            ),
        )
    yield (
        "layer gradient shap",
        lambda: attr.LayerGradientShap(model, layer).attribute(x, many, n_samples=4, stdevs=0.1, target=target),
    )
    yield "neuron gradient shap", lambda: attr.NeuronGradientShap(model, layer).attribute(x, neuron, many, 3, 0.1)
    if name != "mlp":
        yield "grad cam", lambda: attr.LayerGradCam(model, layer).attribute(x, target)
        yield (
            "grad cam of channels",
            lambda: attr.LayerGradCam(model, layer).attribute(
                x, target, relu_attributions=True, attr_dim_summation=False, attribute_to_layer_input=True
            ),
        )
        yield "guided grad cam", lambda: attr.GuidedGradCam(model, layer).attribute(x, target)


def relevance_calls(torch, attr, name, model, x, rules):
    """Relevance propagation, for layers with and without rules of their own."""
    target, layer = [1, 0], model.conv2
    yield "lrp", lambda: attr.LRP(model).attribute(x, target, return_convergence_delta=True)
    yield "layer lrp", lambda: attr.LayerLRP(model, layer).attribute(x, target)
    yield (
        "layer lrp of the input",
        lambda: attr.LayerLRP(model, [layer, model.pool]).attribute(x, target, attribute_to_layer_input=True),
    )

    def with_rules():
        model.conv1.rule = rules.GammaRule(0.3, set_bias_to_zero=True)
        model.linear.rule, model.pool.rule = rules.EpsilonRule(0.1), rules.EpsilonRule(0.01)
        layer.rule = rules.Alpha1_Beta0_Rule()
        return attr.LRP(model).attribute(x, target)

    yield "lrp with rules", with_rules


def text_calls(torch, attr, name, model, words):
    """For the model of words."""
    scale = (torch.tensor([[1.0], [-2.0]]),)
    layer = model.embedding
    yield (
        "layer ig",
        lambda: attr.LayerIntegratedGradients(model, layer).attribute(
            words, torch.zeros_like(words), [2, 1], scale, n_steps=20, return_convergence_delta=True
        ),
    )
    yield "layer gradient x activation", lambda: attr.LayerGradientXActivation(model, layer).attribute(words, 1, scale)
    yield "layer activation", lambda: attr.LayerActivation(model, model.sigmoid).attribute(words)

    class Rest(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.model = model

        def forward(self, vectors, scale=None):
            return model(vectors, scale)

    def with_vectors(call):
        def run():
            embedding = attr.configure_interpretable_embedding_layer(model, "embedding")
            try:
                return call(embedding.indices_to_embeddings(words).detach())
            finally:
                attr.remove_interpretable_embedding_layer(model, embedding)

        return run

    yield "ig", with_vectors(lambda v: attr.IntegratedGradients(model).attribute(v, 0.0, [0, 1], scale, n_steps=20))
    yield "deep lift", with_vectors(lambda v: attr.DeepLift(model).attribute(v, 0.1, [0, 1], scale))
    yield "saliency", with_vectors(lambda v: attr.Saliency(Rest()).attribute(v, [0, 1], additional_forward_args=scale))


def relevant(torch):
    nn = torch.nn

    class Relevant(nn.Module):  # Captum has no rule for nn.Flatten
        def __init__(self):
            super().__init__()
            self.conv1, self.relu1, self.norm, self.pool = (
                nn.Conv2d(1, 3, 3),
                nn.ReLU(),
                nn.BatchNorm2d(3),
                nn.AvgPool2d(2),
            )
            self.conv2, self.tanh, self.most, self.linear = (
                nn.Conv2d(3, 4, 2),
                nn.Tanh(),
                nn.MaxPool2d(2),
                nn.Linear(4, 3),
            )

        def forward(self, x):
            x = self.pool(self.norm(self.relu1(self.conv1(x))))
            return self.linear(self.most(self.tanh(self.conv2(x))).flatten(1))

    return Relevant(), torch.randn(2, 1, 8, 8)


def calls(torch, attr, rules):
    """(model's name, call's name, call), with the seed set before each model and each call.

    Arguments: the packages torch, captum.attr, captum.attr._utils.lrp_rules, or what stands for them.
    """
    of_model = {
        mlp: vision_calls, cnn: vision_calls, residual: vision_calls, text: text_calls,
        relevant: lambda *given: relevance_calls(*given, rules),
    }  # fmt: skip
    for seed, make in enumerate(of_model):
        torch.manual_seed(seed)
        model, x = make(torch)
        model.eval()
        for name, call in of_model[make](torch, attr, make.__name__, model, x):
            torch.manual_seed(1)
            np.random.seed(1)
            yield make.__name__, name, call


def flat(result):
    """The shapes and numbers of a result, in order."""
    if isinstance(result, tuple | list):
        parts = [flat(part) for part in result]
        return [shape for shapes, _ in parts for shape in shapes], [n for _, numbers in parts for n in numbers]
    return [list(result.shape)], result.detach().reshape(-1).tolist()
