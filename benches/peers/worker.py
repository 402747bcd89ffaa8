"""Steps of a PyTorch model on request: reads `run N`, answers `wall cpu grown` as benches/train.rs does."""

import argparse
import ctypes
import gc
import sys
import time

import torch

from models import Step


def memory(key):
    for line in open("/proc/self/status"):
        if line.startswith(key + ":"):
            return int(line.split()[1]) << 10
    return 0


def forget_peak():
    """From here on `VmHWM` counts anew; what was freed before is the system's, as on the other side."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    with open("/proc/self/clear_refs", "w") as file:
        file.write("5")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("name")
    parser.add_argument("threads", type=int)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--batch", type=int)
    parser.add_argument("--precision", choices=["f32", "tf32", "bf16"], default="f32")
    parser.add_argument("--peer", choices=["eager", "tuned", "compile"], default="eager")
    args = parser.parse_args()
    gpu = args.device.startswith("cuda")
    how = (args.precision, args.peer == "compile", args.peer == "tuned")
    if not gpu:
        # Code that a first step loads is no memory of a step.
        Step(args.name, args.threads, args.device, 2, *how)()
    step = Step(args.name, args.threads, args.device, args.batch, *how)
    if not gpu:
        forget_peak()
    # A GPU works behind the processor's back: the clock is read when it has done what it was given.
    settle = (lambda: torch.cuda.synchronize(args.device)) if gpu else (lambda: None)
    before = torch.cuda.memory_reserved(args.device) if gpu else memory("VmRSS")
    print("ready", flush=True)
    for line in sys.stdin:
        count = int(line.split()[1])
        settle()
        start, cpu = time.perf_counter(), time.process_time()
        for _ in range(count):
            step()
        settle()
        wall, used = time.perf_counter() - start, time.process_time() - cpu
        peak = torch.cuda.max_memory_reserved(args.device) if gpu else memory("VmHWM")
        print(wall, used, max(0, peak - before), flush=True)


main()
