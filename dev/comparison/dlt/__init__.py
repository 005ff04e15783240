"""The same tables as configurations of dlt's REST source, ``config(url, **settings)``."""
