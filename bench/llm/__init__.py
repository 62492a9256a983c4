"""`make bench-llm`: our engine beside onnxruntime-genai, the mesh beside our engine, prefill apart from decode beside together."""
