"""How one pair of vLLM engines is run, as whoever started them says: what the engine itself does not tell."""

from __future__ import annotations

from dataclasses import dataclass

from meshkit.addresses import is_local, list_hosts
from meshkit.errors import FailedPrecondition

INVALID = "ACCELERATORS_INVALID"


@dataclass(frozen=True, slots=True, kw_only=True)
class VllmPair:
    """``served_model``: its name there; empty: as in the mesh. ``kv_events``: where we bind and the engine connects; empty: none are told.
    ``kv_replay``: the engine's socket for what was missed. ``lease_s``: of our tickets, below ``engine_lease_s``, after which the engine
    frees what nobody took (`kv_lease_duration`). ``priorities``: whether it runs with `--scheduling-policy priority`.

    Tokens and salt travel in clear between the two engines, and NIXL's handshake authenticates nobody: both belong on loopback, in one pod,
    or on a network that is encrypted below them, which nothing here can see. What can be seen is refused: event sockets beyond loopback.
    """

    served_model: str = ""
    kv_events: str = ""
    kv_replay: str = ""
    lease_s: float = 20.0
    engine_lease_s: float = 30.0
    priorities: bool = False
    first_s: float = 60.0
    between_s: float = 8.0

    def __post_init__(self) -> None:
        """Raises FailedPrecondition (ACCELERATORS_INVALID)."""
        if not 0 < self.lease_s <= self.engine_lease_s * 2 / 3:
            raise FailedPrecondition("lease_s: two thirds of engine_lease_s at most, or keys and values of others are read", reason=INVALID)
        for name, endpoint in (("kv_events", self.kv_events), ("kv_replay", self.kv_replay)):
            scheme, _, rest = endpoint.partition("://")
            is_near = (scheme == "ipc" and rest) or (scheme == "tcp" and all(is_local(host) for host in list_hosts(endpoint)))
            if endpoint and not is_near:
                raise FailedPrecondition(f"{name}: is not protected, so tcp:// of loopback or ipc://", reason=INVALID)
        if self.kv_replay and not self.kv_events:
            raise FailedPrecondition("kv_replay: is for kv_events", reason=INVALID)
