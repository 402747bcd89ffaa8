"""Milliseconds of a training step of a large table in PyTorch, as `benches/table.rs` times it here.

    python benches/peers/table.py [ROWS] [THREADS]
"""

import sys
import time

import torch

SIZE, BATCH, STEPS, WARM = 32, 1024, 15, 3


def measure(rows, name, sparse):
    torch.manual_seed(1)
    table = torch.nn.Embedding(rows, SIZE, sparse=sparse)
    make = {
        "sgd": lambda p: torch.optim.SGD(p, lr=0.01),
        "momentum": lambda p: torch.optim.SGD(p, lr=0.01, momentum=0.9),
        "adam": lambda p: torch.optim.Adam(p, lr=0.01),
    }[name]
    optimizer = make(table.parameters())
    dy = torch.full((BATCH, SIZE), 1e-3)
    times = []
    for step in range(WARM + STEPS):
        x = torch.randint(rows, (BATCH,))
        start = time.perf_counter()
        optimizer.zero_grad(set_to_none=True)
        table(x).backward(dy)
        optimizer.step()
        if step >= WARM:
            times.append((time.perf_counter() - start) * 1e3)
    times.sort()
    return times[STEPS // 2], times[0], times[-1]


def main():
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    torch.set_num_threads(int(sys.argv[2]) if len(sys.argv) > 2 else 2)
    print(f"{'optimiser':<10} {'gradient':<8} {'ms a step':>10} {'least':>10} {'most':>10}")
    # Adam of PyTorch takes no sparse gradient; its SparseAdam is another rule.
    for name, sparse in [("sgd", False), ("sgd", True), ("momentum", False), ("adam", False)]:
        median, least, most = measure(rows, name, sparse)
        print(f"{name:<10} {'sparse' if sparse else 'dense':<8} {median:>10.2f} {least:>10.2f} {most:>10.2f}")


if __name__ == "__main__":
    main()
