"""Serves a plugin of Pulumi's engine over gRPC."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from concurrent import futures

import grpc  # type: ignore[import-untyped]  # comes without types

MAXIMUM_MESSAGE_BYTES = 400 << 20
"""Limit of the engine's own messages."""


def serve(add_servicer: Callable[[grpc.Server], None]) -> None:
    """Serves on a free port of this machine, prints the port for the engine, and ends with SIGINT as the engine expects."""
    server = grpc.server(
        futures.ThreadPoolExecutor(max_workers=16),
        options=[
            ("grpc.max_receive_message_length", MAXIMUM_MESSAGE_BYTES),
            ("grpc.max_send_message_length", MAXIMUM_MESSAGE_BYTES),
        ],
    )
    add_servicer(server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(port, flush=True)
    engine = os.getppid()
    with contextlib.suppress(KeyboardInterrupt):
        # An engine that is killed does not end its plugins.
        while os.getppid() == engine and server.wait_for_termination(timeout=1):
            pass
