"""The dense leg, where an encoder is named: its model's identity names the collections, so vectors of two models never meet.

And what both legs do when a version can't be indexed.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

from meshkit.rpc.tls import of_triton
from meshkit.service import Service
from meshkit.triton.client import TritonClient

from rag import ports
from rag.adapters.milvus_vectors import MilvusVectors
from rag.adapters.triton_encoder import TritonEncoder
from rag.config import IngestConfig, RpcConfig

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class DenseLeg:
    """Encoder and vectors belong together."""

    encoder: ports.Encoder
    vectors: ports.Vectors


def set_aside_alarm(service: Service, index: str) -> Callable[[int], None]:
    """Return what is told how many versions an index could not take by our own fault: health says so until it is none."""
    component = f"versions set aside by the {index}"

    def alarm(count: int) -> None:
        if count:
            log.error("%d versions could not be indexed: %s", count, index)
            service.degraded(component, "SET_ASIDE")
        else:
            service.recovered(component)

    return alarm


async def dense_leg(config: RpcConfig | IngestConfig, service: Service) -> DenseLeg | None:
    """Return the dense leg, None where no encoder is named. Raises FailedPrecondition for a model's folder that is wrong."""
    settings, milvus = config.encoder, config.milvus
    if settings.model is None:
        return None
    triton = await service.add(TritonClient(settings.url, of_triton(settings)))
    encoder = TritonEncoder(triton, settings.model, timeout_s=settings.timeout_ms / 1000)
    vectors = MilvusVectors(
        milvus.uri,
        milvus.token.get_secret_value(),
        milvus.prefix,
        identity=encoder.identity,
        dimension=encoder.dimension,
        timeout_s=milvus.timeout_ms / 1000,
    )
    return DenseLeg(encoder, await service.add(vectors))
