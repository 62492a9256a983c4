"""Graded, versioned retrieval with citations that hold."""
