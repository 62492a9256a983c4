"""What the audit service decides: which ids are well-formed, and where a producer's numbering has holes."""
