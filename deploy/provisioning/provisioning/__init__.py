"""What has to be there before a mesh starts: the tables of services and topics, topics on a broker, certificates, keys, tokens."""
