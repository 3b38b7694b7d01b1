"""A textbook's classes: hyper-parameters saved by inspection, a module that owns its loss, a trainer, softplus and friends."""
import collections
import inspect
import random
import torch
from torch import nn
from torch.nn import functional as F


def add_to_class(Class):
    def wrapper(obj):
        setattr(Class, obj.__name__, obj)

    return wrapper


class HyperParameters:
    def save_hyperparameters(self, ignore=[]):
        frame = inspect.currentframe().f_back
        _, _, _, local_vars = inspect.getargvalues(frame)
        self.hparams = {k: v for k, v in local_vars.items() if k not in set(ignore + ["self"]) and not k.startswith("_")}
        for k, v in self.hparams.items():
            setattr(self, k, v)


class Module(nn.Module, HyperParameters):
    def __init__(self):
        super().__init__()
        self.history = collections.defaultdict(list)

    def loss(self, y_hat, y):
        raise NotImplementedError

    def forward(self, X):
        assert hasattr(self, "net"), "Neural network is not defined"
        return self.net(X)

    def training_step(self, batch):
        l = self.loss(self(*batch[:-1]), batch[-1])
        self.history["train"].append(l.item())
        return l

    def validation_step(self, batch):
        self.history["val"].append(self.loss(self(*batch[:-1]), batch[-1]).item())

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=self.lr)

    def apply_init(self, inputs, init=None):
        self.forward(*inputs)
        if init is not None:
            self.net.apply(init)


class DataModule(HyperParameters):
    def __init__(self, w, b, noise=0.01, num_train=64, num_val=32, batch_size=16):
        super().__init__()
        self.save_hyperparameters()
        n = num_train + num_val
        self.X = torch.randn(n, len(w))
        noise = torch.randn(n, 1) * noise
        self.y = torch.matmul(self.X, w.reshape((-1, 1))) + b + noise

    def get_tensorloader(self, tensors, train, indices=slice(0, None)):
        tensors = tuple(a[indices] for a in tensors)
        return torch.utils.data.DataLoader(torch.utils.data.TensorDataset(*tensors), self.batch_size, shuffle=train)

    def train_dataloader(self):
        return self.get_tensorloader((self.X, self.y), True, slice(0, self.num_train))

    def val_dataloader(self):
        return self.get_tensorloader((self.X, self.y), False, slice(self.num_train, None))


class Trainer(HyperParameters):
    def __init__(self, max_epochs, gradient_clip_val=0):
        self.save_hyperparameters()

    def fit(self, model, data):
        train, val = data.train_dataloader(), data.val_dataloader()
        optim = model.configure_optimizers()
        for epoch in range(self.max_epochs):
            model.train()
            for batch in train:
                loss = model.training_step(batch)
                optim.zero_grad()
                with torch.no_grad():
                    loss.backward()
                    if self.gradient_clip_val > 0:
                        self.clip_gradients(self.gradient_clip_val, model)
                    optim.step()
            model.eval()
            for batch in val:
                with torch.no_grad():
                    model.validation_step(batch)
            print(f"epoch {epoch + 1}: train {sum(model.history['train'][-len(train):]) / len(train):.5f}, val {sum(model.history['val'][-len(val):]) / len(val):.5f}")


@add_to_class(Trainer)
def clip_gradients(self, grad_clip_val, model):
    params = [p for p in model.parameters() if p.requires_grad]
    norm = torch.sqrt(sum(torch.sum((p.grad**2)) for p in params))
    if norm > grad_clip_val:
        for param in params:
            param.grad[:] *= grad_clip_val / norm


class WeightDecay(Module):
    def __init__(self, wd, lr):
        super().__init__()
        self.save_hyperparameters()
        self.net = nn.LazyLinear(1)
        self.wd = wd

    def loss(self, y_hat, y):
        return nn.MSELoss()(y_hat, y)

    def configure_optimizers(self):
        return torch.optim.SGD([{"params": self.net.weight, "weight_decay": self.wd}, {"params": self.net.bias}], lr=self.lr)


class MLP(Module):
    def __init__(self, num_outputs, num_hiddens, lr):
        super().__init__()
        self.save_hyperparameters()
        self.net = nn.Sequential(nn.Flatten(), nn.LazyLinear(num_hiddens), nn.ReLU(), nn.LazyLinear(num_outputs))

    def loss(self, Y_hat, Y, averaged=True):
        Y_hat = Y_hat.reshape((-1, Y_hat.shape[-1]))
        return F.cross_entropy(Y_hat, Y.reshape((-1,)), reduction="mean" if averaged else "none")


torch.manual_seed(0)
random.seed(0)
data = DataModule(w=torch.tensor([2, -3.4]), b=4.2)
print(data.hparams["w"], data.hparams["batch_size"], data.X.shape)
for wd in (0, 3):
    torch.manual_seed(1)
    model = WeightDecay(wd=wd, lr=0.05)
    print(model)
    Trainer(max_epochs=3, gradient_clip_val=5).fit(model, data)
    print("L2 norm of w:", float((model.net.weight**2).sum()), model.net.weight, model.hparams)
mlp = MLP(num_outputs=3, num_hiddens=8, lr=0.1)
print(mlp)
mlp.apply_init([torch.randn(2, 1, 2)], lambda m: nn.init.xavier_uniform_(m.weight) if type(m) == nn.Linear else None)
print(mlp, [p.shape for p in mlp.parameters()])
data.y = (data.X[:, 0] > 0).long() + (data.X[:, 1] > 0).long()
Trainer(max_epochs=4).fit(mlp, data)
print(mlp.loss(mlp(data.X[:4]), data.y[:4], averaged=False), mlp.history["val"][-1:] != [])
X = torch.arange(4)
net = nn.Sequential(nn.LazyLinear(8), nn.ReLU(), nn.LazyLinear(1))
print(net[0].weight, net[0].bias)
try:
    net[0].weight.mean()
except Exception as e:
    print(type(e).__name__)
print(net(torch.rand(2, 4)).shape, net[0].weight.shape, net[2].state_dict())
shared = nn.LazyLinear(8)
net = nn.Sequential(nn.LazyLinear(8), nn.ReLU(), shared, nn.ReLU(), shared, nn.ReLU(), nn.LazyLinear(1))
net(torch.rand(2, 20))
net[2].weight.data[0, 0] = 100
print(net[2].weight.data[0] == net[4].weight.data[0], [(name, param.shape) for name, param in net.named_parameters()])
