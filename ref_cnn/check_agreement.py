#!/usr/bin/env python3
"""Holds the Rust program to the Python reference: the printed table, and the proved output.

The folder given has `vanilla.txt` (what vanilla_cnn.py printed), `run.txt` (what `zknn run` printed) and
`statement.json` (what `zknn verify --json` printed).
"""

import json
import pathlib
import sys

import cnn


def table_of(text):
    """The lines of a printed table, as lists of cells."""
    return [[cell.strip() for cell in line.split("|")] for line in text.splitlines() if "|" in line]


def main():
    folder = pathlib.Path(sys.argv[1])
    python = table_of((folder / "vanilla.txt").read_text())
    rust = table_of((folder / "run.txt").read_text())
    assert len(python) == 13, "a header, a rule and eleven layers"
    assert python == rust, f"the tables differ:\n{python}\n{rust}"

    network = cnn.reference_network()
    expected = cnn.evaluate(network)[-1]
    statement = json.loads((folder / "statement.json").read_text())
    assert statement["valid"] is True
    assert statement["zero_knowledge"] is True
    proved = statement["output"]["data"]
    assert len(proved) == len(expected)
    worst = max(abs(p - e) for p, e in zip(proved, expected))
    assert worst < 1e-6, f"the proved output is off by {worst}"
    print(f"tables agree; the proved output is within {worst:.1e} of numpy's")


if __name__ == "__main__":
    main()
