"""Special functions on arrays against values computed with 40 digits, their edges, dtypes, shapes and blocks."""

import numpy as np
import pytest

from flambeau.arrays import meta_empty
from flambeau.kernels import special

UNARY = {
    "erf": {
        -2.5: -0.999593047982555, -0.3: -0.3286267594591274, 1e-08: 1.1283791670955126e-08, 0.7: 0.6778011938374184,
        1.0: 0.8427007929497149, 3.1: 0.9999883513426328,
    },
    "erfc": {
        -2.5: 1.999593047982555, 0.3: 0.6713732405408726, 0.51: 0.4707563801588296, 4.0: 1.541725790028002e-08,
        15.0: 7.212994172451207e-100, 26.0: 5.663192408856143e-296,
    },
    "erfcx": {
        -3.0: 16205.988853999586, 0.2: 0.8090195199015807, 2.0: 0.25539567631050575, 40.0: 0.014100335983377814,
        100000.0: 5.6418958351954685e-06,
    },
    "ndtr": {
        -30.0: 4.906713927148187e-198, -2.0: 0.02275013194817921, -0.5: 0.3085375387259869, 0.25:
        0.5987063256829237, 3.0: 0.9986501019683699,
    },
    "log_ndtr": {
        -100.0: -5005.524208694205, -3.0: -6.607726221510349, -0.5: -1.1759117615936185, 0.5: -0.3689464152886564,
        8.0: -6.220960574271786e-16,
    },
    "erfinv": {
        -0.999: -2.3267537655135246, -0.3: -0.2724627147267543, 1e-09: 8.86226925452758e-10, 0.5:
        0.4769362762044699, 0.9: 1.1630871536766743, 0.9999999: 3.7665625816384707,
    },
    "ndtri": {
        1e-10: -6.361340902404057, 0.01: -2.326347874040841, 0.3: -0.5244005127080408, 0.75: 0.6744897501960817,
        0.999: 3.090232306167813,
    },
    "lgamma": {
        -3.7: -1.3797399049658245, -0.4: 1.31452458994339, 1e-10: 23.025850929882736, 0.3: 1.0957979948180756, 1.3:
        -0.10817480950786047, 2.001: 0.000423106734800117, 4.5: 2.4537365708424423, 7.9: 8.32426586800881, 20.0:
        39.339884187199495, 1000000.0: 12815504.569147611,
    },
    "digamma": {
        -3.7: -0.8450768588704194, -0.4: 0.9593807861068093, 1e-05: -100000.57719921567, 0.7: -1.2200235536979347,
        1.4: -0.06138454458511624, 5.5: 1.6110931485817512, 9.0: 2.14064147795561, 1000000.0: 13.815510057964191,
    },
    "i0": {
        0.1: 1.0025015629340956, -3.0: 4.8807925858650245, 7.9: 389.406283282158, 8.1: 469.5006067101215, 100.0:
        1.0737517071310738e+42,
    },
    "i1": {
        0.1: 0.050062526047092694, -3.0: -3.9533702174026093, 7.9: 363.8539440845084, 8.1: 439.48430891035844,
        100.0: 1.0683693903381625e+42,
    },
    "i0e": {
        0.1: 0.9071009257823011, -3.0: 0.2430003541618254, 8.1: 0.14251180948829528, 10000.0: 0.003989472674604732,
    },
    "i1e": {
        0.1: 0.045298446808809324, -3.0: -0.19682671329730086, 8.1: 0.13340068832583662, 10000.0:
        0.003989273195983662,
    },
    "modified_bessel_k0": {
        0.001: 7.023688800562382, 0.9: 0.4867303081629005, 1.1: 0.36560239154318586, 7.0: 0.0004247957418692318,
        50.0: 3.4101677497894956e-23,
    },
    "modified_bessel_k1": {
        0.001: 999.9962381560856, 0.9: 0.7165335787760191, 1.1: 0.509760027167027, 7.0: 0.00045418248688489695,
        50.0: 3.4441022267175555e-23,
    },
    "scaled_modified_bessel_k0": {
        0.001: 7.030716002378251, 1.1: 1.0983302829475998, 10000.0: 0.012532984717699286,
    },
    "scaled_modified_bessel_k1": {
        0.001: 1000.9967345590684, 1.1: 1.5314037539811933, 10000.0: 0.012533611351270506,
    },
    "bessel_j0": {
        0.001: 0.9999997500000156, -1.0: 0.7651976865579666, 5.5: -0.006843869417819197, 7.5: 0.2663396578803784,
        8.5: 0.041939251842934504, 300.0: -0.03329855487630567,
    },
    "bessel_j1": {
        0.001: 0.0004999999375000026, -1.0: -0.4400505857449335, 5.5: -0.34143821542904335, 7.5: 0.1352484275797055,
        8.5: 0.2731219636740537, 300.0: -0.03188743137749995,
    },
    "bessel_y0": {
        0.001: -4.471416611375923, 1.0: 0.08825696421567696, 5.5: -0.339480592881911, 7.5: 0.11731328614820863, 8.5:
        0.27020510536578746, 300.0: -0.0318318897300034,
    },
    "bessel_y1": {
        0.001: -636.6221672311394, 1.0: -0.7812128213002887, 5.5: -0.023758238956389618, 7.5: -0.25912851048611624,
        8.5: -0.02616867939853747, 300.0: 0.03324554812131022,
    },
    "spherical_bessel_j0": {
        0.001: 0.9999998333333416, 1.0: 0.8414709848078965, -5.5: -0.1282800591946167, 300.0: -0.003332519466337165,
    },
    "airy_ai": {
        -20.0: -0.1764061270779847, -3.1: -0.4043822223909783, -1.0: 0.5355608832923521, 0.5: 0.23169360648083348,
        1.5: 0.07174949700810541, 3.9: 0.0011676548729914497, 4.1: 0.0007736296637815978, 12.0:
        1.3931846888753607e-13,
    },
}  # fmt: skip

BINARY = {
    "zeta": {
        (2.0, 1.0): 1.6449340668482264, (1.1, 0.3): 13.925622630916047, (5.5, 12.0): 3.71777872154821e-06, (30.0,
        2.5): 1.1529691685630237e-12,
    },
    "gammainc": {
        (0.3, 0.5): 0.8138118046743926, (2.0, 5.0): 0.9595723180054871, (80.0, 70.0): 0.1290992501012415, (200.0,
        10.0): 6.057917351915063e-180, (1000.0, 1010.0): 0.6276789447369947,
    },
    "gammaincc": {
        (0.01, 0.5): 0.0056267561939671844, (2.0, 5.0): 0.040427681994512805, (80.0, 90.0): 0.13318049723353045,
        (20.0, 90.0): 1.1492512409480212e-19, (1000.0, 1100.0): 0.0010593232539299773,
    },
}  # fmt: skip

# (order, x, value)
POLYGAMMA = [
    (1, 0.3, 12.245364546107732), (1, 2.5, 0.49035775610023485), (1, 30.0, 0.033895060357739946), (1, -1.3,
    14.53687624413708), (2, 0.3, -75.27253658872604), (2, 2.5, -0.2362040516417274), (2, 30.0, -0.0011487652037286),
    (2, -1.3, 68.54941347116214), (3, 0.3, 743.1417646550498), (3, 2.5, 0.22390584881725206), (3, 30.0,
    7.78600366473613e-05), (3, -1.3, 768.7206571990426), (4, 0.3, -9883.46855549699), (4, 2.5, -0.3137559995067314),
    (4, 30.0, -7.914941340181023e-06), (4, -1.3, 9738.298854017741),
]  # fmt: skip

# at x = 0.3 and -1.7: degrees -1, 0, 1, 4
POLYNOMIALS = {
    "chebyshev_polynomial_t": [[0.0, 1.0, 0.3, 0.3448], [0.0, 1.0, -1.7, 44.6968]],
    "chebyshev_polynomial_u": [[0.0, 1.0, 0.6, 0.0496], [0.0, 1.0, -3.4, 99.9536]],
    "chebyshev_polynomial_v": [[0.0, 1.0, -0.4, 1.0336], [0.0, 1.0, -4.4, 132.4576]],
    "chebyshev_polynomial_w": [[0.0, 1.0, 1.6, -0.9344], [0.0, 1.0, -2.4, 67.4496]],
    "hermite_polynomial_h": [[0.0, 1.0, 0.6, 7.8096], [0.0, 1.0, -3.4, 6.91359999999999]],
    "hermite_polynomial_he": [[0.0, 1.0, 0.3, 2.4681], [0.0, 1.0, -1.7, -5.9879]],
    "laguerre_polynomial_l": [[0.0, 1.0, 0.7, 0.0523375000000001], [0.0, 1.0, 2.7, 20.0933375]],
    "legendre_polynomial_p": [[0.0, 1.0, 0.3, 0.0729375], [0.0, 1.0, -1.7, 26.0779375]],
    "shifted_chebyshev_polynomial_t": [[0.0, 1.0, -0.4, -0.0752000000000001], [0.0, 1.0, -4.4, 2844.5968]],
    "shifted_chebyshev_polynomial_u": [[0.0, 1.0, -0.8, -0.5104], [0.0, 1.0, -8.8, 5765.6336]],
    "shifted_chebyshev_polynomial_v": [[0.0, 1.0, -1.8, -1.5984], [0.0, 1.0, -9.8, 6429.5056]],
    "shifted_chebyshev_polynomial_w": [[0.0, 1.0, 0.2, 0.5776], [0.0, 1.0, -7.8, 5101.7616]],
}  # fmt: skip

INF, NAN = np.inf, np.nan
EDGES = {
    "erf": {0.0: 0.0, INF: 1.0, -INF: -1.0, NAN: NAN},
    "erfc": {INF: 0.0, -INF: 2.0, NAN: NAN},
    "erfcx": {INF: 0.0, -INF: INF, NAN: NAN},
    "ndtr": {INF: 1.0, -INF: 0.0, NAN: NAN},
    "log_ndtr": {INF: 0.0, -INF: -INF, NAN: NAN},
    "erfinv": {1.0: INF, -1.0: -INF, 1.5: NAN, NAN: NAN},
    "ndtri": {0.0: -INF, 1.0: INF, -0.1: NAN, 1.1: NAN, 0.5: 0.0},
    "lgamma": {0.0: INF, -3.0: INF, 1.0: 0.0, 2.0: 0.0, INF: INF, -INF: INF, NAN: NAN, -1e-300: 690.7755278982137},
    "digamma": {0.0: -INF, -2.0: NAN, INF: INF, -INF: NAN, NAN: NAN},
    "i0": {0.0: 1.0, 1000.0: INF, NAN: NAN},
    "i1": {0.0: 0.0, -1000.0: -INF, NAN: NAN},
    "i0e": {0.0: 1.0, INF: 0.0, NAN: NAN},
    "i1e": {0.0: 0.0, INF: 0.0, NAN: NAN},
    "modified_bessel_k0": {0.0: INF, -1.0: NAN, INF: 0.0, NAN: NAN},
    "modified_bessel_k1": {0.0: INF, -1.0: NAN, INF: 0.0},
    "bessel_j0": {0.0: 1.0, INF: 0.0, NAN: NAN},
    "bessel_j1": {0.0: 0.0, NAN: NAN},
    "bessel_y0": {0.0: -INF, -1.0: NAN, NAN: NAN},
    "bessel_y1": {0.0: -INF, -1.0: NAN, NAN: NAN},
    "spherical_bessel_j0": {0.0: 1.0, INF: 0.0, NAN: NAN},
    "airy_ai": {INF: NAN, NAN: NAN, 200.0: 0.0},
}


@pytest.mark.parametrize("name", UNARY)
def test_values(name):
    x, expected = np.array(list(UNARY[name].items())).T
    function = getattr(special, name)
    scale = np.maximum(np.abs(expected), 1e-2 if name.startswith(("bessel", "airy", "lgamma", "digamma")) else 0)
    assert np.max(np.abs(function(x) - expected) / scale) < 2e-14
    single = function(x.astype(np.float32))
    assert single.dtype == np.float32
    with np.errstate(over="ignore", invalid="ignore"):
        exact = function(x.astype(np.float32).astype(np.float64)).astype(np.float32)
    np.testing.assert_allclose(single, exact, rtol=5e-7, atol=0)


@pytest.mark.parametrize("name", EDGES)
def test_edges(name):
    x, expected = np.array(list(EDGES[name].items())).T
    np.testing.assert_allclose(getattr(special, name)(x), expected, rtol=1e-15)


@pytest.mark.parametrize("name", BINARY)
def test_two_arguments(name):
    for (a, b), expected in BINARY[name].items():
        np.testing.assert_allclose(getattr(special, name)(np.array(a), np.array([b])), [expected], rtol=3e-13)


def test_incomplete_gamma_edges_and_complement():
    a = np.array([0.0, 0.0, 1.0, INF, 2.0, -1.0, 1.0, INF])
    x = np.array([0.0, 1.0, 0.0, 1.0, INF, 1.0, -1.0, INF])
    np.testing.assert_array_equal(special.gammainc(a, x), [NAN, 1, 0, 0, 1, NAN, NAN, NAN])
    np.testing.assert_array_equal(special.gammaincc(a, x), [NAN, 0, 1, 1, 0, NAN, NAN, NAN])
    a, x = np.meshgrid(np.geomspace(1e-2, 1e4, 40), np.geomspace(1e-2, 1e4, 40))
    np.testing.assert_allclose(special.gammainc(a, x) + special.gammaincc(a, x), 1, rtol=1e-13)


def test_zeta_edges():
    s = np.array([1.0, 0.5, 2.0, 2.0, 2.5])
    q = np.array([2.0, 2.0, 0.0, -3.0, -1.5])
    np.testing.assert_array_equal(special.zeta(s, q), [INF, NAN, INF, INF, NAN])
    np.testing.assert_allclose(special.zeta(np.array([2.0]), np.array([-0.5])), [8.934802200544679], rtol=1e-14)


def test_polygamma():
    for n, x, expected in POLYGAMMA:
        np.testing.assert_allclose(special.polygamma(n, np.array([x])), [expected], rtol=2e-13)
    np.testing.assert_array_equal(special.polygamma(0, np.array([3.5])), special.digamma(np.array([3.5])))
    np.testing.assert_array_equal(special.polygamma(2, np.array([0.0, NAN])), [-INF, NAN])


@pytest.mark.parametrize("name", POLYNOMIALS)
def test_polynomials(name):
    x, n = np.array([[0.3], [-1.7]]), np.array([-1.0, 0.0, 1.0, 4.0])
    np.testing.assert_allclose(getattr(special, name)(x, n), POLYNOMIALS[name], rtol=1e-13)


def test_high_degrees():
    x = np.linspace(-0.95, 0.95, 9)
    angle = np.arccos(x)
    n = np.array(150.7)  # cut to 150
    np.testing.assert_allclose(special.chebyshev_polynomial_t(x, n), np.cos(150 * angle), atol=1e-12)
    np.testing.assert_allclose(special.chebyshev_polynomial_u(x, n), np.sin(151 * angle) / np.sin(angle), atol=1e-11)
    assert not np.isfinite(special.hermite_polynomial_h(np.array([2.0]), np.array([1e9]))).any()
    ends = np.array([-1.0, 1.0])
    np.testing.assert_array_equal(special.chebyshev_polynomial_t(ends, np.array(101.0)), [-1, 1])


def test_simple_functions():
    x = np.array([-1.0, 0.0, 0.25, 1.0, NAN])
    np.testing.assert_allclose(special.entr(x), [-INF, 0, 0.34657359027997264, 0, NAN])
    np.testing.assert_allclose(special.logit(x), [NAN, -INF, -1.0986122886681098, INF, NAN])
    np.testing.assert_allclose(special.logit(x, 0.1)[:4], [-2.197224577336219, -2.197224577336219, -1.0986122886681098,
                                                           2.197224577336219])  # fmt: skip
    zero = np.zeros(3)
    np.testing.assert_array_equal(special.xlogy(zero, np.array([0.0, NAN, -1.0])), [0, NAN, 0])
    np.testing.assert_array_equal(special.xlog1py(zero, np.array([-1.0, NAN, -2.0])), [0, NAN, 0])
    np.testing.assert_allclose(special.sinc(np.array([0.0, 0.5])), [1, 2 / np.pi])


def test_shapes_layouts_and_blocks():
    x = np.linspace(-3, 3, 20_011)  # several blocks and a remainder
    whole = special.erfc(x)
    np.testing.assert_array_equal(special.erfc(x[::-1])[::-1], whole)
    np.testing.assert_array_equal(special.erfc(x[:20_000].reshape(100, 200).T), whole[:20_000].reshape(100, 200).T)
    assert special.erf(np.array(0.5)).shape == ()
    assert special.erf(np.empty((0, 3))).shape == (0, 3)
    assert special.zeta(np.full((3, 1), 2.0), np.full((1, 4), 1.5)).shape == (3, 4)


def test_dtypes():
    table = {np.float16: np.float16, np.float32: np.float32, np.int64: np.float64, bool: np.float64}
    for dtype, expected in table.items():
        assert special.lgamma(np.ones(2, dtype)).dtype == expected


def test_shapes_only():
    a = meta_empty((1000, 1000, 1000, 3), np.float32)
    assert special.lgamma(a).shape == a.shape and type(special.lgamma(a)) is type(a)
    assert special.zeta(a, meta_empty((3,), np.float32)).shape == a.shape
