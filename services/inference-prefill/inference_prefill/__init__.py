"""Fronts prefill engines: admission, queues, leases, cancellation, health, usage and events."""
