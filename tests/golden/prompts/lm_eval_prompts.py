"""Print the digests of few-shot.toml: the prompts as lm-eval itself builds them.

Runs in an environment of its own (``pip install 'lm-eval[math]==0.4.13'``), offline, on uncompressed data files:

    python lm_eval_prompts.py gsm8k/train.jsonl gsm8k/test.jsonl MATH_test.jsonl
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

import lm_eval
from lm_eval.api.task import ConfigurableTask
from lm_eval.tasks._yaml_loader import load_yaml

SEED = 1234  # lm-eval's default for its examples
TASKS = {
    "gsm8k/lm-eval-5shot": "gsm8k/gsm8k.yaml",
    "gsm8k/cot-8shot": "gsm8k/gsm8k-cot.yaml",
    "math/minerva-4shot": "minerva_math/minerva_math_algebra.yaml",
    "math-lvl5/leaderboard-4shot": "leaderboard/math/math_algebra.yaml",
}


def prompts(declaration: Path, files: dict[str, str]) -> list[str]:
    """The prompts of one of lm-eval's tasks on other data files than its own."""
    config = load_yaml(declaration, resolve_func=True)
    for key in ("tag", "group", "dataset_name"):
        config.pop(key, None)
    task = ConfigurableTask(config={**config, "dataset_path": "json", "dataset_kwargs": {"data_files": files}})
    task.set_fewshot_seed(seed=SEED)
    task.build_all_requests(limit=None, rank=0, world_size=1)
    return [instance.args[0] for instance in task.instances]


if __name__ == "__main__":
    train, test, mathematics = sys.argv[1:]
    for name, path in TASKS.items():
        files = (
            {"train": train, "test": test}
            if name.startswith("gsm8k")
            else dict.fromkeys(("train", "test"), mathematics)
        )
        made = prompts(Path(lm_eval.__file__).parent / "tasks" / path, files)
        print(name, len(made), hashlib.sha256("\0".join(made).encode()).hexdigest())
