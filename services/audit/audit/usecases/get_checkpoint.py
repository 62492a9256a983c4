"""The newest signed checkpoint."""

from audit.ports import AuditReader


async def get_checkpoint(reader: AuditReader) -> tuple[str, str]:
    """Return the signed note and the verifier key text; raises Unavailable."""
    _, note, verifier_key = await reader.checkpoint()
    return note, verifier_key
