"""What is measured: one module for each way of reading, whose ``read`` answers with the number of rows that it read.

`python -m dev.benchmarks.contenders NAME ARGUMENT...` runs one in a process of its own and prints what it cost.
"""
