"""`make bench`: every figure of docs/benchmarks.md, one after another, each in a process of its own."""

import subprocess
import sys

PARTS = ("parsing", "ingestion", "worker", "truth", "rest", "realtime", "queues")


def main() -> int:
    """Run the named parts, or all; a part that fails does not keep the others from running."""
    chosen = [part for part in sys.argv[1:] if part in PARTS] or PARTS
    codes = []
    for part in chosen:
        print(f"\n── {part} {'─' * (70 - len(part))}", flush=True)
        codes.append(subprocess.run([sys.executable, "-m", f"benchmarks.{part}"], check=False).returncode)
    return max(codes)


if __name__ == "__main__":
    sys.exit(main())
