"""Milliseconds per op in PyTorch, over the list that `cargo bench --bench ops` times; with that bench's output as the
argument, both and their ratio.

    cargo bench --bench ops > ours.txt; python benches/peers/ops.py ours.txt
"""

import os
import pathlib
import sys
import time

import torch
import torch.nn.functional as F

THREADS = int(os.environ.get("THREADS", "2"))
torch.set_num_threads(THREADS)
torch.manual_seed(0)
SECONDS = float(os.environ.get("SECONDS", "0.5"))


# Seconds of the processor, which other programs disturb less, or of the clock.
now = time.process_time if os.environ.get("CPU") else time.perf_counter


def best(f):
    f()
    f()
    least, start = float("inf"), time.perf_counter()
    while True:
        a = now()
        f()
        least = min(least, now() - a)
        if time.perf_counter() - start > SECONDS:
            return least * 1e3


def differentiable(f, tensors):
    """Forward, then backward for every tensor."""
    tensors = [t.requires_grad_() for t in tensors]
    y = f(*tensors)
    dy = torch.randn_like(y)
    forward = best(lambda: f(*tensors))
    # What stays alive between forward and backward is alive in training too.
    both = best(lambda: torch.autograd.grad(f(*tensors), tensors, dy))
    return forward, max(both - forward, 0.0)


def optimiser(make, count, size):
    weights = [torch.randn(size, requires_grad=True) for _ in range(count)]
    for w in weights:
        w.grad = torch.randn(size)
    step = make(weights).step
    return best(step), 0.0


def measure(name, s):
    r = torch.randn
    if name in ("conv", "conv_relu"):
        n, ci, size, co, k, stride, padding, groups = s
        x, w, b = r(n, ci, size, size), r(co, ci // groups, k, k), r(co)
        if name == "conv":
            return differentiable(lambda x, w: F.conv2d(x, w, None, stride, padding, 1, groups), [x, w])
        return differentiable(lambda x, w, b: F.relu(F.conv2d(x, w, b, stride, padding, 1, groups)), [x, w, b])
    if name == "linear":
        return differentiable(F.linear, [r(s[0], s[1]), r(s[2], s[1]), r(s[2])])
    if name == "linear_relu":
        return differentiable(lambda x, w, b: F.relu(F.linear(x, w, b)), [r(s[0], s[1]), r(s[2], s[1]), r(s[2])])
    if name in ("batch_norm", "batch_norm_relu"):
        n, c, size = s
        mean, var = torch.zeros(c), torch.ones(c)
        norm = lambda x, w, b: F.batch_norm(x, mean, var, w, b, True)
        f = norm if name == "batch_norm" else (lambda x, w, b: F.relu(norm(x, w, b)))
        return differentiable(f, [r(n, c, size, size), r(c), r(c)])
    if name == "sgd":
        return optimiser(lambda w: torch.optim.SGD(w, 1e-6, momentum=0.9, fused=True), *s)
    if name == "adam":
        return optimiser(lambda w: torch.optim.Adam(w, 1e-6, fused=True), *s)
    n, c, size = s
    x = r(n, c, size, size)
    if name == "relu":
        return differentiable(F.relu, [x])
    if name == "max_pool":
        return differentiable(lambda x: F.max_pool2d(x, 2), [x])
    if name == "max_pool3":
        return differentiable(lambda x: F.max_pool2d(x, 3, 2, 1), [x])
    if name == "global_avg_pool":
        return differentiable(lambda x: x.mean((2, 3)), [x])
    sys.exit(f"no op {name}")


def main():
    ours = {}
    if len(sys.argv) > 1:
        for line in open(sys.argv[1]):
            case, _, times = line.rpartition("|")
            if times.split() and case.strip() != "ms":
                ours[case.strip()] = [float(t) for t in times.split()]
    print(f"{'ms':36}{'forward':>20}{'backward':>20}{'both':>20}" if ours else f"{'ms':36}|   forward  backward")
    for line in (pathlib.Path(__file__).parent.parent / "ops.txt").read_text().splitlines():
        if line.startswith("#") or not line.strip():
            continue
        name, *sizes = line.split()
        peer = measure(name, [int(v) for v in sizes])
        if line not in ours:
            print(f"{line:36}|{peer[0]:10.3f}{peer[1]:10.3f}", flush=True)
            continue
        pairs = [(a, b) for a, b in zip(ours[line], peer)] + [(sum(ours[line]), sum(peer))]
        cells = [f"{a:8.3f}{b:8.3f}" + (f"{a / b:5.2f}" if b else "    -") for a, b in pairs]
        print(f"{line:34}" + "".join(f"{c:>22}" for c in cells), flush=True)


main()
