"""Two composition roots, two processes: the stream's batches must not hold up a synchronous call."""
