#!/usr/bin/env python3
"""Times one evaluation of the reference CNN in plain numpy: the baseline that proving is compared with."""

import argparse
import json
import statistics
import time

import cnn


def positive(text):
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("at least one run is needed")
    return value


def time_runs(network, runs):
    """The seconds of each run. The first evaluation is not among them: it warms the caches and is checked."""
    cnn.check(network, cnn.evaluate(network))
    seconds = []
    for _ in range(runs):
        start = time.perf_counter()
        cnn.evaluate(network)
        seconds.append(time.perf_counter() - start)
    return seconds


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=positive, default=5, help="how many to time (default: %(default)s)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    args = parser.parse_args()

    seconds = time_runs(cnn.reference_network(), args.runs)
    result = {
        "runs": args.runs,
        "min_s": min(seconds),
        "median_s": statistics.median(seconds),
        "max_s": max(seconds),
    }
    if args.json:
        print(json.dumps(result))
    else:
        print("inference, {runs} runs: min {min_s:.3f} s, median {median_s:.3f} s, max {max_s:.3f} s".format(**result))


if __name__ == "__main__":
    main()
