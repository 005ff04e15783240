"""How fast the engine is, compared with a minimal client and with its peers. Not part of the connector."""
