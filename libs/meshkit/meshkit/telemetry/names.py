"""The one module that pins semantic-convention names (OpenTelemetry, 2026)."""

from __future__ import annotations

from typing import Final

RPC_SYSTEM: Final = "rpc.system.name"
RPC_METHOD: Final = "rpc.method"  # fully qualified: finmesh.risk.v1.RiskScoringService/GetDecision
RPC_STATUS: Final = "rpc.response.status_code"
RPC_SERVER_DURATION: Final = "rpc.server.call.duration"
SERVER_ADDRESS: Final = "server.address"
SERVER_PORT: Final = "server.port"
PEER_SERVICE: Final = "service.peer.name"
ERROR_TYPE: Final = "error.type"

MESSAGING_SYSTEM: Final = "messaging.system"
MESSAGING_DESTINATION: Final = "messaging.destination.name"
MESSAGING_PARTITION: Final = "messaging.destination.partition.id"
MESSAGING_OPERATION: Final = "messaging.operation.name"
MESSAGING_OPERATION_TYPE: Final = "messaging.operation.type"
MESSAGING_BATCH_COUNT: Final = "messaging.batch.message_count"
KAFKA_OFFSET: Final = "messaging.kafka.offset"

DB_SYSTEM: Final = "db.system.name"

GENAI_OPERATION: Final = "gen_ai.operation.name"
GENAI_PROVIDER: Final = "gen_ai.provider.name"
GENAI_REQUEST_MODEL: Final = "gen_ai.request.model"
GENAI_RESPONSE_MODEL: Final = "gen_ai.response.model"
GENAI_INPUT_TOKENS: Final = "gen_ai.usage.input_tokens"
GENAI_OUTPUT_TOKENS: Final = "gen_ai.usage.output_tokens"
GENAI_CACHED_TOKENS: Final = "gen_ai.usage.cache_read.input_tokens"
GENAI_FINISH_REASONS: Final = "gen_ai.response.finish_reasons"

MODEL_NAME: Final = "finmesh.model.name"
GENERATION_ID: Final = "finmesh.generation_id"
ROUTE_REASON: Final = "finmesh.route.reason"
OUTPUT_TOKENS: Final = "finmesh.output_tokens"
REQUEST_ID: Final = "finmesh.request_id"
DECISION_ID: Final = "finmesh.decision_id"
TENANT: Final = "finmesh.tenant"
OUTCOME: Final = "finmesh.outcome"
ERROR_REASON: Final = "finmesh.error.reason"
CALLER: Final = "finmesh.caller"

SPANS_DROPPED: Final = "finmesh.telemetry.spans.dropped"
COMPONENT_UP: Final = "finmesh.component.up"
