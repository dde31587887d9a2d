"""The reference network: its random weights, its layers in plain numpy, and what they are known to give.

The Rust side of the project makes the same network from the same random stream (src/nn/reference.rs) and is
held to the numbers at the end of this file, so that neither side can drift alone.
"""

import numpy as np

SEED = 12345
INPUT_RANGE = (-5, 4)


class Network:
    """An input and the layers it goes through, in order."""

    def __init__(self, input, layers):
        self.input = input
        self.layers = layers


def conv(image, kernel):
    """Valid convolution with stride 1: (h, w, c_in) by (c_out, k_h, k_w, c_in)."""
    c_out, k_h, k_w, _ = kernel.shape
    out_h, out_w = image.shape[0] - k_h + 1, image.shape[1] - k_w + 1
    out = np.empty((out_h, out_w, c_out))
    for y in range(out_h):
        for x in range(out_w):
            patch = image[y : y + k_h, x : x + k_w]
            for channel in range(c_out):
                out[y, x, channel] = (kernel[channel] * patch).sum()
    return out


def max_pool(image, size):
    """The largest value of each size by size tile of every channel."""
    h, w, channels = image.shape
    tiles = image.reshape(h // size, size, w // size, size, channels)
    return tiles.max(axis=(1, 3))


def relu(x):
    return np.maximum(x, 0)


def dense(x, weights, biases):
    return weights @ x + biases


def normalize(x):
    return x / np.linalg.norm(x)


class Conv:
    layer_type = "convolution"

    def __init__(self, kernel):
        self.tensors = {"kernel": kernel}
        self.name = "conv " + "x".join(map(str, kernel.shape))

    def __call__(self, x):
        return conv(x, self.tensors["kernel"])

    def operations(self, out):
        return self.tensors["kernel"].size * out.shape[0] * out.shape[1]


class MaxPool:
    layer_type = "max_pool"
    name = "max-pool"
    tensors = {}

    def __init__(self, size):
        self.size = size

    def __call__(self, x):
        return max_pool(x, self.size)

    def operations(self, out):
        return 0


class Relu:
    layer_type = "relu"
    name = "relu"
    tensors = {}

    def __call__(self, x):
        return relu(x)

    def operations(self, out):
        return 0


class Flatten:
    layer_type = "flatten"
    name = "flatten"
    tensors = {}

    def __call__(self, x):
        return x.reshape(-1)

    def operations(self, out):
        return 0


class Dense:
    layer_type = "fully_connected"

    def __init__(self, weights, biases):
        self.tensors = {"weights": weights, "biases": biases}
        # A dense layer is a convolution whose kernel is as large as its input, and the table calls it so.
        self.name = "conv " + "x".join(map(str, weights.shape))

    def __call__(self, x):
        return dense(x, **self.tensors)

    def operations(self, out):
        return self.tensors["weights"].size


class Normalize:
    layer_type = "normalize"
    name = "normalize"
    tensors = {}

    def __call__(self, x):
        return normalize(x)

    def operations(self, out):
        # One square a value, summed, and one division by the norm.
        return out.size + 1


def reference_network():
    """The reference CNN. The order of the draws is part of its definition."""
    np.random.seed(SEED)
    draw = lambda low, high, *shape: np.random.randint(low, high, shape).astype(float)
    image = draw(-5, 5, 120, 80, 3)
    conv1 = draw(-10, 10, 32, 5, 5, 3)
    conv2 = draw(-10, 10, 32, 5, 5, 32)
    dense1 = draw(-10, 10, 1000, 14688), draw(-10, 10, 1000)
    dense2 = draw(-10, 10, 5, 1000), draw(-10, 10, 5)
    layers = [
        Conv(conv1),
        MaxPool(2),
        Relu(),
        Conv(conv2),
        MaxPool(2),
        Relu(),
        Flatten(),
        Dense(*dense1),
        Relu(),
        Dense(*dense2),
        Normalize(),
    ]
    return Network(image, layers)


def evaluate(network):
    """The output of every layer."""
    outputs = []
    x = network.input
    for layer in network.layers:
        x = layer(x)
        outputs.append(x)
    return outputs


def table(network, outputs):
    """One row a layer: its name, output shape, number of parameters and number of operations."""
    return [
        (layer.name, out.shape, sum(t.size for t in layer.tensors.values()), layer.operations(out))
        for layer, out in zip(network.layers, outputs)
    ]


def report(network, outputs):
    """The table and the results, as every script here prints them."""
    line = "{:>20} | {:>15} | {:>15} | {:>15}"
    print(line.format("layer", "output shape", "#parameters", "#ops"))
    print(line.format("-" * 20, "-" * 15, "-" * 15, "-" * 15))
    for name, shape, parameters, operations in table(network, outputs):
        print(line.format(name, str(shape), parameters, operations))
    print()
    print("logits:", [int(x) for x in outputs[-2]])
    print("final output:", outputs[-1])


LOGITS = [-9404869, -11033050, -34374361, -20396580, 70483360]
FINAL_OUTPUT = "[-0.11425511 -0.13403508 -0.41759714 -0.24778798  0.85626755]"
TABLE = [
    ("conv 32x5x5x3", (116, 76, 32), 2400, 21158400),
    ("max-pool", (58, 38, 32), 0, 0),
    ("relu", (58, 38, 32), 0, 0),
    ("conv 32x5x5x32", (54, 34, 32), 25600, 47001600),
    ("max-pool", (27, 17, 32), 0, 0),
    ("relu", (27, 17, 32), 0, 0),
    ("flatten", (14688,), 0, 0),
    ("conv 1000x14688", (1000,), 14689000, 14688000),
    ("relu", (1000,), 0, 0),
    ("conv 5x1000", (5,), 5005, 5000),
    ("normalize", (5,), 0, 6),
]


def check(network, outputs):
    """Holds an evaluation of the reference network to the known results."""
    assert table(network, outputs) == TABLE, "the layer table has changed"
    assert outputs[-2].tolist() == LOGITS, f"the logits have changed: {outputs[-2].tolist()}"
    assert str(outputs[-1]) == FINAL_OUTPUT, f"the final output has changed: {outputs[-1]}"
