"""What a result prints of the operation that made it: grad_fn=<...>."""

from __future__ import annotations

from typing import Any

from tests.parity.harness import case, sample

EXPRESSIONS = """
w[:] | m[:, 0] | m[0] | m[None] | m[..., None] | m[0, 1:] | m[1:, 0] | m[[0]] | m[0, [1]] | m[w > 0] | m[::2]
m @ w | w @ m | w @ w | b @ m | b @ b | torch.bmm(b, b) | torch.mm(m, m) | torch.outer(w, w) | torch.addmm(m, m, m)
torch.einsum('ij,jk->ik', m, m) | torch.tensordot(m, m, 1) | torch.kron(w, w) | torch.matrix_power(m, 2)
m.flatten() | m.t().flatten() | m.view(9) | m.reshape(9) | m.ravel() | m.unflatten(0, (1, 3)) | m.t() | m.T | m.mT
m.permute(1, 0) | m.transpose(0, 1) | m.movedim(0, 1) | m.squeeze() | m.squeeze(0) | m.unsqueeze(0) | w.expand(2, 3)
m.narrow(0, 0, 1) | m.select(0, 0) | m.unfold(0, 2, 1) | m.diagonal() | m.diag() | w.diag() | m.tril() | m.trace()
m.sum() | m.sum(0) | m.mean() | m.mean(0) | m.prod() | m.prod(0) | m.amax(0) | m.var(0) | m.std() | m.max() | m.min()
m.max(0).values | m.median() | m.median(0).values | m.sort().values | m.topk(2).values | m.kthvalue(1).values
m.cumsum(0) | m.cumprod(0) | m.cummax(0).values | m.logsumexp(0) | m.softmax(0) | m.log_softmax(0) | m.norm()
w ** 2 | w ** w | 2 ** w | w.square() | w + 1 | 1 - w | w - 1 | w * 2 | w / 2 | 2 / w | -w | w % 2 | w.remainder(w)
w.clamp(0) | w.clamp_min(0) | w.clamp(w) | w.clamp_max(1) | w.maximum(w) | w.lerp(w, 0.5) | w.addcmul(w, w)
w.exp() | w.log() | w.log1p() | w.sqrt() | w.sigmoid() | w.tanh() | w.relu() | w.erf() | w.abs() | w.reciprocal()
torch.where(w > 0, w, 0.0) | w.masked_fill(w > 0, 0) | w.masked_select(w > 0) | w.take(i) | w.repeat(2) | w.nansum()
w.index_select(0, i) | w.gather(0, i) | w.scatter(0, i, 0.0) | w.scatter_add(0, i, w) | w.index_fill(0, i, 0.0)
w.split(2)[0] | w.split([1, 2])[0] | w.chunk(2)[0] | w.unbind()[0] | torch.cat([w, w]) | torch.stack([w, w])
w.roll(1) | w.flip(0) | m.rot90() | w.diff() | torch.block_diag(w, m) | torch.meshgrid(w, w, indexing='ij')[0]
w.double() | w.clone() | w.view_as(w) | w.dist(w * 2) | torch.cdist(m, m) | torch.linalg.det(m) | torch.logdet(m)
w.clone().mul_(2) | w.clone().zero_() | w.clone().fill_(1) | w.clone().copy_(w) | w.clone().exp_() | w.clone().add_(1)
w.clone().clamp_(0, 1) | w.clone().masked_fill_(w > 0, 1) | w.clone().uniform_() | w.clone().t_() | w.clone().pow_(2)
torch.std_mean(w)[0] | torch.var_mean(w)[1] | torch.aminmax(w).max | torch.renorm(m, 2, 0, 1.0) | torch.linalg.pinv(m)
"""
LINES = [part.strip() for line in EXPRESSIONS.strip().splitlines() for part in line.split("|")]


@case(params=[(text,) for text in LINES])
def printed(torch: Any, text: str) -> str:
    w = sample(torch, 3, requires_grad=True)
    m = (sample(torch, 3, 3) + 3 * torch.eye(3)).requires_grad_()
    b = sample(torch, 2, 3, 3, requires_grad=True)
    result = eval(text, {"torch": torch, "w": w, "m": m, "b": b, "i": torch.tensor([0, 2, 1])})
    return str(result).rpartition("grad_fn=")[2]
