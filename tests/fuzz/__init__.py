"""One target for each parser of foreign bytes: no exception but its own, no hang, and what it writes it reads."""
