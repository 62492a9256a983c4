"""deploy/services.yaml is checked for what hangs together."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml
from localmesh.places import ROOT
from meshkit.errors import InvalidDocument
from provisioning import services


def written(folder: Path, change: Any) -> Path:
    """The shipped table with a change."""
    document = yaml.safe_load((ROOT / "deploy/services.yaml").read_text())
    change(document["services"])
    path = folder / "services.yaml"
    path.write_text(yaml.safe_dump(document))
    return path


def test_the_shipped_table_is_read() -> None:
    table = services.load()
    assert table.names == ("gateway", "risk-scoring", "audit", "router", "rag", "inference-prefill", "inference-decode")
    assert [engine.name for engine in table.engines] == ["triton-prefill", "triton-decode"]
    assert table["risk-scoring"].called.name == "risk-rpc"


@pytest.mark.parametrize(
    "change, words",
    [
        (lambda s: s.append(deepcopy(s[0])), "service gateway stands there twice"),
        (lambda s: s[1]["processes"][0]["ports"].update(grpc=8443), "port 8443 stands there twice"),
        (lambda s: s[2]["processes"][0]["ports"].update(http=8444), "port 8444 stands there twice"),
        (lambda s: s[2].update(producers=["risk-scoring/"]), "producer risk-scoring/ stands there twice"),
        (lambda s: s[2].update(producers=["risk-scoring"]), "should match pattern"),
        (lambda s: s[0]["calls"].append("knowledge"), "there is no service knowledge"),
        (lambda s: s[2].update(callers=["client"]), "does not name it among its callers"),
        (lambda s: s[0].update(caller=["client"]), "Extra inputs are not permitted"),
        (lambda s: s[0]["processes"][0]["uses"].append("kafak"), "kafak"),
        (lambda s: s[2]["processes"][0].update(name="审计"), "should match pattern"),
        (lambda s: s[2].update(processes=[]), "at least 1 item"),
        (lambda s: s[5]["processes"][0]["engine"]["ports"].update(kv=18021), "port 18021 stands there twice"),
        (lambda s: s[5]["processes"][0]["engine"].update(name="gateway"), "process gateway stands there twice"),
        (lambda s: s[5]["processes"][0]["engine"].update(pulled_by=["audit"]), "pulled by audit, which has no engine"),
        (lambda s: s[5]["processes"][0]["engine"].update(pulled_by=[]), "both or neither"),
        (lambda s: s[5]["processes"][0]["engine"].update(keys=["seal"]), "seal"),
        (lambda s: s[4]["processes"][1].update(calls=["audit"]), "rag-ingest calls audit, which rag does not"),
        (lambda s: s[5].update(answers=["PrefillService"]), "should match pattern"),
    ],
)
def test_what_does_not_hang_together_is_refused(tmp_path: Path, change: Any, words: str) -> None:
    with pytest.raises(InvalidDocument, match=words):
        services.load(written(tmp_path, change))


def test_a_service_that_is_called_has_one_process_behind_its_rpcs(tmp_path: Path) -> None:
    with pytest.raises(InvalidDocument, match="audit has 0 processes that are called"):
        services.load(written(tmp_path, lambda s: s[2]["processes"][0].update(called=False)))
