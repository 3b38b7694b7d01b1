"""Training machinery: accumulation, discriminative rates, frozen parts, a rate finder, scalers that are off, a Trainer class."""
import logging
import math
import sys
import time
from contextlib import nullcontext
import torch
from torch import nn, optim
from torch.utils.data import DataLoader, TensorDataset

logging.basicConfig(stream=sys.stdout, level=logging.INFO, format="%(levelname)s:%(name)s:%(message)s")
log = logging.getLogger("train")
torch.manual_seed(1234)
if torch.cuda.is_available():
    torch.cuda.manual_seed_all(1234)
torch.backends.cudnn.deterministic = True
torch.backends.cudnn.benchmark = False
device = torch.device("cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu")
log.info("device %s", device)
X = torch.randn(96, 8)
y = (X[:, :4].sum(1) * X[:, 4] > 0).long()
train_loader = DataLoader(TensorDataset(X[:64], y[:64]), batch_size=8, shuffle=True, pin_memory=torch.cuda.is_available(), num_workers=0, drop_last=True)
val_loader = DataLoader(TensorDataset(X[64:], y[64:]), batch_size=16)


class Backbone(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(8, 32), nn.ReLU(inplace=True), nn.Linear(32, 16), nn.ReLU(inplace=True))
        self.fc = nn.Linear(16, 10)

    def forward(self, x):
        return self.fc(self.body(x))


model = Backbone()
for p in model.parameters():
    p.requires_grad_(False)
num_ftrs = model.fc.in_features
model.fc = nn.Sequential(nn.Dropout(0.1), nn.Linear(num_ftrs, 2))
model = model.to(device)
log.info("trainable %d of %d", sum(p.numel() for p in model.parameters() if p.requires_grad), sum(p.numel() for p in model.parameters()))
print(model)


class Trainer:
    def __init__(self, model, optimizer, scheduler=None, accumulate=1, use_amp=False):
        self.model, self.optimizer, self.scheduler, self.accumulate = model, optimizer, scheduler, accumulate
        self.criterion = nn.CrossEntropyLoss().to(device)
        self.scaler = torch.amp.GradScaler("cuda", enabled=use_amp)
        self.autocast = torch.autocast(device_type=device.type, dtype=torch.float16) if use_amp else nullcontext()
        self.best = math.inf

    def train_epoch(self):
        self.model.train()
        running, steps = 0.0, 0
        self.optimizer.zero_grad(set_to_none=True)
        for i, (inputs, labels) in enumerate(train_loader):
            inputs, labels = inputs.to(device, non_blocking=True), labels.to(device, non_blocking=True)
            with self.autocast:
                loss = self.criterion(self.model(inputs), labels) / self.accumulate
            self.scaler.scale(loss).backward()
            if (i + 1) % self.accumulate == 0 or i + 1 == len(train_loader):
                self.scaler.unscale_(self.optimizer)
                nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
                self.scaler.step(self.optimizer)
                self.scaler.update()
                self.optimizer.zero_grad(set_to_none=True)
                steps += 1
                if self.scheduler is not None:
                    self.scheduler.step()
            running += loss.item() * self.accumulate
        return running / len(train_loader), steps

    @torch.no_grad()
    def evaluate(self):
        self.model.eval()
        correct, total, loss = 0, 0, 0.0
        for inputs, labels in val_loader:
            outputs = self.model(inputs)
            loss += self.criterion(outputs, labels).item() * inputs.size(0)
            _, predicted = torch.max(outputs.data, 1)
            total += labels.size(0)
            correct += (predicted == labels).sum().item()
        return loss / total, 100 * correct / total

    def fit(self, epochs):
        since = time.time()
        for epoch in range(epochs):
            train_loss, steps = self.train_epoch()
            val_loss, acc = self.evaluate()
            self.best = min(self.best, val_loss)
            lrs = ", ".join(f"{g['lr']:.2e}" for g in self.optimizer.param_groups)
            print(f"Epoch {epoch}/{epochs - 1} train {train_loss:.4f} val {val_loss:.4f} Acc {acc:.2f} % steps {steps} lr [{lrs}]")
        elapsed = time.time() - since
        print("Training complete" if elapsed >= 0 else "", f"best {self.best:.4f}")


Trainer(model, optim.SGD(model.fc.parameters(), lr=0.05, momentum=0.9)).fit(3)
for p in model.body.parameters():
    p.requires_grad = True
groups = [{"params": model.body.parameters(), "lr": 1e-3}, {"params": model.fc.parameters(), "lr": 1e-2}]
opt = optim.AdamW(groups, lr=1e-3, weight_decay=1e-2)
sched = optim.lr_scheduler.OneCycleLR(opt, max_lr=[1e-2, 5e-2], total_steps=12)
Trainer(model, opt, sched, accumulate=2).fit(3)
finder = nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, 2))
opt = optim.SGD(finder.parameters(), lr=1e-4)
lrs, losses, smooth = [], [], 0.0
for i, (xb, yb) in enumerate(train_loader, start=1):
    lr = 1e-4 * (10 ** (i / 2))
    for g in opt.param_groups:
        g["lr"] = lr
    loss = nn.functional.cross_entropy(finder(xb), yb)
    opt.zero_grad(); loss.backward(); opt.step()
    smooth = 0.9 * smooth + 0.1 * loss.item()
    lrs.append(lr); losses.append(smooth / (1 - 0.9**i))
print(["%.1e" % l for l in lrs], ["%.4f" % l for l in losses])
print(opt.state_dict()["param_groups"], model.fc[1].weight.requires_grad, model.training)
big, parts = nn.Linear(8, 2), None
(nn.functional.cross_entropy(big(X[:32]), y[:32])).backward()
whole = big.weight.grad.clone()
big.zero_grad()
for xb, yb in zip(X[:32].chunk(4), y[:32].chunk(4)):
    (nn.functional.cross_entropy(big(xb), yb) / 4).backward()
print(torch.allclose(whole, big.weight.grad, atol=1e-6), whole[0, :3])
