"""deploy/topics.yaml: names that exist, partitions that match, and readers that deal with poison."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from generate.asyncapi import descriptor, document
from provisioning import services
from provisioning.topics import load

from .repository import ROOT

FILE = ROOT / "deploy/topics.yaml"
TOPICS: list[dict[str, Any]] = yaml.safe_load(FILE.read_text())["topics"]
OWN = set(services.load().names)
# One account has one partition number in all of these.
ALIGNED = {"TransactionAuthorizationRequested", "TransactionDecided", "TransactionLifecycleReported", "LabelReported"}
# These deal with poison themselves: the log makes it a leaf, and the rest are written by us alone.
NO_DEAD_LETTER = {
    "finmesh.rag.v1.DocumentStateChanged",
    "finmesh.audit.v1.AuditBatch",
    "finmesh.risk.v1.TransactionDecided",
    "finmesh.risk.v1.ListEntryChanged",
    "finmesh.inference.v1.BackendStateChanged",
}


def test_the_provisioner_reads_it() -> None:
    names = {topic.name for topic in load(FILE)}
    assert {topic["name"] for topic in TOPICS} <= names
    assert len(names) == len({topic["name"] for topic in TOPICS}), "a topic stands there twice"


@pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic["name"])
def test_names_are_protobuf_names(topic: dict[str, Any]) -> None:
    if topic["name"].startswith("finmesh."):
        assert topic["message"] == topic["name"]
        assert descriptor(topic["message"]).full_name == topic["name"]
    else:
        assert topic["name"] == "iso20022.pacs.008"
    assert "_" not in topic["name"], "Kafka's metrics cannot tell an underscore from a dot"


@pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic["name"])
def test_everybody_is_named(topic: dict[str, Any]) -> None:
    assert topic["writers"], "nobody writes it"
    assert topic["readers"], "nobody reads it"
    assert OWN & {*topic["writers"], *topic["readers"]}
    package = topic["name"].split(".")[1]
    if topic["name"].startswith("finmesh."):
        owners = {name for name in OWN if name.partition("-")[0] == package}
        assert owners and owners <= {*topic["writers"], *topic["readers"]}
    assert topic["dead_letter"] is (topic["name"] not in NO_DEAD_LETTER)


def test_partitions_of_the_four_risk_topics_are_equal() -> None:
    partitions = {topic["partitions"] for topic in TOPICS if topic["name"].rpartition(".")[2] in ALIGNED}
    assert len([topic for topic in TOPICS if topic["name"].rpartition(".")[2] in ALIGNED]) == len(ALIGNED)
    assert len(partitions) == 1


def test_asyncapi_references_lead_somewhere() -> None:
    whole = document()

    def walk(node: Any) -> None:
        if isinstance(node, dict):
            if "$ref" in node:
                target = node["$ref"]
                if target.startswith("#/"):
                    found: Any = whole
                    for step in target[2:].split("/"):
                        found = found[step]
                else:
                    assert (ROOT / "docs" / target).resolve().is_file(), target
            for value in node.values():
                walk(value)
        elif isinstance(node, list):
            for value in node:
                walk(value)

    walk(whole)
    types = {message["x-protobuf-type"] for message in whole["components"]["messages"].values() if "x-protobuf-type" in message}
    assert types == {topic["name"] for topic in TOPICS if topic["name"].startswith("finmesh.")}


def test_who_writes_or_reads_a_topic_uses_kafka() -> None:
    for service in services.load().services:
        uses = {use for process in service.processes for use in process.uses}
        named = any(service.name in {*topic["writers"], *topic["readers"]} for topic in TOPICS)
        assert named is ("kafka" in uses), service.name
