"""What people say, by what it says (`words.json`): templates of phrases, chatter, typos. `{…}` is filled by whoever asks."""

from __future__ import annotations

import json
from importlib import resources
from random import Random

WORDS: dict[str, tuple[str, ...]] = {
    name: tuple(said) for name, said in json.loads(resources.files("otc").joinpath("words.json").read_text(encoding="utf-8")).items()
}


def pick(random: Random, name: str, /, **values: object) -> str:
    """Return one of the words of that name, filled with the values."""
    said = random.choice(WORDS[name])
    return said.format(**values) if values else said
