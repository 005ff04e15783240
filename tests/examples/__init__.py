"""Tests of the files in examples/, against stubs of their APIs."""
