"""HTTP for the endpoint engine: one bounded JSON exchange over aiohttp, every way to fail told apart."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.request import getproxies, proxy_bypass

import msgspec

from harness.engines.address import Address, authorization, key_remedy
from harness.engines.payload import MAX_BODY, decode, status_failure, surrogates, too_large
from harness.engines.retry import TryError
from harness.plain import one_line
from harness.redaction import hide, redact

if TYPE_CHECKING:
    import aiohttp

TLS = "TLS: "
"""How the message of a connection that failed over its encryption begins."""

_MAX_ERROR_BODY = 64 * 1024
_CONNECT_SECONDS = 30.0


class Wire:
    """Talks JSON to one endpoint. `open` before use, `close` after.

    Redirects are not followed: a key would travel along, and the URL is part of the model's identity. Proxies of the
    environment are used for other machines, never for this one.

    Args:
        address: Where the endpoint is.
        timeout: Seconds that one exchange may take, from connecting to the last byte; a slow drip ends with it too.
        key: Sent as bearer; None: what `authorization` finds.
    """

    def __init__(self, address: Address, timeout: float, *, key: str | None = None) -> None:
        self._address = address
        self._key = key
        self._timeout = timeout
        self._session: aiohttp.ClientSession | None = None
        hide(*address.secrets)

    async def open(self) -> None:
        """Make the session; nothing is sent yet."""
        import aiohttp

        from harness import __version__

        headers = {"User-Agent": f"wizard-harness/{__version__}", "Accept": "application/json"}
        value, secrets = (f"Bearer {self._key}", (self._key,)) if self._key else authorization(self._address)
        hide(*secrets)
        if value is not None:
            headers["Authorization"] = value
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0),  # the engine's own slots are the bound
            cookie_jar=aiohttp.DummyCookieJar(),
            headers=headers,
            trust_env=_has_proxy(self._address),
        )

    async def close(self) -> None:
        """Close all connections; harmless when none is open."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def get(self, url: str, *, seconds: float | None = None) -> Any:
        """GET ``url`` and read its JSON body; fails as `post` does."""
        return await self._exchange("GET", url, None, seconds)

    async def post(self, url: str, body: Mapping[str, Any], *, seconds: float | None = None) -> Any:
        """POST ``body`` as JSON to ``url`` and read the JSON body that comes back.

        Raises:
            TryError: ``connection``, ``timeout``, ``cut``, ``too-large``, ``encoding``, ``bad-json``, ``context`` or
                ``http-<status>``. No message holds a key.
        """
        try:
            data = msgspec.json.encode(body)
        except UnicodeEncodeError as error:
            raise surrogates() from error
        return await self._exchange("POST", url, data, seconds)

    async def _exchange(self, method: str, url: str, data: bytes | None, seconds: float | None) -> Any:
        try:
            return await self._send(method, url, data, seconds or self._timeout)
        except TryError as failure:
            shown = redact(str(failure))
            raise TryError(failure.code, shown, again=failure.again, wait=failure.wait) from failure.__cause__

    async def _send(self, method: str, url: str, data: bytes | None, seconds: float) -> Any:
        import aiohttp

        assert self._session is not None, "the engine is entered before it is asked"
        limits = aiohttp.ClientTimeout(total=seconds, sock_connect=min(seconds, _CONNECT_SECONDS))
        headers = {"Content-Type": "application/json"} if data is not None else None
        answered = False
        try:
            async with self._session.request(
                method, url, data=data, headers=headers, timeout=limits, allow_redirects=False
            ) as response:
                answered = True
                if response.status >= 300:
                    raise await self._refusal(response)
                return decode(await _read(response, MAX_BODY))
        except TimeoutError as error:  # aiohttp's own time-outs are kinds of it
            raise TryError("timeout", f"no complete response within {seconds:g} s") from error
        except aiohttp.InvalidURL as error:
            raise TryError("connection", "the URL is not valid", again=False) from error
        except (aiohttp.ClientError, OSError) as error:
            said = _said(error)
            if answered:
                raise TryError("cut", f"the response broke off: {said}") from error
            raise TryError("connection", said) from error

    async def _refusal(self, response: aiohttp.ClientResponse) -> TryError:
        """What a status of 300 or more means; the body may be absent, broken or endless."""
        import aiohttp

        try:
            raw = await _read(response, _MAX_ERROR_BODY)
        except (TryError, aiohttp.ClientError, OSError):
            raw = b""
        return status_failure(response.status, raw, response.headers, key_remedy(self._address))


def _said(error: Exception) -> str:
    """Why an exchange failed, in the words of the operating system where it has any."""
    import aiohttp

    if isinstance(error, aiohttp.ClientSSLError):
        cause = error.__cause__
        known = getattr(cause, "verify_message", None) or getattr(cause, "reason", None)
        return f"{TLS}{one_line(str(known or error))}"
    if isinstance(error, aiohttp.ClientConnectorError) and error.os_error.strerror:
        return one_line(error.os_error.strerror)
    return one_line(str(error)) or type(error).__name__


def _has_proxy(address: Address) -> bool:
    """Whether the environment names a proxy for this address.

    Told to look, aiohttp looks again for every request, and in ~/.netrc for a key, on a thread each: more work than
    the request itself, and a key in ~/.netrc beside ours is an error of its own.
    """
    if address.loopback or proxy_bypass(address.host):
        return False
    return address.base.partition(":")[0] in getproxies()


async def _read(response: aiohttp.ClientResponse, limit: int) -> bytes:
    """Read a body of at most ``limit`` bytes.

    Raises:
        TryError: ``too-large``.
    """
    parts: list[bytes] = []
    size = 0
    async for part in response.content.iter_any():
        size += len(part)
        if size > limit:
            raise too_large(limit)
        parts.append(part)
    return b"".join(parts)
