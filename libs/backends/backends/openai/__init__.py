"""Any server of OpenAI's API, aggregated: it reads the prompt and writes the answer."""
