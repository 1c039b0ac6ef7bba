"""Kullback-Leibler divergences between pairs of distributions."""

from __future__ import annotations

import math

import flambeau as torch

from ..errors import ArgumentTypeError, NotSupported
from .bounded import Beta, Uniform
from .discrete import Bernoulli, Binomial, Categorical, Geometric, OneHotCategorical, Poisson
from .distribution import Distribution, Independent, sum_rightmost
from .gamma import Exponential, Gamma
from .location_scale import Gumbel, Laplace, Normal
from .multivariate import Dirichlet, LogNormal, MultivariateNormal, TransformedDistribution, _mahalanobis
from .positive import HalfNormal, Pareto

_PAIRS: dict = {}


def register_kl(type_p, type_q):
    """Decorator: the function computes KL(p || q) for these classes and their subclasses."""
    if not (isinstance(type_p, type) and issubclass(type_p, Distribution)):
        raise ArgumentTypeError(
            f"Expected type_p to be a Distribution subclass but got {type_p}",
            why="the rule is found by the classes of the two distributions",
            fix="pass a class, such as `torch.distributions.Normal`",
        )
    if not (isinstance(type_q, type) and issubclass(type_q, Distribution)):
        raise ArgumentTypeError(
            f"Expected type_q to be a Distribution subclass but got {type_q}",
            why="the rule is found by the classes of the two distributions",
            fix="pass a class, such as `torch.distributions.Normal`",
        )

    def register(function):
        _PAIRS[type_p, type_q] = function
        return function

    return register


def kl_divergence(p, q):
    """KL(p || q), of shape `batch_shape`. NotImplementedError for a pair without formula.

    >>> import flambeau as torch
    >>> from flambeau.distributions import Normal, kl_divergence
    >>> kl_divergence(Normal(1.0, 1.0), Normal(0.0, 1.0))
    tensor(0.5000)
    """
    found = [(type(p).__mro__.index(a) + type(q).__mro__.index(b), f) for (a, b), f in _PAIRS.items()
             if isinstance(p, a) and isinstance(q, b)]  # fmt: skip
    if not found:
        raise NotSupported(
            f"No KL(p || q) is implemented for p type {type(p).__name__} and q type {type(q).__name__}",
            why="no closed formula for this pair is known here",
            fix="estimate it: `x = p.sample((1000,)); (p.log_prob(x) - q.log_prob(x)).mean(0)`",
        )
    return min(found, key=lambda pair: pair[0])[1](p, q)


@register_kl(Normal, Normal)
def _normal(p, q):
    ratio = (p.scale / q.scale).pow(2)
    return 0.5 * (ratio + ((p.loc - q.loc) / q.scale).pow(2) - 1 - ratio.log())


@register_kl(Bernoulli, Bernoulli)
def _bernoulli(p, q):
    softplus = torch.nn.functional.softplus
    a = p.probs * (softplus(-q.logits) - softplus(-p.logits))
    b = (1 - p.probs) * (softplus(q.logits) - softplus(p.logits))
    return torch.where(p.probs == 0, 0.0, a) + torch.where(p.probs == 1, 0.0, b)


@register_kl(Categorical, Categorical)
def _categorical(p, q):
    t = p.probs * (p.logits - q.logits)
    t = torch.where((q.probs == 0).expand_as(t), math.inf, t)
    return torch.where((p.probs == 0).expand_as(t), 0.0, t).sum(-1)


@register_kl(OneHotCategorical, OneHotCategorical)
def _one_hot(p, q):
    return _categorical(p._categorical, q._categorical)


@register_kl(Uniform, Uniform)
def _uniform(p, q):
    result = torch.log((q.high - q.low) / (p.high - p.low))
    return torch.where((q.low > p.low) | (q.high < p.high), math.inf, result)


@register_kl(Exponential, Exponential)
def _exponential(p, q):
    ratio = q.rate / p.rate
    return -ratio.log() + ratio - 1


@register_kl(Gamma, Gamma)
def _gamma(p, q):
    return (q.concentration * (p.rate / q.rate).log() + torch.lgamma(q.concentration) - torch.lgamma(p.concentration)
            + (p.concentration - q.concentration) * torch.digamma(p.concentration)
            + (q.rate - p.rate) * (p.concentration / p.rate))  # fmt: skip


@register_kl(Beta, Beta)
def _beta(p, q):
    a, b, c, d = p.concentration1, p.concentration0, q.concentration1, q.concentration0
    return (q._log_norm() - p._log_norm() + (a - c) * torch.digamma(a) + (b - d) * torch.digamma(b)
            + (c - a + d - b) * torch.digamma(a + b))  # fmt: skip


@register_kl(Dirichlet, Dirichlet)
def _dirichlet(p, q):
    a, b = p.concentration, q.concentration
    total = a.sum(-1)
    inner = (a - b) * (a.digamma() - total.digamma().unsqueeze(-1))
    return total.lgamma() - b.sum(-1).lgamma() - (a.lgamma() - b.lgamma()).sum(-1) + inner.sum(-1)


@register_kl(Laplace, Laplace)
def _laplace(p, q):
    ratio, distance = p.scale / q.scale, (p.loc - q.loc).abs()
    return -ratio.log() + distance / q.scale + ratio * torch.exp(-distance / p.scale) - 1


@register_kl(HalfNormal, HalfNormal)
def _half_normal(p, q):
    ratio = (p.scale / q.scale).pow(2)
    return 0.5 * (ratio - 1 - ratio.log())


@register_kl(Gumbel, Gumbel)
def _gumbel(p, q):
    a, b, c = p.scale / q.scale, q.loc / q.scale, p.loc / q.scale
    euler = 0.57721566490153286060
    return -a.log() - b + c + a * euler + torch.exp(b + (1 + a).lgamma() - c) - (1 + euler)


@register_kl(Pareto, Pareto)
def _pareto(p, q):
    ratio = q.alpha / p.alpha
    result = q.alpha * (p.scale / q.scale).log() - ratio.log() + ratio - 1
    return torch.where(p.scale < q.scale, math.inf, result)


@register_kl(Geometric, Geometric)
def _geometric(p, q):
    return -p.entropy() - torch.log1p(-q.probs) / p.probs - q.logits


@register_kl(Poisson, Poisson)
def _poisson(p, q):
    return p.rate * (p.rate.log() - q.rate.log()) - (p.rate - q.rate)


@register_kl(Binomial, Binomial)
def _binomial(p, q):
    kl = p.total_count * (p.probs * (p.logits - q.logits) + (-p.probs).log1p() - (-q.probs).log1p())
    return torch.where(p.total_count > q.total_count, math.inf, kl)


@register_kl(MultivariateNormal, MultivariateNormal)
def _multivariate(p, q):
    diagonal = lambda m: m.diagonal(dim1=-2, dim2=-1).log().sum(-1)
    inner = torch.linalg.solve_triangular(q.scale_tril, p.scale_tril, upper=False).pow(2).sum((-2, -1))
    distance = _mahalanobis(q.scale_tril, q.loc - p.loc)
    return diagonal(q.scale_tril) - diagonal(p.scale_tril) + 0.5 * (inner + distance - p.event_shape[0])


@register_kl(Independent, Independent)
def _independent(p, q):
    if p.reinterpreted_batch_ndims != q.reinterpreted_batch_ndims:
        raise NotSupported(
            "KL(p || q) of two Independent distributions with different reinterpreted_batch_ndims is not implemented",
            why=f"p has {p.reinterpreted_batch_ndims}, q has {q.reinterpreted_batch_ndims}",
            fix="make both with the same number",
        )
    return sum_rightmost(kl_divergence(p.base_dist, q.base_dist), p.reinterpreted_batch_ndims)


@register_kl(TransformedDistribution, TransformedDistribution)
def _transformed(p, q):
    if p.transforms != q.transforms or p.event_shape != q.event_shape:
        raise NotSupported(
            "KL(p || q) of two transformed distributions with different transforms is not implemented",
            why="only with the same transforms is it that of the two base distributions",
            fix="estimate it: `x = p.sample((1000,)); (p.log_prob(x) - q.log_prob(x)).mean(0)`",
        )
    return kl_divergence(p.base_dist, q.base_dist)


@register_kl(LogNormal, LogNormal)
def _log_normal(p, q):
    return _normal(p.base_dist, q.base_dist)
