"""FB-GRAD-03, 04, 06: the cut that is named is the one that cut; numbers that are drawn have no gradient."""

import pytest
from checks.cases import Mistake, check, correct

CUTS = [
    Mistake("FB-GRAD-03", """
net = nn.Linear(4, 3)
def wrong(out, y):
    return 1 - (out.argmax(1) == y).float().mean()
loss = wrong(net(torch.randn(5, 4)), torch.zeros(5).long())
loss.backward()  # HERE
""", "argmax/compare/cast", says=("`out.argmax(1) == y` on line 3",)),
    Mistake("FB-GRAD-03", """
net = nn.Linear(4, 3)
def error(a, b):
    return ((a.detach().numpy() - b.numpy()) ** 2).mean()
loss = torch.tensor(error(net(torch.randn(5, 4)), torch.zeros(5, 3)))
loss.backward()  # HERE
""", "numpy", [("((a.detach().numpy() - b.numpy()) ** 2).mean()", "((a - b) ** 2).mean()"),
               ("torch.tensor(error(net(torch.randn(5, 4)), torch.zeros(5, 3)))",
                "error(net(torch.randn(5, 4)), torch.zeros(5, 3))")]),
]  # fmt: skip


@pytest.mark.parametrize("mistake", CUTS, ids=lambda m: m.cause)
def test_the_right_cut_is_named(mistake):
    check(mistake)


MODEL = """
mu, spread, dec = nn.Linear(4, 2), nn.Linear(4, 2), nn.Linear(2, 4)
opt = optim.Adam([*mu.parameters(), *spread.parameters(), *dec.parameters()])
"""
DRAWN = [
    Mistake("FB-GRAD-06", MODEL + """
for _ in range(4):
    x = torch.randn(8, 4)
    m, s = mu(x), spread(x).exp()
    z = torch.normal(m, s)  # HERE
    loss = F.mse_loss(dec(z), x)
    opt.zero_grad(); loss.backward(); opt.step()
""", "normal", [("torch.normal(m, s)", "m + s * torch.randn_like(m)")]),
    Mistake("FB-GRAD-04", MODEL + """
from flambeau.distributions import Normal
for _ in range(4):
    x = torch.randn(8, 4)
    z = Normal(mu(x), spread(x).exp()).sample()  # HERE
    loss = F.mse_loss(dec(z), x)
    opt.zero_grad(); loss.backward(); opt.step()
""", "cut", [(".sample()", ".rsample()")]),
    Mistake("FB-GRAD-06", """
net, head = nn.Linear(4, 2), nn.Linear(2, 1)
opt = optim.SGD([*net.parameters(), *head.parameters()], 0.1)
for _ in range(4):
    p = net(torch.randn(6, 4)).sigmoid()
    b = torch.bernoulli(p)  # HERE
    opt.zero_grad(); head(b).pow(2).mean().backward(); opt.step()
""", "bernoulli", [("b = torch.bernoulli(p)", "b = p + (torch.bernoulli(p) - p).detach()",
                    "p + (torch.bernoulli(p) - p).detach()")]),
    Mistake("FB-GRAD-03", """
policy = nn.Linear(4, 2)
action = torch.distributions.Categorical(policy(torch.randn(5, 4)).softmax(1)).sample()
loss = -(action.float() * torch.ones(5)).mean()
loss.backward()  # HERE
""", "sample", says=("`.sample()` on line 2",)),
]  # fmt: skip


@pytest.mark.parametrize("mistake", DRAWN, ids=lambda m: f"{m.code} {m.cause}")
def test_numbers_that_are_drawn(mistake):
    check(mistake)


def test_samples_that_may_be_drawn():
    correct(
        MODEL
        + """
critic = nn.Linear(6, 1)
second = optim.Adam(critic.parameters())
for _ in range(4):
    x = torch.randn(8, 4)
    dist = torch.distributions.Normal(mu(x), spread(x).exp())
    action = dist.sample()
    value = critic(torch.cat([x, action], 1))
    second.zero_grad(); value.pow(2).mean().backward(); second.step()
    loss = -(dist.log_prob(action) * value.detach()).mean() + dec(dist.rsample()).pow(2).mean()
    opt.zero_grad(); loss.backward(); opt.step()
"""
    )
