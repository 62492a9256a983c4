"""Evaluation of retrieval on a data set of the BEIR form: read, handed in, asked, measured, reported."""
