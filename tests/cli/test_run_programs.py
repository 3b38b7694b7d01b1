"""`fanin run`: other ways to start a program, PyTorch's names in what it prints, and what is said of missing names."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

import fanin as library
from tests.cli.conftest import Answer, python

Start = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def start(tmp_path: Path) -> Start:
    """Write a program and its neighbours into a folder, and run it there."""

    def run(source: str, *arguments: str, **neighbours: str) -> subprocess.CompletedProcess[str]:
        for name, text in {"program": source, **neighbours}.items():
            (tmp_path / f"{name}.py").write_text(textwrap.dedent(text), encoding="utf-8")
        return python("-m", "fanin", "run", "program.py", *arguments, folder=tmp_path)

    return run


def last_line(text: str) -> str:
    return text.strip().splitlines()[-1]


# It runs as Python would run it ---------------------------------------------------------------------------------------


def test_help_of_the_program_is_the_programs(start: Start) -> None:
    done = start("import argparse; argparse.ArgumentParser(prog='mine').parse_args()", "--help")
    assert done.stdout.startswith("usage: mine")


def test_a_program_from_the_standard_input(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "fanin", "run", "-", "a"],
        input="import sys, torch; print(sys.argv, torch.ones(1), __name__); torch.nn.Linear(2, 1)(torch.ones(3))",
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(Path(library.__file__).parents[1])},
    )
    assert done.stdout == "['-', 'a'] tensor([1.]) __main__\n"
    assert done.returncode == 1
    assert 'File "<stdin>", line 1, in <module>' in done.stderr


def test_a_module_and_a_package(tmp_path: Path) -> None:
    package = tmp_path / "package"
    package.mkdir()
    (package / "__init__.py").write_text("import torch\nSIZE = torch.Size([2])\n")
    (package / "__main__.py").write_text("from . import SIZE\nimport sys\nprint(SIZE, sys.argv[1:], __package__)\n")
    (package / "train.py").write_text("from . import SIZE\nprint('train', SIZE, __name__)\n")
    run = ("-m", "fanin", "run", "-m")
    assert python(*run, "package", "--x", folder=tmp_path).stdout == "torch.Size([2]) ['--x'] package\n"
    assert python(*run, "package.train", folder=tmp_path).stdout == "train torch.Size([2]) __main__\n"
    missing = python(*run, "package.nowhere", folder=tmp_path)
    assert (missing.returncode, missing.stderr) == (1, "ModuleNotFoundError: No module named package.nowhere\n")


def test_no_torch_is_imported_even_where_there_is_one(start: Start) -> None:
    done = start("import torch, torch.nn as nn; print(torch.__path__[0].endswith('fanin'), nn is torch.nn)")
    assert done.stdout == "True True\n"


def test_torch_that_is_installed_is_passed_by(start: Start) -> None:
    done = start("import torch; print(torch.ones(1))", torch="raise RuntimeError('the other torch')")
    assert done.stdout == "tensor([1.])\n"


# What a program prints of torch itself --------------------------------------------------------------------------------


def test_types_errors_and_the_version_have_pytorchs_names(start: Start) -> None:
    done = start(
        """
        import torch
        from torch import nn
        print(type(nn.BatchNorm1d(1)), type(torch.optim.Adam([torch.ones(1)])), torch.no_grad, type(torch.ones(1)))
        print(torch.optim.lr_scheduler.StepLR.__module__, torch.utils.data.DataLoader.__module__)
        for call in (lambda: torch.ones(2) + torch.ones(3), lambda: torch.ones(2)[5], lambda: nn.Dropout(2.0)):
            try:
                call()
            except Exception as error:
                print(type(error), repr(error))
        print(torch.__version__.split("+")[0], torch.version.cuda)
        """
    )
    assert done.stdout.splitlines() == [
        (
            "<class 'torch.nn.modules.batchnorm.BatchNorm1d'> <class 'torch.optim.adam.Adam'> "
            "<class 'torch.autograd.grad_mode.no_grad'> <class 'torch.Tensor'>"
        ),
        "torch.optim.lr_scheduler torch.utils.data.dataloader",
        (
            "<class 'RuntimeError'> RuntimeError('The size of tensor a (2) must match the size of tensor b (3) at "
            "non-singleton dimension 0')"
        ),
        "<class 'IndexError'> IndexError('index 5 is out of bounds for dimension 0 with size 2')",
        "<class 'ValueError'> ValueError('dropout probability has to be between 0 and 1, but got 2.0')",
        "2.13.0 None",
    ]


IMPORTS = """
from torch.nn.modules.loss import _Loss
from torch.nn.utils.clip_grad import clip_grad_norm_
from torch.nn.utils.rnn import pad_sequence
from torch.optim.optimizer import Optimizer
from torch.optim.adam import Adam
from torch.optim.lr_scheduler import _LRScheduler
from torch.utils.data.dataloader import default_collate
from torch.utils.data.dataset import random_split
from torch.utils.data.sampler import SubsetRandomSampler
from torch.autograd import Variable
from torch.autograd.function import once_differentiable
from torch.nn.parameter import Parameter
import torch.backends.cudnn as cudnn
import torch.nn.functional as F
from torch.cuda.amp import GradScaler, autocast
from torch.nn.init import _calculate_fan_in_and_fan_out
from torch.distributions.normal import Normal
from torch.nn.modules.utils import _pair
from torch.nn.utils.stateless import functional_call
from torch.serialization import add_safe_globals
from torch.types import Device, Number
from torch.utils.checkpoint import checkpoint
from torch.utils.hooks import RemovableHandle
import torch.accelerator, torch.autograd.graph, torch.func
"""


def test_names_are_found_where_old_programs_look_for_them(start: Start) -> None:
    done = start(IMPORTS + "cudnn.benchmark = True\nprint(cudnn.benchmark, cudnn.is_available(), F.relu.__name__)")
    assert (done.stdout, done.stderr) == ("True False relu\n", "")


def test_settings_for_gpus_are_accepted(start: Start) -> None:
    done = start(
        """
        import torch
        torch.manual_seed(0); torch.cuda.manual_seed_all(0); torch.use_deterministic_algorithms(True)
        torch.backends.cudnn.deterministic = True
        torch.set_float32_matmul_precision("high")
        device = torch.device("cuda:0" if torch.cuda.is_available() else "cpu")
        scaler = torch.amp.GradScaler("cuda")
        w = torch.ones(1, device=device, requires_grad=True)
        optimizer = torch.optim.SGD([w], lr=0.5)
        with torch.autocast("cuda", dtype=torch.float16):
            loss = (w * 2).sum()
        scaler.scale(loss).backward(); scaler.unscale_(optimizer); scaler.step(optimizer); scaler.update()
        print(device, w, scaler.get_scale(), torch.device("cuda:1"))
        """
    )
    assert (done.stdout, done.stderr) == ("cpu tensor([0.], requires_grad=True) 1.0 cuda:1\n", "")


# Names that fanin does not have ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "said", "remedy"),
    [
        ("torch.nn.Conv2d(1, 1, 3)", "AttributeError: torch.nn.Conv2d is not part of fanin", "use nn.Linear"),
        ("from torch.nn import LSTM", "torch.nn.LSTM is not part of fanin", "recurrent networks"),
        ("import torch.distributed as dist", "torch.distributed is not part of fanin", "one machine"),
        ("import torch.nn.quantized", "torch.nn.quantized is not part of fanin", ""),
        ("import torchvision.transforms as T", "torchvision needs PyTorch itself", "scikit-learn"),
        ("torch.compiler.cudagraph_mark_step_begin()", "torch.compiler.cudagraph_mark_step_begin is not part", ""),
        ("torch.ones(1).to_sparse()", "torch.Tensor.to_sparse is not part of fanin", "use dense tensors"),
        ("torch.utils.tensorboard.SummaryWriter()", "torch.utils.tensorboard is not part of fanin", "csv"),
        ("torch.linalg.eig(torch.eye(2))", "torch.linalg.eig is not part of fanin", "eigh"),
        ("torch.ones(1).cuda()", "AssertionError: Torch not compiled with CUDA enabled", "torch.cuda.is_available()"),
        ("torch.sofmax(torch.ones(1))", "torch.sofmax is not part of fanin", "Did you mean softmax?"),
        ("torch.ones(1).sofmax(0)", "'Tensor' object has no attribute 'sofmax'", "Did you mean softmax?"),
    ],
)
def test_a_name_that_fanin_lacks(start: Start, line: str, said: str, remedy: str) -> None:
    done = start(f"import torch\n\ndef main():\n    {line}\n\nmain()\n")
    assert done.returncode == 1
    assert done.stderr.startswith("Traceback (most recent call last):\n  File ")
    assert said in done.stderr
    assert remedy in done.stderr
    assert f"{os.sep}fanin{os.sep}cli" not in done.stderr  # the program's lines, and none of fanin's
    assert f"line 4, in main\n    {line}" in done.stderr


def test_programs_can_ask_what_there_is(start: Start) -> None:
    done = start(
        """
        import torch
        try:
            from torch import jit
        except ImportError:
            jit = None
        try:
            import torchvision
        except ImportError as error:
            print(error.name)
        print(jit, hasattr(torch, "jit"), hasattr(torch.ones(1), "to_sparse"), hasattr(torch.nn, "Linear"))
        """
    )
    assert done.stdout == "torchvision\nNone False False True\n"


def test_programs_can_compile(start: Start) -> None:
    done = start(
        """
        import torch
        import torch.compiler

        layer = torch.nn.Linear(2, 1, bias=False)
        torch.nn.init.ones_(layer.weight)
        optimizer = torch.optim.SGD(layer.parameters(), lr=0.5)

        @torch.compile
        def step(x):
            optimizer.zero_grad()
            loss = layer(x).square().mean()
            loss.backward()
            optimizer.step()
            return loss.detach()

        x = torch.tensor([[1.0, 0.5]])
        print(step(x), step(x), torch.compiler.is_compiling())
        """
    )
    assert done.stdout == "tensor(2.2500) tensor(0.1406) False\n"


# What goes wrong ------------------------------------------------------------------------------------------------------


def test_errors_of_fanin_end_at_the_programs_line(start: Start) -> None:
    done = start("import torch\nlayer = torch.nn.Linear(3, 2)\nlayer(torch.ones(4, 5))\n")
    lines = done.stderr.splitlines()
    assert done.returncode == 1
    assert lines[-2:] == [
        "RuntimeError: mat1 and mat2 shapes cannot be multiplied (4x5 and 3x2)",
        "The layer takes 3 features in the last dimension, the input is [4, 5].",
    ]
    assert sum(line.startswith("  File ") for line in lines) == 1
    assert "During handling" not in done.stderr


def test_errors_of_the_program_are_whole(start: Start) -> None:
    done = start("import torch\nfrom helper import f\nf(0)\n", helper="def f(x):\n    return 1 / x\n")
    assert done.returncode == 1
    assert last_line(done.stderr) == "ZeroDivisionError: division by zero"
    assert ", line 2, in f\n" in done.stderr


def test_a_syntax_error(start: Start) -> None:
    done = start("import torch\nif torch\n")
    assert done.returncode == 1
    assert done.stderr.splitlines()[0].endswith('program.py", line 2')
    assert last_line(done.stderr) == "SyntaxError: expected ':'"


def test_no_program_is_named(fanin: Callable[..., Answer]) -> None:
    assert fanin("run") == Answer(2, "", "fanin run: name a program (see fanin run --help)\n")


def test_advice_goes_to_the_standard_error_and_can_be_turned_off(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    source = "import torch\nprint(torch.nn.functional.mse_loss(torch.ones(3), torch.ones(3, 1)))\n"
    told = start(source)
    assert told.stdout == "tensor(0.)\n"
    assert "BroadcastLoss" in told.stderr
    assert "program.py:2" in told.stderr
    monkeypatch.setenv("FANIN_ADVICE", "off")
    quiet = start(source)
    assert quiet.stdout == "tensor(0.)\n"
    assert "BroadcastLoss" not in quiet.stderr
