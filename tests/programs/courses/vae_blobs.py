"""A variational autoencoder on blobs, with the KL term in closed form and by sampling."""
import math
import torch
from torch import nn
import torch.nn.functional as F

torch.manual_seed(0)
device = torch.device("cuda:0" if torch.cuda.is_available() else "cpu")
kwargs = {"num_workers": 1, "pin_memory": True} if torch.cuda.is_available() else {}


class VAE(nn.Module):
    def __init__(self, x_dim=10, h_dim=24, z_dim=2):
        super(VAE, self).__init__()
        self.encoder = nn.ModuleDict({"body": nn.Linear(x_dim, h_dim), "mu": nn.Linear(h_dim, z_dim), "logvar": nn.Linear(h_dim, z_dim)})
        self.decoder = nn.Sequential(nn.Linear(z_dim, h_dim), nn.ReLU(), nn.Linear(h_dim, x_dim), nn.Sigmoid())

    def encode(self, x):
        h = F.relu(self.encoder["body"](x))
        return self.encoder["mu"](h), self.encoder["logvar"](h)

    def reparameterize(self, mu, logvar):
        if self.training:
            std = logvar.mul(0.5).exp_()
            eps = torch.randn_like(std)
            return eps.mul(std).add_(mu)
        return mu

    def forward(self, x):
        mu, logvar = self.encode(x.view(-1, 10))
        z = self.reparameterize(mu, logvar)
        return self.decoder(z), mu, logvar


def loss_function(recon_x, x, mu, logvar, beta=1.0):
    BCE = F.binary_cross_entropy(recon_x, x, reduction="sum")
    KLD = -0.5 * torch.sum(1 + logvar - mu.pow(2) - logvar.exp())
    return BCE + beta * KLD, BCE, KLD


probs = torch.tensor([[0.9] * 5 + [0.1] * 5, [0.1] * 5 + [0.9] * 5])
data = torch.bernoulli(probs[torch.randint(0, 2, (96,))])
print(data.shape, data[:2], data.mean())
model = VAE().to(device)
print(model)
optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
loader = torch.utils.data.DataLoader(data, batch_size=32, shuffle=True, **kwargs)
for epoch in range(1, 6):
    model.train()
    train_loss = 0
    for batch_idx, x in enumerate(loader):
        x = x.to(device)
        optimizer.zero_grad()
        recon, mu, logvar = model(x)
        loss, bce, kld = loss_function(recon, x, mu, logvar)
        loss.backward()
        train_loss += loss.item()
        optimizer.step()
        if batch_idx == 0:
            print("Train Epoch: {} [{}/{} ({:.0f}%)]\tLoss: {:.4f}".format(
                epoch, batch_idx * len(x), len(loader.dataset), 100.0 * batch_idx / len(loader), loss.item() / len(x)))
    print("====> Epoch: {} Average loss: {:.3f}".format(epoch, train_loss / len(loader.dataset)), "kld %.4f" % kld)
model.eval()
with torch.no_grad():
    recon, mu, logvar = model(data[:4])
    print(mu, logvar, sep="\n")
    sample = torch.randn(3, 2).to(device)
    print(model.decoder(sample).cpu())
mu0, lv0 = torch.tensor(0.7), torch.tensor(-0.4)
closed = -0.5 * (1 + lv0 - mu0**2 - lv0.exp())
z = mu0 + torch.randn(20000) * torch.exp(0.5 * lv0)
logq = -0.5 * (math.log(2 * math.pi) + lv0 + (z - mu0) ** 2 / lv0.exp())
logp = -0.5 * (math.log(2 * math.pi) + z**2)
print(closed, f"{(logq - logp).mean():.2f}")
