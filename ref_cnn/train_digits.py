"""Trains an MLP and a CNN on scikit-learn's handwritten digits, and writes what zknn is tried on:

    python3 train_digits.py ../testdata/digits

mlp.json, cnn.json       the models, weights rounded to six digits
calibration.json         training images, for `zknn compile --calibrate`
test_inputs.json         the third of the images that no training has seen
test_labels.json         the digits that they show

Everything is drawn from one seed. The layers are those of cnn.py, each with its gradient, so numpy is all that the
training needs; scikit-learn only brings the images.
"""

import json
import pathlib
import sys

import numpy as np
from sklearn.datasets import load_digits

SEED = 12345
CALIBRATION_IMAGES = 200
EPOCHS = 60
BATCH = 32
LEARNING_RATE = 2e-3
PIXEL_RANGE = (0, 16)


class Weighted:
    """What layers with weights share: Adam's step, and the JSON form."""

    def __init__(self, weights):
        self.tensors = {self.weights_name: weights, "biases": np.zeros(weights.shape[0])}
        self.moments = {name: [np.zeros_like(t), np.zeros_like(t)] for name, t in self.tensors.items()}
        self.steps = 0

    def step(self, gradients):
        self.steps += 1
        for name, gradient in gradients.items():
            first, second = self.moments[name]
            first += 0.1 * (gradient - first)
            second += 0.001 * (gradient**2 - second)
            scaled = first / (1 - 0.9**self.steps), second / (1 - 0.999**self.steps)
            self.tensors[name] -= LEARNING_RATE * scaled[0] / (np.sqrt(scaled[1]) + 1e-8)

    def fields(self):
        return {name: tensor_json(rounded(tensor)) for name, tensor in self.tensors.items()}


class Dense(Weighted):
    layer_type, weights_name = "fully_connected", "weights"

    def forward(self, x):
        self.x = x
        return x @ self.tensors["weights"].T + self.tensors["biases"]

    def backward(self, gradient):
        passed = gradient @ self.tensors["weights"]
        self.step({"weights": gradient.T @ self.x, "biases": gradient.sum(axis=0)})
        return passed


class Conv(Weighted):
    layer_type, weights_name = "convolution", "kernel"

    def forward(self, x):
        _, height, width, _ = self.tensors["kernel"].shape
        self.shape = x.shape
        # (n, out_h, out_w, c_in, k_h, k_w)
        self.patches = np.lib.stride_tricks.sliding_window_view(x, (height, width), axis=(1, 2))
        return np.einsum("nyxcij,oijc->nyxo", self.patches, self.tensors["kernel"]) + self.tensors["biases"]

    def backward(self, gradient):
        kernel = self.tensors["kernel"]
        out_h, out_w = gradient.shape[1:3]
        passed = np.zeros(self.shape)
        for i in range(kernel.shape[1]):
            for j in range(kernel.shape[2]):
                passed[:, i : i + out_h, j : j + out_w] += gradient @ kernel[:, i, j]
        of_kernel = np.einsum("nyxo,nyxcij->oijc", gradient, self.patches)
        self.step({"kernel": of_kernel, "biases": gradient.sum(axis=(0, 1, 2))})
        return passed


class MaxPool:
    layer_type = "max_pool"

    def __init__(self, size):
        self.size = size

    def forward(self, x):
        n, h, w, c = x.shape
        tiles = x.reshape(n, h // self.size, self.size, w // self.size, self.size, c)
        out = tiles.max(axis=(2, 4), keepdims=True)
        winners = tiles == out
        self.share = winners / winners.sum(axis=(2, 4), keepdims=True)
        return out[:, :, 0, :, 0]

    def backward(self, gradient):
        n, h, w, c = gradient.shape
        spread = gradient[:, :, None, :, None] * self.share
        return spread.reshape(n, h * self.size, w * self.size, c)

    def fields(self):
        return {"window": self.size}


class Relu:
    layer_type = "relu"

    def forward(self, x):
        self.positive = x > 0
        return x * self.positive

    def backward(self, gradient):
        return gradient * self.positive

    def fields(self):
        return {}


class Flatten:
    layer_type = "flatten"

    def forward(self, x):
        self.shape = x.shape
        return x.reshape(len(x), -1)

    def backward(self, gradient):
        return gradient.reshape(self.shape)

    def fields(self):
        return {}


def initial(rng, *shape):
    """He's initialization. The first layer sees pixels up to 16, which it must make small."""
    return rng.normal(0, np.sqrt(2 / np.prod(shape[1:])), shape)


def mlp(rng):
    return [
        Flatten(),
        Dense(initial(rng, 48, 64) / 8),
        Relu(),
        Dense(initial(rng, 32, 48)),
        Relu(),
        Dense(initial(rng, 10, 32)),
    ]


def cnn(rng):
    return [
        Conv(initial(rng, 8, 3, 3, 1) / 8),
        Relu(),
        Conv(initial(rng, 16, 3, 3, 8)),
        MaxPool(2),
        Relu(),
        Flatten(),
        Dense(initial(rng, 10, 64)),
    ]


def forward(layers, x):
    for layer in layers:
        x = layer.forward(x)
    return x


def train(layers, images, labels, rng):
    targets = np.eye(10)[labels]
    for _ in range(EPOCHS):
        order = rng.permutation(len(images))
        for start in range(0, len(order), BATCH):
            batch = order[start : start + BATCH]
            scores = forward(layers, images[batch])
            odds = np.exp(scores - scores.max(axis=1, keepdims=True))
            gradient = (odds / odds.sum(axis=1, keepdims=True) - targets[batch]) / len(batch)
            for layer in reversed(layers):
                gradient = layer.backward(gradient)
    for layer in layers:
        for tensor in getattr(layer, "tensors", {}).values():
            tensor[...] = rounded(tensor)


def accuracy(layers, images, labels):
    return (forward(layers, images).argmax(axis=1) == labels).mean()


def rounded(tensor):
    """The nearest numbers of six digits: short in a file, and more precise than any circuit is."""
    return np.array([float(f"{x:.6g}") for x in tensor.flat]).reshape(tensor.shape)


def tensor_json(tensor):
    data = [int(x) if x == int(x) else float(x) for x in tensor.flat]
    return {"v": 1, "dim": list(tensor.shape), "data": data}


def model_json(layers, image):
    described, x = [], image[None]
    for layer in layers:
        described.append({"layer_type": layer.layer_type, "input_shape": list(x.shape[1:]), **layer.fields()})
        x = layer.forward(x)
    return {"input_range": PIXEL_RANGE, "layers": described}


def split(count):
    """Which images are for tests, and which to train with."""
    order = np.random.default_rng(SEED).permutation(count)
    return np.split(order, [count // 3])


def write(path, value):
    path.write_text(json.dumps(value, separators=(",", ":")) + "\n")
    print(f"wrote {path}, {path.stat().st_size} bytes")


def main():
    folder = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".")
    folder.mkdir(parents=True, exist_ok=True)
    digits = load_digits()
    images = digits.images[..., None]
    test, training = split(len(images))

    for name, build in [("mlp", mlp), ("cnn", cnn)]:
        rng = np.random.default_rng(SEED)
        layers = build(rng)
        train(layers, images[training], digits.target[training], rng)
        for part, indices in [("training", training), ("test", test)]:
            print(f"{name}: {accuracy(layers, images[indices], digits.target[indices]):.2%} of the {part} images")
        write(folder / f"{name}.json", model_json(layers, images[0]))
    write(folder / "calibration.json", tensor_json(images[training[:CALIBRATION_IMAGES]]))
    write(folder / "test_inputs.json", tensor_json(images[test]))
    write(folder / "test_labels.json", digits.target[test].tolist())


if __name__ == "__main__":
    main()
