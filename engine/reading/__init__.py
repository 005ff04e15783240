"""Reading: one file per algorithm over one :class:`~engine.reading.source.Source`, each a generator of batches."""
