"""Protobuf to domain and back: requests of callers, legs, workers."""
