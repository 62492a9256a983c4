"""gRPC as every finmesh service uses it: typed errors, deadlines, peer identities, one server and one channel."""
