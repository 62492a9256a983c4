"""`python -m llm.foreign --from FOLDER`: the folder of a model that a foreign engine runs, into `var/models`; prints it and its digest.

Of a Hugging Face folder config.json, tokenizer.json and the chat template are enough; weights are not looked at, and any family will do.
Exit status 1 with one line that names file and field when they are not enough.
"""

from __future__ import annotations

import argparse
import hashlib
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from engine.llm.fields import MalformedManifestError
from engine.llm.foreign import ForeignManifest, read, write
from engine.llm.manifest import DEFAULT_MAX_LEN, NAME, Source
from engine.llm.model_files import TOKENIZER

from llm import hf_folder, tokenizer
from llm.convert import HERMES, plain
from llm.errors import MalformedModelError, ModelError
from llm.folder import TEMPLATE, named, sha256
from llm.hf_folder import CONFIG, Document


def convert(path: Path, root: Path, *, name: str = "", licence: str = "", source: str = "", max_len: int = DEFAULT_MAX_LEN) -> Path:
    """Return the model's folder below `root`. Raises MalformedModelError, UnsupportedModelError, MalformedManifestError, OSError."""
    config = Document.read(path / CONFIG)
    vocabulary, longest = config.integer("vocab_size"), config.integer("max_position_embeddings")
    family = config.values.get("model_type")
    if not isinstance(family, str) or not NAME.fullmatch(family):
        raise MalformedModelError(config.path, "model_type", "missing, or no plain word")
    made = tokenizer.of_file(path / TOKENIZER)
    content, template = tokenizer.written(path / TOKENIZER, made, vocabulary), hf_folder.template_of(path)
    root.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=".model-", dir=root))
    try:
        scratch.chmod(0o755)
        (scratch / TOKENIZER).write_bytes(content)
        if template is not None:
            (scratch / TEMPLATE).write_text(template, encoding="utf-8")
        manifest = ForeignManifest(
            name=name or plain(path.resolve().name),
            architecture=family,
            files={each.name: sha256(each) for each in sorted(scratch.iterdir())},
            vocabulary=vocabulary,
            max_position=longest,
            end_ids=hf_folder.end_ids_of(path, config, tokenizer.added_tokens(made), vocabulary),
            bos_id=hf_folder.bos_id_of(path, config, template, vocabulary),
            template=None if template is None else TEMPLATE,
            tool_format="hermes" if all(each in (template or "") for each in HERMES) else None,
            source=Source(source or path.resolve().name, hashlib.sha256((path / CONFIG).read_bytes()).hexdigest()),
            licence=licence or hf_folder.licence_of(path),
            max_len=min(max_len, longest),
        )
        write(manifest, scratch)
        return named(scratch, root / manifest.folder_name)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status."""
    parser = argparse.ArgumentParser(prog="python -m llm.foreign", description=__doc__)
    parser.add_argument("--from", dest="path", type=Path, required=True)
    parser.add_argument("--root", type=Path, default=Path("var/models"))
    parser.add_argument("--name", default="")
    parser.add_argument("--licence", default="")
    parser.add_argument("--source", default="", help="where the weights come from, in words: repository and revision")
    parser.add_argument("--max-len", type=int, default=DEFAULT_MAX_LEN, help="prompt and answer together, as the engine serves them")
    asked = parser.parse_args(arguments)
    try:
        folder = convert(asked.path, asked.root, name=asked.name, licence=asked.licence, source=asked.source, max_len=asked.max_len)
        digest = read(folder).digest
    except (ModelError, MalformedManifestError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    print(folder)
    print(f"model_digest: {digest}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
