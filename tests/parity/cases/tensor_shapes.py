"""Shapes: views and copies, joining and taking apart, repeating and turning, diagonals and triangles."""

from __future__ import annotations

from typing import Any

from tests.parity.harness import DTYPES, case, raises, sample, with_gradients
from tests.parity.tensors import attempt


def described(x: Any, *bases: Any) -> list[Any]:
    """Return a tensor with its strides, whether it is contiguous, and which of the bases it shares memory with."""
    spread = [n for n, size in zip(x.stride(), x.shape, strict=True) if size > 1]
    return [x, list(spread), x.is_contiguous(), [x.data_ptr() == base.data_ptr() for base in bases]]


VIEWS = {
    "reshape": lambda x: x.reshape(4, 6),
    "reshape tuple": lambda x: x.reshape((3, -1)),
    "reshape all": lambda x: x.reshape(-1),
    "view": lambda x: x.view(6, 4),
    "view inferred": lambda x: x.view(-1, 8),
    "view tuple": lambda x: x.view((2, 12)),
    "view_as": lambda x: x.view_as(x.new_zeros(4, 6)),
    "reshape_as": lambda x: x.reshape_as(x.new_zeros(4, 6)),
    "flatten": lambda x: x.flatten(),
    "flatten from 1": lambda x: x.flatten(1),
    "flatten 0 to 1": lambda x: x.flatten(0, 1),
    "flatten one": lambda x: x.flatten(1, 1),
    "ravel": lambda x: x.ravel(),
    "unflatten": lambda x: x.unflatten(2, (2, 2)),
    "unflatten inferred": lambda x: x.unflatten(-1, (2, -1)),
    "squeeze": lambda x: x.unsqueeze(0).unsqueeze(-1).squeeze(),
    "squeeze dim": lambda x: x.unsqueeze(0).squeeze(0),
    "squeeze none": lambda x: x.squeeze(1),
    "squeeze dims": lambda x: x.reshape(1, 2, 3, 1, 4).squeeze((0, 3)),
    "unsqueeze": lambda x: x.unsqueeze(1),
    "unsqueeze last": lambda x: x.unsqueeze(-1),
    "transpose": lambda x: x.transpose(0, 2),
    "transpose negative": lambda x: x.transpose(-1, -2),
    "swapaxes": lambda x: x.swapaxes(0, 1),
    "swapdims": lambda x: x.swapdims(0, 1),
    "permute": lambda x: x.permute(2, 0, 1),
    "permute tuple": lambda x: x.permute((1, -1, 0)),
    "movedim": lambda x: x.movedim(0, 2),
    "movedim two": lambda x: x.movedim((0, 1), (2, 0)),
    "moveaxis": lambda x: x.moveaxis(2, 0),
    "mT": lambda x: x.mT,
    "matrix T": lambda x: x[0].T,
    "t": lambda x: x[0].t(),
    "t of vector": lambda x: x[0, 0].t(),
    "adjoint": lambda x: x.adjoint(),
    "expand": lambda x: x[:, :1].expand(2, 5, 4),
    "expand new": lambda x: x.expand(3, 2, 3, 4),
    "expand kept": lambda x: x[:1].expand(2, -1, -1),
    "expand_as": lambda x: x[:1].expand_as(x),
    "broadcast_to": lambda x: x.broadcast_to((2, 2, 3, 4)),
    "narrow": lambda x: x.narrow(1, 1, 2),
    "narrow negative": lambda x: x.narrow(-1, -2, 1),
    "select": lambda x: x.select(1, -1),
    "diagonal": lambda x: x.diagonal(),
    "diagonal offset": lambda x: x.diagonal(1, 1, 2),
    "diagonal below": lambda x: x.diagonal(-1, dim1=2, dim2=0),
    "unfold": lambda x: x.unfold(2, 2, 1),
    "unfold step": lambda x: x.unfold(1, 2, 2),
    "contiguous": lambda x: x.contiguous(),
    "contiguous turned": lambda x: x.transpose(0, 2).contiguous(),
    "detach": lambda x: x * 1,
    "slice": lambda x: x[:, 1:, ::2],
    "new dims": lambda x: x[None, :, 0, ..., None],
}


@case(params=[(name, dtype) for name in VIEWS for (dtype,) in DTYPES])
def view(torch: Any, name: str, dtype: str) -> Any:
    x = sample(torch, 2, 3, 4, dtype=dtype)
    leaf = x.clone().requires_grad_()
    return {"plain": described(VIEWS[name](x), x), "gradient": with_gradients(torch, VIEWS[name], leaf)}


COPIES = {
    "repeat": lambda t, x: x.repeat(2, 1, 3),
    "repeat tuple": lambda t, x: x.repeat((2, 1, 1, 2)),
    "repeat once": lambda t, x: x.repeat(1, 1, 1),
    "tile": lambda t, x: t.tile(x, (2, 2)),
    "tile longer": lambda t, x: x.tile(2, 1, 1, 1),
    "repeat_interleave": lambda t, x: x.repeat_interleave(2),
    "repeat_interleave dim": lambda t, x: t.repeat_interleave(x, 3, dim=1),
    "repeat_interleave each": lambda t, x: t.repeat_interleave(x, t.tensor([1, 0, 2]), dim=1),
    "flip": lambda t, x: x.flip(0),
    "flip two": lambda t, x: t.flip(x, (0, 2)),
    "flip list": lambda t, x: x.flip([1]),
    "fliplr": lambda t, x: t.fliplr(x),
    "flipud": lambda t, x: x.flipud(),
    "roll": lambda t, x: x.roll(2),
    "roll dim": lambda t, x: t.roll(x, 1, 1),
    "roll two": lambda t, x: t.roll(x, shifts=(1, -1), dims=(0, 2)),
    "rot90": lambda t, x: t.rot90(x),
    "rot90 twice": lambda t, x: t.rot90(x, 2, (0, 1)),
    "rot90 back": lambda t, x: x.rot90(-1, (1, 2)),
    "rot90 full": lambda t, x: x.rot90(4, (1, 2)),
    "tril": lambda t, x: t.tril(x),
    "tril above": lambda t, x: x.tril(1),
    "triu": lambda t, x: t.triu(x, diagonal=-1),
    "diag_embed": lambda t, x: t.diag_embed(x),
    "diag_embed offset": lambda t, x: t.diag_embed(x, 1, 0, 2),
    "diag of vector": lambda t, x: t.diag(x[0, 0]),
    "diag of vector below": lambda t, x: t.diag(x[0, 0], -1),
    "diag of matrix": lambda t, x: x[0].diag(1),
    "diagflat": lambda t, x: t.diagflat(x[0]),
    "trace": lambda t, x: t.trace(x[0]),
    "cat": lambda t, x: t.cat([x, x * 2, x[:1]], 0),
    "cat last": lambda t, x: t.cat((x, x[..., :1]), dim=-1),
    "cat axis": lambda t, x: t.cat((x, x), axis=1),
    "cat with empty": lambda t, x: t.cat([t.empty(0, dtype=x.dtype), x[0, 0]]),
    "stack": lambda t, x: t.stack([x, x * 2]),
    "stack last": lambda t, x: t.stack([x, x * 2], dim=-1),
    "hstack": lambda t, x: t.hstack([x, x]),
    "hstack vectors": lambda t, x: t.hstack((x[0, 0], x[0, 1, :2])),
    "vstack": lambda t, x: t.vstack([x[0], x[1]]),
    "vstack vectors": lambda t, x: t.vstack([x[0, 0], x[0, 1]]),
    "dstack": lambda t, x: t.dstack([x[0], x[1]]),
    "column_stack": lambda t, x: t.column_stack([x[:, 0, 0], x[:, :, 0]]),
    "row_stack": lambda t, x: t.row_stack([x[0, 0], x[0, 1]]),
    "concat": lambda t, x: t.concat([x, x]),
    "concatenate": lambda t, x: t.concatenate([x, x], 1),
    "block_diag": lambda t, x: t.block_diag(x[0], x[0, 0], x[1, :2]),
    "cartesian_prod": lambda t, x: t.cartesian_prod(x[0, 0], x[0, :, 0]),
    "cartesian_prod of one": lambda t, x: t.cartesian_prod(x[0, 0]),
    "combinations": lambda t, x: t.combinations(x[0, 0]),
    "combinations of 3": lambda t, x: t.combinations(x[0, 0], r=3),
    "combinations again": lambda t, x: t.combinations(x[0, 0], with_replacement=True),
    "clone": lambda t, x: x.transpose(0, 2).clone(),
    "atleast_3d": lambda t, x: t.atleast_3d(x[0, 0]),
    "diagonal_scatter": lambda t, x: t.diagonal_scatter(x[0], x[0, 0, :3], 1),
    "select_scatter": lambda t, x: t.select_scatter(x, x[0] * 2, 0, 1),
    "slice_scatter": lambda t, x: t.slice_scatter(x, x[:, :1] * 2, 1, 1, 2),
}


@case(params=[(name, dtype) for name in COPIES for (dtype,) in DTYPES], rtol={"float32": 4e-6, "float64": 1e-11})
def copy(torch: Any, name: str, dtype: str) -> Any:
    x = sample(torch, 2, 3, 4, dtype=dtype)
    leaf = x.clone().requires_grad_()
    made = COPIES[name](torch, x)
    gradient = with_gradients(torch, lambda a: COPIES[name](torch, a), leaf)
    return {"plain": described(made, x), "gradient": gradient}


PARTS = {
    "split": lambda t, x: t.split(x, 2, dim=2),
    "split uneven": lambda t, x: x.split(3, -1),
    "split sections": lambda t, x: x.split([1, 3], 2),
    "split_with_sizes": lambda t, x: x.split_with_sizes([1, 2], 1),
    "chunk": lambda t, x: t.chunk(x, 2, 2),
    "chunk uneven": lambda t, x: x.chunk(2, dim=1),
    "chunk many": lambda t, x: x.chunk(9, dim=1),
    "tensor_split": lambda t, x: t.tensor_split(x, 3, dim=2),
    "tensor_split at": lambda t, x: x.tensor_split((1, 3), dim=2),
    "tensor_split beyond": lambda t, x: x.tensor_split((1, 9), dim=2),
    "tensor_split tensor": lambda t, x: t.tensor_split(x, t.tensor([1, 2]), dim=1),
    "hsplit": lambda t, x: t.hsplit(x, 3),
    "vsplit": lambda t, x: t.vsplit(x, [1]),
    "dsplit": lambda t, x: x.dsplit(2),
    "unbind": lambda t, x: t.unbind(x),
    "unbind last": lambda t, x: x.unbind(-1),
    "iteration": lambda t, x: tuple(x),
    "meshgrid": lambda t, x: t.meshgrid(x[0, 0], x[0, :, 0], indexing="ij"),
    "meshgrid xy": lambda t, x: t.meshgrid(x[0, 0], x[0, :, 0], indexing="xy"),
    "meshgrid list": lambda t, x: t.meshgrid([x[0, 0], x[0, :, 0], x[:, 0, 0]], indexing="xy"),
    "meshgrid of one": lambda t, x: t.meshgrid(x[0, 0], indexing="ij"),
    "broadcast_tensors": lambda t, x: t.broadcast_tensors(x[0], x[:, :1]),
    "atleast_1d": lambda t, x: t.atleast_1d(x[0, 0, 0], x[0]),
    "atleast_2d": lambda t, x: t.atleast_2d(x[0, 0, 0], x[0, 0], x),
    "atleast_3d": lambda t, x: t.atleast_3d(x[0, 0, 0], x[0, 0], x[0]),
}


@case(params=[(name,) for name in PARTS])
def parts(torch: Any, name: str) -> Any:
    x = sample(torch, 2, 3, 4)
    leaf = x.clone().requires_grad_()
    made = PARTS[name](torch, x)
    return {
        "type": type(made).__name__,
        "parts": [described(part) for part in made],
        "gradient": with_gradients(torch, lambda a: PARTS[name](torch, a), leaf),
    }


@case
def powers_in_columns(torch: Any) -> Any:
    x = sample(torch, 4)
    return torch.vander(x), torch.vander(x, N=3, increasing=True), torch.vander(torch.tensor([1, 2, 3]))


@case
def of_empty_and_scalars(torch: Any) -> Any:
    empty, scalar = torch.empty(0, 3), torch.tensor(2.0)
    return {
        "split": [list(part.shape) for part in empty.split(2)],
        "chunk": [list(part.shape) for part in empty.chunk(2)],
        "unbind": len(empty.unbind()),
        "reshape": list(empty.reshape(3, 0).shape),
        "flatten": [list(empty.flatten().shape), list(scalar.flatten().shape)],
        "ravel": [list(empty.ravel().shape), list(scalar.ravel().shape)],
        "cat": list(torch.cat([empty, torch.ones(2, 3)]).shape),
        "repeat": [list(empty.repeat(2, 1).shape), list(scalar.repeat(3).shape)],
        "expand": list(scalar.expand(2, 3).shape),
        "squeeze": [list(scalar.squeeze().shape), list(scalar.squeeze(0).shape), list(scalar.unsqueeze(0).shape)],
        "transpose": list(scalar.transpose(0, 0).shape),
        "permute": list(scalar.permute(()).shape),
        "t": list(scalar.t().shape),
        "view": list(scalar.view(1, 1).shape),
        "flip": [list(empty.flip(0).shape), scalar.flip(())],
        "roll": list(empty.roll(1).shape),
        "stack": torch.stack([scalar, scalar]),
        "hstack": torch.hstack([scalar, scalar]),
        "tril": list(torch.tril(empty).shape),
        "diag": list(torch.diag(torch.empty(0)).shape),
        "meshgrid": [list(g.shape) for g in torch.meshgrid(torch.ones(2), torch.tensor(1.0), indexing="ij")],
        "unflatten": list(torch.ones(6).unflatten(0, (2, 3)).shape),
    }


@case
def promoted_when_joined(torch: Any) -> Any:
    whole, single, double = torch.tensor([1, 2]), torch.tensor([1.5, 2.5]), torch.tensor([1.5], dtype=torch.float64)
    return {
        "cat": torch.cat([whole, single]),
        "double": torch.cat([single, double]),
        "bool": torch.cat([whole, torch.tensor([True])]),
        "stack": torch.stack([whole, single]),
        "gradient": with_gradients(torch, lambda a: torch.cat([a, double]), single.clone().requires_grad_()),
        "out": torch.cat([whole, whole], out=torch.empty(0, dtype=torch.int64)),
    }


@case
def sizes_and_strides(torch: Any) -> Any:
    x = torch.zeros(2, 3, 4)
    return {
        "shape": [str(x.shape), str(x.size()), x.size(1), x.size(-1), x.dim(), x.ndim, x.numel(), x.nelement(), len(x)],
        "stride": [x.stride(), x.stride(0), x.stride(-1), x.transpose(0, 1).stride(), x[:, ::2].stride()],
        "offset": [x.storage_offset(), x[1].storage_offset(), x[1:, 1].storage_offset()],
        "bytes": [x.element_size(), x.itemsize, x.nbytes, x.long().element_size()],
        "contiguous": [
            x.is_contiguous(),
            x.transpose(0, 1).is_contiguous(),
            x[1].is_contiguous(),
            x[:, 1].is_contiguous(),
        ],
        "size arithmetic": [str(x.shape + (5,)), str(x.shape[1:]), x.shape[0], x.shape.numel(), x.shape == (2, 3, 4)],
        "torch.numel": torch.numel(x),
        "broadcast_shapes": [str(torch.broadcast_shapes((2, 1), (3,))), str(torch.broadcast_shapes(3, (1, 1)))],
        "no such dim": [raises(lambda: x.size(3)), raises(lambda: x.stride(5)), raises(lambda: len(torch.tensor(1)))],
        "flags": [
            x.is_floating_point(),
            x.is_complex(),
            x.is_signed(),
            x.is_cuda,
            x.is_sparse,
            x.requires_grad,
            x.is_leaf,
        ],
        "device": [str(x.device), x.get_device(), str(x.layout), str(x.dtype)],
        "same size": x.is_same_size(torch.zeros(2, 3, 4)),
    }


@case
def errors(torch: Any) -> Any:
    x = torch.zeros(2, 3, 4)
    calls = {
        "reshape size": lambda: x.reshape(5, 5),
        "reshape inferred": lambda: x.reshape(5, -1),
        "reshape two inferred": lambda: x.reshape(-1, -1),
        "reshape negative": lambda: x.reshape(-2, 12),
        "reshape empty": lambda: torch.empty(0).reshape(0, -1),
        "reshape text": lambda: x.reshape("a"),
        "reshape float": lambda: x.reshape(2.0, 12),
        "reshape nothing": lambda: x.reshape(),
        "view of turned": lambda: x.transpose(0, 1).view(24),
        "view of slice": lambda: x[:, ::2].view(-1),
        "flatten order": lambda: x.flatten(2, 1),
        "flatten dim": lambda: x.flatten(5),
        "unflatten": lambda: x.unflatten(1, (2, 2)),
        "squeeze dim": lambda: x.squeeze(3),
        "unsqueeze dim": lambda: x.unsqueeze(5),
        "unsqueeze nothing": lambda: x.unsqueeze(),
        "transpose dim": lambda: x.transpose(0, 3),
        "t": lambda: x.t(),
        "permute short": lambda: x.permute(0, 1),
        "permute twice": lambda: x.permute(0, 0, 1),
        "permute dim": lambda: x.permute(0, 1, 3),
        "movedim": lambda: x.movedim((0, 1), 0),
        "movedim twice": lambda: x.movedim((0, 0), (0, 1)),
        "mT": lambda: torch.zeros(2).mT,
        "expand": lambda: x.expand(2, 3, 5),
        "expand short": lambda: x.expand(3, 4),
        "expand new": lambda: x.expand(-1, 2, 3, 4),
        "broadcast": lambda: torch.broadcast_tensors(torch.ones(2), torch.ones(3)),
        "broadcast_shapes": lambda: torch.broadcast_shapes((2,), (3,)),
        "narrow": lambda: x.narrow(1, 2, 5),
        "narrow start": lambda: x.narrow(1, 9, 1),
        "narrow length": lambda: x.narrow(1, 0, -1),
        "select": lambda: x.select(1, 3),
        "select scalar": lambda: torch.tensor(1).select(0, 0),
        "diagonal": lambda: x.diagonal(0, 1, 1),
        "diagonal of vector": lambda: torch.ones(3).diagonal(),
        "unfold": lambda: x.unfold(1, 5, 1),
        "unfold step": lambda: x.unfold(1, 2, 0),
        "repeat short": lambda: x.repeat(2, 2),
        "repeat negative": lambda: x.repeat(1, 1, -1),
        "repeat_interleave": lambda: x.repeat_interleave(torch.tensor([1, 2]), dim=1),
        "repeat_interleave negative": lambda: x.repeat_interleave(torch.tensor([-1, 2, 1]), dim=1),
        "flip dim": lambda: x.flip(3),
        "flip twice": lambda: x.flip(0, 0),
        "roll": lambda: x.roll((1, 2), 0),
        "rot90": lambda: torch.rot90(x, 1, (1, 1)),
        "tril": lambda: torch.tril(torch.ones(3)),
        "diag": lambda: torch.diag(x),
        "trace": lambda: torch.trace(x),
        "cat nothing": lambda: torch.cat([]),
        "cat tensor": lambda: torch.cat(x),
        "cat number": lambda: torch.cat([x, 1]),
        "cat sizes": lambda: torch.cat([x, torch.zeros(2, 2, 3)]),
        "cat dims": lambda: torch.cat([x, torch.zeros(2, 2)]),
        "cat dim": lambda: torch.cat([x, x], 3),
        "cat scalars": lambda: torch.cat([torch.tensor(1), torch.tensor(2)]),
        "stack nothing": lambda: torch.stack([]),
        "stack sizes": lambda: torch.stack([x, x[0]]),
        "stack dim": lambda: torch.stack([x, x], 5),
        "split size": lambda: x.split(-1),
        "split zero": lambda: x.split(0),
        "split sum": lambda: x.split([1, 1], 2),
        "split scalar": lambda: torch.tensor(1).split(1),
        "chunk": lambda: x.chunk(0),
        "unbind scalar": lambda: torch.tensor(1).unbind(),
        "tensor_split": lambda: x.tensor_split(0),
        "hsplit": lambda: torch.hsplit(x, 2),
        "hstack": lambda: torch.hstack([]),
        "meshgrid": lambda: torch.meshgrid(x, x, indexing="ij"),
        "meshgrid indexing": lambda: torch.meshgrid(torch.ones(2), indexing="ji"),
        "iterate scalar": lambda: list(torch.tensor(1)),
        "combinations": lambda: torch.combinations(x),
        "cartesian_prod": lambda: torch.cartesian_prod(x),
        "block_diag": lambda: torch.block_diag(x),
        "diag_embed": lambda: torch.diag_embed(x, 0, 1, 1),
    }
    return {name: raises(call) for name, call in calls.items()}


@case
def in_place_forms(torch: Any) -> Any:
    x = sample(torch, 1, 3, 1)
    leaf = sample(torch, 3, 2, requires_grad=True)
    return {
        "squeeze_": x.clone().squeeze_(),
        "squeeze_ dim": x.clone().squeeze_(0),
        "unsqueeze_": x.clone().unsqueeze_(1),
        "transpose_": x.clone().transpose_(0, 1),
        "t_": sample(torch, 2, 3).t_(),
        "tril_": sample(torch, 3, 3).tril_(),
        "triu_": sample(torch, 3, 3).triu_(1),
        "fill_diagonal_": torch.zeros(3, 4).fill_diagonal_(2.0),
        "fill_diagonal_ wrap": torch.zeros(7, 3).fill_diagonal_(2.0, wrap=True),
        "gradient": with_gradients(torch, lambda a: (a * 2).t_() * 3, leaf),
        "gradient unsqueezed": with_gradients(torch, lambda a: (a * 2).unsqueeze_(0) * 3, leaf),
        "resize_": list(torch.zeros(2).resize_(3, 4).shape),
        "view dtype": attempt(lambda: torch.tensor([1.0, 2.0]).view(torch.int32)),
        "leaf": raises(lambda: leaf.t_()),
    }


@case
def sizes_repeated(torch: Any) -> Any:
    size = torch.ones(2, 3).shape
    return [str(size * 2), str(2 * size), str(size * 0), raises(lambda: size * 1.5)]
