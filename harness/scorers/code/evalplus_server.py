"""The program that runs the `evalplus` package itself: in a process of its own, with the Python that has the package.

It knows nothing of the harness. Each line of its input is a request ``{id, dataset, problem, solution, attempt,
min_time_limit, gt_time_limit_factor}``, each line of its output an answer ``{id, base, plus}``, where either is
``[status, number of inputs tried]``, or ``{id, error}``. The first line of output is ``{version}``.

Everything that decides is EvalPlus's: `get_groundtruth` executes the reference solution, `check_correctness` the
tested one, in processes that it forks. Source: evalplus 0.3.1 ``evalplus/evaluate.py``.
"""

from __future__ import annotations

import functools
import json
import os
import sys
from concurrent.futures import Future, ProcessPoolExecutor
from importlib.metadata import version
from typing import Any


def main() -> None:
    """Answer requests until the input ends; the first argument is how many samples are graded at a time."""
    # What EvalPlus and the programs print goes elsewhere.
    answers = os.dup(1)
    os.dup2(2, 1)
    # Nothing that EvalPlus forks can write here: what a program says would be mixed with answers to others.
    mine = [answers]

    def give_up() -> None:
        while mine:
            os.close(mine.pop())

    os.register_at_fork(after_in_child=give_up)
    from evalplus.data.mbpp import mbpp_deserialize_inputs
    from evalplus.eval._special_oracle import MBPP_OUTPUT_NOT_NONE_TASKS
    from evalplus.evaluate import check_correctness, get_groundtruth

    def answer(number: int, done: Future[dict[str, Any]]) -> None:
        error = done.exception()
        if error is not None:
            say(answers, {"id": number, "error": f"{type(error).__name__}: {error}"[:500]})
            return
        both = {name: (status, len(tried)) for name, (status, tried) in verdicts(done.result())}
        say(answers, {"id": number, **both})

    known: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {}
    with ProcessPoolExecutor(max_workers=int(sys.argv[1])) as executor:
        say(answers, {"version": version("evalplus")})
        for line in sys.stdin.buffer:
            request = json.loads(line)
            problem, mbpp = request["problem"], request["dataset"] == "mbpp"
            task = problem["task_id"]
            try:
                if task not in known:
                    for inputs in ("base_input", "plus_input") if mbpp else ():
                        problem[inputs] = mbpp_deserialize_inputs(task, problem[inputs])
                    only_given = MBPP_OUTPUT_NOT_NONE_TASKS if mbpp else []
                    truth = get_groundtruth({task: problem}, f"{os.getpid()}-{len(known)}", only_given)
                    known[task] = problem, truth[task]
            except BaseException as error:
                say(answers, {"id": request["id"], "error": f"the reference solution: {type(error).__name__}: {error}"})
                continue
            future = executor.submit(
                check_correctness,
                request["dataset"],
                request["attempt"],
                known[task][0],
                request["solution"],
                known[task][1],
                fast_check=True,
                identifier=request["id"],
                min_time_limit=request["min_time_limit"],
                gt_time_limit_factor=request["gt_time_limit_factor"],
            )
            future.add_done_callback(functools.partial(answer, request["id"]))


def verdicts(result: dict[str, Any]) -> list[tuple[str, Any]]:
    """The verdict on either set of inputs."""
    return [(name, result[name]) for name in ("base", "plus")]


def say(descriptor: int, message: dict[str, Any]) -> None:
    """Write a line, at once and whole: it is shorter than what a pipe takes in one piece."""
    os.write(descriptor, json.dumps(message).encode("ascii") + b"\n")


if __name__ == "__main__":
    main()
