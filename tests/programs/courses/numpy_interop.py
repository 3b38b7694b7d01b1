"""Arrays and tensors: shared memory, dtypes both ways, ufuncs on tensors, indexing with either, stacking lists of either."""
import numpy as np
import torch

torch.manual_seed(0)
a = np.arange(6, dtype=np.float32).reshape(2, 3)
t = torch.from_numpy(a)
t[0, 0] = 100
a[1, 2] = -1
print(a, t, t.dtype, sep="\n")
c = torch.tensor(a)
c[0, 0] = 0
print(a[0, 0], torch.as_tensor(a).data_ptr() == t.data_ptr(), torch.tensor(a).data_ptr() == t.data_ptr())
for dt in (np.float64, np.float32, np.float16, np.int64, np.int32, np.int16, np.int8, np.uint8, np.bool_):
    print(np.dtype(dt).name, torch.from_numpy(np.ones(2, dtype=dt)).dtype, torch.tensor(np.ones(2, dtype=dt)), end=" | ")
print()
print(torch.tensor(np.float64(1.5)), torch.tensor(np.int32(3)), torch.tensor([np.float32(1), np.float32(2)]), torch.tensor(3.0).dtype, torch.Tensor(a).dtype, torch.FloatTensor(a.tolist()), torch.LongTensor([1, 2]))
n = t.numpy()
print(type(n), n.dtype, n is a, np.shares_memory(n, a), t.T.numpy().shape, np.array(t), np.asarray(t[0]), t.tolist())
print(np.sqrt(torch.tensor([4.0, 9.0])), np.mean(t.numpy()), np.exp(t.numpy()[1]), np.add(t, 1), np.concatenate([t, t]).shape, np.sum(np.array([torch.tensor(1.0), torch.tensor(2.0)], dtype=np.float32)))
print(t + np.float32(1), t * a, torch.ones(2) + np.ones(2, dtype=np.float32), np.float32(2) * torch.ones(2), (t > 1).numpy().sum())
idx = np.array([1, 0])
print(t[idx], t[:, idx], t[np.array([True, False])], t[torch.tensor([1, 0])], t[[0, 1], [1, 2]], a[torch.tensor([0]).numpy()])
print(torch.stack([torch.from_numpy(r) for r in a]), torch.tensor(np.stack([a, a])).shape, torch.cat([t, torch.from_numpy(a)]).shape, torch.tensor([a[0], a[1]]) if False else torch.tensor(np.array([a[0], a[1]])))
x = torch.ones(3, requires_grad=True)
try:
    x.numpy()
except RuntimeError as e:
    print(e)
print(x.detach().numpy(), x.data.numpy(), x.detach().cpu().clone().numpy(), np.round(x.detach().numpy() * np.pi, 3))
m = np.random.RandomState(0).randn(4, 3)
u, s, vt = np.linalg.svd(m, full_matrices=False)
U, S, Vh = torch.linalg.svd(torch.from_numpy(m), full_matrices=False)
print(np.allclose(s, S.numpy()), torch.allclose((U * S) @ Vh, torch.from_numpy(m)), S, torch.linalg.matrix_rank(torch.from_numpy(m)))
print(torch.from_numpy(m).mean(axis=0), m.mean(axis=0), torch.from_numpy(m).std(dim=0, unbiased=False).numpy() - m.std(axis=0) < 1e-12)
print(torch.from_numpy(m)[::2], torch.from_numpy(m[:, ::2].copy()), torch.from_numpy(np.ascontiguousarray(m[::-1]))[0], np.flip(m, 0).copy()[0])
print(torch.from_numpy(m).float().numpy().dtype, torch.tensor(m, dtype=torch.float32).dtype, torch.from_numpy(m.astype("float32")).type(), torch.from_numpy((m > 0).astype(int)).sum())
labels = np.array(["cat", "dog", "cat"])
classes, codes = np.unique(labels, return_inverse=True)
print(classes, torch.from_numpy(codes), torch.nn.functional.one_hot(torch.from_numpy(codes)))
grid = torch.tensor(np.stack(np.meshgrid(np.linspace(0, 1, 3), np.linspace(0, 1, 2)), axis=-1).reshape(-1, 2), dtype=torch.float32)
print(grid, grid.numpy().tolist()[1])
model = torch.nn.Linear(2, 1)
w, b = model.weight.detach().numpy(), model.bias.detach().numpy()
print(np.allclose(grid.numpy() @ w.T + b, model(grid).detach().numpy()), w.shape, b.dtype)
w *= 0
print(model.weight, model(grid[:1]).item() == b.item())
losses = []
for i in range(3):
    losses.append(torch.tensor(float(i)).item())
print(np.mean(losses), np.array(losses), torch.tensor(losses).mean(), sum(losses) / len(losses))
print(torch.utils.data.default_collate([np.float64(1.5), np.float64(2.5)]), torch.utils.data.default_collate([a, a]).shape, next(iter(torch.utils.data.DataLoader(list(zip(m.astype(np.float32), codes.tolist() + [1])), batch_size=2))))
z = torch.zeros(2, 2).double().numpy()
z[0] = 5
print(z, isinstance(t, torch.Tensor), isinstance(n, np.ndarray), torch.is_tensor(n), np.isscalar(t[0, 0].item()), np.ndim(t), t.__array__().shape, len(t), 100.0 in t, [float(v) for v in t[0]])
