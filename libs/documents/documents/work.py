"""What a child of the fork server does with one request: read a document, or the text of one image. Here the hostile bytes are met.

A duty is made before the server forks, with everything imported: afterwards there is no file system to import from.
"""

from __future__ import annotations

import json
import mmap
import socket
from collections.abc import Callable

from documents import errors, frames, wire
from documents.limits import Limits
from documents.page import IMAGE_BYTES, LINES_BYTES, Image, Line, PageReader

Duty = Callable[[socket.socket, list[int]], None]


def do(duty: Duty, channel: socket.socket, files: list[int]) -> None:
    """Answer with a result or an error. What is no DocumentError is told by its class alone: its text may be the document's."""
    try:
        duty(channel, files)
    except errors.DocumentError as error:
        _fail(channel, error)
    except MemoryError:
        _fail(channel, errors.ParserFailed("the parser ran out of memory", "PARSER_OUT_OF_MEMORY"))
    except RecursionError:
        _fail(channel, errors.TooLarge("nested too deep", "TOO_DEEP"))
    except Exception as error:
        _fail(channel, errors.ParserFailed(f"the parser failed with {type(error).__name__}"))


def _fail(channel: socket.socket, error: errors.DocumentError) -> None:
    frames.send(channel, frames.ERROR, json.dumps([error.reason, error.message[:1_000]]).encode())


def parser() -> Duty:
    """Reads the document of descriptor ``files[0]`` and sends it back."""
    from documents import read

    read.warm_up()

    def parse(channel: socket.socket, files: list[int]) -> None:
        _, payload = frames.receive(channel, {frames.REQUEST: frames.SMALL})
        request = json.loads(payload)
        limits = Limits(**request["limits"])
        content = mmap.mmap(files[0], 0, access=mmap.ACCESS_COPY)  # PDFium wants it writable; never closed, for parsers hold on to it
        reader = _page_reader(channel) if request["ocr"] else None
        parsed = read.read(memoryview(content), request["name"], request["media_type"], limits, reader)
        frames.send(channel, frames.RESULT, wire.encode(parsed))

    return parse


def _page_reader(channel: socket.socket) -> PageReader:
    def recognise(image: Image) -> list[Line]:
        frames.send(channel, frames.IMAGE, image.packed())
        kind, payload = frames.receive(channel, {frames.LINES: LINES_BYTES, frames.ERROR: frames.SMALL})
        if kind == frames.ERROR:
            reason, message = json.loads(payload)
            raise errors.of(reason, message)
        return [Line(str(text), *(float(each) for each in box)) for text, *box in json.loads(payload)]

    return recognise


def recogniser() -> Duty:
    """Reads the text of one image."""
    from documents import ocr

    engine = ocr.Recogniser()

    def recognise(channel: socket.socket, files: list[int]) -> None:
        _, payload = frames.receive(channel, {frames.IMAGE: IMAGE_BYTES})
        lines = engine.lines(Image.unpacked(payload))
        frames.send(channel, frames.LINES, json.dumps([[each.text, each.x0, each.y0, each.x1, each.y1] for each in lines]).encode())

    return recognise


DUTIES: dict[str, Callable[[], Duty]] = {"parse": parser, "recognise": recogniser}
