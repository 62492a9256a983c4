"""Renders chat templates in a process of its own, which may be lost: a template is a program that came with a model.

Run as a file by `jinja_process`; imports nothing of ours. The sandbox keeps a template from Python; memory, processor time and output have
bounds set by the operating system, since no check inside can stop `'a' * 10**10` or a loop in a loop. Over the bound on time the process
is ended by a signal, over the one on memory the rendering fails. It holds no key and no content of anybody's conversation.

Each message on standard input and output: four big-endian bytes of length, then JSON.
"""

import json
import resource
import signal
import sys
from typing import Any

import jinja2.ext
from jinja2 import nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

MAX_REQUEST_BYTES = 4 << 20


class Refused(Exception):
    """The template calls `raise_exception`."""


class Generation(jinja2.ext.Extension):
    """`{% generation %}` marks what training learns; it renders as its content."""

    tags = {"generation"}  # noqa: RUF012

    def parse(self, parser: Any) -> Any:
        parser.stream.skip(1)
        return nodes.Scope(parser.parse_statements(("name:endgeneration",), drop_needle=True))


def refuse(message: object) -> None:
    """`raise_exception(message)`."""
    raise Refused(str(message)[:200])


def to_json(value: object, indent: int | None = None) -> str:
    """`tojson` as model authors know it: not escaped for HTML."""
    return json.dumps(value, ensure_ascii=False, indent=indent)


def environment() -> ImmutableSandboxedEnvironment:
    """Return what templates of Hugging Face models expect, without a clock: the same conversation renders to the same text."""
    made = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[Generation, jinja2.ext.loopcontrols])
    made.filters["tojson"] = to_json
    made.globals["raise_exception"] = refuse
    return made


def answer(templates: dict[str, Any], made: ImmutableSandboxedEnvironment, asked: dict[str, Any], max_characters: int) -> dict[str, str]:
    """Return the text, or why there is none."""
    try:
        if "template" in asked:
            templates[asked["key"]] = made.from_string(asked["template"])
        length, pieces = 0, []
        for piece in templates[asked["key"]].generate(**asked["variables"]):
            length += len(piece)
            if length > max_characters:
                return {"failed": "TOO_LONG"}
            pieces.append(piece)
        return {"text": "".join(pieces)}
    except Refused as error:
        return {"refused": str(error)}
    except (Exception, RecursionError) as error:
        return {"failed": type(error).__name__}


def main(processor_s: float, memory_bytes: int, max_characters: int) -> None:
    """Answer until standard input ends."""
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    templates: dict[str, Any] = {}
    made = environment()
    source, sink = sys.stdin.buffer, sys.stdout.buffer
    while len(head := source.read(4)) == 4:
        asked = json.loads(source.read(min(int.from_bytes(head, "big"), MAX_REQUEST_BYTES)))
        signal.setitimer(signal.ITIMER_PROF, processor_s)
        content = json.dumps(answer(templates, made, asked, max_characters)).encode()
        signal.setitimer(signal.ITIMER_PROF, 0)
        sink.write(len(content).to_bytes(4, "big") + content)
        sink.flush()


if __name__ == "__main__":
    main(float(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
