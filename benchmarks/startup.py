"""How long `import harness` and `harness --help` take, beside a bare interpreter, in one run.

Prints the least of several runs of each, and its ratio to the baseline `python -c pass`.
"""

import statistics
import subprocess
import sys
import time

RUNS = 7
COMMANDS = {
    "python -c pass": ["-c", "pass"],
    "import harness": ["-c", "import harness"],
    "harness --version": ["-m", "harness", "--version"],
    "harness --help": ["-m", "harness", "--help"],
}


def seconds(arguments: list[str]) -> float:
    start = time.perf_counter()
    subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def main() -> None:
    for arguments in COMMANDS.values():  # once unmeasured: byte code and file cache
        seconds(arguments)
    times = {name: [seconds(arguments) for _ in range(RUNS)] for name, arguments in COMMANDS.items()}
    baseline = min(times["python -c pass"])
    print(f"{'command':<20}{'least ms':>10}{'median ms':>11}{'ratio':>8}{'own ms':>9}")
    for name, measured in times.items():
        least = min(measured)
        print(
            f"{name:<20}{1000 * least:>10.0f}{1000 * statistics.median(measured):>11.0f}"
            f"{least / baseline:>8.2f}{1000 * (least - baseline):>9.0f}"
        )


if __name__ == "__main__":
    main()
