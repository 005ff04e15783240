"""What is measured: one module for each way of reading. Its ``read`` returns the number of rows it read.

`python -m dev.benchmarks.contenders NAME ARGUMENT...` runs one in its own process and prints its cost.
"""
