"""The engine as a model of Triton: operations in, events out. The only part of this library that knows protobuf.

`model` is what Triton loads; it reads `settings` and composes the rest. An operation (`operations`) is answered at once or handed to
whoever has time: `loop` steps the engine, `prefill` publishes what was read, `decode` pulls what was published. What comes of it goes
through `outbox`, one thread that packs and sends; `works` knows whose it is. Protocol and reasons: proto/finmesh/engine/v1 and ADR 24.
"""
