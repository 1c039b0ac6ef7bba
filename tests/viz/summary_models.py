"""Models whose summaries are compared with those of torchinfo (tools/torchinfo_tables.py): `cases(torch)`."""


def cases(torch):
    """name -> (model, keyword arguments of `summary`)."""
    nn = torch.nn

    class Shared(nn.Module):
        def __init__(self):
            super().__init__()
            self.first = nn.Linear(8, 8)
            self.second = nn.Linear(8, 4)

        def forward(self, x):
            return self.second(torch.relu(self.first(self.first(x))))

    class Holders(nn.Module):
        def __init__(self):
            super().__init__()
            self.blocks = nn.ModuleList([nn.Linear(6, 6) for _ in range(2)])
            self.heads = nn.ModuleDict({"a": nn.Linear(6, 2), "b": nn.Sequential(nn.Linear(6, 3), nn.Tanh())})

        def forward(self, x):
            for block in self.blocks:
                x = block(x)
            return self.heads["a"](x), self.heads["b"](x)

    class Direct(nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = nn.Parameter(torch.ones(5))
            self.inner = nn.Linear(5, 5)

        def forward(self, x):
            return self.inner(x * self.scale)

    class Unused(nn.Module):
        def __init__(self):
            super().__init__()
            self.used = nn.Linear(3, 3)
            self.spare = nn.Linear(3, 100)

        def forward(self, x):
            return self.used(x)

    class Two(nn.Module):
        def __init__(self):
            super().__init__()
            self.left, self.right = nn.Linear(4, 3), nn.Linear(5, 3)

        def forward(self, left, right):
            return self.left(left) + self.right(right)

    class Deep(nn.Module):
        def __init__(self, levels):
            super().__init__()
            self.inner = Deep(levels - 1) if levels else nn.Linear(2, 2)
            self.act = nn.ReLU()

        def forward(self, x):
            return self.act(self.inner(x))

    class Tagger(nn.Module):
        def __init__(self, kind):
            super().__init__()
            self.recurrent = getattr(nn, kind)(6, 7, num_layers=2, batch_first=True, bidirectional=kind == "LSTM")
            self.out = nn.Linear(14 if kind == "LSTM" else 7, 3)

        def forward(self, x):
            return self.out(self.recurrent(x)[0][:, -1])

    class Block(nn.Module):
        def __init__(self, channels, stride=1):
            super().__init__()
            self.body = nn.Sequential(
                nn.Conv2d(channels, channels * stride, 3, stride, 1, bias=False), nn.BatchNorm2d(channels * stride),
                nn.ReLU(inplace=True), nn.Conv2d(channels * stride, channels * stride, 3, 1, 1, bias=False),
                nn.BatchNorm2d(channels * stride))  # fmt: skip
            self.skip = nn.Conv2d(channels, channels * stride, 1, stride) if stride > 1 else nn.Identity()

        def forward(self, x):
            return torch.relu(self.body(x) + self.skip(x))

    def frozen():
        model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4), nn.Linear(4, 1))
        model[0].requires_grad_(False)
        model[1].bias.requires_grad = False
        return model

    cnn = nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(8, 16, 3, groups=4),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(), nn.Linear(16, 10))  # fmt: skip
    mlp = nn.Sequential(nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 10))
    residual = nn.Sequential(nn.Conv2d(3, 8, 3), Block(8), Block(8, 2), nn.AvgPool2d(2), nn.Flatten(), nn.LazyLinear(5))
    every = ("input_size", "output_size", "num_params", "params_percent", "kernel_size", "mult_adds", "trainable")
    return {
        "mlp": (mlp, {"input_size": (32, 784)}),
        "no_input": (mlp, {}),
        "cnn": (cnn, {"input_size": (2, 3, 16, 16), "col_names": every, "col_width": 18}),
        "cnn_names": (cnn, {"input_size": (2, 3, 16, 16), "row_settings": ("var_names",)}),
        "cnn_ascii": (cnn, {"input_size": (2, 3, 16, 16), "row_settings": ("ascii_only", "depth", "var_names")}),
        "cnn_verbose": (cnn, {"input_size": (2, 3, 16, 16), "verbose": 2, "col_names": ("kernel_size", "num_params")}),
        "residual": (residual, {"input_size": (2, 3, 20, 20), "col_names": every}),
        "residual_flat": (residual, {"input_size": (2, 3, 20, 20), "depth": 1, "col_names": every}),
        "lstm": (Tagger("LSTM"), {"input_size": (4, 9, 6), "col_names": ("output_size", "num_params", "mult_adds")}),
        "gru": (Tagger("GRU"), {"input_size": (4, 9, 6), "col_names": ("output_size", "num_params", "mult_adds")}),
        "rnn": (Tagger("RNN"), {"input_size": (4, 9, 6), "col_names": ("output_size", "num_params", "mult_adds")}),
        "shared": (Shared(), {"input_size": (2, 8), "col_names": every}),
        "shared_hidden": (Shared(), {"input_size": (2, 8), "row_settings": ("depth", "hide_recursive_layers")}),
        "holders": (Holders(), {"input_size": (2, 6), "col_names": every}),
        "holders_no_input": (Holders(), {"row_settings": ("var_names", "depth")}),
        "direct": (Direct(), {"input_size": (2, 5)}),
        "unused": (Unused(), {"input_size": (2, 3), "col_names": every}),
        "two_tuple": (Two(), {"input_size": [(2, 4), (2, 5)]}),
        "two_dict": (Two(), {"input_data": {"right": torch.zeros(2, 5), "left": torch.zeros(2, 4)}}),
        "batch_dim": (mlp, {"input_size": (784,), "batch_dim": 0}),
        "deep": (Deep(6), {"input_size": (1, 2), "depth": 10}),
        "frozen": (frozen(), {"input_size": (1, 4), "col_names": every}),
        "conv1d": (nn.Sequential(nn.Conv1d(2, 4, 5, dilation=2), nn.GELU()), {"input_size": (3, 2, 30)}),
        "conv3d": (nn.Conv3d(2, 4, (1, 2, 3)), {"input_size": (1, 2, 4, 5, 6), "col_names": every}),
    }
