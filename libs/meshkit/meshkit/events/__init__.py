"""Events in and out. Nothing else in finmesh opens a Kafka consumer: `exactly_once` for topics answered on Kafka, `offsets_in_db` where the
output is a database, `replay` to read a topic once."""
