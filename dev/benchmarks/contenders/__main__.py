"""Run one contender, and print as JSON what its reading cost. Its import is not counted."""

import importlib
import json
import sys
import time

from dev.benchmarks.memory import peak_memory

read = importlib.import_module(f"dev.benchmarks.contenders.{sys.argv[1]}").read
began, cpu_before = time.perf_counter(), time.process_time()
rows = read(*sys.argv[2:])
seconds, cpu = time.perf_counter() - began, time.process_time() - cpu_before
print(json.dumps({"rows": rows, "seconds": seconds, "cpu": cpu, "peak": peak_memory()}))
