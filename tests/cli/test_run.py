"""`fanin run`: programs, what they import, what they lack, and how they end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from tests.cli.conftest import python


def run(folder: Path, source: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Write a program and run it under fanin."""
    program = folder / "program.py"
    program.write_text(textwrap.dedent(source), encoding="utf-8")
    return python("-m", "fanin", "run", str(program), *arguments)


def test_torch_is_fanin_under_every_name(tmp_path: Path) -> None:
    done = run(
        tmp_path,
        """
        import torch, fanin
        import torch.nn.functional as F
        from torch import nn, optim
        from torch.nn.modules.linear import Linear
        from torch.nn.parameter import Parameter
        from torch.optim.lr_scheduler import StepLR
        from torch.utils.data import DataLoader
        from torch.utils.data.dataset import Dataset
        from torch.autograd import Variable
        print(torch is fanin, Linear is nn.Linear, F is fanin.nn.functional)
        print(type(torch.ones(1)), type(nn.Linear(1, 1)), torch.float32, torch.ones(1).type())
        """,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "True True True",
        "<class 'torch.Tensor'> <class 'torch.nn.modules.linear.Linear'> torch.float32 torch.FloatTensor",
    ]
    assert not done.stderr


def test_arguments_and_neighbours(tmp_path: Path) -> None:
    (tmp_path / "neighbour.py").write_text("import torch\nvalue = torch.arange(3)\n", encoding="utf-8")
    done = run(
        tmp_path,
        """
        import sys
        from neighbour import value
        if __name__ == "__main__":
            print(sys.argv[1:], value)
        """,
        "--epochs",
        "3",
        "-m",
    )
    assert done.stdout.strip() == "['--epochs', '3', '-m'] tensor([0, 1, 2])"


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (
            "import torch\ntorch.nn.Conv2d(1, 1, 3)",
            "torch.nn.Conv2d is not part of fanin, which trains",
        ),
        ("from torch.nn import LSTM", "torch.nn.LSTM is not part of fanin"),
        ("import torch.distributed", "torch.distributed is not part of fanin"),
        ("import torchvision", "torchvision needs PyTorch itself"),
        ("import torch\ntorch.ones(2).cuda()", "fanin computes on the CPU"),
    ],
)
def test_what_is_missing_is_named(tmp_path: Path, source: str, words: str) -> None:
    done = run(tmp_path, source)
    assert done.returncode == 1
    assert words in done.stderr
    assert done.stderr.startswith("Traceback")
    first = done.stderr.splitlines()[1]
    assert "program.py" in first, "the traceback begins in the program"


def test_annotations_of_the_program_stay_what_they_are(tmp_path: Path) -> None:
    source = """
        import dataclasses, torch
        @dataclasses.dataclass
        class Settings:
            rate: float = 0.1
            weight: torch.Tensor = None
        print([f.type for f in dataclasses.fields(Settings)])
        """
    assert run(tmp_path, source).stdout == "[<class 'float'>, <class 'torch.Tensor'>]\n"
    assert (
        run(tmp_path, " " * 8 + "from __future__ import annotations" + source).stdout == "['float', 'torch.Tensor']\n"
    )


def test_errors_and_the_version_have_torchs_names(tmp_path: Path) -> None:
    source = """
        import io, pickle, torch
        def name(call):
            try:
                call()
            except Exception as error:
                return f"{type(error).__module__}.{type(error).__name__}"
        class Own:
            pass
        file = io.BytesIO()
        torch.save(Own, file)
        file.seek(0)
        print(name(lambda: torch.load(file)), name(lambda: torch.load(io.BytesIO())))
        print(name(lambda: torch.linalg.inv(torch.zeros(2, 2))), name(lambda: torch.ones(2) + torch.ones(3)))
        print(torch.version.__version__ == torch.__version__)
        """
    assert run(tmp_path, source).stdout.splitlines() == [
        "_pickle.UnpicklingError builtins.EOFError",
        "torch._C._LinAlgError builtins.RuntimeError",
        "True",
    ]


def test_exit_statuses(tmp_path: Path) -> None:
    assert run(tmp_path, "raise SystemExit(7)").returncode == 7
    assert run(tmp_path, "import sys; sys.exit('no data')").stderr.strip() == "no data"
    assert run(tmp_path, "1 / 0").returncode == 1
    assert "SyntaxError" in run(tmp_path, "def f(:").stderr


def test_a_program_that_is_not_there(tmp_path: Path) -> None:
    done = python("-m", "fanin", "run", str(tmp_path / "absent.py"))
    assert done.returncode == 2
    assert done.stderr.strip() == f"fanin run: no such program: {tmp_path / 'absent.py'}"


def test_classes_of_the_program_are_pickled(tmp_path: Path) -> None:
    done = run(
        tmp_path,
        """
        import torch
        class Net(torch.nn.Module):
            def __init__(self):
                super().__init__()
                self.layer = torch.nn.Linear(2, 1)
            def forward(self, x):
                return self.layer(x)
        net = Net()
        torch.save(net, "net.pt")
        again = torch.load("net.pt", weights_only=False)
        print(torch.equal(again(torch.ones(1, 2)), net(torch.ones(1, 2))))
        """.replace("net.pt", str(tmp_path / "net.pt")),
    )
    assert done.stdout.strip() == "True", done.stderr


def test_ctrl_c_ends_with_its_status(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text("import torch, time\nprint('ready', flush=True)\ntime.sleep(60)\n", encoding="utf-8")
    source = Path(__file__).parents[2] / "src"
    environment = {**os.environ, "PYTHONPATH": str(source)}
    with subprocess.Popen(
        [sys.executable, "-m", "fanin", "run", str(program)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline().strip() == "ready"
        time.sleep(0.2)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=30)
    assert process.returncode == 130
    assert errors.strip() == "fanin: stopped by Ctrl-C"
