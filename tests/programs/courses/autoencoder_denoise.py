"""A denoising and a sparse autoencoder over patterns, with tied weights."""
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch import optim
from torch.utils.data import DataLoader, Dataset

torch.manual_seed(123)


class Patterns(Dataset):
    def __init__(self, n, transform=None):
        base = torch.eye(8).repeat(n // 8, 1)
        self.data = base.repeat_interleave(2, dim=1)
        self.transform = transform

    def __len__(self):
        return self.data.size(0)

    def __getitem__(self, index):
        clean = self.data[index]
        return (self.transform(clean) if self.transform else clean), clean


class AddNoise(object):
    def __init__(self, std=1.0):
        self.std = std

    def __call__(self, tensor):
        return tensor + torch.randn(tensor.size()) * self.std

    def __repr__(self):
        return self.__class__.__name__ + "(std={0})".format(self.std)


class TiedAutoencoder(nn.Module):
    def __init__(self, n_in, n_hidden):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(n_hidden, n_in))
        self.enc_bias = nn.Parameter(torch.zeros(n_hidden))
        self.dec_bias = nn.Parameter(torch.zeros(n_in))
        nn.init.xavier_uniform_(self.weight, gain=nn.init.calculate_gain("sigmoid"))

    def encode(self, x):
        return torch.sigmoid(F.linear(x, self.weight, self.enc_bias))

    def decode(self, h):
        return torch.sigmoid(F.linear(h, self.weight.t(), self.dec_bias))

    def forward(self, x):
        h = self.encode(x)
        return self.decode(h), h


noise = AddNoise(0.2)
print(noise)
dataset = Patterns(64, transform=noise)
loader = DataLoader(dataset, batch_size=16, shuffle=True, drop_last=True)
model = TiedAutoencoder(16, 6)
print(model, [tuple(p.shape) for p in model.parameters()])
optimizer = optim.Adam(model.parameters(), lr=0.02)
rho = 0.2
for epoch in range(12):
    running = []
    for noisy, clean in loader:
        recon, hidden = model(noisy)
        rho_hat = hidden.mean(dim=0)
        sparsity = (rho * torch.log(rho / rho_hat) + (1 - rho) * torch.log((1 - rho) / (1 - rho_hat))).sum()
        loss = F.binary_cross_entropy(recon, clean) + 1e-3 * sparsity
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        running.append(loss.item())
    if epoch % 4 == 3:
        print("epoch [{}/{}], loss:{:.4f}".format(epoch + 1, 12, sum(running) / len(running)), rho_hat)
with torch.no_grad():
    codes = model.encode(dataset.data[:8])
    print(codes)
    recon = model.decode(codes)
    print("mse", F.mse_loss(recon, dataset.data[:8]), (recon > 0.5).float().eq(dataset.data[:8]).float().mean())

autoencoder = nn.Sequential(nn.Linear(16, 12), nn.ReLU(True), nn.Linear(12, 3), nn.ReLU(True), nn.Linear(3, 12), nn.ReLU(True), nn.Linear(12, 16), nn.Tanh())
print(autoencoder)
encoder, decoder = autoencoder[:4], autoencoder[4:]
print(len(encoder), decoder[0], encoder(dataset.data[:2]))
opt = torch.optim.Adam(autoencoder.parameters(), lr=1e-2, weight_decay=1e-5)
for i in range(40):
    out = autoencoder(dataset.data)
    l = nn.MSELoss()(out, dataset.data)
    opt.zero_grad(); l.backward(); opt.step()
    if (i + 1) % 20 == 0:
        print("step:{}, loss:{:.4f}".format(i + 1, l.data))
