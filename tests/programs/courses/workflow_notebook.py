"""The beginner's workflow: a straight line and circles, inference mode, accuracy functions, saving to a folder."""
import tempfile
from pathlib import Path
import torch
from torch import nn

device = "cuda" if torch.cuda.is_available() else "cpu"
print(f"Using device: {device}")
weight, bias = 0.7, 0.3
X = torch.arange(0, 1, 0.02).unsqueeze(dim=1)
y = weight * X + bias
print(X[:10], y[:10])
train_split = int(0.8 * len(X))
X_train, y_train = X[:train_split], y[:train_split]
X_test, y_test = X[train_split:], y[train_split:]
print(len(X_train), len(y_train), len(X_test), len(y_test))


class LinearRegressionModel(nn.Module):
    def __init__(self):
        super().__init__()
        self.weights = nn.Parameter(torch.randn(1, dtype=torch.float), requires_grad=True)
        self.bias = nn.Parameter(torch.randn(1, dtype=torch.float), requires_grad=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.weights * x + self.bias


torch.manual_seed(42)
model_0 = LinearRegressionModel()
print(model_0, list(model_0.parameters()), model_0.state_dict())
with torch.inference_mode():
    y_preds = model_0(X_test)
print(y_preds)
loss_fn = nn.L1Loss()
optimizer = torch.optim.SGD(params=model_0.parameters(), lr=0.01)
epoch_count = []
for epoch in range(61):
    model_0.train()
    y_pred = model_0(X_train)
    loss = loss_fn(y_pred, y_train)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    model_0.eval()
    with torch.inference_mode():
        test_pred = model_0(X_test)
        test_loss = loss_fn(test_pred, y_test.type(torch.float))
    if epoch % 20 == 0:
        epoch_count.append(epoch)
        print(f"Epoch: {epoch} | MAE Train Loss: {loss} | MAE Test Loss: {test_loss} ")
print(model_0.state_dict(), epoch_count)
MODEL_PATH = Path(tempfile.mkdtemp()) / "models"
MODEL_PATH.mkdir(parents=True, exist_ok=True)
MODEL_SAVE_PATH = MODEL_PATH / "01_model_0.pth"
torch.save(obj=model_0.state_dict(), f=MODEL_SAVE_PATH)
loaded = LinearRegressionModel()
print(loaded.load_state_dict(torch.load(f=MODEL_SAVE_PATH)), next(loaded.parameters()).device)
loaded.eval()
with torch.inference_mode():
    print(loaded(X_test) == model_0(X_test))

torch.manual_seed(42)
angle = torch.rand(120) * 2 * torch.pi
radius = torch.where(torch.arange(120) % 2 == 0, 1.0, 0.6) + 0.03 * torch.randn(120)
Xc = torch.stack((radius * angle.cos(), radius * angle.sin()), dim=1)
yc = (torch.arange(120) % 2).type(torch.float)
print(Xc.dtype, yc.dtype, Xc[:3], yc[:5], f"Shapes for one sample of X: {Xc[0].shape} and the same for y: {yc[0].shape}")


class CircleModelV2(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer_1 = nn.Linear(in_features=2, out_features=10)
        self.layer_2 = nn.Linear(in_features=10, out_features=10)
        self.layer_3 = nn.Linear(in_features=10, out_features=1)
        self.relu = nn.ReLU()

    def forward(self, x):
        return self.layer_3(self.relu(self.layer_2(self.relu(self.layer_1(x)))))


def accuracy_fn(y_true, y_pred):
    correct = torch.eq(y_true, y_pred).sum().item()
    return (correct / len(y_pred)) * 100


model_3 = CircleModelV2().to(device)
print(model_3)
loss_fn = nn.BCEWithLogitsLoss()
optimizer = torch.optim.SGD(model_3.parameters(), lr=0.3, momentum=0.9)
Xc_train, yc_train, Xc_test, yc_test = Xc[:96].to(device), yc[:96].to(device), Xc[96:].to(device), yc[96:].to(device)
untrained = model_3(Xc_test)[:5]
print(untrained, torch.sigmoid(untrained), torch.round(torch.sigmoid(untrained)).squeeze())
for epoch in range(61):
    model_3.train()
    y_logits = model_3(Xc_train).squeeze()
    y_pred = torch.round(torch.sigmoid(y_logits))
    loss = loss_fn(y_logits, yc_train)
    acc = accuracy_fn(y_true=yc_train, y_pred=y_pred)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    model_3.eval()
    with torch.inference_mode():
        test_logits = model_3(Xc_test).squeeze()
        test_pred = torch.round(torch.sigmoid(test_logits))
        test_loss = loss_fn(test_logits, yc_test)
    if epoch % 15 == 0:
        print(f"Epoch: {epoch} | Loss: {loss:.3f}, Accuracy: {acc:.1f}% | Test Loss: {test_loss:.3f}, Test Accuracy: {accuracy_fn(yc_test, test_pred):.1f}%")
A = torch.arange(-3, 3, 1, dtype=torch.float32)
print(A, torch.relu(A), torch.maximum(torch.tensor(0), A), 1 / (1 + torch.exp(-A)), torch.sigmoid(A))
tensor_A = torch.tensor([[1, 2], [3, 4], [5, 6]], dtype=torch.float32)
print(torch.mm(tensor_A, tensor_A.T), tensor_A.min(), tensor_A.type(torch.float32).mean(), tensor_A.argmax(), tensor_A.type(torch.float16), tensor_A.type(torch.int8))
try:
    torch.arange(3).mean()
except RuntimeError as error:
    print(error)
x_stacked = torch.stack([A, A, A], dim=0)
print(x_stacked.shape, torch.squeeze(x_stacked[:1]).shape, torch.permute(torch.zeros(2, 3, 5), (2, 0, 1)).size(), x_stacked.ndim)
