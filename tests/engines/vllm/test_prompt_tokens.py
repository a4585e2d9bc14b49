"""Exact prompts on real vLLM: the token ids that it received are those of the golden texts, tokenised independently.

The golden texts are files typed from their sources (tests/golden/prompts); the independent tokeniser is transformers,
in a process of its own. Between engine and server stands a proxy that asks vLLM which ids it used for each request.
"""

import json
import os
import subprocess
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest
from aiohttp import web

from harness import prompts
from harness.engines import EngineOptions
from harness.engines.endpoint import Endpoint
from harness.prompts import PINNED_TEMPLATE
from harness.types import DatasetPin, Prompt, Sample, Sampling, ScorerSpec, Task
from tests.engines.vllm_fixture import CPU_SETTINGS, Checkpoints, serving

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

GOLDEN = Path(__file__).parents[2] / "golden" / "prompts"
FIRST = "Why is the sky blue at noon?"
SECOND = "And why is it red\nin the evening?"
REPLY = "Short waves scatter more."
HOSTILE = "  two blanks\tand a tab\r\n\n\tdef f(x): return 'naïve — 中文 🙂'  # <|im_end|> </s>\n    "

ENCODE = """
import json, sys
from transformers import AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
asked = json.load(sys.stdin)
conversation = [{"role": "user", "content": asked["user"]}]
rendered = tokenizer.apply_chat_template(conversation, tokenize=False, add_generation_prompt=True)
ids = {name: tokenizer(text)["input_ids"] for name, text in asked["texts"].items()}
ids["tokenizer"] = tokenizer(rendered, add_special_tokens=False)["input_ids"]
json.dump(ids, sys.stdout)
"""


def task(**prompt: object) -> Task:
    """A task that asks for what its records hold."""
    return Task(
        name="demo/task",
        version=1,
        title="",
        dataset=DatasetPin(name="demo", source="file:demo.jsonl", sha256="0" * 64),
        prompt=msgspec.convert({"turns": ["{q}"], **prompt}, Prompt),
        sampling=Sampling(temperature=0.0, max_new_tokens=1),
        scorer=ScorerSpec(name="exact-match"),
        metric="correct",
    )


COT = {"format": "alpaca", "response_prefix": " Let's think step by step."}
PENS = "Mia has 12 boxes with {7} pens each and sells 5 pens. How many pens are left?"
TEMPLATE = (GOLDEN / "pinned-template.txt").read_bytes().decode().replace(FIRST, "{instruction}")
CASES: dict[str, tuple[Task, str, str, str]] = {
    # name: the task, the chat format, the question, the golden text
    **{name: (task(), name, FIRST, f"{name}.txt") for name in ("alpaca", "wizardlm-7b", "raw")},
    "vicuna_v1.1": (task(), "vicuna_v1.1", FIRST, "vicuna_v1.1-1-turn.txt"),
    "vicuna_v1.1, 2 turns": (task(turns=["{q}", SECOND]), "vicuna_v1.1", FIRST, "vicuna_v1.1-2-turns.txt"),
    "task template": (task(template=TEMPLATE), PINNED_TEMPLATE, FIRST, "pinned-template.txt"),
    "pinned format": (task(**COT), "alpaca", PENS, "wizardmath-cot.txt"),
    "hostile": (task(), "raw", HOSTILE, ""),
}


def golden(name: str) -> str:
    return (GOLDEN / name).read_bytes().decode() if name else HOSTILE


@asynccontextmanager
async def listening(url: str) -> AsyncIterator[tuple[str, list[list[int]]]]:
    """A proxy before the server; yields its URL and the prompt's token ids of every request that came by."""
    seen: list[list[int]] = []

    async def forward(request: web.Request) -> web.Response:
        target = url.removesuffix("/v1") + request.path
        if request.method == "GET":
            async with session.get(target) as answer:
                return web.json_response(await answer.json(), status=answer.status)
        body = await request.json()
        asks = request.path.endswith("/completions")
        async with session.post(target, json=body | ({"return_token_ids": True} if asks else {})) as answer:
            said = await answer.json()
        if asks:
            assert answer.status == 200, said
            seen.append(_prompt_ids(said))
        return web.json_response(said, status=answer.status)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", forward)
    runner = web.AppRunner(app)
    async with aiohttp.ClientSession() as session:
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/v1", seen
        await runner.cleanup()


def _prompt_ids(said: dict[str, Any]) -> list[int]:
    ids = said.get("prompt_token_ids") or said["choices"][0]["prompt_token_ids"]
    assert isinstance(ids, list)
    return ids


def independent(python: Path, checkpoint: Path) -> dict[str, Sequence[int]]:
    """Token ids of all golden texts by transformers, and of the first question in the checkpoint's own template."""
    asked = {"texts": {name: golden(case[3]) for name, case in CASES.items()}, "user": FIRST}
    done = subprocess.run(
        [python, "-c", ENCODE, checkpoint],
        input=json.dumps(asked),
        env=os.environ | CPU_SETTINGS,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found: dict[str, Sequence[int]] = json.loads(done.stdout)
    return found


async def used(url: str) -> dict[str, Sequence[int]]:
    """Token ids that vLLM used for what our engine asked."""
    found: dict[str, Sequence[int]] = {}
    cases = CASES | {"tokenizer": (task(), "tokenizer", FIRST, "")}
    async with listening(url) as (proxy, seen):
        for name, (one, chat_format, question, _) in cases.items():
            async with Endpoint(proxy, EngineOptions(tries=1)) as engine:
                sample = Sample(id="0", record={"q": question})
                await engine.prepare(one, [sample], chat_format)
                turn = len(one.prompt.turns) - 1
                (request,) = prompts.requests(
                    one,
                    sample,
                    attempt=0,
                    turn=turn,
                    history=(REPLY,) * turn,
                    chat_format=chat_format,
                    sampling=one.sampling,
                    seed=0,
                    texts={},
                )
                await engine.ask(request)
                found[name] = seen[-1]
    return found


def test_every_format_is_compared() -> None:
    assert {chat_format for _, chat_format, _, _ in CASES.values()} | {"tokenizer"} >= set(prompts.FORMATS)


@pytest.fixture(scope="module")
def llama_server(
    vllm_command: Path, checkpoints: Checkpoints, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """A server of the checkpoint whose tokenizer is of Llama 2's kind."""
    with serving(vllm_command, checkpoints.metaspace, tmp_path_factory.mktemp("vllm") / "log") as url:
        yield url


async def test_a_byte_level_tokenizer(vllm_server: str, vllm_python: Path, checkpoints: Checkpoints) -> None:
    expected = independent(vllm_python, checkpoints.vicuna)
    assert await used(vllm_server) == expected
    assert all(expected[name][:2].count(1) == 1 for name in CASES)  # one <s> in front: not absent, not twice


async def test_a_tokenizer_of_llamas_kind(llama_server: str, vllm_python: Path, checkpoints: Checkpoints) -> None:
    expected = independent(vllm_python, checkpoints.metaspace)
    assert await used(llama_server) == expected
    assert all(expected[name][:2].count(1) == 1 for name in CASES)
