"""Lines to try the mesh by hand, made to be pasted: a transaction with grpcurl, the decisions with kcat."""

import json
import shlex
from pathlib import Path

from finmesh.risk.v1 import decision_pb2
from localmesh.ports import LOOPBACK, Ports

METHOD = "finmesh.gateway.v1.GatewayService/ScoreTransaction"
_NOW, _UUID = "$(date -u +%FT%TZ)", "$(cat /proc/sys/kernel/random/uuid)"


def grpcurl(certs: Path, token: Path, tenant: str, ports: Ports) -> str:
    """Ask for a decision on a transfer of 880.00 yuan now. The gateway has server reflection: `list` and `describe` work as well."""
    transaction = {
        "tenant": tenant,
        "identity": {"uetr": _UUID},
        "channel": "CHANNEL_TRANSFER",
        "event_time": _NOW,
        "amount": {"currency_code": "CNY", "amount_minor": "88000"},
        "customer_id": "cus-by-hand",
        "account_id": "acc-by-hand",
        "instrument_token": "acc-by-hand",
        "counterparty_account_id": "acc-of-somebody",
        "geo": {"country_code": "CN", "region_code": "SH"},
        "utc_offset_minutes": 480,
    }
    body = json.dumps({"request": {"transaction": transaction}}, separators=(",", ":"))
    for part in (_NOW, _UUID):
        body = body.replace(part, f"'\"{part}\"'")
    return (
        f"grpcurl -cacert {_word(certs / 'authority.pem')} -cert {_word(certs / 'client.pem')} -key {_word(certs / 'client.key')} "
        f"-H \"authorization: Bearer $(cat {_word(token)})\" -d '{body}' {LOOPBACK}:{ports.grpc('gateway')} {METHOD}"
    )


def verify(proof: Path, log_key: Path) -> str:
    """Check an inclusion proof again, offline."""
    return f"finmesh verify inclusion {_word(proof)} --log-key {_word(log_key)}"


def kcat(ports: Ports) -> str:
    """Show the committed decisions that the topic holds: place, key, headers."""
    topic = decision_pb2.TransactionDecided.DESCRIPTOR.full_name
    return (
        f"kcat -C -b {LOOPBACK}:{ports.kafka} -t {topic} -o beginning -e -q -X isolation.level=read_committed -f '%p/%o  %S bytes  %h\\n'"
    )


def _word(path: Path) -> str:
    return shlex.quote(str(path))
