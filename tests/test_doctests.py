"""The examples in docstrings are run."""

from __future__ import annotations

import doctest
import inspect
from types import ModuleType

import pytest

import engine.declare.values
import engine.jsonpath
import engine.nouns
import tools.report.words


@pytest.mark.parametrize("module", [engine.declare.values, engine.jsonpath, engine.nouns, tools.report.words])
def test_the_examples_of_a_module_are_right(module: ModuleType) -> None:
    """Each returns what its docstring shows, and each of these modules has some."""
    runner = doctest.DocTestRunner()
    for value in vars(module).values():
        # Not doctest.testmod: it inspects every value, and INVALID of engine.declare.node may not be used.
        if (inspect.isfunction(value) or inspect.isclass(value)) and value.__module__ == module.__name__:
            for examples in doctest.DocTestFinder().find(value, globs=vars(module)):
                runner.run(examples)
    failed, tried = runner.summarize()
    assert (failed, tried > 0) == (0, True)
