"""What several use cases share."""
