"""Steps of a PyTorch model on request: reads `run N`, answers `wall cpu grown` as benches/train.rs does."""

import sys
import time

from models import Step


def memory(key):
    for line in open("/proc/self/status"):
        if line.startswith(key + ":"):
            return int(line.split()[1]) << 10
    return 0


def main():
    step = Step(sys.argv[1], int(sys.argv[2]))
    before = memory("VmRSS")
    print("ready", flush=True)
    for line in sys.stdin:
        count = int(line.split()[1])
        start, cpu = time.perf_counter(), time.process_time()
        for _ in range(count):
            step()
        wall, used = time.perf_counter() - start, time.process_time() - cpu
        print(wall, used, max(0, memory("VmHWM") - before), flush=True)


main()
