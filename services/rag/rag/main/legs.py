"""The dense leg, where an encoder is named: its model's identity names the collections, so vectors of two models never meet."""

from __future__ import annotations

from dataclasses import dataclass

from meshkit.rpc.tls import of_triton
from meshkit.service import Service
from meshkit.triton.client import TritonClient

from rag import ports
from rag.adapters.milvus_vectors import MilvusVectors
from rag.adapters.triton_encoder import TritonEncoder
from rag.config import IngestConfig, RpcConfig


@dataclass(frozen=True, slots=True)
class DenseLeg:
    """Encoder and vectors belong together."""

    encoder: ports.Encoder
    vectors: ports.Vectors


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
