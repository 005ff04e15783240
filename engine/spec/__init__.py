"""The spec: streams.yaml and the settings of a connection as typed, immutable objects."""
