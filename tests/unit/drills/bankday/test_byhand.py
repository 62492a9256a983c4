"""The printed lines are valid for a shell: the request parses as the message that the gateway takes."""

import json
import shlex
import subprocess
from pathlib import Path

import pytest
from drills.bankday import byhand
from finmesh.gateway.v1 import gateway_service_pb2 as pb
from google.protobuf import json_format
from localmesh.ports import Ports


@pytest.fixture(params=["certs", "我的 文件", "it's $HOME"])
def certs(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    folder: Path = tmp_path / request.param
    folder.mkdir()
    return folder


def words_of(line: str) -> list[str]:
    """What a shell makes of it."""
    shown = subprocess.run(["bash", "-c", "printf '%s\\0' " + line], capture_output=True, text=True, check=True).stdout
    return shown.split("\0")[:-1]


def test_grpcurl_sends_a_transaction_of_now_with_an_identity_of_its_own(certs: Path) -> None:
    token = certs / "token.jwt"
    token.write_text("a.b.c\n")
    words = words_of(byhand.grpcurl(certs, token, "bank-a", Ports()))
    assert words[words.index("-key") + 1] == str(certs / "client.key")
    request = json_format.Parse(words[words.index("-d") + 1], pb.ScoreTransactionRequest()).request.transaction
    assert request.tenant == "bank-a"
    assert len(request.identity.uetr) == 36
    assert request.event_time.seconds > 1_700_000_000
    assert words[words.index("-H") + 1] == "authorization: Bearer a.b.c"
    assert words[-2:] == ["127.0.0.1:8443", byhand.METHOD]


def test_a_proof_can_be_checked_where_it_lies(certs: Path) -> None:
    words = words_of(byhand.verify(certs / "inclusion.json", certs / "log.key"))
    assert words == ["finmesh", "verify", "inclusion", str(certs / "inclusion.json"), "--log-key", str(certs / "log.key")]


def test_kcat_reads_committed_decisions_of_the_usual_broker() -> None:
    words = shlex.split(byhand.kcat(Ports()))
    assert words[words.index("-b") + 1] == "127.0.0.1:19092"
    assert words[words.index("-t") + 1] == "finmesh.risk.v1.TransactionDecided"
    assert "isolation.level=read_committed" in words
    assert json.dumps(words[-1]) == json.dumps("%p/%o  %S bytes  %h\\n")
