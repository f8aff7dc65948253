"""How fast reports are parsed, beside Codecov's parser (in Rust) and junitparser, and in how much memory.

Run it from the checkout: `.venv/bin/python -m benchmarks.parsing [--megabytes 100]`. Each parser reads each corpus
from disk in a process of its own, several times in turn; the best counts, in seconds of processor time, so that other
work on the machine weighs as little as it can. Memory is the highest resident size above that of the same process
before it read anything.
"""

# ruff: noqa: PLC0415 - each child imports only the parser it measures
import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.corpora import CORPORA, write

FOLDER = Path(__file__).parent / "out"
GOAL_CODECOV = 0.75
GOAL_JUNITPARSER = 1.8
GOAL_MEMORY_MB = 30.0


def flakeguard() -> Callable[[Path], int]:
    """Every attempt made, seen and dropped."""
    from flakeguard.reports.junit import parse_junit

    def read(path: Path) -> int:
        with path.open("rb") as stream:
            return sum(1 for _ in parse_junit(stream))

    return read


def codecov() -> Callable[[Path], int]:
    """Its one call on the whole file."""
    import test_results_parser

    def read(path: Path) -> int:
        parsed = test_results_parser.parse_junit_xml(path.read_bytes())
        runs = parsed.testruns if hasattr(parsed, "testruns") else parsed[1] if isinstance(parsed, tuple) else parsed
        return len(runs)

    return read


def junitparser() -> Callable[[Path], int]:
    """Every case seen with its name and results, as its documentation reads a report."""
    from junitparser import JUnitXml, TestCase

    def read(path: Path) -> int:
        count = 0
        for suite in JUnitXml.fromfile(str(path)):
            for case in suite:
                if isinstance(case, TestCase):
                    count += 1
                    _ = case.name, case.classname, case.time, case.result
        return count

    return read


PARSERS = {"flakeguard": flakeguard, "test-results-parser": codecov, "junitparser": junitparser}


def measure(parser: str, path: Path) -> None:
    """In the child process: read once and print cases, seconds and megabytes above idle."""
    read = PARSERS[parser]()
    idle = _resident_mb()
    started = time.process_time()
    count = read(path)
    seconds = time.process_time() - started
    print(json.dumps({"cases": count, "seconds": seconds, "megabytes": _resident_mb() - idle}))


def _resident_mb() -> float:
    """Highest resident size of this process so far, in MB (Linux counts kilobytes, macOS bytes)."""
    highest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return highest / (1024 * 1024 if sys.platform == "darwin" else 1024)


def in_a_process(parser: str, path: Path) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.parsing", "--child", parser, "--file", str(path)]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def compare(name: str, megabytes: float, rounds: int) -> dict[str, dict[str, float]]:
    """Best of some rounds, the parsers in turn."""
    path = write(name, megabytes, FOLDER)
    size = path.stat().st_size / 1e6
    best: dict[str, dict[str, float]] = {}
    for number in range(rounds):
        for parser in PARSERS:
            if parser == "junitparser" and number >= 2:
                continue  # far behind, and slow enough for two rounds to tell
            result = in_a_process(parser, path)
            if parser not in best or result["seconds"] < best[parser]["seconds"]:
                best[parser] = result
    for result in best.values():
        result["speed"] = size / result["seconds"]
    return best


def show(name: str, best: dict[str, dict[str, float]]) -> None:
    ours = best["flakeguard"]
    print(f"\n{name}: {int(ours['cases']):,} cases")
    print(f"  {'parser':<22}{'MB/s':>8}{'ours is':>10}{'memory over idle':>20}")
    for parser, result in best.items():
        ratio = ours["speed"] / result["speed"]
        print(f"  {parser:<22}{result['speed']:>8.0f}{ratio:>9.2f}x{result['megabytes']:>17.1f} MB")


def verdict(name: str, best: dict[str, dict[str, float]]) -> str:
    """Whether the goals of this corpus are met."""
    ours = best["flakeguard"]
    by_junitparser = ours["speed"] / best["junitparser"]["speed"]
    checks = [
        (f"{by_junitparser:.2f}x junitparser (goal {GOAL_JUNITPARSER})", by_junitparser >= GOAL_JUNITPARSER),
        (f"{ours['megabytes']:.1f} MB (goal under {GOAL_MEMORY_MB:.0f})", ours["megabytes"] < GOAL_MEMORY_MB),
    ]
    if name == "failing with stacks":
        by_codecov = ours["speed"] / best["test-results-parser"]["speed"]
        checks.insert(0, (f"{by_codecov:.2f}x Codecov's (goal {GOAL_CODECOV})", by_codecov >= GOAL_CODECOV))
    return "; ".join(f"{'met' if met else 'MISSED'}: {text}" for text, met in checks)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--megabytes", type=float, default=100)
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--child", choices=PARSERS, help=argparse.SUPPRESS)
    parser.add_argument("--file", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        measure(options.child, options.file)
        return
    print(f"Parsing {options.megabytes:g} MB, best of {options.rounds} rounds, each in a process of its own")
    for name in CORPORA:
        best = compare(name, options.megabytes, options.rounds)
        show(name, best)
        print(f"  {verdict(name, best)}")


if __name__ == "__main__":
    main()
