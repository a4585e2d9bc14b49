import asyncio
import json
from typing import Any

import pytest
from aiohttp import web

from harness.engines import EngineOptions, open_engine
from harness.engines.endpoint import Endpoint
from harness.errors import EngineError, RequestError, UsageError
from harness.prompts import prompt_sha256
from harness.types import Message, Prompt, Sampling
from tests.engines.mock_server import (
    OPTIONS,
    Server,
    generate,
    likelihood,
    make_samples,
    make_task,
    prepared,
    raw,
    status,
)

# --- what is sent and recorded --------------------------------------------------------------------------------------


async def test_a_rendered_prompt_goes_to_completions(server: Server) -> None:
    server.models[0]["owned_by"] = "me"
    async with prepared(server.url) as engine:
        answer = await engine.ask(generate("Say it."))
    [seen] = server.asked("/v1/completions")
    assert seen.body == {
        "model": "wizard",
        "prompt": "Say it.",
        "temperature": 0.0,
        "top_p": 1.0,
        "seed": 7,
        "max_tokens": 16,
    }
    assert (answer.text, answer.finish_reason, answer.reasoning) == ("An answer.", "stop", None)
    assert (answer.sample, answer.attempt, answer.turn, answer.kind) == ("own/0", 0, 0, "generate")
    assert (answer.prompt, answer.prompt_sha256) == ("Say it.", prompt_sha256("Say it."))
    assert (answer.prompt_tokens, answer.completion_tokens, answer.max_tokens) == (2, 1, 16)
    assert (answer.seed, answer.tries, answer.invocation) == (7, 1, "")
    assert answer.started.endswith("Z")
    assert answer.seconds > 0


async def test_vllm_gets_no_gap_to_fill_from_the_checkpoints_generation_config(
    server: Server, engine: Endpoint, chat: Endpoint
) -> None:
    await engine.ask(generate())
    await chat.ask(generate(None, sampling=Sampling(temperature=0.7, max_new_tokens=16, top_k=5, min_p=0.1)))
    plain, sampled = (server.asked(path)[-1].body for path in ("/v1/completions", "/chat/completions"))
    neutral = {"repetition_penalty": 1.0, "presence_penalty": 0.0, "frequency_penalty": 0.0}
    assert plain.items() >= {"temperature": 0.0, "top_p": 1.0, "top_k": -1, "min_p": 0.0, **neutral}.items()
    assert sampled.items() >= {"temperature": 0.7, "top_p": 1.0, "top_k": 5, "min_p": 0.1, **neutral}.items()


async def test_a_reply_that_vllm_cut_at_a_limit_of_its_own_is_not_graded(server: Server, engine: Endpoint) -> None:
    async def capped(request: Any, body: Any) -> Any:
        regular = server.regular(request.path, body, {"finish_reason": "length"})
        return web.json_response(regular | {"usage": {"prompt_tokens": 3, "completion_tokens": 4}})

    server.script.append(capped)
    with pytest.raises(RequestError, match="4 of 16 tokens: start vLLM with --generation-config vllm") as caught:
        await engine.ask(generate())
    assert (caught.value.code, caught.value.tries) == ("capped", 1)
    server.script.append({"finish_reason": "length"})
    assert (await engine.ask(generate())).completion_tokens == 16


@pytest.mark.parametrize("body", [b"<html>It works!</html>", b"[]", b'{"choices": []}', b'{"ok": true}', b"\xff"])
async def test_a_probe_answered_in_another_language_fails_at_once(server: Server, body: bytes) -> None:
    """Six tries would take ten seconds to say the same."""
    server.listed = False
    server.script.extend([raw(body)] * 9)
    for chat in (False, True):
        with pytest.raises(
            EngineError, match=r"'wizard' does not answer: (bad-json|empty-choices|encoding).*check the U"
        ):
            async with prepared(server.url + "#wizard", chat=chat):
                pass
    assert len(server.script) == 7
    server.listed, server.echo = True, False
    with pytest.raises(EngineError, match="no log-probabilities"):
        async with prepared(server.url, kind="loglikelihood"):
            pass
    assert len(server.script) == 6


async def test_messages_go_to_chat(server: Server, chat: Endpoint) -> None:
    answer = await chat.ask(generate(None))
    [seen] = server.asked("/v1/chat/completions")
    assert seen.body["messages"] == [{"role": "user", "content": "Say it."}]
    assert answer.text == "An answer."
    assert answer.prompt is None
    assert answer.messages == (Message(role="user", content="Say it."),)


async def test_what_the_protocol_lacks_is_sent_only_where_it_matters(server: Server, engine: Endpoint) -> None:
    sampling = Sampling(
        temperature=0.7, max_new_tokens=32, top_p=0.9, top_k=5, min_p=0.1, min_tokens=50, stop=("\n", "END")
    )
    await engine.ask(generate(sampling=sampling))
    [seen] = server.asked("/v1/completions")
    assert seen.body["stop"] == ["\n", "END"]
    assert (seen.body["top_k"], seen.body["min_p"], seen.body["min_tokens"]) == (5, 0.1, 32)


async def test_stage_is_the_tasks(server: Server) -> None:
    async with prepared(server.url, stage="continuation") as engine:
        assert (await engine.ask(generate())).stage == "continuation"


async def test_truncation_is_kept(server: Server, engine: Endpoint) -> None:
    server.script.append({"finish_reason": "length"})
    assert (await engine.ask(generate())).finish_reason == "length"


async def test_no_more_requests_in_flight_than_allowed(server: Server) -> None:
    server.delay = 0.01
    async with prepared(server.url, options=EngineOptions(concurrency=3)) as engine:
        await asyncio.gather(*(engine.ask(generate(attempt=n)) for n in range(12)))
    assert server.most_in_flight == 3


async def test_asking_before_preparing(server: Server) -> None:
    async with Endpoint(server.url, OPTIONS) as engine:
        with pytest.raises(EngineError, match="prepared"):
            await engine.ask(generate())


# --- identity -------------------------------------------------------------------------------------------------------


async def test_identity_is_what_the_server_declares(server: Server) -> None:
    server.models[0] |= {"max_model_len": 4096, "parent": None, "permission": [{"id": "p"}]}
    async with open_engine(server.url + "#wizard", EngineOptions(weights_id="sha256:abc")) as engine:
        assert engine.concurrency == 64
        assert engine.facts.version == "0.32.0"
        assert engine.settings() == {}
        facts = engine.model
    assert (facts.name, facts.identity, facts.weights, facts.chat_format) == ("wizard", "declared", "sha256:abc", None)
    assert facts.declared == {
        "url": server.url,
        "served": "wizard",
        "model": {"id": "wizard", "root": "/m/wizard", "owned_by": "vllm", "max_model_len": 4096},
    }


async def test_several_models_must_be_chosen_from(server: Server) -> None:
    server.models.append({"id": "other"})
    with pytest.raises(EngineError, match=r"2 models: wizard, other.*#NAME"):
        await Endpoint(server.url, OPTIONS).__aenter__()
    async with Endpoint(server.url + "#other", OPTIONS) as engine:
        assert engine.model.name == "other"


async def test_an_unknown_model_gets_the_nearest_name(server: Server) -> None:
    with pytest.raises(EngineError, match=r"'wizzard'.*did you mean 'wizard'"):
        await Endpoint(server.url + "#wizzard", OPTIONS).__aenter__()


async def test_no_model(server: Server) -> None:
    server.models.clear()
    with pytest.raises(EngineError, match="serves no model"):
        await Endpoint(server.url, OPTIONS).__aenter__()


async def test_a_port_where_nothing_listens(closed_port: int) -> None:
    with pytest.raises(EngineError, match=rf"127\.0\.0\.1:{closed_port}/v1: nothing answers.*start the server"):
        await Endpoint(f"http://127.0.0.1:{closed_port}/v1#m", EngineOptions()).__aenter__()


async def test_https_to_a_plain_server(server: Server) -> None:
    with pytest.raises(EngineError, match=r"over https .* write http://127\.0\.0\.1"):
        await Endpoint(server.url.replace("http:", "https:"), OPTIONS).__aenter__()


async def test_a_url_that_is_no_such_server(server: Server) -> None:
    url = server.url.replace("/v1", "/v2")
    with pytest.raises(EngineError, match="no list of models"):
        await Endpoint(url, OPTIONS).__aenter__()
    # A server without a list may still have the model: one token tells.
    async with Endpoint(url + "#wizard", OPTIONS) as engine:
        with pytest.raises(EngineError, match="'wizard' does not answer: http-404"):
            await engine.prepare(make_task(), make_samples(), "raw")


async def test_a_server_without_a_list(server: Server) -> None:
    server.listed = False
    for chat_format, path in (("raw", "/v1/completions"), ("tokenizer", "/v1/chat/completions")):
        async with Endpoint(server.url + "#wizard", OPTIONS) as engine:
            told = await engine.prepare(make_task(), make_samples(), chat_format)
            await engine.prepare(make_task("own/second"), make_samples(), chat_format)
        assert "that it serves 'wizard' is unverified" in told.notes[0]
        assert engine.model.declared == {"url": server.url, "served": "wizard"}
        [canary] = server.asked(path)
        assert canary.body["max_tokens"] == 1


async def test_a_server_that_goes_between_start_and_preparation(server: Server, closed_port: int) -> None:
    async with Endpoint(server.url, OPTIONS) as engine:
        object.__setattr__(engine._address, "base", f"http://127.0.0.1:{closed_port}/v1")
        with pytest.raises(EngineError, match="nothing answers"):
            await engine.prepare(make_task(), make_samples(), "raw")


async def test_api_must_fit(server: Server) -> None:
    with pytest.raises(UsageError, match="--api completion"):
        Endpoint(server.url, EngineOptions(api="completion"))
    with pytest.raises(UsageError, match="--concurrency 0"):
        Endpoint(server.url, EngineOptions(concurrency=0))
    async with Endpoint(server.url, EngineOptions(api="chat")) as engine:
        with pytest.raises(UsageError, match="leave out --api"):
            await engine.prepare(make_task(), make_samples(), "alpaca")
        await engine.prepare(make_task(), make_samples(), "tokenizer")
    async with Endpoint(server.url, EngineOptions(api="completions")) as engine:
        with pytest.raises(UsageError, match="--api completions"):
            await engine.prepare(make_task(), make_samples(), "tokenizer")
        pinned = make_task(prompt=Prompt(turns=("{question}",), template="Q: {instruction}"))
        await engine.prepare(pinned, make_samples(), "tokenizer")


# --- secrets --------------------------------------------------------------------------------------------------------


async def test_keys_are_sent_and_never_shown(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARNESS_ENDPOINT_KEY", "sk-very-secret")
    server.key = "sk-very-secret"
    url = server.url + "?api_key=in-the-query"
    async with prepared(url) as engine:
        server.script.extend([status(400, "do not like sk-very-secret or in-the-query")])
        with pytest.raises(RequestError, match=r"do not like"):
            await engine.ask(generate())
        assert "secret" not in repr(engine.model)
        assert "in-the-query" not in repr(engine.model)
    assert all(one.query == "api_key=in-the-query" for one in server.seen)
    assert server.seen[0].headers["Authorization"] == "Bearer sk-very-secret"


async def test_a_login_in_the_url_is_sent_and_never_shown(server: Server) -> None:
    async with Endpoint(server.url.replace("http://", "http://me:pass-word@"), OPTIONS) as engine:
        assert "pass-word" not in repr(engine.model)
    assert server.seen[0].headers["Authorization"] == "Basic bWU6cGFzcy13b3Jk"


async def test_a_refused_key(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    server.key = "own-key-4711"
    with pytest.raises(EngineError, match="set HARNESS_ENDPOINT_KEY"):
        await Endpoint(server.url, OPTIONS).__aenter__()
    monkeypatch.setenv("HARNESS_ENDPOINT_KEY", "own-key-4711")
    async with prepared(server.url) as engine:
        server.key = "changed"
        with pytest.raises(RequestError, match="HARNESS_ENDPOINT_KEY") as caught:
            await engine.ask(generate())
    assert (caught.value.code, caught.value.tries) == ("http-401", 1)
    assert "4711" not in str(caught.value)


# --- reasoning ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["reasoning_content", "reasoning"])
async def test_reasoning_beside_empty_content(server: Server, chat: Endpoint, name: str) -> None:
    server.script.append({"message": {"content": "", name: "Hm."}, "finish_reason": "length"})
    answer = await chat.ask(generate(None))
    assert (answer.text, answer.reasoning, answer.finish_reason) == ("", "Hm.", "length")
    server.script.append({"message": {"content": None, name: "Hm."}})
    answer = await chat.ask(generate(None))
    assert (answer.text, answer.reasoning) == ("", "Hm.")


async def test_reasoning_in_the_text(server: Server, chat: Endpoint) -> None:
    server.script.extend(
        {"message": {"content": text}} for text in ("<think>Hm.</think>42", "Hm.</think>42", "<think>Hm")
    )
    answers = [await chat.ask(generate(None)) for _ in range(3)]
    assert [(one.text, one.reasoning) for one in answers] == [("42", "Hm."), ("42", "Hm."), ("", "Hm")]


async def test_a_template_that_opens_reasoning(server: Server) -> None:
    server.rendered = "<|im_start|>assistant\n<think>\n"
    server.script.append({"message": {"content": "It never en"}, "finish_reason": "length"})
    async with prepared(server.url, chat=True) as engine:
        answer = await engine.ask(generate(None))
    assert (answer.text, answer.reasoning) == ("", "It never en")


async def test_a_server_too_busy_to_tell_is_not_guessed_at(server: Server) -> None:
    server.rendered = None
    async with Endpoint(server.url, EngineOptions(tries=1)) as engine:
        with pytest.raises(EngineError, match="http-503"):
            await engine.prepare(make_task(), (), "tokenizer")


async def test_a_prompt_that_opens_reasoning(server: Server, engine: Endpoint) -> None:
    server.script.append({"text": "It never en", "finish_reason": "length"})
    assert (await engine.ask(generate("Q: 6*7?\n<think>\n"))).text == ""


async def test_code_that_speaks_of_the_tag(server: Server) -> None:
    code = "    return s.split('</think>')\n"
    server.script.append({"text": code})
    async with prepared(server.url, stage="continuation") as engine:
        assert (await engine.ask(generate())).text == code


# --- lengths --------------------------------------------------------------------------------------------------------

LONG = Sampling(temperature=0.0, max_new_tokens=100)


async def test_a_length_is_clamped_to_the_context(server: Server) -> None:
    server.models[0]["max_model_len"] = 60
    async with Endpoint(server.url, OPTIONS) as engine:
        told = await engine.prepare(make_task(sampling=LONG), make_samples(), "raw")
        assert "100 tokens are clamped to the context of 60" in told.notes[0]
        answer = await engine.ask(generate("w " * 20, sampling=LONG))
        assert answer.max_tokens == 40
        assert server.asked("/v1/completions")[0].body["max_tokens"] == 40
        with pytest.raises(RequestError, match="60 tokens, which leaves no room of 60") as caught:
            await engine.ask(generate("w " * 60, sampling=LONG))
    assert caught.value.code == "context"
    assert len(server.asked("/v1/completions")) == 1


async def test_a_prompt_that_surely_fits_is_not_counted(server: Server) -> None:
    server.models[0]["max_model_len"] = 4096
    async with prepared(server.url) as engine:
        counted = len(server.asked("/tokenize"))
        await engine.ask(generate("w " * 20, sampling=LONG))
        assert len(server.asked("/tokenize")) == counted
        await engine.ask(generate(None, sampling=LONG))
        assert len(server.asked("/tokenize")) == counted + 1


async def test_a_bound_on_both_needs_a_count(server: Server) -> None:
    both = Sampling(temperature=0.0, max_total_tokens=50)
    async with prepared(server.url, sampling=both) as engine:
        assert (await engine.ask(generate("w " * 20, sampling=both))).max_tokens == 30
        with pytest.raises(RequestError) as caught:
            await engine.ask(generate("w " * 50, sampling=both))
        assert caught.value.code == "context"
    server.tokenizer = False
    with pytest.raises(EngineError, match="max_total_tokens of own/plain needs"):
        async with prepared(server.url, sampling=both):
            pass


async def test_a_server_that_refuses_what_does_not_fit(server: Server, engine: Endpoint) -> None:
    server.script.append(status(400, "This model's maximum context length is 1024 tokens."))
    with pytest.raises(RequestError, match="1024") as caught:
        await engine.ask(generate())
    assert (caught.value.code, caught.value.tries) == ("context", 1)


# --- likelihoods ----------------------------------------------------------------------------------------------------

CHOICES = {"kind": "loglikelihood", "prompt": Prompt(turns=("{question}",), choices="choices")}


@pytest.mark.parametrize("bos", ["", "<s>"])
async def test_likelihood(server: Server, bos: str) -> None:
    server.bos = bos
    async with prepared(server.url, **CHOICES) as engine:
        answer = await engine.ask(likelihood("The sky is", " quite blue"))
    body = server.asked("/v1/completions")[-1].body
    assert (body["prompt"], body["echo"], body["logprobs"]) == ("The sky is quite blue", True, 1)
    first = 4 if bos else 3
    assert answer.logprobs is not None
    assert answer.logprobs.total == -(first + first + 1) / 4
    assert (answer.logprobs.tokens, answer.logprobs.greedy) == (2, False)
    assert (answer.kind, answer.text, answer.turn, answer.prompt) == ("loglikelihood", " quite blue", 1, "The sky is")


async def test_a_server_that_cannot_echo(server: Server) -> None:
    server.echo = False
    with pytest.raises(EngineError, match=r"no log-probabilities.*vLLM"):
        async with prepared(server.url, **CHOICES):
            pass
    server.echo = True
    server.script.append(status(400, "echo is not supported"))
    with pytest.raises(EngineError, match="echo is not supported"):
        async with prepared(server.url, **CHOICES):
            pass
    with pytest.raises(UsageError, match="log-likelihoods need /v1/completions"):
        async with prepared(server.url, options=EngineOptions(api="chat"), **CHOICES):
            pass


async def test_half_characters_are_parted_by_a_count(server: Server) -> None:
    columns = {
        "tokens": ["The", "\ufffd", "\ufffd", " more"],
        "token_logprobs": [None, -1.0, -2.0, -9.0],
        "text_offset": [0, 3, 4, 5],
        "top_logprobs": [None, {"a": -1.0}, {"b": -2.0}, {"c": -9.0}],
    }
    async with prepared(server.url, **CHOICES) as engine:
        server.usage = False
        server.script.append(raw(json.dumps({"choices": [{"logprobs": columns}]}).encode()))
        answer = await engine.ask(likelihood("The", "é"))
    assert answer.logprobs is not None
    assert (answer.logprobs.total, answer.logprobs.tokens) == (-3.0, 2)


async def test_one_canary_for_all_tasks(server: Server) -> None:
    async with prepared(server.url, **CHOICES) as engine:
        await engine.prepare(make_task("own/second", **CHOICES), make_samples(), "raw")
    assert len(server.asked("/v1/completions")) == 1
