"""Run one contender, and print as JSON what its reading cost. Its import is not counted."""

import importlib
import json
import resource
import sys
import time
from pathlib import Path


def peak_memory() -> int:
    """The peak resident memory of this process, in bytes."""
    status = Path("/proc/self/status")
    if status.exists():  # Linux, where getrusage also counts the process that this one was forked from
        line = next(line for line in status.read_text("ascii").splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


read = importlib.import_module(f"dev.benchmarks.contenders.{sys.argv[1]}").read
began, cpu_before = time.perf_counter(), time.process_time()
rows = read(*sys.argv[2:])
seconds, cpu = time.perf_counter() - began, time.process_time() - cpu_before
print(json.dumps({"rows": rows, "seconds": seconds, "cpu": cpu, "peak": peak_memory()}))
