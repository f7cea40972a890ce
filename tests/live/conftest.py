"""Starts the live view in this process. All tests in this folder share it."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator

import pytest

from callroute.cli.serve import route_catalogs
from callroute.live import live_view
from callroute.live.app import create_app
from callroute.live.live_view import LiveView
from callroute.live.server import Server, listen
from callroute.local.cloud import LocalCloud
from tests.live.pages import CROWD, Live
from tests.support.paths import REPOSITORY


@pytest.fixture(scope="session")
def live() -> Iterator[Live]:
    if importlib.util.find_spec("ministack") is None:
        pytest.skip("needs the emulator: pip install -r requirements/local.txt")
    with pytest.MonkeyPatch.context() as patch, LocalCloud(project=REPOSITORY) as cloud, listen(0) as socket:
        patch.setattr(live_view, "CROWD", CROWD)
        patch.setattr(live_view, "AGENT_ANSWERS_AFTER", 0.2)
        port = socket.getsockname()[1]
        view = LiveView(cloud, route_catalogs(REPOSITORY), pytest.fail)
        with Server(create_app(view, port), socket), view:
            yield Live(cloud, view, port)
