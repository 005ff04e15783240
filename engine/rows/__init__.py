"""Records as the server sends them -> rows as the destination takes them."""
