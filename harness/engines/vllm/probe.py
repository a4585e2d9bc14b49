"""Asks one server what it makes of a prompt: the token ids it used, and those its tokenizer gives."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

from harness.engines.address import parse_address
from harness.engines.retry import TryError
from harness.engines.vllm.tokens import Golden
from harness.engines.wire import Wire
from harness.errors import EngineError

FIRST_SECONDS = 300.0
"""The first requests to a server may wait for it to compile, and for a machine that is busy with other starts."""


class Probe:
    """A short connection to a server.

    Args:
        url: Of the server.
        served: The model's name there.
        key: Which it asks for.
    """

    def __init__(self, url: str, served: str, key: str) -> None:
        self._url = url
        self._served = served
        self._wire = Wire(parse_address(url), FIRST_SECONDS, key=key)

    async def __aenter__(self) -> Self:
        """Connect."""
        await self._wire.open()
        return self

    async def __aexit__(self, *exc: object) -> None:
        """Disconnect."""
        await self._wire.close()

    async def used(self, golden: Golden) -> Sequence[int]:
        """The token ids of a prompt that one token was generated for (``return_token_ids``)."""
        fields = {"max_tokens": 1, "temperature": 0.0, "return_token_ids": True}
        if golden.messages is not None:
            body = await self._post("v1/chat/completions", {"messages": golden.messages, **fields})
            found = body.get("prompt_token_ids")
        else:
            body = await self._post("v1/completions", {"prompt": golden.prompt, **fields})
            choices = body.get("choices")
            found = choices[0].get("prompt_token_ids") if isinstance(choices, list) and choices else None
        return _ids(found, "does not say which token ids it used (return_token_ids)")

    async def tokenized(self, golden: Golden) -> Sequence[int]:
        """The token ids that ``/tokenize`` gives."""
        if golden.messages is not None:
            asked: dict[str, Any] = {"messages": golden.messages, "add_generation_prompt": True}
        else:
            asked = {"prompt": golden.prompt}
        return _ids((await self._post("tokenize", asked)).get("tokens"), "has no /tokenize")

    async def _post(self, path: str, fields: dict[str, Any]) -> dict[str, Any]:
        try:
            body = await self._wire.post(f"{self._url}/{path}", {"model": self._served, **fields})
        except TryError as error:
            if error.code == "context":
                raise EngineError(
                    f"{self._served}: not even a line of text fits its context ({error})",
                    "give a longer --max-model-len",
                    code="vllm-context",
                ) from error
            raise EngineError(
                f"{self._served}: the server refuses a first request ({path}): {error.code}: {error}",
                "its log says more; a chat template that refuses a conversation is corrected in the checkpoint",
                code="vllm-request",
            ) from error
        return body if isinstance(body, dict) else {}


def _ids(found: Any, lack: str) -> Sequence[int]:
    if not isinstance(found, list) or not all(isinstance(one, int) for one in found):
        raise EngineError(f"this vLLM {lack}", "use vLLM 0.10.2 or newer (--vllm-command)", code="vllm-arguments")
    return found
