"""A publisher that cannot connect says so, whatever the reason, and tries again with the next message."""

from pathlib import Path

import pytest
from meshkit.config import KafkaSettings
from meshkit.errors import Unavailable
from meshkit.events.message import Message
from meshkit.events.publisher import Publisher

MESSAGE = Message("t", 0, b"k", b"v", [])


@pytest.mark.parametrize(
    "settings",
    [{"bootstrap_servers": "127.0.0.1:1"}, {"security_protocol": "SSL", "authority": Path("/不存在/authority.pem")}],
    ids=["nobody listens", "no authority"],
)
async def test_an_event_log_that_cannot_be_reached_is_down(settings) -> None:
    publisher = Publisher(KafkaSettings(**settings))
    for _ in range(2):
        with pytest.raises(Unavailable) as caught:
            await publisher.write([MESSAGE])
        assert caught.value.reason == "EVENT_LOG_DOWN"
    with pytest.raises(Unavailable):
        await publisher.partitions("t")
    await publisher.aclose()
