"""A bank to test against: customers with habits, fraud typologies with ground truth, days of history, an open-loop driver.

Everything is deterministic by seed. The domain modules know numpy alone; `translate` speaks protobuf, `driver` speaks Kafka and gRPC.
"""
