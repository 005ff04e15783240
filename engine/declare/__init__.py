"""The small framework in which the dialect of streams.yaml is declared.

A block of the file (the api, a stream, a pagination style, ...) is a frozen dataclass whose fields are keys. That one
declaration validates the YAML, builds the object, and produces the JSON Schema and the reference page, so they cannot
disagree. Order of the modules: problems, yaml, node, values, blocks, types; json_schema beside them.
"""
