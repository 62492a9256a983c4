"""Software that comes from package registries into `.stack/`, through the ordinary clients (mvn, pip), by exact version.

Each module answers `fetch(stack) -> Path`: fast when the thing is there already, safe to run twice at once.
"""
