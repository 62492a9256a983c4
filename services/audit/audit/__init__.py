"""The audit service: records from Kafka into the transparency log, proofs out by gRPC."""
