"""The HTTP door: uvicorn with the caller's certificate, and the OpenAI API on it."""
