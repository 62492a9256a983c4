"""A greeting."""


def greeting(name: str) -> str:
    """Return words for a name."""
    return f"你好，{name}"
