#!/usr/bin/env python3
"""Evaluates the reference CNN in plain numpy and prints its layers and its output."""

import cnn


def main():
    network = cnn.reference_network()
    outputs = cnn.evaluate(network)
    cnn.check(network, outputs)
    cnn.report(network, outputs)


if __name__ == "__main__":
    main()
