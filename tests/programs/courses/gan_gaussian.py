"""A GAN that learns a one-dimensional Gaussian: label smoothing, detach, non-saturating loss."""
import torch
import torch.nn as nn
import torch.optim as optim
from torch.autograd import Variable

torch.manual_seed(5)


def weights_init(m):
    classname = m.__class__.__name__
    if classname.find("Linear") != -1:
        m.weight.data.normal_(0.0, 0.2)
        m.bias.data.fill_(0)
    elif classname.find("BatchNorm") != -1:
        m.weight.data.normal_(1.0, 0.02)
        m.bias.data.fill_(0)


class Generator(nn.Module):
    def __init__(self, latent_dim=4):
        super().__init__()

        def block(in_feat, out_feat, normalize=True):
            layers = [nn.Linear(in_feat, out_feat)]
            if normalize:
                layers.append(nn.BatchNorm1d(out_feat, 0.8))
            layers.append(nn.LeakyReLU(0.2, inplace=True))
            return layers

        self.model = nn.Sequential(*block(latent_dim, 8, normalize=False), *block(8, 16), nn.Linear(16, 1))

    def forward(self, z):
        return self.model(z)


class Discriminator(nn.Module):
    def __init__(self):
        super().__init__()
        self.model = nn.Sequential(nn.Linear(1, 16), nn.LeakyReLU(0.2, inplace=True), nn.Dropout(0.3), nn.Linear(16, 1), nn.Sigmoid())

    def forward(self, x):
        return self.model(x)


Tensor = torch.cuda.FloatTensor if torch.cuda.is_available() else torch.FloatTensor
G, D = Generator(), Discriminator()
G.apply(weights_init)
D.apply(weights_init)
print(G, D, sep="\n")
adversarial_loss = torch.nn.BCELoss()
optimizer_G = optim.Adam(G.parameters(), lr=0.002, betas=(0.5, 0.999))
optimizer_D = optim.Adam(D.parameters(), lr=0.002, betas=(0.5, 0.999))
for epoch in range(3):
    for i in range(10):
        real = Variable(torch.randn(32, 1) * 1.25 + 4)
        valid = Variable(Tensor(real.size(0), 1).fill_(0.9), requires_grad=False)
        fake = Variable(Tensor(real.size(0), 1).fill_(0.0), requires_grad=False)
        optimizer_G.zero_grad()
        z = torch.randn(real.shape[0], 4)
        gen = G(z)
        g_loss = adversarial_loss(D(gen), valid)
        g_loss.backward()
        optimizer_G.step()
        optimizer_D.zero_grad()
        real_loss = adversarial_loss(D(real), valid)
        fake_loss = adversarial_loss(D(gen.detach()), fake)
        d_loss = (real_loss + fake_loss) / 2
        d_loss.backward()
        optimizer_D.step()
    print("[Epoch %d/%d] [D loss: %f] [G loss: %f]" % (epoch, 3, d_loss.item(), g_loss.item()))
    print("mean %.3f std %.3f" % (gen.mean().item(), gen.std().item()), "D(x): {:.3f}".format(D(real).data.mean()))
print(G(torch.randn(3, 4)).shape, G.model[3].num_batches_tracked, G.model[3].eps, D.eval()(torch.tensor([[4.0], [0.0]])))
for p in D.parameters():
    p.data.clamp_(-0.01, 0.01)
print([p.abs().max().item() <= 0.01 + 1e-8 for p in D.parameters()])
real = torch.randn(6, 1)
alpha = torch.rand(6, 1)
inter = (alpha * real + (1 - alpha) * gen[:6].data).requires_grad_(True)
critic = nn.Sequential(nn.Linear(1, 8), nn.Tanh(), nn.Linear(8, 1))
out = critic(inter)
(grads,) = torch.autograd.grad(outputs=out, inputs=inter, grad_outputs=torch.ones_like(out), create_graph=True, retain_graph=True, only_inputs=True)
gp = ((grads.norm(2, dim=1) - 1) ** 2).mean() * 10
gp.backward()
print(gp, critic[0].weight.grad)
