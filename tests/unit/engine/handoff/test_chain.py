"""Block ids: the contract with the router and the prefix store."""

import pytest
from engine.handoff.chain import block_ids

from tests.unit.engine.handoff.makers import NAMESPACE, tokens


def test_the_vector_that_everybody_agreed_on() -> None:
    found = block_ids(NAMESPACE, list(range(1, 131)))
    assert [each.hex() for each in found] == [
        "e791b22883de8340c64039b331ccdf44",
        "38306249793cd60d959fff65e96fa241",
        "4cf73ebdb533b7e33e5b2c4de16524cf",
    ]


def test_an_id_covers_everything_before_it_and_the_namespace() -> None:
    prompt = tokens(200)
    other = [prompt[0] + 1, *prompt[1:]]
    first, second = block_ids(NAMESPACE, prompt), block_ids(NAMESPACE, other)
    assert not set(first) & set(second)
    assert not set(first) & set(block_ids(b"x" * 32, prompt))
    assert block_ids(NAMESPACE, prompt[:128]) == first[:2]


def test_a_chain_goes_on_from_any_block() -> None:
    prompt = tokens(200)
    whole = block_ids(NAMESPACE, prompt)
    assert block_ids(NAMESPACE, prompt[128:], previous=whole[1]) == whole[2:]


@pytest.mark.parametrize("bad", [-1, 1 << 32])
def test_what_is_no_token_is_refused(bad: int) -> None:
    with pytest.raises(OverflowError):
        block_ids(NAMESPACE, [1, bad])
    with pytest.raises(ValueError, match="32 bytes"):
        block_ids(b"short", [1])
