"""How fast the engine is, beside the least that any client needs and beside its peers. Not part of the connector."""
