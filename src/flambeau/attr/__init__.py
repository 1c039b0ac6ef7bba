"""Attribution: which inputs, layers and neurons a prediction comes from. Names and arguments are Captum's."""

from ..errors import attr_error
from . import metrics, visualization
from .ablation import FeatureAblation, FeaturePermutation
from .base import (
    Attribution,
    GradientAttribution,
    InternalAttribution,
    LayerAttribution,
    NeuronAttribution,
    PerturbationAttribution,
)
from .deep_lift import DeepLift, DeepLiftShap
from .embeddings import (
    InterpretableEmbeddingBase,
    TokenReferenceBase,
    configure_interpretable_embedding_layer,
    remove_interpretable_embedding_layer,
)
from .gradient_shap import GradientShap
from .guided_backprop import Deconvolution, GuidedBackprop
from .integrated_gradients import IntegratedGradients
from .kernel_shap import KernelShap
from .layer_ablation import LayerFeatureAblation, LayerFeaturePermutation, NeuronFeatureAblation
from .layer_differences import LayerDeepLift, LayerDeepLiftShap, LayerGradientShap
from .layer_paths import InternalInfluence, LayerConductance, LayerIntegratedGradients
from .layers import GuidedGradCam, LayerActivation, LayerGradCam, LayerGradientXActivation
from .lime import Lime, LimeBase, get_exp_kernel_similarity_function
from .linear_models import Lasso, LinearRegression, Ridge
from .lrp import LRP, LayerLRP
from .lrp_rules import Alpha1_Beta0_Rule, EpsilonRule, GammaRule, IdentityRule, PropagationRule
from .neurons import (
    NeuronConductance,
    NeuronDeconvolution,
    NeuronDeepLift,
    NeuronDeepLiftShap,
    NeuronGradient,
    NeuronGradientShap,
    NeuronGuidedBackprop,
    NeuronIntegratedGradients,
)
from .noise_tunnel import NoiseTunnel
from .occlusion import Occlusion
from .saliency import InputXGradient, Saliency
from .shapley import ShapleyValues, ShapleyValueSampling
from .summaries import MSE, ClassSummarizer, CommonStats, Count, Max, Mean, Min, Stat, StdDev, Sum, Summarizer, Var

__all__ = [
    "Alpha1_Beta0_Rule",
    "Attribution",
    "ClassSummarizer",
    "CommonStats",
    "Count",
    "Deconvolution",
    "DeepLift",
    "DeepLiftShap",
    "EpsilonRule",
    "FeatureAblation",
    "FeaturePermutation",
    "GammaRule",
    "GradientAttribution",
    "GradientShap",
    "GuidedBackprop",
    "GuidedGradCam",
    "IdentityRule",
    "InputXGradient",
    "IntegratedGradients",
    "InternalAttribution",
    "InternalInfluence",
    "InterpretableEmbeddingBase",
    "KernelShap",
    "LRP",
    "Lasso",
    "LayerActivation",
    "LayerAttribution",
    "LayerConductance",
    "LayerDeepLift",
    "LayerDeepLiftShap",
    "LayerFeatureAblation",
    "LayerFeaturePermutation",
    "LayerGradCam",
    "LayerGradientShap",
    "LayerGradientXActivation",
    "LayerIntegratedGradients",
    "LayerLRP",
    "Lime",
    "LimeBase",
    "LinearRegression",
    "MSE",
    "Max",
    "Mean",
    "Min",
    "NeuronAttribution",
    "NeuronConductance",
    "NeuronDeconvolution",
    "NeuronDeepLift",
    "NeuronDeepLiftShap",
    "NeuronFeatureAblation",
    "NeuronGradient",
    "NeuronGradientShap",
    "NeuronGuidedBackprop",
    "NeuronIntegratedGradients",
    "NoiseTunnel",
    "Occlusion",
    "PerturbationAttribution",
    "PropagationRule",
    "Ridge",
    "Saliency",
    "ShapleyValueSampling",
    "ShapleyValues",
    "Stat",
    "StdDev",
    "Sum",
    "Summarizer",
    "TokenReferenceBase",
    "Var",
    "configure_interpretable_embedding_layer",
    "get_exp_kernel_similarity_function",
    "metrics",
    "remove_interpretable_embedding_layer",
    "visualization",
]


def __getattr__(name):
    if name.startswith("__"):
        raise AttributeError(name)
    raise attr_error("flambeau.attr", name, __all__)
