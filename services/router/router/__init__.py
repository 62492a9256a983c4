"""Routes generations: which decode worker, whether and where to prefill, retries, records."""
