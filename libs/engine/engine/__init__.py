"""What runs inside Triton's Python stub, and in the services as fallback: standard library, numpy and onnxruntime alone."""
