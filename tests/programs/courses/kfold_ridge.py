"""k-fold cross-validation over weight decay, with log-RMSE, Subset, ConcatDataset and a plain-text table."""
import torch
from torch import nn
from torch.utils.data import ConcatDataset, DataLoader, Subset, TensorDataset, random_split

torch.manual_seed(11)
torch.set_default_dtype(torch.float64)
n, d = 40, 6
features = torch.randn(n, d)
labels = (features @ torch.arange(1.0, d + 1).reshape(-1, 1) / 10 + 3 + 0.1 * torch.randn(n, 1)).exp()
print(features.dtype, labels[:3], labels.min(), labels.max())
loss = nn.MSELoss()


def get_net():
    net = nn.Sequential(nn.Linear(d, 1))
    nn.init.zeros_(net[0].weight)
    nn.init.zeros_(net[0].bias)
    return net


def log_rmse(net, features, labels):
    clipped_preds = torch.clamp(net(features), 1, float("inf"))
    rmse = torch.sqrt(loss(torch.log(clipped_preds), torch.log(labels)))
    return rmse.item()


def train(net, tr_x, tr_y, te_x, te_y, epochs, lr, wd, batch_size):
    train_ls, test_ls = [], []
    train_iter = DataLoader(TensorDataset(tr_x, tr_y), batch_size, shuffle=True)
    optimizer = torch.optim.Adam(net.parameters(), lr=lr, weight_decay=wd)
    for _ in range(epochs):
        for X, y in train_iter:
            optimizer.zero_grad()
            l = loss(net(X), y)
            l.backward()
            optimizer.step()
        train_ls.append(log_rmse(net, tr_x, tr_y))
        if te_y is not None:
            test_ls.append(log_rmse(net, te_x, te_y))
    return train_ls, test_ls


def get_k_fold_data(k, i, X, y):
    assert k > 1
    fold_size = X.shape[0] // k
    X_train, y_train = None, None
    for j in range(k):
        idx = slice(j * fold_size, (j + 1) * fold_size)
        X_part, y_part = X[idx, :], y[idx]
        if j == i:
            X_valid, y_valid = X_part, y_part
        elif X_train is None:
            X_train, y_train = X_part, y_part
        else:
            X_train = torch.cat([X_train, X_part], 0)
            y_train = torch.cat([y_train, y_part], 0)
    return X_train, y_train, X_valid, y_valid


print("wd    | train  | valid")
for wd in (0, 0.1, 10):
    train_sum = valid_sum = 0.0
    for i in range(4):
        net = get_net()
        train_ls, valid_ls = train(net, *get_k_fold_data(4, i, features, labels), 8, 5, wd, 16)
        train_sum += train_ls[-1]
        valid_sum += valid_ls[-1]
        if wd == 0:
            print(f"fold {i + 1}, train log rmse {float(train_ls[-1]):f}, valid log rmse {float(valid_ls[-1]):f}")
    print(f"{wd:<5} | {train_sum / 4:.4f} | {valid_sum / 4:.4f}")
full = TensorDataset(features, labels)
parts = random_split(full, [0.5, 0.3, 0.2], generator=torch.Generator().manual_seed(42))
print([len(p) for p in parts], parts[2].indices, type(parts[0]).__name__)
joined = ConcatDataset([parts[1], Subset(full, range(5))])
print(len(joined), joined[-1][1], joined.cumulative_sizes)
a, b = random_split(full, [30, 10])
print(sorted(b.indices), b[0][0])
for lam in (0.0, 1.0, 10.0):
    A = features.T @ features + lam * torch.eye(d)
    w = torch.linalg.solve(A, features.T @ labels)
    print(lam, w.flatten(), w.norm())
print(torch.linalg.norm(features, dim=1)[:3], torch.linalg.eigvalsh(features.T @ features), torch.linalg.cond(A) > 1)
torch.set_default_dtype(torch.float32)
print(torch.tensor([1.0]).dtype, features[:1])
