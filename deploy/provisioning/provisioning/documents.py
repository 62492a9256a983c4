"""Tables of deploy/*.yaml as models: whatever is wrong with a file is one line that names file and place."""

from pathlib import Path
from typing import Any, TypeVar

from meshkit.errors import InvalidDocument
from meshkit.strict_yaml import parse_yaml
from pydantic import BaseModel, ValidationError

_Model = TypeVar("_Model", bound=BaseModel)
_MAX_TOLD = 5


def read(file: Path, kind: type[_Model]) -> _Model:
    """Return the file as a model. Raises InvalidDocument, also for a file that cannot be read."""
    try:
        return kind.model_validate(parse_yaml(file.read_bytes()))
    except ValidationError as error:
        raise InvalidDocument(f"{file}: {'; '.join(_told(item) for item in error.errors()[:_MAX_TOLD])}") from None
    except OSError as error:
        raise InvalidDocument(f"{file}: {error.strerror}") from None
    except InvalidDocument as error:
        raise InvalidDocument(f"{file}: {error.message}") from None


def _told(item: Any) -> str:
    stands = f", not {str(item['input'])[:40]!r}" if isinstance(item["input"], (str, int, float)) else ""
    return f"{'.'.join(str(part) for part in item['loc'])}: {item['msg']}{stands}"
