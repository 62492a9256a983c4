"""Grades of passages by what they hold."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import pytest
from meshkit.errors import InvalidDocument
from rag.adapters.file_grades import file_grades

TABLE = Path(str(files("rag") / "grades.yaml"))


@pytest.mark.parametrize(
    ("text", "declared", "grade"),
    [
        ("等待期为90日。", 0, 2),
        ("等待期为90日。", 1, 1),
        ("等待期为90日。", 3, 3),
        ("客户张伟，手机13812345678。", 0, 3),
        ("客户张伟，手机13812345678。", 1, 3),
        ("身份证号11010519491231002X", 1, 3),
        ("aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", 1, 3),
        ("-----BEGIN RSA PRIVATE KEY-----\nMIIEowIBAAKCAQEA75\n-----END RSA PRIVATE KEY-----", 1, 4),
    ],
)
def test_content_raises_a_grade_and_never_lowers_one(text: str, declared: int, grade: int) -> None:
    assert file_grades(TABLE).of(text, declared) == grade


@pytest.mark.parametrize(
    ("before", "after", "says"),
    [
        ("floor: 2", "floor: 9", "floor is a grade from 1 to 3"),
        ("secret: {grade: 4,", "secret: {grade: true,", r"kinds\.secret is a grade"),
        ("  lei:", "  leo:", "kinds lacks lei"),
        ("version: 1", "version: 2", "version: 1"),
        (", verified: false}", "}", "holds grade, source and verified"),
    ],
)
def test_a_table_is_checked_when_it_is_read(tmp_path: Path, before: str, after: str, says: str) -> None:
    path = tmp_path / "grades.yaml"
    path.write_text(TABLE.read_text("utf-8").replace(before, after, 1), "utf-8")
    with pytest.raises(InvalidDocument, match=says):
        file_grades(path)
