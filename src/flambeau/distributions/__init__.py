"""torch.distributions: parameterised distributions, transforms between them, and their divergences."""

from . import constraints, transforms
from .continuous import (
    Beta,
    Cauchy,
    Chi2,
    Exponential,
    FisherSnedecor,
    Gamma,
    GeneralizedPareto,
    Gumbel,
    HalfCauchy,
    HalfNormal,
    InverseGamma,
    Kumaraswamy,
    Laplace,
    Normal,
    Pareto,
    StudentT,
    Uniform,
    VonMises,
    Weibull,
)  # fmt: skip
from .discrete import (
    Bernoulli,
    Binomial,
    Categorical,
    ContinuousBernoulli,
    Geometric,
    Multinomial,
    NegativeBinomial,
    OneHotCategorical,
    OneHotCategoricalStraightThrough,
    Poisson,
    RelaxedBernoulli,
    RelaxedOneHotCategorical,
)  # fmt: skip
from .distribution import Distribution, ExponentialFamily, Independent
from .kl import kl_divergence, register_kl
from .multivariate import (
    Dirichlet,
    LKJCholesky,
    LogisticNormal,
    LogNormal,
    LowRankMultivariateNormal,
    MixtureSameFamily,
    MultivariateNormal,
    TransformedDistribution,
    Wishart,
)  # fmt: skip
from .registry import biject_to, transform_to
from .transforms import *  # noqa: F403
