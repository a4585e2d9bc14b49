"""What serving costs beside vLLM's own offline `LLM.generate`: the same prompts, fixed lengths, and vLLM.

`harness run` serves the checkpoint and asks; the prompts that it journaled are then given to `LLM.generate` in one
list, in the environment of the same `vllm` command. Every reply has the same length (`ignore_eos` there, `min_tokens`
here), which is checked. Compared is the time from the first request to the last answer; start and model load are left
out on both sides, and the first batch of the offline engine is preceded by one prompt of warming up. The offline engine
runs both ways that it has, in the caller's process and in one of its own, with as many sequences at once as the server;
on a GPU also with as many as it takes of itself (1,024 on a large one). The fastest is the baseline.

    python benchmarks/vllm_offline.py --vllm COMMAND [--model FOLDER] [--prompts N] [--tokens N] [--gpu]

Without --model a tiny checkpoint with random weights is made. On the CPU (the default) the settings are those of the
tests; with --gpu those of the harness and of vLLM. The folder of `--work` keeps the run and its server's log.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPOSITORY))

from harness.engines.vllm.launch import MAX_NUM_SEQS  # noqa: E402
from tests.engines.vllm_fixture import CPU_SETTINGS, make_checkpoints  # noqa: E402

CPU_SEQUENCES = 64
CONTEXT = 1024
TASK = """\
version = 1
title = "Questions with replies of one length"
metric = "correct"
[dataset]
name = "questions"
source = "file:questions.jsonl"
sha256 = "{sha256}"
records = {records}
[prompt]
turns = ["{{question}}"]
format = "vicuna_v1.1"
[sampling]
temperature = 0.0
max_new_tokens = {tokens}
min_tokens = {tokens}
[scorer]
name = "exact-match"
options = {{ gold = "{{question}}" }}
[reference]
text = "{{question}}"
stage = "reply"
"""
OFFLINE = """\
import json, sys, time
from vllm import LLM, SamplingParams

def main():
    asked = json.load(open(sys.argv[1]))
    llm = LLM(**asked["engine"])
    fixed = SamplingParams(temperature=0.0, max_tokens=asked["tokens"], ignore_eos=True)
    llm.generate(["Warm up."], fixed, use_tqdm=False)
    began = time.perf_counter()
    answers = llm.generate(asked["prompts"], fixed, use_tqdm=False)
    seconds = time.perf_counter() - began
    tokens = [len(answer.outputs[0].token_ids) for answer in answers]
    json.dump({"seconds": seconds, "tokens": tokens}, open(sys.argv[2], "w"))

if __name__ == "__main__":
    main()
"""


def write_catalog(folder: Path, records: int, tokens: int) -> None:
    """A catalog with one task; no two questions begin alike, so that no prefix but the format's own is cached."""
    task = folder / "tasks" / "questions"
    task.mkdir(parents=True)
    questions = [f"{n}. What is {n} and {n + 1}? " + f"Think of {n} apples. " * (1 + n % 8) for n in range(records)]
    data = "".join(json.dumps({"question": text}) + "\n" for text in questions).encode()
    (task / "questions.jsonl").write_bytes(data)
    text = TASK.format(sha256=hashlib.sha256(data).hexdigest(), records=records, tokens=tokens)
    (task / "fixed-length.toml").write_text(text)


def run(command: list[str], settings: dict[str, str]) -> float:
    """Run a command to its end; its wall seconds."""
    began = time.perf_counter()
    done = subprocess.run(command, check=False, env=os.environ | settings, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}: exit {done.returncode}: {done.stderr[-3000:]}")
    return time.perf_counter() - began


def served(work: Path, model: Path, asked: argparse.Namespace, settings: dict[str, str]) -> list[dict[str, Any]]:
    """Run the harness; the journal's lines."""
    catalog, runs = work / "catalog", work / "runs"
    write_catalog(catalog, asked.prompts, asked.tokens)
    command = [sys.executable, "-m", "harness", "run", "--model", str(model), "--task", "questions/fixed-length"]
    where = ["--catalog", str(catalog), "--runs", str(runs), "--vllm-command", asked.vllm]
    flags = ["--max-model-len", str(CONTEXT)]
    if not asked.gpu:
        flags += ["--dtype", "float32", "--vllm-arg", "enforce-eager", "--vllm-arg", f"max-num-seqs={CPU_SEQUENCES}"]
    wall = run([*command, *where, *flags], settings)
    (journal,) = runs.rglob("completions.jsonl")
    lines: list[dict[str, Any]] = [json.loads(line) for line in journal.read_text().splitlines()]
    began = [datetime.fromisoformat(line["started"]).timestamp() for line in lines]
    ended = [start + line["seconds"] for start, line in zip(began, lines, strict=True)]
    _check([line["completion_tokens"] for line in lines], asked)
    seconds = max(ended) - min(began)
    print(
        f"harness run: {seconds:.1f} s for {len(lines)} x {asked.tokens} tokens (the whole command {wall:.1f} s)",
        flush=True,
    )
    return [{"seconds": seconds, "prompt": line["prompt"]} for line in lines]


@dataclass(frozen=True)
class Way:
    """How `LLM.generate` runs: in a process of its own or not; sequences at once, None: as many as vLLM likes."""

    apart: bool
    sequences: int | None

    def __str__(self) -> str:
        at_once = "as many at once as vLLM likes" if self.sequences is None else f"{self.sequences} at once"
        return at_once + (", engine apart" if self.apart else "")


def ways(*, gpu: bool) -> list[Way]:
    """Those that are measured."""
    sequences = MAX_NUM_SEQS if gpu else CPU_SEQUENCES
    likes = [Way(apart=True, sequences=None)] if gpu else []
    return [Way(apart=True, sequences=sequences), *likes, Way(apart=False, sequences=sequences)]


def offline(
    work: Path, model: Path, asked: argparse.Namespace, settings: dict[str, str], prompts: list[str], way: Way
) -> float:
    """Seconds of `LLM.generate`, in the environment of the vLLM command."""
    settings = settings | {"VLLM_ENABLE_V1_MULTIPROCESSING": "1" if way.apart else "0"}
    engine = {"model": str(model), "max_model_len": CONTEXT, "generation_config": "vllm", "seed": 0}
    if way.sequences is not None:
        engine["max_num_seqs"] = way.sequences
    if not asked.gpu:
        engine |= {"dtype": "float32", "enforce_eager": True}
    (work / "asked.json").write_text(json.dumps({"engine": engine, "tokens": asked.tokens, "prompts": prompts}))
    (work / "offline.py").write_text(OFFLINE)
    python = str(Path(asked.vllm).absolute().with_name("python"))
    wall = run([python, *(str(work / name) for name in ("offline.py", "asked.json", "answers.json"))], settings)
    answers = json.loads((work / "answers.json").read_text())
    _check(answers["tokens"], asked)
    seconds = float(answers["seconds"])
    print(f"LLM.generate, {way}: {seconds:.1f} s (the whole process {wall:.1f} s)", flush=True)
    return seconds


def _check(tokens: list[int], asked: argparse.Namespace) -> None:
    if tokens != [asked.tokens] * asked.prompts:
        raise SystemExit(f"replies of other lengths than {asked.tokens}: {sorted(set(tokens))}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vllm", default=os.environ.get("HARNESS_TEST_VLLM"), help="the vllm command")
    parser.add_argument("--model", type=Path)
    parser.add_argument("--prompts", type=int, default=512)
    parser.add_argument("--tokens", type=int, default=64)
    parser.add_argument("--gpu", action="store_true")
    parser.add_argument("--work", type=Path, help="a folder that does not exist yet")
    asked = parser.parse_args()
    if asked.vllm is None:
        parser.error("name the vllm command with --vllm or HARNESS_TEST_VLLM")
    settings = {} if asked.gpu else CPU_SETTINGS
    with tempfile.TemporaryDirectory() as name:
        work, model = asked.work or Path(name), asked.model
        if model is None:
            make_checkpoints(Path(asked.vllm).absolute().with_name("python"), work / "tiny")
            model = work / "tiny" / "vicuna"
        lines = served(work, model, asked, settings)
        prompts = [line["prompt"] for line in lines]
        alone = []
        for way in ways(gpu=asked.gpu):
            alone.append(offline(work, model, asked, settings, prompts, way))
            print(f"harness run / LLM.generate, {way}, wall time: {lines[0]['seconds'] / alone[-1]:.2f}", flush=True)
    print(f"harness run / the fastest LLM.generate, wall time: {lines[0]['seconds'] / min(alone):.2f}")


if __name__ == "__main__":
    main()
