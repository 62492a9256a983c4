"""Async steps that the stream and the synchronous path share. They speak to ports and domain only."""
