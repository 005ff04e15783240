"""A small framework to declare the dialect of streams.yaml.

A block of the file (the api, a stream, a pagination style, ...) is a frozen dataclass whose fields are keys. This one
declaration validates the YAML, builds the object, and generates the JSON Schema and the reference page, so they cannot
disagree. The modules, each of which imports only earlier ones: problems, yaml, node, values, blocks; headers and types.
"""
