"""What an API says about itself in an OpenAPI 3.0 or 3.1 document, and what follows for streams.yaml.

document finds the operations, shape reads their schemas, accepts and columns compare a request and a column with them.
drift and scaffold are the questions that a person asks. Nothing here does I/O, and nothing knows the API.
"""
