"""Dict batches, accumulation, parameter groups, warm-up: a classifier of texts."""

import math

import flambeau as torch
from flambeau import nn
from flambeau.optim.lr_scheduler import LambdaLR
from flambeau.utils.data import DataLoader, Dataset

torch.manual_seed(42)


class Reviews(Dataset):
    def __init__(self, n, vocab=120, longest=24):
        g = torch.Generator().manual_seed(n)
        self.rows = []
        for _ in range(n):
            length = int(torch.randint(6, longest, (1,), generator=g))
            ids = torch.randint(2, vocab, (length,), generator=g).tolist()
            self.rows.append({"input_ids": ids, "label": int(sum(ids) / length > vocab / 2)})

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, i):
        return self.rows[i]


def collate(features):
    longest = max(len(f["input_ids"]) for f in features)
    batch = {"input_ids": [], "attention_mask": [], "labels": []}
    for f in features:
        pad = longest - len(f["input_ids"])
        batch["input_ids"].append(f["input_ids"] + [0] * pad)
        batch["attention_mask"].append([1] * len(f["input_ids"]) + [0] * pad)
        batch["labels"].append(f["label"])
    return {k: torch.tensor(v) for k, v in batch.items()}


class Out(dict):
    __getattr__ = dict.__getitem__


class Classifier(nn.Module):
    def __init__(self, vocab=120, d=32, heads=4, layers=2, labels=2):
        super().__init__()
        self.word = nn.Embedding(vocab, d, padding_idx=0)
        self.pos = nn.Embedding(64, d)
        self.register_buffer("position_ids", torch.arange(64).expand((1, -1)), persistent=False)
        self.ln = nn.LayerNorm(d)
        self.encoder = nn.TransformerEncoder(
            nn.TransformerEncoderLayer(d, heads, 64, 0.1, batch_first=True, norm_first=True),
            layers,
            enable_nested_tensor=False,
        )
        self.pooler = nn.Linear(d, d)
        self.drop = nn.Dropout(0.1)
        self.head = nn.Linear(d, labels)
        self.apply(self._init)

    def _init(self, m):
        if isinstance(m, nn.Linear):
            m.weight.data.normal_(mean=0.0, std=0.05)
            if m.bias is not None:
                m.bias.data.zero_()
        elif isinstance(m, nn.Embedding):
            m.weight.data.normal_(0.0, 0.05)
            if m.padding_idx is not None:
                m.weight.data[m.padding_idx].zero_()

    def forward(self, input_ids=None, attention_mask=None, labels=None):
        h = self.ln(self.word(input_ids) + self.pos(self.position_ids[:, : input_ids.size(1)]))
        h = self.encoder(h, src_key_padding_mask=attention_mask == 0)
        pooled = torch.tanh(self.pooler(h[:, 0]))
        logits = self.head(self.drop(pooled))
        loss = None
        if labels is not None:
            loss = nn.CrossEntropyLoss()(logits.view(-1, logits.size(-1)), labels.view(-1))
        return Out(loss=loss, logits=logits)


device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
train, dev = Reviews(160), Reviews(41)
train_loader = DataLoader(train, batch_size=8, shuffle=True, collate_fn=collate)
dev_loader = DataLoader(dev, batch_size=16, collate_fn=collate)
model = Classifier().to(device)
no_decay = ["bias", "ln.weight", "norm"]
groups = [
    {"params": [p for n, p in model.named_parameters() if not any(x in n for x in no_decay)], "weight_decay": 0.01},
    {"params": [p for n, p in model.named_parameters() if any(x in n for x in no_decay)], "weight_decay": 0.0},
]
opt = torch.optim.AdamW(groups, lr=1e-3)
accum, epochs = 4, 3
total = math.ceil(len(train_loader) / accum) * epochs
sched = LambdaLR(opt, lambda s: s / 3 if s < 3 else max(0.0, (total - s) / (total - 3)))
model.zero_grad()
gs = 0
for epoch in range(epochs):
    model.train()
    running = 0.0
    for step, batch in enumerate(train_loader):
        batch = {k: v.to(device) for k, v in batch.items()}
        out = model(**batch)
        loss = out.loss / accum
        loss.backward()
        running += loss.item()
        if (step + 1) % accum == 0 or step + 1 == len(train_loader):
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            opt.step()
            sched.step()
            model.zero_grad()
            gs += 1
    model.eval()
    preds, labels, dl = None, None, 0.0
    for batch in dev_loader:
        batch = {k: v.to(device) for k, v in batch.items()}
        with torch.no_grad():
            out = model(**batch)
        dl += out.loss.mean().item()
        logits = out.logits.detach().cpu()
        preds = logits if preds is None else torch.cat([preds, logits])
        labels = batch["labels"] if labels is None else torch.cat([labels, batch["labels"]])
    acc = (preds.argmax(dim=-1) == labels).float().mean().item()
    print(f"{epoch} {gs} {running:.4f} {dl / len(dev_loader):.4f} {acc:.3f} {sched.get_last_lr()[0]:.6f}")
