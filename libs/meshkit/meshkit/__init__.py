"""The kit of every finmesh service: it knows transport and life cycle, never banking."""
