"""``init``: start a project of one's own for another API."""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from engine.declare.addresses import plain_url
from tools.cli.generate import run as generate
from tools.cli.options import add_command
from tools.cli.target import CommandError
from tools.project import slug, start

_EXAMPLES = """\
examples:
  python -m engine init Shop https://api.shop.example/v2
  python -m engine init Shop https://api.shop.example/v2 --folder ../shop-connector
  python -m engine init Shop https://api.shop.example/v2 --openapi /openapi.json --stream "GET /orders"

The project has the connector, the engine and these commands; streams.yaml with one stream, which --stream names or
which is there to be replaced; configuration.json for fivetran debug; a README; a workflow that validates streams.yaml.
Exit codes: 0 if the project was written, 1 if --stream cannot be scaffolded, 2 if the folder is not empty.
"""


def add_to(commands: Any) -> None:
    """Add the command to the parser."""
    parser = add_command(commands, "init", "start a project of your own for another API", _EXAMPLES)
    parser.add_argument("name", metavar="NAME", help="the API's name, as logs show it: Shop")
    parser.add_argument("url", metavar="URL", help="the base URL of the API")
    parser.add_argument(
        "--folder", type=Path, help="where to write the project (default: a folder with the API's name)"
    )
    parser.add_argument("--openapi", metavar="PATH", help="the path of the API's OpenAPI document, below its base URL")
    parser.add_argument("--stream", metavar="ENDPOINT", help='a list to scaffold from that document: "GET /orders"')
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Write the project."""
    if not re.fullmatch(r"[A-Za-z][\w .&-]*", options.name):
        raise CommandError("NAME: expected a name that starts with a letter, such as Shop")
    if plain_url(options.url) is None or not options.url.startswith(("http://", "https://")):
        raise CommandError(
            "URL: expected an http:// or https:// URL without query, such as https://api.shop.example/v2"
        )
    if options.stream and not options.openapi:
        raise CommandError("--stream needs --openapi, the document to scaffold it from")
    folder: Path = options.folder or Path(slug(options.name))
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise CommandError(f"{folder} exists and is not empty; choose another folder with --folder")
    start(folder, options.name, options.url.rstrip("/"), options.openapi)
    code = _scaffold(folder, options.stream) if options.stream else 0
    generate(folder, check=False)
    print(f"\n{options.name} is in {folder}. Next:\n")
    print(f"  cd {folder}\n  python -m engine validate\n  python -m engine check")
    return code


def _scaffold(folder: Path, endpoint: str) -> int:
    """Put a scaffolded stream in the place of the one to replace, by the new project's own command."""
    command = [sys.executable, "-m", "engine", "scaffold", endpoint]
    scaffolded = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if scaffolded.returncode:
        print(scaffolded.stderr, end="", file=sys.stderr)
        return 1
    file = folder / "streams.yaml"
    before, _, _ = file.read_text("utf-8").partition("streams:\n")
    file.write_text(f"{before}streams:\n{scaffolded.stdout}", "utf-8")
    return 0
