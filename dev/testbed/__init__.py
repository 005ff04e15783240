"""Real servers to run the connector against: for the demo, the tests and the benchmarks. Not part of the connector."""
