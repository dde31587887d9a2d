#!/usr/bin/env python3
"""Writes deep networks of well-known architectures, with weights drawn by a seed, and inputs to scale them by and to prove.

    python3 ref_cnn/generate_networks.py FOLDER [NAME ...]

Each becomes a folder with model.json; calibration.json, inputs along a first axis; input.json; and output.json, what numpy makes
of that input in floating point. Architectures are those of
the papers, as they are commonly cut down to images of 32 by 32 where a name says so; batch normalization is part of the
convolution before it, as it is once a network is trained. Weights are normal with the variance 2 / fan-in (He et al., 2015), so
that numbers keep their size through the layers; the last convolution of a residual block has less, so that sums keep theirs.
"""

import argparse
import json
from pathlib import Path

import numpy as np

import layers
from generate_cnn_json import tensor_json

SEED = 18
CALIBRATION = 4


class Network:
    """Layers one after the other, and joins; what a layer reads is named by its place, and shapes are followed."""

    def __init__(self, shape):
        self.rng = np.random.default_rng(SEED)
        self.input_shape = self.shape = shape
        self.layers = []

    def layer(self, layer_type, shape=None, **fields):
        self.layers.append({"layer_type": layer_type, "input_shape": list(self.shape), **fields})
        self.shape = tuple(shape or self.shape)

    def name(self, name):
        self.layers[-1]["name"] = name
        return name

    def weights(self, *shape, gain=1.0):
        fan_in = int(np.prod(shape[1:]))
        return tensor(self.rng.normal(0, gain * np.sqrt(2 / fan_in), shape))

    def convolution(self, channels, size, stride=1, groups=1, gain=1.0, reads=None):
        """With borders of zeros, so that a stride of one keeps the extents."""
        if reads is not None:
            self.shape = reads[1]
        height, width, inputs = self.shape
        pad = size // 2
        fields = {"kernel": self.weights(channels, size, size, inputs // groups, gain=gain),
                  "biases": tensor(self.rng.normal(0, 0.05, channels)), "stride": stride, "groups": groups}
        if pad:
            fields |= {"before": pad, "after": pad}
        if reads is not None:
            fields["inputs"] = [reads[0]]
        extent = lambda length: (length + 2 * pad - size) // stride + 1
        self.layer("convolution", (extent(height), extent(width), channels), **fields)

    def relu(self, six=False):
        if six:
            self.layer("clip", least=0, greatest=6)
        else:
            self.layer("relu")

    def max_pool(self, window, stride=None, pad=0):
        height, width, channels = self.shape
        stride = stride or window
        extent = lambda length: (length + 2 * pad - window) // stride + 1
        fields = {"window": window, "stride": stride} | ({"before": pad, "after": pad} if pad else {})
        self.layer("max_pool", (extent(height), extent(width), channels), **fields)

    def classify(self, classes):
        if len(self.shape) == 3:
            self.layer("global_average_pool", (self.shape[2],))
        self.dense(classes)

    def dense(self, outputs):
        self.layer("fully_connected", (outputs,), weights=self.weights(outputs, self.shape[0]),
                   biases=tensor(np.zeros(outputs)))

    def flatten(self):
        self.layer("flatten", (int(np.prod(self.shape)),))

    def add(self, *names):
        self.layer("add", inputs=list(names))


def tensor(array):
    """Six digits are more than any number of bits takes."""
    return np.array([float(f"{x:.6g}") for x in array.flat]).reshape(array.shape)


def lenet5():
    """LeCun et al., 1998, with relu and maxima, as it is used today."""
    net = Network((28, 28, 1))
    net.convolution(6, 5)
    net.relu()
    net.max_pool(2)
    height, width, inputs = net.shape
    net.layer("convolution", (height - 4, width - 4, 16), kernel=net.weights(16, 5, 5, inputs), biases=tensor(np.zeros(16)))
    net.relu()
    net.max_pool(2)
    net.flatten()
    for outputs in [120, 84]:
        net.dense(outputs)
        net.relu()
    net.dense(10)
    return net


def vgg11():
    """Simonyan and Zisserman, 2014, configuration A, with one fully connected layer."""
    net = Network((32, 32, 3))
    for channels in [64, "pool", 128, "pool", 256, 256, "pool", 512, 512, "pool", 512, 512, "pool"]:
        if channels == "pool":
            net.max_pool(2)
        else:
            net.convolution(channels, 3)
            net.relu()
    net.flatten()
    net.dense(10)
    return net


def resnet18(side, classes):
    """He et al., 2015."""
    net = Network((side, side, 3))
    if side > 32:
        net.convolution(64, 7, stride=2)
        net.relu()
        net.max_pool(3, stride=2, pad=1)
    else:
        net.convolution(64, 3)
        net.relu()
    for stage, channels in enumerate([64, 128, 256, 512]):
        for block in range(2):
            stride = 2 if stage > 0 and block == 0 else 1
            reads = (net.name(f"in{stage}{block}"), net.shape)
            net.convolution(channels, 3, stride=stride)
            net.relu()
            net.convolution(channels, 3, gain=0.5)
            name = net.name(f"branch{stage}{block}")
            if stride == 2:
                net.convolution(channels, 1, stride=2, reads=reads, gain=0.7)
                reads = (net.name(f"short{stage}{block}"), net.shape)
            net.add(reads[0], name)
            net.relu()
    net.classify(classes)
    return net


def mobilenet_v1(side, classes):
    """Howard et al., 2017; for small images the first strides are one."""
    net = Network((side, side, 3))
    small = side <= 32
    net.convolution(32, 3, stride=1 if small else 2)
    net.relu()
    blocks = [(64, 1), (128, 1 if small else 2), (128, 1), (256, 2), (256, 1), (512, 2), *[(512, 1)] * 5, (1024, 2), (1024, 1)]
    for channels, stride in blocks:
        net.convolution(net.shape[2], 3, stride=stride, groups=net.shape[2])
        net.relu()
        net.convolution(channels, 1)
        net.relu()
    net.classify(classes)
    return net


def mobilenet_v2(side, classes):
    """Sandler et al., 2018; for small images the first strides are one."""
    net = Network((side, side, 3))
    small = side <= 32
    net.convolution(32, 3, stride=1 if small else 2)
    net.relu(six=True)
    stages = [(1, 16, 1, 1), (6, 24, 2, 1 if small else 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)]
    for stage, (expansion, channels, count, first) in enumerate(stages):
        for block in range(count):
            stride = first if block == 0 else 1
            joins = stride == 1 and net.shape[2] == channels
            reads = net.name(f"in{stage}{block}")
            if expansion > 1:
                net.convolution(net.shape[2] * expansion, 1)
                net.relu(six=True)
            net.convolution(net.shape[2], 3, stride=stride, groups=net.shape[2])
            net.relu(six=True)
            net.convolution(channels, 1, gain=0.5 if joins else 1.0)
            if joins:
                net.add(reads, net.name(f"branch{stage}{block}"))
    net.convolution(1280, 1)
    net.relu(six=True)
    net.classify(classes)
    return net


NETWORKS = {
    "lenet5": lenet5,
    "vgg11": vgg11,
    "resnet18": lambda: resnet18(32, 10),
    "mobilenet_v1": lambda: mobilenet_v1(32, 10),
    "mobilenet_v2": lambda: mobilenet_v2(32, 10),
    "resnet18_224": lambda: resnet18(224, 1000),
    "mobilenet_v2_224": lambda: mobilenet_v2(224, 1000),
}


def images(rng, count, shape):
    """Smooth images of levels from 0 to 255, with some noise: neighbours resemble each other."""
    height, width, channels = shape
    y, x = np.mgrid[0:height, 0:width]
    waves = np.zeros((count, height, width, channels))
    for _ in range(6):
        fy, fx = rng.uniform(-3, 3, (2, count, 1, 1, channels))
        phase = rng.uniform(0, 2 * np.pi, (count, 1, 1, channels))
        waves += np.sin(2 * np.pi * (fy * y[None, :, :, None] / height + fx * x[None, :, :, None] / width) + phase)
    noisy = 128 + 28 * waves + rng.normal(0, 12, waves.shape)
    return np.clip(np.round(noisy), 0, 255).astype(int)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("names", nargs="*", help=f"of {', '.join(NETWORKS)}; all of them without one")
    arguments = parser.parse_args()
    for name in arguments.names or NETWORKS:
        net = NETWORKS[name]()
        folder = arguments.folder / name
        folder.mkdir(parents=True, exist_ok=True)
        # The first layer would see numbers up to 255 otherwise: pixels are levels of 1/64, from -2 to 2.
        levels = (images(np.random.default_rng(SEED + 1), CALIBRATION + 1, net.input_shape) - 128) / 64
        outputs = layers.evaluate({"layers": net.layers}, levels[-1])
        files = {
            "model": {"input_range": [-2, 2], "layers": [layer_json(layer) for layer in net.layers]},
            "calibration": tensor_json(levels[:-1]),
            "input": tensor_json(levels[-1]),
            "output": tensor_json(outputs[len(net.layers) - 1]),
        }
        for file, value in files.items():
            (folder / f"{file}.json").write_text(json.dumps(value))
        print(f"{name}: {sum(weights(net))} weights")


def weights(net):
    return [field.size for layer in net.layers for field in layer.values() if isinstance(field, np.ndarray)]


def layer_json(layer):
    return {name: tensor_json(field) if isinstance(field, np.ndarray) else field for name, field in layer.items()}


if __name__ == "__main__":
    main()
