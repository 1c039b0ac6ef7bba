"""Parameter groups, state dicts, hooks, closures, dtypes and error messages of optimizers."""

import copy
import gc
import pickle

import numpy as np
import pytest

import flambeau as torch
from flambeau.optim.optimizer import register_optimizer_step_post_hook, register_optimizer_step_pre_hook

nn, optim = torch.nn, torch.optim
ALL = "SGD Adam AdamW Adamax NAdam RAdam Adagrad Adadelta RMSprop Rprop ASGD Adafactor Muon".split()


def parameter(*shape, dtype=None):
    p = nn.Parameter(torch.ones(*(shape or (2, 2)), dtype=dtype))
    p.grad = torch.full_like(p.detach(), 0.5)
    return p


# ------------------------------------------------------------------ state and groups


STATE = {
    "SGD": [], "Adam": ["step", "exp_avg", "exp_avg_sq"], "AdamW": ["step", "exp_avg", "exp_avg_sq"],
    "Adamax": ["step", "exp_avg", "exp_inf"], "NAdam": ["step", "mu_product", "exp_avg", "exp_avg_sq"],
    "RAdam": ["step", "exp_avg", "exp_avg_sq"], "Adagrad": ["step", "sum"],
    "Adadelta": ["step", "square_avg", "acc_delta"], "RMSprop": ["step", "square_avg"],
    "Rprop": ["step", "prev", "step_size"], "ASGD": ["step", "eta", "mu", "ax"],
    "Adafactor": ["step", "row_var", "col_var"], "Muon": ["momentum_buffer"],
}  # fmt: skip


@pytest.mark.parametrize("name", ALL)
def test_state_dict_has_pytorchs_layout(name):
    p = parameter()
    optimizer = getattr(optim, name)([p])
    optimizer.step()
    saved = optimizer.state_dict()
    assert list(saved) == ["state", "param_groups"]
    assert list(saved["state"].get(0, {})) == STATE[name]
    assert list(saved["param_groups"][0])[-1] == "params" and saved["param_groups"][0]["params"] == [0]
    if "step" in STATE[name]:
        step = saved["state"][0]["step"]
        assert isinstance(step, torch.Tensor) and step.dtype is torch.float32 and step.shape == () and step == 1


def test_options_in_pytorchs_order():
    keys = list(optim.Adam([parameter()]).param_groups[0])
    assert keys == ["params", "lr", "betas", "eps", "weight_decay", "amsgrad", "maximize", "foreach", "capturable",
                    "differentiable", "fused", "decoupled_weight_decay"]  # fmt: skip


@pytest.mark.parametrize("name", ALL)
def test_resumed_training_is_the_same(name):
    def run(interrupted):
        torch.manual_seed(0)
        p = nn.Parameter(torch.randn(3, 2))
        optimizer = getattr(optim, name)([p])
        for step in range(6):
            if interrupted and step == 3:
                saved = pickle.loads(pickle.dumps(optimizer.state_dict()))
                optimizer = getattr(optim, name)([p])
                optimizer.load_state_dict(saved)
            p.grad = torch.sin(p.detach() * (step + 1))
            optimizer.step()
        return p.detach().numpy()

    np.testing.assert_array_equal(run(False), run(True))


def test_state_is_cast_to_the_parameter():
    p = parameter(2, dtype=torch.float64)
    optimizer = optim.Adam([p])
    optimizer.step()
    q = nn.Parameter(torch.ones(2))
    other = optim.Adam([q])
    other.load_state_dict(optimizer.state_dict())
    assert other.state[q]["exp_avg"].dtype is torch.float32
    assert other.state[q]["step"].dtype is torch.float32


def test_old_checkpoints():
    p = parameter(2)
    optimizer = optim.Adam([p])
    optimizer.step()
    saved = optimizer.state_dict()
    saved["state"][0]["step"] = 5
    del saved["param_groups"][0]["fused"], saved["param_groups"][0]["decoupled_weight_decay"]
    optimizer.load_state_dict(saved)
    assert optimizer.state[p]["step"].item() == 5.0
    assert optimizer.param_groups[0]["fused"] is None
    optimizer.step()


def test_groups_have_their_own_options():
    w, b = parameter(), parameter()
    optimizer = optim.SGD([{"params": [w]}, {"params": b, "lr": 1.0}], lr=0.1)
    optimizer.add_param_group({"params": (c := parameter()), "lr": 0.0})
    optimizer.step()
    assert w[0, 0].item() == pytest.approx(0.95) and b[0, 0] == 0.5 and c[0, 0] == 1.0
    assert optimizer.state_dict()["param_groups"][1]["params"] == [1]
    assert len(optimizer.param_groups) == 3


def test_names():
    layer = nn.Linear(2, 2)
    optimizer = optim.Adam(layer.named_parameters())
    assert optimizer.param_groups[0]["param_names"] == ["weight", "bias"]
    plain = optim.Adam(layer.parameters())
    optimizer.load_state_dict(plain.state_dict())
    assert optimizer.param_groups[0]["param_names"] == ["weight", "bias"]


def test_repr():
    assert (
        repr(optim.SGD([parameter()], lr=0.1))
        == """SGD (
Parameter Group 0
    dampening: 0
    differentiable: False
    foreach: None
    fused: None
    lr: 0.1
    maximize: False
    momentum: 0
    nesterov: False
    weight_decay: 0
)"""
    )


def test_pickle_and_deepcopy():
    p = parameter()
    optimizer = optim.SGD([p], 0.1, momentum=0.9)
    optimizer.step()
    for again in (copy.deepcopy(optimizer), pickle.loads(pickle.dumps(optimizer))):
        (q,) = again.param_groups[0]["params"]
        assert q is not p
        q.grad = torch.zeros(2, 2)
        again.step()
        assert q[0, 0].item() == pytest.approx(0.95 - 0.1 * 0.9 * 0.5)


# ------------------------------------------------------------------ steps


@pytest.mark.parametrize("name", ALL)
def test_large_parameters_in_blocks(name):
    """More elements than one block: every element moves as in a small tensor."""
    rows = 300 if name in ("Adafactor", "Muon") else 1
    large, small = parameter(rows, 60_000 // rows), parameter(rows, 60_000 // rows)
    if name in ("Adafactor", "Muon"):
        getattr(optim, name)([large]).step()
        assert torch.isfinite(large).all() and not (large == 1).any()
        return
    small = parameter(1, 10)
    for p in (large, small):
        optimizer = getattr(optim, name)([p])
        optimizer.step()
        optimizer.step()
    assert (large == small[0, 0]).all()
    assert large._version >= 2


@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "complex64"])
@pytest.mark.parametrize("name", ["SGD", "Adam", "RMSprop", "Rprop", "Adagrad"])
def test_other_dtypes(name, dtype):
    p = parameter(2, 3, dtype=getattr(torch, dtype))
    optimizer = getattr(optim, name)([p], lr=0.1)
    optimizer.step()
    assert p.dtype is getattr(torch, dtype) and bool((p != 1).any())
    for kept in optimizer.state[p].values():
        assert kept.dtype in (p.dtype, torch.float32)


def test_transposed_parameters():
    base = torch.ones(3, 2)
    p = base.t().requires_grad_()
    p.grad = torch.arange(6.0).view(2, 3)
    optim.Adam([p], lr=0.1).step()
    np.testing.assert_allclose(p.detach().numpy(), [[1, 0.9, 0.9], [0.9, 0.9, 0.9]], rtol=1e-6)
    np.testing.assert_array_equal(base.numpy(), p.detach().numpy().T)


def test_tensor_and_numpy_options():
    for lr in (torch.tensor(0.1), np.float64(0.1)):
        p = parameter(2)
        optim.Adam([p], lr=lr).step()
        assert p.dtype is torch.float32 and p[0].item() == pytest.approx(0.9)
    p = parameter(2)
    optim.Adam([p], lr=0.1, betas=(torch.tensor(0.9), torch.tensor(0.999))).step()
    assert p[0].item() == pytest.approx(0.9)


def test_closure_runs_with_gradients_and_its_result_is_returned():
    p = parameter(2)
    optimizer = optim.SGD([p], lr=0.1)

    def closure():
        optimizer.zero_grad()
        loss = (p * p).sum()
        loss.backward()
        return loss

    with torch.no_grad():
        assert optimizer.step(closure).item() == 2.0
    np.testing.assert_allclose(p.detach().numpy(), [0.8, 0.8])


def test_zero_grad():
    p, frozen = parameter(2), nn.Parameter(torch.ones(1))
    optimizer = optim.SGD([p, frozen], lr=0.1)
    g = p.grad
    optimizer.zero_grad(set_to_none=False)
    assert p.grad is g and (g == 0).all()
    optimizer.zero_grad()
    assert p.grad is None
    optimizer.step()  # nothing to do


def test_differentiable_step():
    """d loss(p - lr g) / d lr = -g · loss'(p - lr g): a learning rate can be learned."""
    lr = torch.tensor(0.1, requires_grad=True)
    p = torch.ones(2, requires_grad=True).clone()
    p.grad = torch.tensor([1.0, 2.0])
    optim.SGD([p], lr=lr, differentiable=True).step()
    (p**2).sum().backward()
    assert lr.grad.item() == pytest.approx(-2 * 0.9 * 1 - 2 * 0.8 * 2)

    start = torch.ones(3, requires_grad=True)
    q = start.clone()
    optimizer = optim.Adam([q], lr=0.1, differentiable=True)
    for g in (1.0, -2.0):
        q.grad = torch.full((3,), g) * start
        optimizer.step()
    q.sum().backward()
    assert torch.isfinite(start.grad).all()
    with pytest.raises(RuntimeError, match="a leaf Variable that requires grad"):
        optim.SGD([parameter()], differentiable=True).step()


def test_stepping_leaves_no_garbage():
    p = parameter(10)
    optimizer = optim.Adam([p])
    optimizer.step()
    gc.collect()
    before = len(gc.get_objects())
    for _ in range(100):
        optimizer.step()
    assert len(gc.get_objects()) - before < 50


def test_sparse_adam_refuses_dense_gradients():
    with pytest.raises(RuntimeError, match="does not support dense gradients, please consider Adam instead"):
        optim.SparseAdam([parameter()]).step()


def test_swapped_in_parameters():
    p, other = parameter(1), parameter(1)
    optimizer = optim.Adam([p], lr=0.1)
    optimizer.step()
    state = copy.deepcopy(optimizer.state_dict())
    with optim.swap_in_optimizer_params_and_state(optimizer, {"p": other}, state):
        optimizer.step()
    assert p.item() == pytest.approx(0.9) and other.item() == pytest.approx(0.9)
    assert optimizer.state[p]["step"] == 1 and state["state"][0]["step"] == 2


# ------------------------------------------------------------------ hooks


def test_step_hooks():
    seen = []
    optimizer = optim.SGD([parameter()], lr=0.1)
    handles = [
        optimizer.register_step_pre_hook(lambda o, args, kwargs: seen.append("pre")),
        optimizer.register_step_post_hook(lambda o, args, kwargs: seen.append("post")),
        register_optimizer_step_pre_hook(lambda o, args, kwargs: seen.append("all pre")),
        register_optimizer_step_post_hook(lambda o, args, kwargs: seen.append("all post")),
    ]
    optimizer.step()
    assert seen == ["all pre", "pre", "post", "all post"]
    for handle in handles:
        handle.remove()
    optimizer.step()
    assert len(seen) == 4


def test_hooks_run_once_in_subclasses():
    class Mine(optim.SGD):
        def step(self, closure=None):
            return super().step(closure)

    seen = []
    optimizer = Mine([parameter()], lr=0.1)
    optimizer.register_step_pre_hook(lambda o, args, kwargs: seen.append(1))
    optimizer.step()
    assert seen == [1]


def test_pre_hook_may_replace_the_arguments():
    optimizer = optim.SGD([parameter()], lr=0.1)
    optimizer.register_step_pre_hook(lambda o, args, kwargs: ((o, lambda: 7), kwargs))
    assert optimizer.step() == 7
    wrong = optim.SGD([parameter()], lr=0.1)
    wrong.register_step_pre_hook(lambda o, args, kwargs: 3)
    with pytest.raises(RuntimeError, match=r"must return None or a tuple of \(new_args, new_kwargs\), but got 3"):
        wrong.step()


def test_state_dict_hooks():
    seen = []
    optimizer = optim.SGD([parameter()], lr=0.1)
    optimizer.register_state_dict_pre_hook(lambda o: seen.append("save"))
    optimizer.register_state_dict_post_hook(lambda o, state: {**state, "extra": 1})
    optimizer.register_load_state_dict_pre_hook(lambda o, state: seen.append("load"))
    optimizer.register_load_state_dict_post_hook(lambda o: seen.append("loaded"))
    saved = optimizer.state_dict()
    assert saved["extra"] == 1
    optimizer.load_state_dict(saved)
    assert seen == ["save", "load", "loaded"]


# ------------------------------------------------------------------ errors


def groups(*params):
    return [{"params": [p]} for p in params]


p1 = nn.Parameter(torch.ones(1, 1))


@pytest.mark.parametrize("name", [*ALL, "LBFGS", "SparseAdam"])
def test_wrong_parameters(name):
    make = getattr(optim, name)
    with pytest.raises(TypeError, match="should be an iterable of Tensors or dicts, but got torch.FloatTensor"):
        make(torch.ones(2))
    with pytest.raises(ValueError, match="optimizer got an empty parameter list"):
        make([])
    with pytest.raises(TypeError, match="can only optimize Tensors, but one of the params is str"):
        make(["a"])
    with pytest.raises(ValueError, match="can't optimize a non-leaf Tensor"):
        make([p1 * 2])
    with pytest.raises(ValueError, match="appear in more than one parameter group"):
        make(groups(p1, p1))
    with pytest.raises(TypeError, match="need to be organized in ordered collections"):
        make([{"params": {p1}}])
    with pytest.raises(ValueError, match="Some param names are missing"):
        make([("a", p1), parameter(1, 1)])
    with pytest.raises(ValueError, match="Tensor lr must be 1-element"):
        make([p1], lr=torch.ones(2))
    with pytest.raises(ValueError, match="(Invalid learning rate|Learning rate should be >= 0 but is): -1"):
        make([p1], lr=-1.0)
    with pytest.warns(UserWarning, match="duplicate parameters"):
        make([p1, p1])


@pytest.mark.parametrize(
    "name, options, message",
    [
        ("SGD", dict(momentum=-1), "Invalid momentum value: -1"),
        ("SGD", dict(nesterov=True), "Nesterov momentum requires a momentum and zero dampening"),
        ("Adam", dict(betas=(1.0, 0.0)), "Invalid beta parameter at index 0: 1.0"),
        ("Adam", dict(eps=-1), "Invalid epsilon value: -1"),
        ("Adam", dict(weight_decay=-1), "Invalid weight_decay value: -1"),
        ("Adam", dict(betas=(0.9, torch.tensor(0.9))), "betas must be either both floats or both Tensors"),
        ("Adam", dict(lr=torch.tensor(0.1), foreach=True), "lr as a Tensor is not supported for capturable=False"),
        ("NAdam", dict(momentum_decay=-0.2), "Invalid momentum_decay value: -0.2"),
        ("Adagrad", dict(lr_decay=-0.5), "Invalid lr_decay value: -0.5"),
        ("Adadelta", dict(rho=1.1), "Invalid rho value: 1.1"),
        ("RMSprop", dict(alpha=-1), "Invalid alpha value: -1"),
        ("Rprop", dict(etas=(1.5, 1.2)), "Invalid eta values: 1.5, 1.2"),
        ("Adafactor", dict(d=0.0), "Clipping threshold d should be >= 1 but is: 0.0"),
        ("Adafactor", dict(beta2_decay=0.8), "beta2_decay should be <= 0 but is: 0.8"),
        ("Muon", dict(adjust_lr_fn="x"), "Adjust learning rate function x is not supported"),
    ],
)
def test_wrong_options(name, options, message):
    with pytest.raises(ValueError, match=message):
        getattr(optim, name)([p1], **options)


def test_options_that_exclude_each_other():
    with pytest.raises(RuntimeError, match="`fused` and `foreach` cannot be `True` together"):
        optim.Adam([p1], fused=True, foreach=True)
    with pytest.raises(RuntimeError, match="`fused` does not support `differentiable`"):
        optim.SGD([p1], fused=True, differentiable=True)


def test_wrong_groups_and_states():
    optimizer = optim.SGD([parameter()], lr=0.1)
    with pytest.raises(TypeError, match="param_group must be a dict"):
        optimizer.add_param_group([parameter()])
    with pytest.raises(ValueError, match="different number of parameter groups"):
        optimizer.load_state_dict(optim.SGD(groups(parameter(), parameter()), 0.1).state_dict())
    with pytest.raises(ValueError, match="doesn't match the size of optimizer's group"):
        optimizer.load_state_dict(optim.SGD([parameter(), parameter()], 0.1).state_dict())
    with pytest.raises(ValueError, match="should be with/without names"):
        optimizer.add_param_group({"params": [("x", parameter())]})


def test_matrices_and_real_numbers_only():
    with pytest.raises(ValueError, match="Muon only supports 2D parameters"):
        optim.Muon([parameter(3)])
    for name in ("Muon", "Adafactor"):
        with pytest.raises(RuntimeError, match=f"{name} does not support complex parameters"):
            getattr(optim, name)([parameter(2, 2, dtype=torch.complex64)]).step()


def test_base_class():
    with pytest.raises(NotImplementedError):
        optim.Optimizer([p1], {}).step()


# ------------------------------------------------------------------ L-BFGS


def rosenbrock(x):
    return (1 - x[0]) ** 2 + 100 * (x[1] - x[0] ** 2) ** 2


@pytest.mark.parametrize("options", [dict(line_search_fn="strong_wolfe"), dict(lr=0.1, max_iter=300)])
def test_lbfgs_finds_the_minimum(options):
    x = nn.Parameter(torch.tensor([-0.5, 1.0], dtype=torch.float64))
    optimizer = optim.LBFGS([x], **options)

    def closure():
        optimizer.zero_grad()
        loss = rosenbrock(x)
        loss.backward()
        return loss

    for _ in range(5):
        optimizer.step(closure)
    np.testing.assert_allclose(x.detach().numpy(), [1, 1], rtol=1e-3)
    kept = optimizer.state_dict()["state"][0]
    assert {"func_evals", "n_iter", "d", "t", "old_dirs", "old_stps", "ro", "H_diag", "prev_loss"} <= set(kept)


def test_lbfgs_errors():
    with pytest.raises(ValueError, match="doesn't support per-parameter options"):
        optim.LBFGS(groups(parameter(), parameter()))
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'closure'"):
        optim.LBFGS([parameter()]).step()


def test_adagrad_shares_its_sums_with_forked_processes():
    p = nn.Parameter(torch.ones(3))
    optimizer = torch.optim.Adagrad([p])
    optimizer.share_memory()
    assert optimizer.state[p]["sum"].is_shared()
    p.grad = torch.ones(3)
    optimizer.step()
    assert optimizer.state[p]["sum"].is_shared() and optimizer.state[p]["sum"].tolist() == [1, 1, 1]
