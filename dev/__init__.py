"""What serves those who work on the project: real servers, the demo, the benchmarks. Nothing in here is deployed."""
