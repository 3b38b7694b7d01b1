"""Early stopping with the best weights put back, a validation split, and a patience counter."""
import copy
import os
import tempfile
import numpy as np
import torch
import torch.nn as nn
from torch.utils.data import DataLoader, SubsetRandomSampler, TensorDataset


class EarlyStopping:
    """Stops when the validation loss has not fallen for `patience` epochs."""

    def __init__(self, patience=7, verbose=False, delta=0, path="checkpoint.pt", trace_func=print):
        self.patience, self.verbose, self.delta, self.path, self.trace_func = patience, verbose, delta, path, trace_func
        self.counter, self.best_score, self.early_stop = 0, None, False
        self.val_loss_min = np.inf

    def __call__(self, val_loss, model):
        score = -val_loss
        if self.best_score is None:
            self.best_score = score
            self.save_checkpoint(val_loss, model)
        elif score < self.best_score + self.delta:
            self.counter += 1
            self.trace_func(f"EarlyStopping counter: {self.counter} out of {self.patience}")
            if self.counter >= self.patience:
                self.early_stop = True
        else:
            self.best_score = score
            self.save_checkpoint(val_loss, model)
            self.counter = 0

    def save_checkpoint(self, val_loss, model):
        if self.verbose:
            self.trace_func(f"Validation loss decreased ({self.val_loss_min:.6f} --> {val_loss:.6f}).  Saving model ...")
        torch.save(model.state_dict(), self.path)
        self.val_loss_min = val_loss


def seed_everything(seed):
    np.random.seed(seed)
    torch.manual_seed(seed)
    torch.cuda.manual_seed(seed)
    torch.cuda.manual_seed_all(seed)
    torch.backends.cudnn.deterministic = True
    torch.backends.cudnn.benchmark = False
    os.environ["PYTHONHASHSEED"] = str(seed)


seed_everything(0)
X = torch.randn(60, 10)
y = (X[:, 0] * X[:, 1] + 0.5 * torch.randn(60)).unsqueeze(1)
indices = list(range(60))
np.random.shuffle(indices)
train_idx, valid_idx = indices[20:], indices[:20]
dataset = TensorDataset(X, y)
train_loader = DataLoader(dataset, batch_size=10, sampler=SubsetRandomSampler(train_idx), num_workers=0)
valid_loader = DataLoader(dataset, batch_size=10, sampler=SubsetRandomSampler(valid_idx))
print(len(train_loader), len(valid_loader), train_loader.batch_size, len(train_loader.dataset), len(train_loader.sampler))
model = nn.Sequential(nn.Linear(10, 64), nn.ReLU(), nn.Linear(64, 1))
criterion, optimizer = nn.MSELoss(), torch.optim.Adam(model.parameters(), lr=0.01)
path = os.path.join(tempfile.mkdtemp(), "checkpoint.pt")
stopper = EarlyStopping(patience=3, verbose=True, path=path)
avg_train, avg_valid = [], []
for epoch in range(1, 31):
    train_losses, valid_losses = [], []
    model.train()
    for batch, (data, target) in enumerate(train_loader, 1):
        optimizer.zero_grad()
        loss = criterion(model(data), target)
        loss.backward()
        optimizer.step()
        train_losses.append(loss.item())
    model.eval()
    with torch.no_grad():
        for data, target in valid_loader:
            valid_losses.append(criterion(model(data), target).item())
    avg_train.append(np.average(train_losses))
    avg_valid.append(np.average(valid_losses))
    epoch_len = len(str(30))
    print(f"[{epoch:>{epoch_len}}/{30:>{epoch_len}}] train_loss: {avg_train[-1]:.4f} valid_loss: {avg_valid[-1]:.4f}")
    stopper(avg_valid[-1], model)
    if stopper.early_stop:
        print("Early stopping")
        break
print("best epoch", avg_valid.index(min(avg_valid)) + 1)
print(model.load_state_dict(torch.load(path)))
model.eval()
print(f"{np.mean([criterion(model(d), t).item() for d, t in valid_loader]):.4f}")
best = copy.deepcopy(model.state_dict())
print({k: tuple(v.shape) for k, v in best.items()}, os.path.getsize(path) > 2000)
