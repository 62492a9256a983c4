"""What the gateway reads from Kafka."""
