"""ToyService: translate, call, translate."""

from finmesh.toy.v1 import toy_service_pb2 as pb
from finmesh.toy.v1 import toy_service_pb2_grpc as rpc

from toy.usecases.say_hello import say_hello


class ToyServicer(rpc.ToyServiceServicer):
    """One method per RPC."""

    async def SayHello(self, request: pb.SayHelloRequest, context: object) -> pb.SayHelloResponse:
        """Return a greeting."""
        return pb.SayHelloResponse(text=say_hello(request.tenant, request.name))
