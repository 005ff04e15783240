"""The order of packages: each imports only from those before it, and nothing that is deployed imports the tools."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.readme import PROJECT

ORDER = (
    "failures",
    "numbers",
    "instants",
    "log",
    "jsonpath",
    "nouns",
    "destination",
    "declare",
    "variables",
    "requests",
    "pagination",
    "authentication",
    "spec",
    "http",
    "rows",
    "state",
    "reading",
    "sync",
    "parts",
    "setup_form",
)
FOLDERS = ("engine", "tools", "spark", "dev", "tests")


def imported(source: str) -> Iterator[str]:
    """The dotted names that a module imports, wherever in it. ``from a import b`` imports ``a.b``."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def folders(source: str) -> set[str]:
    """The top-level folders of this project that a module imports from."""
    return {name.split(".")[0] for name in imported(source)} & set(FOLDERS)


def later(package: str, source: str) -> set[str]:
    """The packages of the engine that a module of this package imports and that are not before it in the order."""
    packages = {name.split(".")[1] for name in imported(source) if name.startswith("engine.")}
    return packages - {*ORDER[: ORDER.index(package)], package}


def sources(path: Path) -> Iterator[str]:
    """The source of a module, or of all modules of a package."""
    files = sorted(path.rglob("*.py")) if path.is_dir() else [path.with_suffix(".py")]
    assert files
    yield from (file.read_text("utf-8") for file in files)


def test_every_package_has_a_place_in_the_order() -> None:
    """A new one must be added to ORDER and to the docstring of the engine."""
    packages = {path.stem for path in (PROJECT / "engine").iterdir() if path.is_dir() or path.suffix == ".py"}
    assert packages - {"__init__", "__main__", "__pycache__"} == set(ORDER)
    listed = (PROJECT / "engine" / "__init__.py").read_text("utf-8")
    names = [
        name for line in listed.splitlines() if line.startswith("- ") for name in line[2:].split(":")[0].split(", ")
    ]
    assert tuple(names) == ORDER


@pytest.mark.parametrize("package", ORDER)
def test_a_package_imports_only_from_those_before_it(package: str) -> None:
    """So there are no cycles, and each can be read without knowing what comes after it."""
    assert [found for source in sources(PROJECT / "engine" / package) if (found := later(package, source))] == []


@pytest.mark.parametrize("deployed", ["engine", "connector"])
def test_what_is_deployed_imports_only_the_engine(deployed: str) -> None:
    """The other folders are not deployed."""
    assert set().union(*map(folders, sources(PROJECT / deployed))) == {"engine"}


def test_the_tools_import_only_the_engine_and_each_other() -> None:
    """They work in a checkout without the development environment of tests and benchmarks."""
    assert set().union(*map(folders, sources(PROJECT / "tools"))) == {"engine", "tools"}


def test_spark_imports_only_the_engine_and_itself() -> None:
    """A cluster gets these two folders and nothing else."""
    assert set().union(*map(folders, sources(PROJECT / "spark"))) == {"engine", "spark"}


@pytest.mark.parametrize(
    "source",
    [
        "import engine.sync.writer",
        "from engine.sync.writer import Writer",
        "from engine import sync",
        "def late():\n    from engine import sync",
    ],
)
def test_every_form_of_import_is_checked(source: str) -> None:
    """A check that overlooked one would hold nothing."""
    assert later("state", source) == {"sync"}
    assert later("setup_form", source) == set()
    assert folders(source.replace("engine", "tools")) == {"tools"}
