"""Documents handed in and asked about while the knowledge service, its stores and its broker are killed and emptied.

`campaign` is the whole; `plan` says which documents and injections, `intake` hands in, `readers` ask, `inject` breaks, `judge` looks from
outside: by RPC, at what readers were ever shown, at the event log and the audit log.
"""
