"""KL between softened distributions; a frozen teacher kept outside the modules."""

import flambeau as torch
import flambeau.nn.functional as F
from flambeau import nn, optim


class Student(nn.Module):
    def __init__(self, teacher):
        super().__init__()
        self.net = nn.Linear(8, 5)
        self.teacher = [teacher]

    def forward(self, x):
        return self.net(x)


teacher = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 5)).eval().requires_grad_(False)
student = Student(teacher)
opt = optim.Adam(student.parameters(), 1e-3)
for step in range(8):
    x = torch.randn(32, 8)
    with torch.no_grad():
        soft = F.softmax(student.teacher[0](x) / 2, dim=1)
    loss = F.kl_div(F.log_softmax(student(x) / 2, dim=1), soft, reduction="batchmean") * 4
    opt.zero_grad()
    loss.backward()
    opt.step()
