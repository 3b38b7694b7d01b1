"""Saving and loading: state dictionaries, whole models, training checkpoints, partial loading, buffers in memory."""
import io
import os
import tempfile
from pathlib import Path
import torch
import torch.nn as nn
import torch.optim as optim

torch.manual_seed(99)
folder = Path(tempfile.mkdtemp())


class TheModelClass(nn.Module):
    def __init__(self, hidden=5):
        super(TheModelClass, self).__init__()
        self.fc1 = nn.Linear(4, hidden)
        self.bn = nn.BatchNorm1d(hidden)
        self.fc2 = nn.Linear(hidden, 2)

    def forward(self, x):
        return self.fc2(torch.relu(self.bn(self.fc1(x))))


model = TheModelClass()
optimizer = optim.SGD(model.parameters(), lr=0.001, momentum=0.9)
print("Model's state_dict:")
for param_tensor in model.state_dict():
    print(param_tensor, "\t", model.state_dict()[param_tensor].size())
print("Optimizer's state_dict:")
for var_name in optimizer.state_dict():
    print(var_name, "\t", optimizer.state_dict()[var_name])
x, y = torch.randn(10, 4), torch.randint(2, (10,))
for _ in range(3):
    optimizer.zero_grad()
    loss = nn.CrossEntropyLoss()(model(x), y)
    loss.backward()
    optimizer.step()
PATH = folder / "model.pt"
torch.save(model.state_dict(), PATH)
loaded = TheModelClass()
print(loaded.load_state_dict(torch.load(PATH, weights_only=True)))
loaded.eval()
model.eval()
print(torch.equal(loaded(x), model(x)))
torch.save(model, folder / "whole.pt")
whole = torch.load(folder / "whole.pt", weights_only=False)
print(whole, type(whole).__name__, torch.allclose(whole(x), model(x)))
torch.save({"epoch": 3, "model_state_dict": model.state_dict(), "optimizer_state_dict": optimizer.state_dict(), "loss": loss, "rng": torch.get_rng_state(), "history": [0.5, 0.25], "args": {"lr": 1e-3, "name": "demo"}}, folder / "checkpoint.tar")
checkpoint = torch.load(folder / "checkpoint.tar")
print(checkpoint["epoch"], checkpoint["loss"], checkpoint["history"], checkpoint["args"], checkpoint.keys())
model2 = TheModelClass()
optimizer2 = optim.SGD(model2.parameters(), lr=0.1, momentum=0.9)
model2.load_state_dict(checkpoint["model_state_dict"])
optimizer2.load_state_dict(checkpoint["optimizer_state_dict"])
print(optimizer2.param_groups[0]["lr"], optimizer2)
for m, o in ((model, optimizer), (model2, optimizer2)):
    m.train()
    o.zero_grad()
    nn.CrossEntropyLoss()(m(x), y).backward()
    o.step()
print(all(torch.equal(a, b) for a, b in zip(model.state_dict().values(), model2.state_dict().values())))
state = model.state_dict()
state["extra.weight"] = torch.zeros(1)
del state["fc2.bias"]
result = model2.load_state_dict(state, strict=False)
print(result, result.missing_keys, result.unexpected_keys)
try:
    model2.load_state_dict(state)
except RuntimeError as e:
    print(e)
try:
    TheModelClass(hidden=6).load_state_dict(model.state_dict())
except RuntimeError as e:
    print(e)
pretrained = {k: v for k, v in model.state_dict().items() if not k.startswith("fc2")}
target = TheModelClass()
own = target.state_dict()
own.update(pretrained)
target.load_state_dict(own)
print(torch.equal(target.fc1.weight, model.fc1.weight), torch.equal(target.fc2.weight, model.fc2.weight))
buffer = io.BytesIO()
torch.save([torch.arange(3), {"a": torch.ones(2, dtype=torch.float64)}], buffer)
buffer.seek(0)
print(torch.load(buffer), buffer.tell() > 0)
shared = torch.arange(6.0)
torch.save({"all": shared, "part": shared[2:4]}, folder / "shared.pt")
back = torch.load(folder / "shared.pt", map_location=torch.device("cpu"))
back["all"][2] = 100
print(back["part"], back["all"])
print(sorted(os.listdir(folder)), os.path.exists(PATH))
state = {k: v.clone() for k, v in model.state_dict().items()}
print(state["bn.num_batches_tracked"], state["bn.running_mean"].shape, {k: v.dtype for k, v in state.items()}["bn.num_batches_tracked"])
torch.set_rng_state(checkpoint["rng"])
first = torch.rand(3)
torch.set_rng_state(checkpoint["rng"])
print(torch.equal(first, torch.rand(3)), first)
print(model.state_dict())
