#!/usr/bin/env python3
"""Writes the reference CNN as model.json and its input as input.json, after evaluating it.

The digests it prints stand in src/nn/tests.rs too, where the files written by Rust are held to them.
"""

import argparse
import hashlib
import json
from pathlib import Path

import cnn


def tensor_json(tensor):
    """The form in which ndarray's serde support writes an array."""
    return {"v": 1, "dim": list(tensor.shape), "data": tensor.ravel().tolist()}


def layer_json(layer, input_shape):
    out = {"layer_type": layer.layer_type, "input_shape": list(input_shape)}
    if isinstance(layer, cnn.MaxPool):
        out["window"] = layer.size
    for field, tensor in layer.tensors.items():
        out[field] = tensor_json(tensor)
    return out


def model_json(network, outputs):
    inputs = [network.input, *outputs]
    layers = [layer_json(layer, x.shape) for layer, x in zip(network.layers, inputs)]
    return {"input_range": list(cnn.INPUT_RANGE), "layers": layers}


def write(path, value):
    # `dumps` gives the very bytes of `json.dump`, but from C, in a tenth of its time.
    text = json.dumps(value).encode()
    path.write_bytes(text)
    print(f"{path.name}: {len(text)} bytes, sha256 {hashlib.sha256(text).hexdigest()}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    default = Path(__file__).resolve().parent / "out"
    parser.add_argument("folder", nargs="?", type=Path, default=default, help="where to write (default: %(default)s)")
    folder = parser.parse_args().folder

    network = cnn.reference_network()
    outputs = cnn.evaluate(network)
    cnn.check(network, outputs)
    cnn.report(network, outputs)

    folder.mkdir(parents=True, exist_ok=True)
    print()
    write(folder / "model.json", model_json(network, outputs))
    write(folder / "input.json", tensor_json(network.input))


if __name__ == "__main__":
    main()
