"""Random numbers equal PyTorch's CPU generator: every number here was recorded from PyTorch 2.13."""
# ruff: noqa: E501

import copy
import pickle

import numpy as np
import pytest

import flambeau as torch
from flambeau.generator import Generator
from flambeau.normal import box_muller32, normals32, words_to_units

RECORDED = [
    (
        0,
        "torch.rand(5)",
        [0.49625658988952637, 0.7682217955589294, 0.08847743272781372, 0.13203048706054688, 0.30742281675338745],
    ),
    (0, "torch.rand(17,dtype=torch.float64)[-3:]", [0.48184840078170854, 0.4408004990443595, 0.40728157436444157]),
    (0, "torch.rand(3,dtype=torch.bfloat16)", [0.49609375, 0.76953125, 0.08837890625]),
    (
        0,
        "torch.randn(5)",
        [1.5409960746765137, -0.293428897857666, -2.1787893772125244, 0.5684312582015991, -1.0845223665237427],
    ),
    (0, "torch.randn(15,dtype=torch.float64)[-3:]", [-0.8566745932963743, 1.100604170903427, -1.0711873631091473]),
    (0, "torch.randn(16)[:4]", [-1.1258398294448853, -1.152360200881958, -0.2505785822868347, -0.4338788092136383]),
    (
        0,
        "torch.randn(37)[[0,20,21,36]]",
        [-1.1258398294448853, 0.5988394618034363, 0.11241118609905243, -0.5180748105049133],
    ),
    (
        0,
        "torch.randn(37,dtype=torch.float64)[[0,20,21,36]]",
        [-2.310411800234176, -0.019964750907762653, -1.1195351830271254, 1.154696227582466],
    ),
    (
        0,
        "torch.randn(37,dtype=torch.float16)[[0,20,21,36]]",
        [-1.1259765625, 0.5986328125, -0.61376953125, -1.5869140625],
    ),
    (0, "torch.randint(0,10,(6,))", [4, 9, 3, 0, 3, 9]),
    (0, "torch.randint(-5,2**40,(3,))", [741234585336, 506077272957, 291397093751]),
    (0, "torch.randint(0,2**28,(3,))", [130329135, 136432832, 195187451]),
    (0, "torch.randperm(10)", [4, 1, 7, 5, 3, 9, 0, 8, 6, 2]),
    (0, "torch.randperm(1000)[:5]", [44, 37, 675, 775, 947]),
    (
        0,
        "torch.empty(4).uniform_(-0.3,0.7)",
        [0.1962565779685974, 0.4682217836380005, -0.21152257919311523, -0.16796952486038208],
    ),
    (
        0,
        "torch.empty(4,dtype=torch.float64).uniform_(2,5)",
        [4.9101590054196596, 4.123459593199364, 3.3781488293823525, 4.762243052365881],
    ),
    (
        0,
        "torch.empty(4).normal_(2,0.5)",
        [2.770498037338257, 1.853285551071167, 0.9106053113937378, 2.2842156887054443],
    ),
    (0, "torch.empty(20).normal_(2,0.5)[-3:]", [2.629504680633545, 3.002490282058716, 2.0268683433532715]),
    (0, "torch.empty(3,6).t().normal_().flatten()[:3]", [1.5409960746765137, 0.40334683656692505, -0.8566746115684509]),
    (0, "torch.empty(5).bernoulli_(0.3)", [0.0, 0.0, 0.0, 0.0, 0.0]),
    (0, "torch.bernoulli(torch.full((5,),0.3))", [0.0, 0.0, 1.0, 1.0, 0.0]),
    (0, "torch.empty(3).exponential_()", [3.508326292037964, 1.2303847074508667, 0.615044116973877]),
    (0, "torch.empty(3).geometric_(0.2)", [1.0, 2.0, 4.0]),
    (0, "torch.empty(3).cauchy_()", [10.597729682922363, 0.7647672891616821, -0.12829934060573578]),
    (0, "torch.empty(3).log_normal_()", [59.2634162902832, 1.5115599632263184, 0.03481946140527725]),
    (0, "torch.multinomial(torch.tensor([.1,.2,.3,.4]),6,True)", [3, 3, 2, 3, 3, 3]),
    (0, "torch.multinomial(torch.tensor([.1,.2,.3,.4]),3)", [2, 1, 3]),
    (0, "torch.empty(4,dtype=torch.int16).random_()", [2732, 10799, 9845, 19648]),
    (0, "torch.empty(3).random_()", [8325664.0, 12888472.0, 1484222.0]),
    (
        42,
        "torch.rand(5)",
        [0.8822692632675171, 0.9150039553642273, 0.38286375999450684, 0.9593056440353394, 0.3904482126235962],
    ),
    (42, "torch.rand(17,dtype=torch.float64)[-3:]", [0.3775329552705594, 0.6124365889937913, 0.088109784914571]),
    (42, "torch.rand(3,dtype=torch.bfloat16)", [0.8828125, 0.9140625, 0.3828125]),
    (
        42,
        "torch.randn(5)",
        [0.33669036626815796, 0.12880940735340118, 0.23446236550807953, 0.23033303022384644, -1.1228563785552979],
    ),
    (42, "torch.randn(15,dtype=torch.float64)[-3:]", [1.1102903104398025, -1.6897988967971325, -0.9889598811465726]),
    (42, "torch.randn(16)[:4]", [1.9269152879714966, 1.4872840642929077, 0.9007171988487244, -2.1055209636688232]),
    (
        42,
        "torch.randn(37)[[0,20,21,36]]",
        [1.9269152879714966, -0.7581311464309692, -0.42451897263526917, 1.1789509057998657],
    ),
    (
        42,
        "torch.randn(37,dtype=torch.float64)[[0,20,21,36]]",
        [0.2995562877502637, -0.03720300727052493, 0.14532018661151294, 1.5695068008576476],
    ),
    (
        42,
        "torch.randn(37,dtype=torch.float16)[[0,20,21,36]]",
        [1.9267578125, -0.75830078125, -1.384765625, -0.48779296875],
    ),
    (42, "torch.randint(0,10,(6,))", [2, 7, 6, 4, 6, 5]),
    (42, "torch.randint(-5,2**40,(3,))", [441476371554, 395845085946, 458553876606]),
    (42, "torch.randint(0,2**28,(3,))", [199900595, 250975502, 127521863]),
    (42, "torch.randperm(10)", [2, 6, 1, 8, 4, 5, 0, 9, 3, 7]),
    (42, "torch.randperm(1000)[:5]", [542, 618, 816, 68, 94]),
    (
        42,
        "torch.empty(4).uniform_(-0.3,0.7)",
        [0.5822692513465881, 0.6150039434432983, 0.08286374807357788, 0.6593056321144104],
    ),
    (
        42,
        "torch.empty(4,dtype=torch.float64).uniform_(2,5)",
        [2.174463457884289, 2.1887305022737324, 2.370758218323227, 2.157740493083231],
    ),
    (
        42,
        "torch.empty(4).normal_(2,0.5)",
        [2.1683452129364014, 2.0644047260284424, 2.1172311305999756, 2.115166425704956],
    ),
    (42, "torch.empty(20).normal_(2,0.5)[-3:]", [1.8021447658538818, 2.401704788208008, 1.6892023086547852]),
    (42, "torch.empty(3,6).t().normal_().flatten()[:3]", [0.33669036626815796, 2.2082014083862305, 1.110290288925171]),
    (42, "torch.empty(5).bernoulli_(0.3)", [1.0, 1.0, 1.0, 1.0, 0.0]),
    (42, "torch.bernoulli(torch.full((5,),0.3))", [0.0, 0.0, 0.0, 0.0, 0.0]),
    (42, "torch.empty(3).exponential_()", [0.05991401523351669, 0.06497612595558167, 0.13191677629947662]),
    (42, "torch.empty(3).geometric_(0.2)", [13.0, 13.0, 10.0]),
    (42, "torch.empty(3).cauchy_()", [-5.412487506866455, -4.993700981140137, -2.4448742866516113]),
    (42, "torch.empty(3).log_normal_()", [5.330157279968262, 3.5170366764068604, 4.3445611000061035]),
    (42, "torch.multinomial(torch.tensor([.1,.2,.3,.4]),6,True)", [0, 0, 1, 0, 2, 2]),
    (42, "torch.multinomial(torch.tensor([.1,.2,.3,.4]),3)", [3, 1, 2]),
    (42, "torch.empty(4,dtype=torch.int16).random_()", [23654, 15795, 860, 5390]),
    (42, "torch.empty(3).random_()", [14801927.0, 15351016.0, 6423145.0]),
    (
        1099511627783,
        "torch.rand(5)",
        [0.5349225401878357, 0.19880318641662598, 0.6592116951942444, 0.6568902730941772, 0.23276156187057495],
    ),
    (
        1099511627783,
        "torch.rand(17,dtype=torch.float64)[-3:]",
        [0.1221898423754062, 0.8475435705335523, 0.013204739557714507],
    ),
    (1099511627783, "torch.rand(3,dtype=torch.bfloat16)", [0.53515625, 0.19921875, 0.66015625]),
    (
        1099511627783,
        "torch.randn(5)",
        [-0.1467950940132141, 0.7861412763595581, 0.9468216300010681, -1.1143440008163452, 1.6907901763916016],
    ),
    (
        1099511627783,
        "torch.randn(15,dtype=torch.float64)[-3:]",
        [0.1373240964733236, 0.2405461286050214, 1.3954507962006726],
    ),
    (
        1099511627783,
        "torch.randn(16)[:4]",
        [-0.8201345205307007, 0.39563116431236267, 0.8989084959030151, -1.3884038925170898],
    ),
    (
        1099511627783,
        "torch.randn(37)[[0,20,21,36]]",
        [-0.8201345205307007, 0.19844505190849304, -0.6618675589561462, -0.10073431581258774],
    ),
    (
        1099511627783,
        "torch.randn(37,dtype=torch.float64)[[0,20,21,36]]",
        [0.06626753966449943, 1.457454937932726, 0.15963283549858176, 0.6869951990820099],
    ),
    (
        1099511627783,
        "torch.randn(37,dtype=torch.float16)[[0,20,21,36]]",
        [-0.8203125, 0.198486328125, -0.08355712890625, 0.260009765625],
    ),
    (1099511627783, "torch.randint(0,10,(6,))", [5, 2, 1, 6, 3, 7]),
    (1099511627783, "torch.randint(-5,2**40,(3,))", [752589289487, 108678733351, 291927467744]),
    (1099511627783, "torch.randint(0,2**28,(3,))", [171107524, 27798006, 174903507]),
    (1099511627783, "torch.randperm(10)", [5, 0, 3, 4, 1, 7, 9, 6, 8, 2]),
    (1099511627783, "torch.randperm(1000)[:5]", [615, 284, 599, 580, 347]),
    (
        1099511627783,
        "torch.empty(4).uniform_(-0.3,0.7)",
        [0.23492252826690674, -0.10119682550430298, 0.35921168327331543, 0.3568902611732483],
    ),
    (
        1099511627783,
        "torch.empty(4,dtype=torch.float64).uniform_(2,5)",
        [2.838141289719212, 2.8210811409552967, 4.586278884252876, 3.970065291764604],
    ),
    (
        1099511627783,
        "torch.empty(4).normal_(2,0.5)",
        [1.9266024827957153, 2.393070697784424, 2.4734108448028564, 1.4428279399871826],
    ),
    (1099511627783, "torch.empty(20).normal_(2,0.5)[-3:]", [1.717996597290039, 0.9717687368392944, 1.8216387033462524]),
    (
        1099511627783,
        "torch.empty(3,6).t().normal_().flatten()[:3]",
        [-0.1467950940132141, -0.3556250333786011, 0.13732409477233887],
    ),
    (1099511627783, "torch.empty(5).bernoulli_(0.3)", [1.0, 1.0, 0.0, 0.0, 0.0]),
    (1099511627783, "torch.bernoulli(torch.full((5,),0.3))", [0.0, 1.0, 0.0, 0.0, 1.0]),
    (1099511627783, "torch.empty(3).exponential_()", [0.3276439309120178, 0.319783478975296, 1.981175422668457]),
    (1099511627783, "torch.empty(3).geometric_(0.2)", [6.0, 6.0, 1.0]),
    (1099511627783, "torch.empty(3).cauchy_()", [-0.83055579662323, -0.8612030744552612, 2.1618921756744385]),
    (1099511627783, "torch.empty(3).log_normal_()", [2.0267019271850586, 13.095682144165039, 18.058982849121094]),
    (1099511627783, "torch.multinomial(torch.tensor([.1,.2,.3,.4]),6,True)", [1, 1, 3, 3, 3, 3]),
    (1099511627783, "torch.multinomial(torch.tensor([.1,.2,.3,.4]),3)", [1, 3, 0]),
    (1099511627783, "torch.empty(4,dtype=torch.int16).random_()", [28847, 25796, 16921, 10742]),
    (1099511627783, "torch.empty(3).random_()", [8974492.0, 3335306.0, 11059538.0]),
]


@pytest.mark.parametrize("seed, expression, expected", RECORDED)
def test_numbers_are_pytorchs(seed, expression, expected):
    torch.manual_seed(seed)
    got = eval(expression)
    assert got.double().tolist() == expected if got.is_floating_point() else got.tolist() == expected


def test_state_has_pytorchs_layout_and_restores():
    g = torch.Generator().manual_seed(7)
    torch.randn(3, generator=g)
    state = g.get_state()
    assert state.dtype is torch.uint8 and state.shape == (5056,)
    assert state[:24].view(torch.int32).tolist() == [7, 0, 617, 1, 8, 0]  # seed, words left, seeded, next word
    first = torch.randn(5, generator=g)
    g.set_state(state)
    assert torch.equal(torch.randn(5, generator=g), first)


def test_normal_cache_survives_a_block():
    torch.manual_seed(0)
    torch.randn(3)
    torch.randn(16)
    assert torch.randn(1).item() == pytest.approx(0.5684312582015991)


@pytest.mark.parametrize("again", [copy.copy, copy.deepcopy, lambda g: pickle.loads(pickle.dumps(g)),
                                   lambda g: g.clone_state()])  # fmt: skip
def test_copies_continue_alike(again):
    g = Generator().manual_seed(3)
    g.normal(5)
    other = again(g)
    assert np.array_equal(g.normal(20), other.normal(20))


def test_errors():
    g = torch.Generator()
    with pytest.raises(RuntimeError, match="size 5056"):
        g.set_state(torch.zeros(5, dtype=torch.uint8))
    with pytest.raises(TypeError, match="ByteTensor"):
        g.set_state(torch.zeros(5056))
    with pytest.raises(RuntimeError, match="Invalid mt19937 state"):
        g.set_state(torch.zeros(5056, dtype=torch.uint8))
    with pytest.raises(ValueError, match="Overflow"):
        g.manual_seed(2**64)
    with pytest.raises(RuntimeError, match="expected a long"):
        g.manual_seed(1.5)
    with pytest.raises(RuntimeError):
        torch.Generator("meta")


def test_seeds():
    g = torch.Generator()
    assert g.initial_seed() == 67280421310721
    assert g.manual_seed(-5).initial_seed() == 2**64 - 5
    assert g.seed() == g.initial_seed()
    assert torch.manual_seed(9) is torch.default_generator and torch.initial_seed() == 9


@pytest.mark.parametrize("mean, std", [(0.0, 1.0), (0.3, 1.7)])
def test_kernel_and_numpy_give_the_same_bits(mean, std):
    words = Generator().manual_seed(5).words32(1 << 14)
    by_kernel = normals32(lambda n: words[:n].copy(), len(words), mean, std)
    by_numpy = box_muller32(words_to_units(words.copy()), None, mean, std)
    assert np.array_equal(by_kernel, by_numpy)


def test_permutation_by_hand():
    g, twin = Generator().manual_seed(6), Generator().manual_seed(6)
    order = list(range(50))
    for i, step in enumerate(twin.words32(49) % np.arange(50, 1, -1)):
        order[i], order[i + step] = order[i + step], order[i]
    assert g.permutation(50).tolist() == order


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16])
def test_masks_are_bernoulli_draws(dtype):
    g, twin = Generator().manual_seed(7), Generator().manual_seed(7)
    assert np.array_equal(g.keep(1000, 0.3, 2.0, np.dtype(dtype)), twin.bernoulli(1000, 0.3) * dtype(2))
