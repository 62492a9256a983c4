"""Rows are views, of either width of numbers, and only of a form whose bytes can be taken as they lie."""

import numpy as np
import pytest
from engine.handoff.errors import Refused
from engine.handoff.layout import Layout
from engine.handoff.rows import RowView

from tests.unit.engine.handoff.makers import LAYOUT, row


def memory(dtype: str = "float32", rows: int = 3) -> list[np.ndarray]:
    """Keys and values of 2 layers as an engine has them: (rows, heads, max_len, dim)."""
    return [np.zeros((rows, 2, 512, 8), dtype) for _ in range(4)]


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_what_is_written_lands_in_the_engine_s_memory_and_in_one_row_alone(dtype: str) -> None:
    held = memory(dtype)
    view = RowView([each[1] for each in held[::2]], [each[1] for each in held[1::2]])
    view.fits(Layout(dtype, 2, 2, 8, 64, b"d" * 16), 512, writable=True)
    for number, stripe in enumerate(view.stripes):
        stripe[:, 3:5] = number + 1
    for number, each in enumerate(held):
        assert each[1, :, 3:5].tobytes() == bytes([number + 1]) * each[1, :, 3:5].nbytes
        assert not each[[0, 2]].any()
        assert not each[1, :, :3].any()
        assert not each[1, :, 5:].any()


def test_order_is_keys_then_values_of_each_layer() -> None:
    keys, values = [np.full((1, 4, 2), n, np.float32) for n in (0, 2)], [np.full((1, 4, 2), n, np.float32) for n in (1, 3)]
    assert [stripe.view(np.float32)[0, 0, 0] for stripe in RowView(keys, values).stripes] == [0, 1, 2, 3]


@pytest.mark.parametrize(
    "spoilt",
    [
        lambda a: a[:, ::2],
        lambda a: a.transpose(0, 2, 1),
        lambda a: a[:, :, :4],
        lambda a: a.astype(np.float16),
        lambda a: a[:1],
        lambda a: a[0],
    ],
)
def test_arrays_of_another_form_are_refused(spoilt) -> None:
    held = [each[0] for each in memory()]
    held[3] = spoilt(held[3])
    with pytest.raises(Refused) as caught:
        RowView(held[::2], held[1::2])
    assert caught.value.reason == "LAYOUT_MISMATCH"


@pytest.mark.parametrize(
    "layout",
    [
        Layout("float16", 2, 2, 8, 64, b"d" * 16),
        Layout("float32", 3, 2, 8, 64, b"d" * 16),
        Layout("float32", 2, 1, 8, 64, b"d" * 16),
        Layout("float32", 2, 2, 16, 64, b"d" * 16),
    ],
)
def test_a_row_of_another_layout_does_not_fit(layout: Layout) -> None:
    with pytest.raises(Refused) as caught:
        row().fits(layout, 10)
    assert caught.value.reason == "LAYOUT_MISMATCH"


@pytest.mark.parametrize("tokens", [0, 513])
def test_a_prompt_must_have_room(tokens: int) -> None:
    row().fits(LAYOUT, 512)
    with pytest.raises(Refused):
        row().fits(LAYOUT, tokens)


def test_a_landing_row_must_be_writable() -> None:
    held = [each[0] for each in memory()]
    for each in held:
        each.flags.writeable = False
    view = RowView(held[::2], held[1::2])
    view.fits(LAYOUT, 10)
    with pytest.raises(Refused):
        view.fits(LAYOUT, 10, writable=True)


@pytest.mark.parametrize("facts", [("float64", 1, 1, 1, 1, b"d" * 16), ("float32", 0, 1, 1, 1, b"d" * 16), ("float32", 1, 1, 1, 1, b"d")])
def test_a_layout_that_cannot_be_is_refused(facts) -> None:
    with pytest.raises(Refused) as caught:
        Layout(*facts)
    assert caught.value.reason == "LAYOUT_INVALID"
