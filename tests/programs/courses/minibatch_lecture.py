"""Lecture-notes style: narrow, split, sub_, div_, new_zeros, scatter_, mv, and counting errors by mini-batch."""
import torch
from torch import Tensor, nn
from torch.nn import functional as F

torch.manual_seed(0)


def generate_disc_set(nb):
    input = torch.empty(nb, 2).uniform_(-1, 1)
    target = input.pow(2).sum(1).sub(2 / torch.pi).sign().add(1).div(2).long()
    return input, target


def convert_to_one_hot_labels(input, target):
    tmp = input.new_zeros(target.size(0), max(0, target.max()) + 1)
    tmp.scatter_(1, target.view(-1, 1), 1.0)
    return tmp


train_input, train_target = generate_disc_set(200)
test_input, test_target = generate_disc_set(100)
mu, std = train_input.mean(0), train_input.std(0)
train_input.sub_(mu).div_(std)
test_input.sub_(mu).div_(std)
print(train_input[:3], train_target[:12], mu, std)
hot = convert_to_one_hot_labels(train_input, train_target)
print(hot[:4], hot.sum(0), hot.dtype)


def sigma(x):
    return x.tanh()


def dsigma(x):
    return 4 * (x.exp() + x.mul(-1).exp()).pow(-2)


def forward_pass(w1, b1, w2, b2, x):
    x0 = x
    s1 = w1.mv(x0) + b1
    x1 = sigma(s1)
    s2 = w2.mv(x1) + b2
    x2 = sigma(s2)
    return x0, s1, x1, s2, x2


def backward_pass(w1, b1, w2, b2, t, x, s1, x1, s2, x2, dl_dw1, dl_db1, dl_dw2, dl_db2):
    dl_dx2 = 2 * (x2 - t)
    dl_ds2 = dsigma(s2) * dl_dx2
    dl_dx1 = w2.t().mv(dl_ds2)
    dl_ds1 = dsigma(s1) * dl_dx1
    dl_dw2.add_(dl_ds2.view(-1, 1).mm(x1.view(1, -1)))
    dl_db2.add_(dl_ds2)
    dl_dw1.add_(dl_ds1.view(-1, 1).mm(x.view(1, -1)))
    dl_db1.add_(dl_ds1)


nb_hidden, eta, epsilon, zeta = 10, 1e-1 / 200, 0.1, 0.9
w1 = torch.empty(nb_hidden, 2).normal_(0, epsilon)
b1 = torch.empty(nb_hidden).normal_(0, epsilon)
w2 = torch.empty(2, nb_hidden).normal_(0, epsilon)
b2 = torch.empty(2).normal_(0, epsilon)
grads = [torch.empty(p.size()) for p in (w1, b1, w2, b2)]
for k in range(6):
    acc_loss, nb_train_errors = 0, 0
    for g in grads:
        g.zero_()
    for n in range(40):
        x0, s1, x1, s2, x2 = forward_pass(w1, b1, w2, b2, train_input[n])
        pred = x2.max(0)[1].item()
        if hot[n, pred] < 0.5:
            nb_train_errors = nb_train_errors + 1
        acc_loss = acc_loss + (x2 - zeta * hot[n]).pow(2).sum()
        backward_pass(w1, b1, w2, b2, zeta * hot[n], x0, s1, x1, s2, x2, *grads)
    for p, g in zip((w1, b1, w2, b2), grads):
        p -= eta * 5 * g
    print("{:d} acc_train_loss {:.02f} acc_train_error {:.02f}%".format(k, acc_loss, (100 * nb_train_errors) / 40))


def train_model(model, input, target, nb_epochs=10, mini_batch_size=50):
    criterion = nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-1)
    for e in range(nb_epochs):
        for b in range(0, input.size(0), mini_batch_size):
            output = model(input.narrow(0, b, mini_batch_size))
            loss = criterion(output, target.narrow(0, b, mini_batch_size))
            model.zero_grad()
            loss.backward()
            optimizer.step()


def compute_nb_errors(model, data_input, data_target, mini_batch_size=50):
    nb_data_errors = 0
    for x, t in zip(data_input.split(mini_batch_size), data_target.split(mini_batch_size)):
        _, predicted_classes = torch.max(model(x), 1)
        for k in range(x.size(0)):
            if t[k] != predicted_classes[k]:
                nb_data_errors += 1
    return nb_data_errors


for make in (lambda: nn.Sequential(nn.Linear(2, 2)), lambda: nn.Sequential(nn.Linear(2, 64), nn.ReLU(), nn.Linear(64, 2))):
    for std in (-1, 1e-1, 1):
        torch.manual_seed(3)
        model = make()
        if std > 0:
            with torch.no_grad():
                for p in model.parameters():
                    p.normal_(0, std)
        train_model(model, train_input, train_target)
        print("std {:s} {:f} train_error {:.02f}% test_error {:.02f}%".format(
            str(len(model)), std, compute_nb_errors(model, train_input, train_target) / train_input.size(0) * 100,
            compute_nb_errors(model, test_input, test_target) / test_input.size(0) * 100))
m = torch.tensor([[1.0, 2], [3, 4]])
x = m.new(3).fill_(2)
print(x, m.new_tensor([1, 2]), m.new_full((2,), 9), m.new_empty(0), m.fill_diagonal_(0), Tensor([1, 2, 3]).sum(), m.eq(0).any(), m.eq(0).all(1))
print(torch.full((4,), 0.25).dot(torch.arange(4.0)), m.mm(m), m.pow(2).mean().sqrt(), torch.dist(m, m + 1), m.abs().max(0)[0], m.sort(1, descending=True))
mix = torch.empty(2, 6).bernoulli_(0.5)
print(mix, mix.nonzero(), mix.nonzero(as_tuple=True)[1], mix.bool().logical_not().long(), torch.randperm(6), torch.empty(3).exponential_(), torch.empty(2).geometric_(0.3), torch.empty(3).log_normal_(), torch.empty(2).cauchy_())
print(F.one_hot(torch.tensor([2, 0])), torch.arange(6).view(2, 3).unfold(1, 2, 1), torch.arange(4.0).cumprod(0), torch.arange(1.0, 5).log().cumsum(0), m.repeat(2, 2), m.expand(2, 2, 2).shape)
