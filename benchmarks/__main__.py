"""Run all benchmarks, one table each.

    make bench        (or: python -m benchmarks)

Every table holds its own baseline, measured in the same run: quote ratios, not absolute times.
"""

from __future__ import annotations

from benchmarks import burst, idle, keeper, save_to_start


def main() -> None:
    """Print one table after the other."""
    for benchmark in (keeper, burst, idle, save_to_start):
        benchmark.main()


if __name__ == "__main__":
    main()
