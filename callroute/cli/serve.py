"""Implements `callroute serve`, which shows the local cloud in a browser."""

from __future__ import annotations

import json
import signal
import webbrowser
from contextlib import suppress
from pathlib import Path

import click

from callroute.cli import local_cloud, output
from callroute.cli.parameters import general_options, project_option
from callroute.flows.route_catalog import RouteCatalog
from callroute.live.app import create_app
from callroute.live.live_view import LiveView
from callroute.live.server import HOST, Server, listen
from callroute.local.shared_cloud import share
from callroute.local.stack_config import StackConfig


@click.command
@click.option(
    "--port",
    metavar="NUMBER",
    type=click.IntRange(1, 65535),
    help="Port of the page. By default, a free port.",
)
@click.option("--open", "open_browser", is_flag=True, help="Open the page in the default browser.")
@project_option
@general_options
def serve(port: int | None, open_browser: bool, project: Path | None) -> None:
    """Call the flows in the local cloud from a browser and see where callers drop off.

    Starts the stack on this machine and prints the address of a page. The page has a phone to call the flows.
    It shows the current block, the stored call record and the drop-off. While the command runs, other
    commands can use the same stack with --local. Ctrl-C removes the stack.

    Exit code: 0 after Ctrl-C, 2 if the port or the configuration cannot be used, 3 if the local cloud failed.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    listening = listen(port or 0)
    address = f"http://{HOST}:{listening.getsockname()[1]}/"
    with listening, local_cloud.started(project) as cloud, share(cloud):
        view = LiveView(cloud, route_catalogs(project), lambda: server.stop())
        server = Server(create_app(view, listening.getsockname()[1]), listening)
        with suppress(KeyboardInterrupt), server, view:
            output.write(("Live view: ", "bold"), address)
            output.note("Press Ctrl-C to stop.")
            if open_browser:
                webbrowser.open(address)
            server.wait()
        if view.failure:
            raise view.failure


def route_catalogs(project: Path | None) -> dict[str, RouteCatalog]:
    """Returns the route catalogs of the flows in the local stack, by flow name.

    Raises:
        InputError: a catalog is invalid.
    """
    config = StackConfig.read("local", project=project)
    flows = json.loads(config.project_values.get("flows", "[]"))
    found = {
        flow["name"]: RouteCatalog.beside(config.folder / "flow_definitions" / flow["file"]) for flow in flows
    }
    return {name: catalog for name, catalog in found.items() if catalog}
