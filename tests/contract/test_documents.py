"""One reader of JSON and one of YAML: whatever a process or the command reads of files goes through them, or says here why not.

translog knows no meshkit: its bundles refuse a key twice themselves, and what else it reads are leaves and rows that the log wrote.
"""

from __future__ import annotations

import re

from .repository import ROOT, tracked_files

READS = re.compile(r"\byaml\.(?:safe_|full_|unsafe_)?load|\bjson\.loads?\(")
ELSEWHERE = {
    "libs/meshkit/meshkit/strict_json.py": "the reader",
    "libs/meshkit/meshkit/strict_yaml.py": "the reader",
    "libs/engine/engine/llm/fields.py": "the reader inside Triton, which has no meshkit",
    "libs/engine/engine/llm/grammar.py": "a caller's JSON schema on its way to the compiler; names that stand twice are refused there",
    "libs/engine/engine/handoff/ticket_codec.py": "signed tickets, whose bytes must be those that writing them again gives",
    "libs/engine/engine/handoff/ticket_keys.py": "a ring of keys, inside Triton, which has no meshkit",
    "libs/meshkit/meshkit/auth/jwt.py": "the header of a token",
    "libs/meshkit/meshkit/testing/capture.py": "our own log lines",
    "cli/finmesh_cli/commands/status.py": "an answer of a service",
    "deploy/local/localmesh/fetch/interpreter.py": "an answer of a Python, before anything is installed",
    "libs/documents/documents/forked.py": "packets of the fork server, which is ours",
    "libs/documents/documents/server.py": "packets of the service",
    "libs/documents/documents/sandbox.py": "the reason that a child names, checked against those there are",
    "libs/documents/documents/wire.py": "what a parser says it read, each field checked by the decoder",
    "libs/documents/documents/work.py": "requests of the service, lines of an image from one child to another",
    "libs/otcdesk/otcdesk/own_text.py": "what the specialist model wrote, which knows no meshkit",
    "services/router/router/adapters/jinja_worker.py": "a question of the router, whose templates it renders",
    "services/router/router/domain/tools.py": "arguments that a model wrote and a caller gives back, numbers beyond 64 bits too",
    "services/rag/rag/adapters/ledger/columns.py": "values that the ledger wrote into its own columns",
    "services/rag/rag/adapters/file_blobs.py": "what an upload is of, sealed by itself",
    "services/rag/rag/adapters/sealed_files.py": "the head of a sealed file, written by itself",
    "cli/finmesh_cli/commands/knowledge_eval.py": "a passage that the command read before, to count its pieces",
    "cli/finmesh_cli/knowledge/dataset.py": "lines of a data set that is measured, whatever numbers it holds",
    "drills/drills/checks/traces.py": "an answer of Zipkin",
}


def test_documents_are_read_by_the_two_readers() -> None:
    sources = [
        path
        for path in tracked_files()
        if path.suffix == ".py"
        and path.relative_to(ROOT).parts[0] in {"libs", "services", "cli", "deploy"}
        and not path.is_relative_to(ROOT / "libs/translog")
    ]
    found = {str(path.relative_to(ROOT)) for path in sources if READS.search(path.read_text("utf-8"))}
    assert found - ELSEWHERE.keys() == set()
    assert "libs/meshkit/meshkit/strict_yaml.py" in found
