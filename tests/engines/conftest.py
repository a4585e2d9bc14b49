"""Fixtures of the engines' tests."""

import socket
from collections.abc import AsyncIterator

import pytest
from aiohttp import web

from harness.engines import retry
from harness.engines.endpoint import Endpoint
from tests.engines.mock_server import Server, prepared


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    """A running server with one model."""
    state = Server(models=[{"id": "wizard", "object": "model", "created": 1, "owned_by": "vllm", "root": "/m/wizard"}])
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", state.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.01)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    state.url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
    yield state
    await runner.cleanup()


@pytest.fixture
def closed_port() -> int:
    """A port where nothing listens."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@pytest.fixture(autouse=True)
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses between tries are too short to notice."""
    monkeypatch.setattr(retry, "BASE_DELAY", 0.0001)


@pytest.fixture
async def engine(server: Server) -> AsyncIterator[Endpoint]:
    async with prepared(server.url) as one:
        yield one


@pytest.fixture
async def chat(server: Server) -> AsyncIterator[Endpoint]:
    async with prepared(server.url, chat=True) as one:
        yield one
