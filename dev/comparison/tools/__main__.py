"""Run one sync of a tool, and write the records that it sends to a file: a JSON array ``[table, record]`` a line."""

import importlib
import json
import sys
from pathlib import Path

tool, task = sys.argv[1], json.loads(sys.argv[2])
sent = importlib.import_module(f"dev.comparison.tools.{tool}").sync(**task)
lines = (json.dumps([table, record], default=str) for table, record in sent)
Path(task["folder"], "sent.jsonl").write_text("".join(f"{line}\n" for line in lines), "utf-8")
