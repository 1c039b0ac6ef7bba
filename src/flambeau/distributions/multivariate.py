"""Distributions of vectors and matrices, mixtures, and transformed distributions."""

from __future__ import annotations

import math

import flambeau as torch
from flambeau import Size

from ..errors import ArgumentError, MissingAttribute
from . import constraints
from .bounded import Beta
from .distribution import Distribution, ExponentialFamily, Independent, sum_rightmost
from .gamma import Chi2, standard_gamma
from .location_scale import Normal
from .transforms import ComposeTransform, ExpTransform, StickBreakingTransform, Transform


class Dirichlet(ExponentialFamily):
    """Dirichlet distribution over probability vectors.

    >>> import flambeau as torch
    >>> torch.distributions.Dirichlet(torch.tensor([1.0, 3.0])).mean
    tensor([0.2500, 0.7500])
    """

    arg_constraints = {"concentration": constraints.independent(constraints.positive, 1)}
    support = constraints.simplex
    has_rsample = True

    def __init__(self, concentration, validate_args=None):
        if concentration.dim() < 1:
            raise ArgumentError(
                "`concentration` parameter must be at least one-dimensional.",
                why="its last dimension holds one number for each class",
                fix="pass a vector of two numbers or more",
            )
        self.concentration = concentration
        super().__init__(concentration.shape[:-1], concentration.shape[-1:], validate_args=validate_args)

    mean = property(lambda self: self.concentration / self.concentration.sum(-1, True))

    @property
    def mode(self):
        a = (self.concentration - 1).clamp(min=0)
        return a / a.sum(-1, True)

    @property
    def variance(self):
        total = self.concentration.sum(-1, True)
        return self.concentration * (total - self.concentration) / (total.pow(2) * (total + 1))

    def rsample(self, sample_shape=Size()):
        draws = standard_gamma(self.concentration.expand(self._extended_shape(sample_shape)))
        return draws / draws.sum(-1, True)

    def log_prob(self, value):
        self._validate_sample(value)
        a = self.concentration
        return torch.xlogy(a - 1, value).sum(-1) + torch.lgamma(a.sum(-1)) - torch.lgamma(a).sum(-1)

    def entropy(self):
        a, k = self.concentration, self.concentration.size(-1)
        total = a.sum(-1)
        return (torch.lgamma(a).sum(-1) - torch.lgamma(total) - (k - total) * torch.digamma(total)
                - ((a - 1) * torch.digamma(a)).sum(-1))  # fmt: skip


def _mahalanobis(lower, diff):
    """diff^T (L L^T)^-1 diff."""
    shape = torch.broadcast_shapes(lower.shape[:-1], diff.shape)
    solved = torch.linalg.solve_triangular(
        lower.expand(shape + lower.shape[-1:]), diff.expand(shape).unsqueeze(-1), upper=False
    )
    return solved.squeeze(-1).pow(2).sum(-1)


class MultivariateNormal(Distribution):
    """Normal distribution of vectors, by covariance, precision or Cholesky factor.

    Raises ValueError unless exactly one of the three matrices is given.

    >>> import flambeau as torch
    >>> torch.distributions.MultivariateNormal(torch.zeros(2), torch.eye(2)).log_prob(torch.zeros(2))
    tensor(-1.8379)
    """

    arg_constraints = {
        "loc": constraints.real_vector,
        "covariance_matrix": constraints.positive_definite,
        "precision_matrix": constraints.positive_definite,
        "scale_tril": constraints.lower_cholesky,
    }
    support = constraints.real_vector
    has_rsample = True

    def __init__(self, loc, covariance_matrix=None, precision_matrix=None, scale_tril=None, validate_args=None):
        given = {"covariance_matrix": covariance_matrix, "precision_matrix": precision_matrix, "scale_tril": scale_tril}
        named = [(k, v) for k, v in given.items() if v is not None]
        if loc.dim() < 1:
            raise ArgumentError(
                "loc must be at least one-dimensional.",
                why="its last dimension is that of one point",
                fix="use `loc.unsqueeze(0)`, or `Normal` for single numbers",
            )
        if len(named) != 1:
            raise ArgumentError(
                "Exactly one of covariance_matrix or precision_matrix or scale_tril may be specified.",
                why=f"they describe one and the same matrix, and {len(named)} were given",
                fix=f"pass one of them, such as `covariance_matrix=torch.eye({loc.shape[-1]})`",
            )
        name, matrix = named[0]
        if matrix.dim() < 2:
            raise ArgumentError(
                f"{name} must be at least two-dimensional, with optional leading batch dimensions",
                why=f"its shape is {tuple(matrix.shape)}",
                fix="pass a matrix: `torch.diag(x)` for the variances alone",
            )
        batch = torch.broadcast_shapes(matrix.shape[:-2], loc.shape[:-1])
        setattr(self, "_given", name)
        self.loc = loc.expand(tuple(batch) + (loc.shape[-1],))
        matrix = matrix.expand(tuple(batch) + tuple(matrix.shape[-2:]))
        self.__dict__[name] = matrix
        super().__init__(batch, self.loc.shape[-1:], validate_args=validate_args)
        if name == "scale_tril":
            self._lower = matrix
        elif name == "covariance_matrix":
            self._lower = torch.linalg.cholesky(matrix)
        else:
            self._lower = torch.linalg.cholesky(torch.linalg.inv(matrix))

    def __getattr__(self, name):
        if name == "scale_tril":
            return self._lower
        if name == "covariance_matrix":
            return self._lower @ self._lower.mT
        if name == "precision_matrix":
            return torch.cholesky_inverse(self._lower)
        raise MissingAttribute(
            f"'{type(self).__name__}' object has no attribute '{name}'",
            why="it is no parameter of this distribution",
            fix="see `dir(distribution)` for the names that are",
        )

    def expand(self, batch_shape, _instance=None):
        batch = tuple(batch_shape)
        return MultivariateNormal(self.loc.expand(batch + tuple(self.event_shape)),
                                  scale_tril=self._lower.expand(batch + tuple(self._lower.shape[-2:])),
                                  validate_args=False)  # fmt: skip

    mean = mode = property(lambda self: self.loc)
    variance = property(lambda self: self._lower.pow(2).sum(-1).expand(self._batch_shape + self._event_shape))

    def rsample(self, sample_shape=Size()):
        eps = torch.randn(self._extended_shape(sample_shape), dtype=self.loc.dtype)
        return self.loc + (self._lower @ eps.unsqueeze(-1)).squeeze(-1)

    def log_prob(self, value):
        self._validate_sample(value)
        half = self._lower.diagonal(dim1=-2, dim2=-1).log().sum(-1)
        distance = _mahalanobis(self._lower, value - self.loc)
        return -0.5 * (self._event_shape[0] * math.log(2 * math.pi) + distance) - half

    def entropy(self):
        half = self._lower.diagonal(dim1=-2, dim2=-1).log().sum(-1)
        return 0.5 * self._event_shape[0] * (1 + math.log(2 * math.pi)) + half


class LowRankMultivariateNormal(Distribution):
    """Normal distribution whose covariance is W W^T + diag(D).

    >>> import flambeau as torch
    >>> torch.distributions.LowRankMultivariateNormal(torch.zeros(2), torch.ones(2, 1), torch.ones(2)).covariance_matrix
    tensor([[2., 1.],
            [1., 2.]])
    """

    arg_constraints = {"loc": constraints.real_vector, "cov_factor": constraints.independent(constraints.real, 2),
                       "cov_diag": constraints.independent(constraints.positive, 1)}  # fmt: skip
    support = constraints.real_vector
    has_rsample = True

    def __init__(self, loc, cov_factor, cov_diag, validate_args=None):
        batch = tuple(torch.broadcast_shapes(loc.shape[:-1], cov_factor.shape[:-2], cov_diag.shape[:-1]))
        self.loc = loc.expand(batch + tuple(loc.shape[-1:]))
        self.cov_factor = cov_factor.expand(batch + tuple(cov_factor.shape[-2:]))
        self.cov_diag = cov_diag.expand(batch + tuple(cov_diag.shape[-1:]))
        super().__init__(batch, loc.shape[-1:], validate_args=validate_args)

    mean = mode = property(lambda self: self.loc)
    variance = property(lambda self: self.cov_factor.pow(2).sum(-1) + self.cov_diag)
    covariance_matrix = property(lambda self: self.cov_factor @ self.cov_factor.mT + torch.diag_embed(self.cov_diag))
    precision_matrix = property(lambda self: torch.linalg.inv(self.covariance_matrix))
    scale_tril = property(lambda self: torch.linalg.cholesky(self.covariance_matrix))

    def rsample(self, sample_shape=Size()):
        shape = self._extended_shape(sample_shape)
        w = torch.randn(tuple(shape[:-1]) + tuple(self.cov_factor.shape[-1:]), dtype=self.loc.dtype)
        d = torch.randn(shape, dtype=self.loc.dtype)
        return self.loc + (self.cov_factor @ w.unsqueeze(-1)).squeeze(-1) + self.cov_diag.sqrt() * d

    def _dense(self):
        return MultivariateNormal(self.loc, scale_tril=self.scale_tril, validate_args=False)

    def log_prob(self, value):
        self._validate_sample(value)
        return self._dense().log_prob(value)

    def entropy(self):
        return self._dense().entropy()


class Wishart(ExponentialFamily):
    """Wishart distribution of covariance matrices; draws by Bartlett's decomposition.

    >>> import flambeau as torch
    >>> torch.distributions.Wishart(torch.tensor(3.0), torch.eye(2)).mean
    tensor([[3., 0.],
            [0., 3.]])
    """

    arg_constraints = {
        "df": constraints.greater_than(0),
        "covariance_matrix": constraints.positive_definite,
        "precision_matrix": constraints.positive_definite,
        "scale_tril": constraints.lower_cholesky,
    }
    support = constraints.positive_definite
    has_rsample = True

    def __init__(self, df, covariance_matrix=None, precision_matrix=None, scale_tril=None, validate_args=None):
        given = [m for m in (covariance_matrix, precision_matrix, scale_tril) if m is not None]
        if len(given) != 1:
            raise ArgumentError(
                "Exactly one of covariance_matrix or precision_matrix or scale_tril may be specified.",
                why=f"they describe one and the same matrix, and {len(given)} were given",
                fix="pass one of them, such as `covariance_matrix=torch.eye(n)`",
            )
        matrix = given[0]
        self.df = torch.as_tensor(df, dtype=matrix.dtype)
        batch = tuple(torch.broadcast_shapes(matrix.shape[:-2], self.df.shape))
        matrix = matrix.expand(batch + tuple(matrix.shape[-2:]))
        self.df = self.df.expand(batch)
        if scale_tril is None:
            matrix = torch.linalg.cholesky(matrix if covariance_matrix is not None else torch.linalg.inv(matrix))
        self.scale_tril = matrix
        if bool((self.df <= matrix.shape[-1] - 1).any()):
            raise ArgumentError(
                f"Value of df={df} expected to be greater than ndim - 1 = {matrix.shape[-1] - 1}.",
                why="with fewer degrees of freedom the matrices would be singular",
                fix=f"pass `df` of {matrix.shape[-1]} or more",
            )
        super().__init__(batch, matrix.shape[-2:], validate_args=validate_args)

    covariance_matrix = property(lambda self: self.scale_tril @ self.scale_tril.mT)
    precision_matrix = property(lambda self: torch.cholesky_inverse(self.scale_tril))
    mean = property(lambda self: self.df[..., None, None] * self.covariance_matrix)

    @property
    def variance(self):
        v = self.covariance_matrix
        d = v.diagonal(dim1=-2, dim2=-1)
        return self.df[..., None, None] * (v.pow(2) + d.unsqueeze(-1) * d.unsqueeze(-2))

    def rsample(self, sample_shape=Size()):
        n = self.event_shape[0]
        df = self.df.unsqueeze(-1) - torch.arange(n, dtype=self.df.dtype)
        diagonal = Chi2(df, validate_args=False).rsample(sample_shape).sqrt()
        noise = torch.randn(self._extended_shape(sample_shape), dtype=self.df.dtype).tril(-1)
        lower = self.scale_tril @ (noise + diagonal.diag_embed())
        return lower @ lower.mT

    def log_prob(self, value):
        self._validate_sample(value)
        n, df = self.event_shape[0], self.df
        log_scale = self.scale_tril.diagonal(dim1=-2, dim2=-1).log().sum(-1)
        trace = torch.cholesky_solve(value, self.scale_tril).diagonal(dim1=-2, dim2=-1).sum(-1)
        return (-df * (n * math.log(2) / 2 + log_scale) - torch.mvlgamma(df / 2, n)
                + (df - n - 1) / 2 * torch.linalg.slogdet(value).logabsdet - trace / 2)  # fmt: skip


class LKJCholesky(Distribution):
    """Cholesky factors of correlation matrices (Lewandowski, Kurowicka and Joe 2009), by the onion method.

    >>> import flambeau as torch
    >>> torch.distributions.LKJCholesky(3).sample().shape
    torch.Size([3, 3])
    """

    arg_constraints = {"concentration": constraints.positive}
    support = constraints.corr_cholesky

    def __init__(self, dim, concentration=1.0, validate_args=None):
        if dim < 2:
            raise ArgumentError(
                f"Expected dim to be an integer greater than or equal to 2. Found dim={dim}.",
                why="it is the number of rows of a correlation matrix",
                fix="pass 2 or more",
            )
        self.dim, self.concentration = (
            dim,
            torch.as_tensor(
                concentration, dtype=torch.get_default_dtype() if not isinstance(concentration, torch.Tensor) else None
            ),
        )
        super().__init__(self.concentration.shape, (dim, dim), validate_args=validate_args)

    def sample(self, sample_shape=Size()):
        with torch.no_grad():
            offset = torch.arange(self.dim - 1, dtype=self.concentration.dtype)
            margin = self.concentration.unsqueeze(-1) + 0.5 * (self.dim - 2)
            offset = torch.cat([offset.new_zeros(1), offset])
            y = Beta(offset + 0.5, margin - 0.5 * offset).sample(sample_shape).unsqueeze(-1)
            normal = torch.randn(self._extended_shape(sample_shape), dtype=y.dtype).tril(-1)
            sphere = normal / normal.norm(dim=-1, keepdim=True)
            sphere[..., 0, :] = 0.0
            w = torch.sqrt(y) * sphere
            rest = torch.clamp(1 - (w**2).sum(-1), min=torch.finfo(w.dtype).tiny).sqrt()
            return w + torch.diag_embed(rest)

    def log_prob(self, value):
        self._validate_sample(value)
        diagonal = value.diagonal(dim1=-1, dim2=-2)[..., 1:]
        order = torch.arange(2, self.dim + 1, dtype=value.dtype)
        order = 2 * (self.concentration - 1).unsqueeze(-1) + self.dim - order
        plain = (order * diagonal.log()).sum(-1)
        m = self.dim - 1
        alpha = self.concentration + 0.5 * m
        return plain - (0.5 * m * math.log(math.pi) + torch.mvlgamma(alpha - 0.5, m) - torch.lgamma(alpha) * m)


class MixtureSameFamily(Distribution):
    """A mixture of distributions of one family: `mixture_distribution` chooses, `component_distribution` draws.

    >>> import flambeau as torch
    >>> from flambeau import distributions as D
    >>> D.MixtureSameFamily(D.Categorical(torch.ones(2)), D.Normal(torch.tensor([0.0, 4.0]), 1.0)).mean
    tensor(2.)
    """

    def __init__(self, mixture_distribution, component_distribution, validate_args=None):
        self._mixture_distribution, self._component_distribution = mixture_distribution, component_distribution
        event = component_distribution.event_shape
        count = mixture_distribution.logits.shape[-1]
        if component_distribution.batch_shape[-1] != count:
            raise ArgumentError(
                f"`mixture_distribution component` ({count}) does not equal "
                f"`component_distribution.batch_shape[-1]` ({component_distribution.batch_shape[-1]})",
                why="each component has its own weight",
                fix=f"pass {component_distribution.batch_shape[-1]} weights to the mixture distribution",
            )
        self._num_component, self._event_ndims = count, len(event)
        super().__init__(component_distribution.batch_shape[:-1], event, validate_args=validate_args)

    mixture_distribution = property(lambda self: self._mixture_distribution)
    component_distribution = property(lambda self: self._component_distribution)
    support = constraints.dependent_property(
        lambda self: constraints.MixtureSameFamilyConstraint(self._component_distribution.support)
    )

    def _weights(self):
        p = self._mixture_distribution.probs
        return p.reshape(p.shape + (1,) * self._event_ndims)

    @property
    def mean(self):
        return (self._weights() * self._component_distribution.mean).sum(-1 - self._event_ndims)

    @property
    def variance(self):
        inner = (self._weights() * self._component_distribution.variance).sum(-1 - self._event_ndims)
        center = self.mean.unsqueeze(-1 - self._event_ndims)
        return inner + (self._weights() * (self._component_distribution.mean - center) ** 2).sum(-1 - self._event_ndims)

    def cdf(self, x):
        return (self._component_distribution.cdf(x.unsqueeze(-1)) * self._mixture_distribution.probs).sum(-1)

    def log_prob(self, x):
        self._validate_sample(x)
        part = self._component_distribution.log_prob(x.unsqueeze(-1 - self._event_ndims))
        return torch.logsumexp(part + torch.log_softmax(self._mixture_distribution.logits, -1), -1)

    def sample(self, sample_shape=Size()):
        with torch.no_grad():
            axis = len(Size(sample_shape)) + len(self._batch_shape)
            chosen = self._mixture_distribution.sample(sample_shape)
            draws = self._component_distribution.sample(sample_shape)
            index = chosen.reshape(chosen.shape + (1,) * (self._event_ndims + 1))
            shape = list(draws.shape)
            shape[axis] = 1
            return draws.gather(axis, index.expand(shape)).squeeze(axis)


class TransformedDistribution(Distribution):
    """The distribution of t(x) for x from a base distribution.

    >>> import flambeau as torch
    >>> from flambeau import distributions as D
    >>> D.TransformedDistribution(D.Normal(0.0, 1.0), [D.transforms.ExpTransform()]).log_prob(torch.tensor(1.0))
    tensor(-0.9189)
    """

    def __init__(self, base_distribution, transforms, validate_args=None):
        self.transforms = [transforms] if isinstance(transforms, Transform) else list(transforms)
        whole = ComposeTransform(self.transforms)
        need = max([t.domain.event_dim for t in self.transforms] or [0])
        extra = need - len(base_distribution.event_shape)
        self.base_dist = Independent(base_distribution, extra) if extra > 0 else base_distribution
        shape = self.base_dist.batch_shape + self.base_dist.event_shape
        for t in self.transforms:
            shape = t.forward_shape(shape)
        event = max(whole.codomain.event_dim, len(self.base_dist.event_shape))
        cut = len(shape) - event
        super().__init__(shape[:cut], shape[cut:], validate_args=validate_args)

    has_rsample = property(lambda self: self.base_dist.has_rsample)

    @constraints.dependent_property
    def support(self):
        return self.transforms[-1].codomain if self.transforms else self.base_dist.support

    def expand(self, batch_shape, _instance=None):
        return TransformedDistribution(self.base_dist.expand(batch_shape), self.transforms, validate_args=False)

    def sample(self, sample_shape=Size()):
        with torch.no_grad():
            x = self.base_dist.sample(sample_shape)
            for t in self.transforms:
                x = t(x)
            return x

    def rsample(self, sample_shape=Size()):
        x = self.base_dist.rsample(sample_shape)
        for t in self.transforms:
            x = t(x)
        return x

    def log_prob(self, value):
        self._validate_sample(value)
        depth, total, y = len(self.event_shape), 0.0, value
        for t in reversed(self.transforms):
            x = t.inv(y)
            depth += t.domain.event_dim - t.codomain.event_dim
            total = total - sum_rightmost(t.log_abs_det_jacobian(x, y), depth - t.domain.event_dim)
            y = x
        return total + sum_rightmost(self.base_dist.log_prob(y), depth - len(self.base_dist.event_shape))

    def _monotone(self, value):
        sign = 1
        for t in self.transforms:
            sign = sign * t.sign
        return torch.where(torch.as_tensor(sign) < 0, 1 - value, value)

    def cdf(self, value):
        for t in reversed(self.transforms):
            value = t.inv(value)
        return self._monotone(self.base_dist.cdf(value))

    def icdf(self, value):
        value = self.base_dist.icdf(self._monotone(value))
        for t in self.transforms:
            value = t(value)
        return value


class LogNormal(TransformedDistribution):
    """exp of a normal variable.

    >>> import flambeau as torch
    >>> torch.distributions.LogNormal(0.0, 1.0).mean
    tensor(1.6487)
    """

    arg_constraints = {"loc": constraints.real, "scale": constraints.positive}
    support = constraints.positive

    def __init__(self, loc, scale, validate_args=None):
        super().__init__(Normal(loc, scale, validate_args=validate_args), ExpTransform(), validate_args=validate_args)

    loc = property(lambda self: self.base_dist.loc)
    scale = property(lambda self: self.base_dist.scale)
    mean = property(lambda self: (self.loc + self.scale**2 / 2).exp())
    mode = property(lambda self: (self.loc - self.scale**2).exp())
    variance = property(lambda self: (self.scale**2).expm1() * (2 * self.loc + self.scale**2).exp())

    def entropy(self):
        return self.base_dist.entropy() + self.loc


class LogisticNormal(TransformedDistribution):
    """Stick-breaking of a normal vector: a distribution over probability vectors.

    >>> import flambeau as torch
    >>> torch.distributions.LogisticNormal(torch.zeros(2), torch.ones(2)).sample().shape
    torch.Size([3])
    """

    arg_constraints = {"loc": constraints.real, "scale": constraints.positive}
    support = constraints.simplex

    def __init__(self, loc, scale, validate_args=None):
        base = Normal(loc, scale, validate_args=validate_args)
        if not base.batch_shape:
            base = base.expand([1])
        super().__init__(base, StickBreakingTransform(), validate_args=validate_args)

    loc = property(lambda self: self.base_dist.base_dist.loc)
    scale = property(lambda self: self.base_dist.base_dist.scale)
