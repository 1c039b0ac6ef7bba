"""The rules for integrals over a path, and the portions in which its points are evaluated."""

import numpy as np
import pytest

from flambeau.attr.integration import SUPPORTED_METHODS, points_and_weights, portions
from flambeau.errors import FailedAssertion


@pytest.mark.parametrize("n", [1, 2, 3, 20, 50])
def test_gauss_legendre_is_exact_for_polynomials(n):
    points, weights = points_and_weights("gausslegendre", n)
    for degree in {0, n, 2 * n - 1}:
        assert abs((weights * points**degree).sum() - 1 / (degree + 1)) < 1e-13
    theirs, their_weights = np.polynomial.legendre.leggauss(n)
    np.testing.assert_allclose(points, (theirs + 1) / 2, atol=1e-14)
    np.testing.assert_allclose(weights, their_weights / 2, atol=1e-14)


def test_thousands_of_points():
    points, weights = points_and_weights("gausslegendre", 3200)
    assert (np.diff(points) > 0).all() and abs(weights.sum() - 1) < 1e-12
    assert abs((weights * np.cos(points)).sum() - np.sin(1)) < 1e-12


def test_riemann_sums():
    for method, points in (
        ("riemann_left", [0, 0.25, 0.5, 0.75]),
        ("riemann_right", [0.25, 0.5, 0.75, 1]),
        ("riemann_middle", [0.125, 0.375, 0.625, 0.875]),
        ("riemann_trapezoid", [0, 1 / 3, 2 / 3, 1]),
    ):
        np.testing.assert_allclose(points_and_weights(method, 4)[0], points)
    assert points_and_weights("riemann_trapezoid", 4)[1].tolist() == [0.125, 0.25, 0.25, 0.125]


def test_bad_rules():
    with pytest.raises(FailedAssertion, match="must be one for the following"):
        points_and_weights("simpson", 5)
    for method in SUPPORTED_METHODS:
        with pytest.raises(FailedAssertion, match="must be a positive integer. Given: 0"):
            points_and_weights(method, 0)
    with pytest.raises(FailedAssertion, match="Given: 5.5"):
        points_and_weights("gausslegendre", 5.5)
    with pytest.raises(FailedAssertion, match="riemann_left needs at least 2"):
        points_and_weights("riemann_left", 1)


def test_portions():
    assert list(portions(5, 2, None)) == [slice(0, 5)]
    assert list(portions(5, 2, 4)) == [slice(0, 2), slice(2, 4), slice(4, 5)]
    assert list(portions(5, 2, 6, overlap=1)) == [slice(0, 3), slice(2, 5)]
    with pytest.warns(UserWarning, match="each forward pass takes 4 examples"):
        assert list(portions(3, 2, 1, overlap=1)) == [slice(0, 2), slice(1, 3)]
