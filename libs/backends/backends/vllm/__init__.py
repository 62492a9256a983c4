"""vLLM with prompts and answers apart, behind the port: HTTP to its OpenAI server, metrics as load, KV events over ZeroMQ (ADR 27)."""
