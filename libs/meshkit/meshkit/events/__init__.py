"""Events in and out; services and the command reach Kafka by nothing else. `exactly_once` for topics answered on Kafka, `offsets_in_db`
where the output is a database, `replay` to read a topic once, `tail` to look on, `publisher` to send. `clients` makes them all."""
