"""Serves plugins of Pulumi's engine over gRPC."""

from __future__ import annotations

from collections.abc import Callable
from concurrent import futures

import grpc  # type: ignore[import-untyped]  # comes without types

MAXIMUM_MESSAGE_BYTES = 400 << 20
"""Limit of the engine's own messages."""


def serve(*add_servicers: Callable[[grpc.Server], None]) -> tuple[grpc.Server, int]:
    """Starts a server, which runs until it is garbage collected, and returns it with its port on this machine."""
    server = grpc.server(
        futures.ThreadPoolExecutor(max_workers=16),
        options=[
            ("grpc.max_receive_message_length", MAXIMUM_MESSAGE_BYTES),
            ("grpc.max_send_message_length", MAXIMUM_MESSAGE_BYTES),
        ],
    )
    for add_servicer in add_servicers:
        add_servicer(server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    return server, port
