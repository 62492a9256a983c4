"""What use cases share: the pool of workers, the line before them, one generation's run."""
