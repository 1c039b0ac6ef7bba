"""Correct programs that detach, freeze, clip, penalise and reuse on purpose: nothing may be said of them."""

import pytest
from checks.cases import correct

PROGRAMS = {
    "gan_nonsaturating": """
G = nn.Sequential(nn.Linear(2, 8), nn.ReLU(), nn.Linear(8, 2))
D = nn.Sequential(nn.Linear(2, 8), nn.ReLU(), nn.Linear(8, 1))
og, od, bce = optim.Adam(G.parameters(), 1e-3), optim.Adam(D.parameters(), 1e-3), nn.BCEWithLogitsLoss()
for i in range(22):
    real = torch.randn(16, 2)
    with torch.no_grad():
        fake = G(torch.randn(16, 2))
    loss = bce(D(real), torch.ones(16, 1)) + bce(D(fake), torch.zeros(16, 1))
    od.zero_grad(); loss.backward(); od.step()
    loss = bce(D(G(torch.randn(16, 2))), torch.ones(16, 1))
    og.zero_grad(); loss.backward(); og.step()
""",
    "wgan_gp": """
C = nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 1)); G = nn.Linear(2, 2)
oc, og = optim.Adam(C.parameters(), 1e-3), optim.Adam(G.parameters(), 1e-3)
for i in range(10):
    for _ in range(3):
        real, fake = torch.randn(8, 2), G(torch.randn(8, 2)).detach()
        e = torch.rand(8, 1); mid = (e * real + (1 - e) * fake).requires_grad_()
        g = torch.autograd.grad(C(mid).sum(), mid, create_graph=True)[0]
        loss = C(fake).mean() - C(real).mean() + 10 * ((g.norm(dim=1) - 1) ** 2).mean()
        oc.zero_grad(); loss.backward(); oc.step()
        for p in C.parameters(): p.data.clamp_(-1, 1)
    loss = -C(G(torch.randn(8, 2))).mean()
    og.zero_grad(); loss.backward(); og.step()
""",
    "dqn": """
q = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 2)); target = copy.deepcopy(q); target.eval()
opt = optim.Adam(q.parameters(), 1e-3); replay = []
for i in range(40):
    s = torch.randn(4)
    a = q(s).argmax().item()
    replay.append((s, a, random.random(), torch.randn(4)))
    if len(replay) < 8: continue
    s, a, r, n = zip(*random.sample(replay, 8))
    s, a, r, n = torch.stack(s), torch.tensor(a), torch.tensor(r), torch.stack(n)
    value = q(s).gather(1, a[:, None])[:, 0]
    goal = r + 0.9 * target(n).max(1)[0].detach()
    loss = F.smooth_l1_loss(value, goal)
    opt.zero_grad(); loss.backward(); opt.step()
    for a, b in zip(target.parameters(), q.parameters()): a.data.copy_(0.99 * a.data + 0.01 * b.data)
""",
    "actor_critic": """
body, pi, v = nn.Linear(4, 16), nn.Linear(16, 2), nn.Linear(16, 1)
opt = optim.Adam([*body.parameters(), *pi.parameters(), *v.parameters()], 1e-3)
for episode in range(10):
    logp, values, rewards = [], [], []
    for t in range(6):
        h = torch.tanh(body(torch.randn(4)))
        dist = torch.distributions.Categorical(logits=pi(h))
        action = dist.sample()
        logp.append(dist.log_prob(action)); values.append(v(h)[0]); rewards.append(float(action))
    returns = torch.tensor(np.cumsum(rewards[::-1])[::-1].copy(), dtype=torch.float32)
    values = torch.stack(values)
    advantage = returns - values.detach()
    loss = -(torch.stack(logp) * advantage).mean() + F.mse_loss(values, returns)
    opt.zero_grad(); loss.backward(); opt.step()
""",
    "vq_vae": """
enc, dec, book = nn.Linear(4, 2), nn.Linear(2, 4), nn.Embedding(8, 2)
opt = optim.Adam([*enc.parameters(), *dec.parameters(), *book.parameters()], 1e-3)
for i in range(10):
    x = torch.randn(16, 4); z = enc(x)
    index = torch.cdist(z, book.weight).argmin(1)
    quantised = book(index)
    code = z + (quantised - z).detach()
    loss = F.mse_loss(dec(code), x) + F.mse_loss(quantised, z.detach()) + 0.25 * F.mse_loss(z, quantised.detach())
    opt.zero_grad(); loss.backward(); opt.step()
""",
    "byol": """
online = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 8)); predictor = nn.Linear(8, 8)
slow = copy.deepcopy(online)
for p in slow.parameters(): p.requires_grad_(False)
opt = optim.SGD([*online.parameters(), *predictor.parameters()], 0.05)
for i in range(10):
    a, b = torch.randn(8, 4), torch.randn(8, 4)
    loss = 2 - 2 * F.cosine_similarity(predictor(online(a)), slow(b)).mean()
    opt.zero_grad(); loss.backward(); opt.step()
    with torch.no_grad():
        for s, o in zip(slow.parameters(), online.parameters()): s.mul_(0.99).add_(0.01 * o)
""",
    "truncated_backpropagation": """
lstm, head = nn.LSTM(3, 8, batch_first=True), nn.Linear(8, 1)
opt = optim.Adam([*lstm.parameters(), *head.parameters()], 1e-3)
state = None
for i in range(12):
    x = torch.randn(4, 5, 3)
    out, state = lstm(x, state)
    state = tuple(s.detach() for s in state)
    loss = head(out).pow(2).mean()
    opt.zero_grad(); loss.backward(); opt.step()
""",
    "maml": """
net = nn.Linear(2, 1); opt = optim.Adam(net.parameters(), 1e-3)
for i in range(8):
    total = 0
    for task in range(3):
        x, y = torch.randn(8, 2), torch.randn(8, 1)
        inner = F.mse_loss(net(x), y)
        grads = torch.autograd.grad(inner, list(net.parameters()), create_graph=True)
        w, b = [p - 0.1 * g for p, g in zip(net.parameters(), grads)]
        total = total + F.mse_loss(F.linear(x, w, b), y)
    opt.zero_grad(); total.backward(); opt.step()
""",
    "adversarial_example": """
net = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3)); opt = optim.SGD(net.parameters(), 0.05)
for i in range(10):
    x, y = torch.randn(8, 4, requires_grad=True), torch.randint(0, 3, (8,))
    F.cross_entropy(net(x), y).backward()
    attacked = (x + 0.1 * x.grad.sign()).detach()
    opt.zero_grad()
    F.cross_entropy(net(attacked), y).backward()
    opt.step()
""",
    "style_image": """
net = nn.Conv2d(1, 2, 3)
for p in net.parameters(): p.requires_grad_(False)
image = torch.rand(1, 1, 8, 8).requires_grad_(); goal = net(torch.rand(1, 1, 8, 8)).detach()
opt = optim.LBFGS([image], max_iter=4)
for i in range(6):
    def closure():
        image.data.clamp_(0, 1)
        opt.zero_grad(); loss = F.mse_loss(net(image), goal); loss.backward()
        return loss
    opt.step(closure)
""",
    "two_losses_one_graph": """
enc, a, b = nn.Linear(4, 4), nn.Linear(4, 1), nn.Linear(4, 1)
opt = optim.SGD([*enc.parameters(), *a.parameters(), *b.parameters()], 0.05)
for i in range(10):
    h = enc(torch.randn(8, 4)).tanh()
    first, second = a(h).pow(2).mean(), (b(h) - 1).pow(2).mean()
    opt.zero_grad(); first.backward(retain_graph=True); second.backward(); opt.step()
""",
    "accumulated_gradients": """
net = nn.Linear(4, 1); opt = optim.SGD(net.parameters(), 0.05); history = []
for epoch in range(3):
    running = 0.0
    for i in range(8):
        loss = net(torch.randn(8, 4)).pow(2).mean() / 4
        loss.backward()
        running += loss.item()
        if i % 4 == 3: opt.step(); opt.zero_grad()
    history.append(running / 8)
""",
    "by_hand": """
w = torch.randn(3, 1, requires_grad=True); b = torch.zeros(1, requires_grad=True)
x = torch.randn(16, 3); y = x.sum(1, keepdim=True)
for i in range(20):
    loss = ((x @ w + b - y) ** 2).mean()
    loss.backward()
    with torch.no_grad():
        for p in (w, b):
            p -= 0.05 * p.grad
            p.grad.zero_()
""",
    "by_hand_with_data": """
w = torch.randn(3, requires_grad=True)
for i in range(20):
    loss = (w - 1).pow(2).sum()
    loss.backward()
    w.data -= 0.1 * w.grad.data
    w.grad = None
""",
    "checkpoint": """
from flambeau.utils.checkpoint import checkpoint
a, b = nn.Sequential(nn.Linear(4, 8), nn.Tanh()), nn.Linear(8, 1)
opt = optim.SGD([*a.parameters(), *b.parameters()], 0.05)
for i in range(6):
    h = checkpoint(a, torch.randn(8, 4), use_reentrant=False)
    loss = b(h).pow(2).mean()
    opt.zero_grad(); loss.backward(); opt.step()
""",
    "evaluation_between": """
net = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3)); opt = optim.Adam(net.parameters(), 1e-3)
best, losses = float("inf"), []
for epoch in range(4):
    net.train()
    for i in range(5):
        x, y = torch.randn(8, 4), torch.randint(0, 3, (8,))
        out = net(x); loss = F.cross_entropy(out, y)
        opt.zero_grad(); loss.backward(); opt.step()
        losses.append(float(loss)); accuracy = (out.argmax(1) == y).float().mean().item()
    net.eval()
    with torch.no_grad():
        outputs = [net(torch.randn(8, 4)) for _ in range(8)]
        best = min(best, torch.cat(outputs).pow(2).mean().item())
""",
    "gradient_reversal": """
class Reverse(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x): return x.view_as(x)
    @staticmethod
    def backward(ctx, g): return -0.5 * g
enc, domain = nn.Linear(4, 4), nn.Linear(4, 1); opt = optim.SGD([*enc.parameters(), *domain.parameters()], 0.05)
for i in range(5):
    loss = F.binary_cross_entropy_with_logits(domain(Reverse.apply(enc(torch.randn(8, 4)))), torch.ones(8, 1))
    opt.zero_grad(); loss.backward(); opt.step()
""",
    "causal_attention": """
attention = nn.MultiheadAttention(8, 2, batch_first=True); opt = optim.Adam(attention.parameters(), 1e-3)
mask = torch.triu(torch.full((5, 5), float("-inf")), diagonal=1)
for i in range(5):
    x = torch.randn(2, 5, 8)
    out, weights = attention(x, x, x, attn_mask=mask)
    loss = out.pow(2).mean()
    opt.zero_grad(); loss.backward(); opt.step()
    print(weights[0])
""",
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_nothing_to_say(name):
    correct(PROGRAMS[name])
