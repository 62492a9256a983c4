"""RPC SayHello."""

from toy.domain.greeting import greeting


def say_hello(tenant: str, name: str) -> str:
    """Return the greeting of a tenant's customer."""
    return f"{tenant}: {greeting(name)}"
