"""Settings of toy."""

from meshkit.config import ServiceConfig
from pydantic import Field


class ToyConfig(ServiceConfig):
    """All settings."""

    callers: tuple[str, ...] = Field(default=("gateway",), description="workloads that may call")
