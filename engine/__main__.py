"""``python -m engine COMMAND`` forwards to the authors' commands in tools/, which are not deployed."""

import importlib.util
import runpy
import sys

if importlib.util.find_spec("tools") is None:
    sys.exit("python -m engine: the commands are in the folder tools/, which is not deployed; run them in a checkout")
runpy.run_module("tools", run_name="__main__", alter_sys=True)
