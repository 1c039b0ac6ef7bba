"""torch.distributions: parameterised distributions, transforms between them, and their divergences."""

from . import constraints, transforms
from .bounded import Beta, Kumaraswamy, Uniform
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
)
from .distribution import Distribution, ExponentialFamily, Independent
from .gamma import Chi2, Exponential, FisherSnedecor, Gamma, InverseGamma
from .kl import kl_divergence, register_kl
from .location_scale import Cauchy, Gumbel, Laplace, Normal, StudentT, VonMises
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
)
from .positive import GeneralizedPareto, HalfCauchy, HalfNormal, Pareto, Weibull
from .registry import biject_to, transform_to
from .transforms import *  # noqa: F403
