"""Traces, logs and metrics as every finmesh service emits them. Personal data stops at the exporter and at the log formatter."""
