"""Write a stream's block of streams.yaml from an API's OpenAPI document.

guess infers what the document does not state from its names and schemas; stream puts the guesses together as a block;
emit writes a block as YAML; names turns the document's names into names and paths of streams.yaml. Nothing here does
I/O or knows a particular API.
"""
