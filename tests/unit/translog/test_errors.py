"""Exit codes are an interface: scripts depend on the numbers."""

from translog import errors
from translog.errors import ExitCode, TranslogError


def test_exit_codes() -> None:
    assert {code.name: code.value for code in ExitCode} == {"OK": 0, "TAMPER": 1, "USAGE": 2, "UNREACHABLE": 3}


def test_no_error_means_success() -> None:
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, TranslogError)]
    assert len(kinds) > 10
    assert all(kind.exit_code != ExitCode.OK for kind in kinds)
