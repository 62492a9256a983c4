"""Inference over gRPC, with a circuit breaker in front."""
