"""Writes the pages of docs/ that follow from the code: configuration.md from settings, asyncapi.yaml from topics and protos."""
