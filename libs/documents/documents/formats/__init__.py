"""One module for each format: bytes in, blocks into a draft. They run in a parser's process alone."""
