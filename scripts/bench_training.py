#!/usr/bin/env python3
"""Training steps per precision and against PyTorch's Python, side by side.

    scripts/bench_training.py [--rounds 5] [--steps 10] [--program build/release/bench_training_step]

ResNet-18, deconvolution neck 256-128-64, 256x256, batch 4, two threads. Each round runs every contestant once, in turn, so that a
machine whose speed wanders treats all alike; a ratio is taken within a round, and the median of the rounds is reported with
its range. Needs PyTorch for Python (the wheel that the C++ build links will do) and safetensors. Build the C++ program with
`cmake --build build/release --target bench_training_step`.
"""

import argparse
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
WARM_UP = 3
BATCH, SIZE, THREADS = 4, 256, 2


def train_in_python(precision, steps):
    """The same network, loss and optimizer as benchmarks/training_step.cpp; prints images per second."""
    import torch
    from torch.nn.functional import mse_loss

    sys.path.insert(0, str(ROOT / "tests" / "models"))
    from pytorch_reference import CenterNet

    torch.set_num_threads(THREADS)
    torch.manual_seed(0)
    bf16 = precision == "bf16"
    layout = torch.channels_last if bf16 else torch.contiguous_format
    model = CenterNet(classes=2).to(memory_format=layout)
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3, momentum=0.9)
    images = torch.randn(BATCH, 3, SIZE, SIZE).contiguous(memory_format=layout)
    targets = {
        name: torch.rand(BATCH, 2, SIZE // 4, SIZE // 4).contiguous(memory_format=layout)
        for name in ("heat", "wh", "offset")
    }

    def run(repeats):
        for _ in range(repeats):
            optimizer.zero_grad()
            with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
                heads = model(images)
            loss = mse_loss(heads["heat"].float().sigmoid(), targets["heat"])
            loss = loss + mse_loss(heads["wh"].float(), targets["wh"])
            loss = loss + mse_loss(heads["offset"].float(), targets["offset"])
            loss.backward()
            optimizer.step()

    run(WARM_UP)
    start = time.perf_counter()
    run(steps)
    print(f"{steps * BATCH / (time.perf_counter() - start):.4f}")


def describe(values):
    return f"{statistics.median(values):.2f} ({min(values):.2f} to {max(values):.2f})"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=10, help="timed steps per contestant and round")
    parser.add_argument("--program", default=ROOT / "build/release/bench_training_step")
    parser.add_argument("--train", choices=("fp32", "bf16"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.train:
        return train_in_python(options.train, options.steps)

    python = [sys.executable, __file__, "--steps", str(options.steps), "--train"]
    program = [str(options.program), f"steps={options.steps}", f"batch={BATCH}", f"size={SIZE}", f"threads={THREADS}"]
    raised = {"MALLOC_MMAP_THRESHOLD_": str(1 << 30), "MALLOC_TRIM_THRESHOLD_": str(2047 << 20)}
    contestants = {
        "C++ fp32": (program + ["fp32"], {}),
        "Python fp32": (python + ["fp32"], {}),
        "Python fp32, malloc raised": (python + ["fp32"], raised),
        "C++ bf16 channels-last": (program + ["bf16"], {}),
        "Python bf16 channels-last": (python + ["bf16"], {}),
    }
    rates = {name: [] for name in contestants}
    for number in range(options.rounds):
        for name, (command, variables) in contestants.items():
            out = subprocess.run(command, env=os.environ | variables, check=True, capture_output=True, text=True).stdout
            rates[name].append(float(out))
        print(f"round {number + 1}: " + ", ".join(f"{name} {values[-1]:.2f}" for name, values in rates.items()), flush=True)

    print("\nimages/s, median (range)")
    for name, values in rates.items():
        print(f"  {name:28} {describe(values)}")
    print("ratios within a round, median (range)")
    for above, below in (
        ("C++ bf16 channels-last", "C++ fp32"),
        ("C++ fp32", "Python fp32"),
        ("C++ fp32", "Python fp32, malloc raised"),
        ("C++ bf16 channels-last", "Python bf16 channels-last"),
    ):
        ratios = [a / b for a, b in zip(rates[above], rates[below])]
        print(f"  {above} / {below}: {describe(ratios)}")


if __name__ == "__main__":
    main()
