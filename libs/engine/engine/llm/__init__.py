"""Generative models: what a model is (`manifest`), and the loop that runs it."""
