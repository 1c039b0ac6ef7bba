"""The older pair: log_softmax in the model, NLLLoss outside."""

import flambeau as torch
import flambeau.nn.functional as F
from flambeau import nn, optim


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(16, 32), nn.Linear(32, 4)

    def forward(self, x):
        x = F.relu(self.fc1(x.view(-1, 16)))
        x = F.dropout(x, training=self.training)
        return F.log_softmax(self.fc2(x), dim=1)


net = Net()
opt = optim.SGD(net.parameters(), lr=0.01, momentum=0.5)
for epoch in range(2):
    net.train()
    for _ in range(5):
        opt.zero_grad()
        F.nll_loss(net(torch.randn(32, 4, 4)), torch.randint(0, 4, (32,))).backward()
        opt.step()
    net.eval()
    test_loss = 0
    with torch.no_grad():
        for _ in range(3):
            out = net(torch.randn(32, 4, 4))
            y = torch.randint(0, 4, (32,))
            test_loss += F.nll_loss(out, y, reduction="sum").item()
            right = out.argmax(dim=1, keepdim=True).eq(y.view(-1, 1)).sum().item()
