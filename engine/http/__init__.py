"""HTTP: a client for one API, with authentication, timeouts, retries, limits and decoding."""
