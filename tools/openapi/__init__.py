"""An API's OpenAPI 3.0 or 3.1 document, and what follows from it for streams.yaml.

document finds the operations, shape reads their schemas, lists finds the operations that return records; accepts
compares a request with a schema, columns a column. Nothing here does I/O or knows a particular API.
"""
