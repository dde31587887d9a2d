//! What rounding costs is told: by `compile` and `run`, and as it is.

use ndarray::{Array1, ArrayD, Axis, IxDyn};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha20Rng;
use serde_json::Value;
use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Output};
use tempfile::TempDir;
use zknn::front::{Layer, LayerKind, Model};
use zknn::rounding::{RANDOM_SAMPLES, measure};
use zknn::{Lowering, input, lower, nn};
use zknn_ir::eval::eval_fixed;

const WIDTH: usize = 16;
const HIDDEN: usize = 8;
const RANGE: (i64, i64) = (-128, 127);

fn zknn(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_zknn")).args(args).output().expect("it runs")
}

fn succeeds(args: &[&str]) -> Output {
    let output = zknn(args);
    assert!(output.status.success(), "{args:?}: {}", stderr(&output));
    output
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A network as it is before training: many layers, weights that keep numbers about as large as they are.
fn deep(last: Option<LayerKind>) -> Model {
    let mut random = ChaCha20Rng::seed_from_u64(3);
    let mut layers = Vec::new();
    for layer in 0..=HIDDEN {
        let outputs = if layer == HIDDEN { 4 } else { WIDTH };
        let reach = (6.0 / WIDTH as f64).sqrt();
        let mut draw = |shape: &[usize]| ArrayD::from_shape_simple_fn(shape, || random.gen_range(-reach..reach));
        let (weights, biases) = (draw(&[outputs, WIDTH]), Some(draw(&[outputs])));
        layers.push(Layer::new(LayerKind::FullyConnected { weights, biases }, [WIDTH]));
        if layer < HIDDEN {
            layers.push(Layer::new(LayerKind::Relu, [WIDTH]));
        }
    }
    layers.extend(last.map(|kind| Layer::new(kind, [4])));
    Model::new(layers, Some(RANGE)).expect("the layers chain")
}

fn batch(count: usize) -> ArrayD<f64> {
    let mut random = ChaCha20Rng::seed_from_u64(4);
    ArrayD::from_shape_simple_fn(IxDyn(&[count, WIDTH]), || f64::from(random.gen_range(-100..=100)))
}

/// The model and inputs in files: one for calibration, one to run.
struct Files {
    folder: TempDir,
}

impl Files {
    fn new(model: &Model) -> Files {
        let files = Files { folder: tempfile::tempdir().expect("a folder") };
        let file = |name| File::create(files.path(name)).expect("a file");
        model.write(file("model.json")).expect("written");
        serde_json::to_writer(file("calibration.json"), &batch(64)).expect("written");
        serde_json::to_writer(file("input.json"), &batch(1).remove_axis(Axis(0))).expect("written");
        files
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().expect("UTF-8").to_string()
    }

    fn run(&self, options: &[&str]) -> (Value, String) {
        let (model, input) = (self.path("model.json"), self.path("input.json"));
        let args = [&["run", &model, "--input", &input, "--json"], options].concat();
        let output = succeeds(&args);
        (serde_json::from_slice(&output.stdout).expect("JSON"), stderr(&output))
    }
}

#[test]
fn a_deep_network_warns_until_it_is_calibrated() {
    let files = Files::new(&deep(None));
    let (model, calibration) = (files.path("model.json"), files.path("calibration.json"));
    let told = stderr(&succeeds(&["compile", &model]));
    for part in ["zknn::fixed::loss", "--calibrate", "--bits", "32 random inputs"] {
        assert!(told.contains(part), "{part}: {told}");
    }
    assert!(Path::new(&files.path("model.zkc")).exists() && Path::new(&files.path("model.vk")).exists());
    let told = stderr(&succeeds(&["compile", &model, "--calibrate", &calibration]));
    assert!(told.contains("64 calibration inputs") && !told.contains("zknn::fixed::loss"), "{told}");

    let (json, told) = files.run(&[]);
    assert!(json["rounding"]["error"].as_f64().is_some_and(|error| error > 0.05), "{json}");
    assert_eq!((&json["rounding"]["samples"], &json["rounding"]["random"]), (&32.into(), &true.into()));
    assert!(told.contains("zknn::fixed::loss"), "{told}");
    let (json, told) = files.run(&["--calibrate", &calibration]);
    assert!(json["rounding"]["error"].as_f64().is_some_and(|error| error < 0.05), "{json}");
    assert_eq!((&json["rounding"]["samples"], &json["rounding"]["random"]), (&64.into(), &false.into()));
    assert!(!told.contains("zknn::fixed::loss"), "{told}");
}

#[test]
fn a_network_that_chooses_is_compared_by_its_scores() {
    let files = Files::new(&deep(Some(LayerKind::Argmax { axis: None })));
    let (json, _) = files.run(&[]);
    assert!(json["rounding"]["error"].as_f64().is_some_and(|error| error > 0.05), "{json}");
    assert!(json["rounding"]["same_class"].as_u64().is_some_and(|same| same < 32), "{json}");
    let (json, _) = files.run(&["--calibrate", &files.path("calibration.json")]);
    assert!(json["rounding"]["error"].as_f64().is_some_and(|error| 0.0 < error && error < 0.05), "{json}");
    assert!(json["rounding"]["same_class"].as_u64().is_some_and(|same| same > 56), "{json}");
}

#[test]
fn what_is_exact_is_not_compared() {
    let folder = tempfile::tempdir().expect("a folder");
    for name in ["tiny_mlp", "tiny_cnn"] {
        let (model, input) = (format!("testdata/models/{name}.json"), format!("testdata/models/{name}_input.json"));
        let circuit = folder.path().join("model.zkc");
        let told = stderr(&succeeds(&["compile", &model, "-o", circuit.to_str().expect("UTF-8")]));
        assert!(!told.contains("rounding") && !told.contains("warning"), "{told}");
        let output = succeeds(&["run", &model, "--input", &input, "--json"]);
        let json: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        assert_eq!(json["rounding"], Value::Null);
        fs::remove_file(circuit).expect("it was written");
    }
}

/// The same number by another way: one input at a time, the model as a plain program.
#[test]
fn the_loss_is_that_of_single_runs() {
    let model = deep(None);
    for (bits, calibrated) in [(8, false), (16, false), (8, true)] {
        let calibration = calibrated.then(|| batch(20)).into_iter().collect();
        let lowering = Lowering { bits: Some(bits), calibration, ..Lowering::default() };
        let graph = lower(&model, &lowering, &mut |_, _| {}).expect("it fits");
        let loss = measure(&graph, &model, &lowering.calibration).expect("inputs").expect("it rounds");
        let [inputs] = &lowering.calibration[..] else {
            assert_eq!((loss.samples, loss.is_random), (RANDOM_SAMPLES, true));
            continue;
        };
        let scale = graph.node(graph.output()).fact.scale().expect("fixed");
        let (mut reals, mut difference) = (Vec::new(), 0.0f64);
        for input in inputs.outer_iter() {
            let input = input.to_owned();
            let real = nn::run(&model, &input).expect("its shape");
            let integers = eval_fixed(&graph, &input::integers(&graph, &input).expect("in range")).expect("in range");
            let off = &real - integers.output().mapv(|integer| integer as f64 * scale);
            difference = off.iter().fold(difference, |most, off| most.max(off.abs()));
            reals.push(Array1::from_iter(real));
        }
        let spread = (0..4).map(|output| {
            let values = reals.iter().map(|real| real[output]);
            values.clone().fold(f64::MIN, f64::max) - values.fold(f64::MAX, f64::min)
        });
        let expected = difference / spread.fold(0.0, f64::max);
        assert!((loss.error - expected).abs() < 1e-9 * expected, "{} {expected}", loss.error);
        assert_eq!((loss.samples, loss.is_random), (20, false));
    }
}
