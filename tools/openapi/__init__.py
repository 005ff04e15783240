"""What an API says about itself in an OpenAPI 3.0 or 3.1 document, and what follows for streams.yaml.

document finds the operations, shape reads their schemas, lists tells which of them answer with records; accepts and
columns compare a request and a column with a schema; drift and scaffold (with sorts and wording) are questions that a
person asks. Nothing here does I/O, and nothing knows the API that is described.
"""
