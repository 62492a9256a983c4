"""Weights to messages."""

from __future__ import annotations

from finmesh.rag.v1 import rag_service_pb2 as pb

from rag.domain.probe import Probing, Tuned


def told(result: Probing | Tuned) -> pb.TuneResponse:
    """Return what an operator is told: how far it is, or what holds from now on."""
    if isinstance(result, Probing):
        return pb.TuneResponse(probing=pb.Probing(done=result.done, of=result.of))
    return pb.TuneResponse(
        version=result.tuning.version,
        weights=[
            pb.LegWeight(
                language=language,
                dense=found.weight,
                probes=found.probes,
                lexical_found=found.found.get(0.0, 0.0),
                dense_found=found.found.get(1.0, 0.0),
                mixed_found=found.found.get(found.weight, 0.0),
            )
            for language, found in sorted(result.weighed.items())
        ],
    )
