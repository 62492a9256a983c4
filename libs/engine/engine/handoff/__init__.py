"""The KV hand-off: a prompt's keys and values from the memory of the engine that read it to the engine that answers.

Knows no graph and no scheduler: rows are arrays (`rows`), prompts are hash chains (`chain`). `publisher` and `server` are one end, `puller`
the other; `machine` is the protocol, pure. The rules are numbered H1 to H14 in docs/handoff-protocol.md.
"""
