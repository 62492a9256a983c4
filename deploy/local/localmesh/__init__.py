"""The whole mesh on one machine without containers: the same Kafka, Redis, Triton and Zipkin that production speaks to.

`processes.table` is the one place that says what runs; `supervisor.Mesh` runs any list of rows, in a launcher or in a test.
"""
