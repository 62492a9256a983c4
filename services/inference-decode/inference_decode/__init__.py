"""Fronts decode engines: admission, queues, leases, cancellation, health, usage and events."""
