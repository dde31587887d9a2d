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
use zknn::{Lowered, Lowering, input, lower_with_reals, nn};
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
    batch_of(count, WIDTH, -100)
}

/// Inputs of so many integers up to 100.
fn batch_of(count: usize, width: usize, least: i32) -> ArrayD<f64> {
    let mut random = ChaCha20Rng::seed_from_u64(4);
    ArrayD::from_shape_simple_fn(IxDyn(&[count, width]), || f64::from(random.gen_range(least..=100)))
}

/// The model and inputs in files: one for calibration, one to run.
struct Files {
    folder: TempDir,
}

impl Files {
    fn new(model: &Model) -> Files {
        Self::with_inputs(model, &batch(64))
    }

    fn with_inputs(model: &Model, inputs: &ArrayD<f64>) -> Files {
        let files = Files { folder: tempfile::tempdir().expect("a folder") };
        let file = |name| File::create(files.path(name)).expect("a file");
        model.write(file("model.json")).expect("written");
        serde_json::to_writer(file("calibration.json"), inputs).expect("written");
        serde_json::to_writer(file("input.json"), &inputs.index_axis(Axis(0), 0)).expect("written");
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
fn a_deep_network_keeps_its_signal_calibrated_or_not() {
    let files = Files::new(&deep(None));
    let (model, calibration) = (files.path("model.json"), files.path("calibration.json"));
    for (options, samples, sort) in [(vec![], 32, "random"), (vec!["--calibrate", &calibration], 64, "calibration")] {
        let told = stderr(&succeeds(&[&["compile", &model], &options[..]].concat()));
        assert!(told.contains(&format!("{samples} {sort} inputs")) && !told.contains("zknn::fixed::loss"), "{told}");
        let (json, told) = files.run(&options);
        let error = |name: &str| json["rounding"][name].as_f64().expect("a number");
        assert!(0.0 < error("error") && error("error") < error("greatest") && error("greatest") < 0.02, "{json}");
        assert_eq!(
            (&json["rounding"]["samples"], &json["rounding"]["random"]),
            (&samples.into(), &(sort == "random").into())
        );
        assert!(!told.contains("zknn::fixed::loss"), "{told}");
    }
}

/// A difference of two numbers that are nearly the same, as no scale can tell it.
fn cancelling() -> Model {
    let dense = |weights: &[[f64; 2]]| {
        let weights = ndarray::Array2::from(weights.to_vec()).into_dyn();
        Layer::new(LayerKind::FullyConnected { weights, biases: None }, [2])
    };
    let layers = vec![
        dense(&[[1000.5, 0.0], [1000.5, 0.01]]),
        Layer::new(LayerKind::Relu, [2]),
        dense(&[[-1.0, 1.0], [1.0, -1.0]]),
    ];
    Model::new(layers, Some((0, 127))).expect("the layers chain")
}

#[test]
fn what_loses_its_signal_is_refused_unless_that_is_accepted() {
    let files = Files::with_inputs(&cancelling(), &batch_of(64, 2, 0));
    let [model, circuit, key, proof] =
        ["model.json", "model.zkc", "model.vk", "proof.zkp"].map(|name| files.path(name));
    let calibration = files.path("calibration.json");
    for options in [vec![], vec!["--calibrate", &calibration], vec!["--bits", "16"]] {
        let output = zknn(&[&["compile", &model], &options[..]].concat());
        assert_eq!(output.status.code(), Some(2), "{options:?}: {}", stderr(&output));
        let told = stderr(&output);
        for part in
            ["zknn::fixed::loss", "--calibrate", "--bits", "--force", "layer 2 (fully_connected)", "bits of its signal"]
        {
            let told = told.split_whitespace().collect::<Vec<_>>().join(" ");
            assert!(told.contains(part), "{part}: {told}");
        }
        assert!(!Path::new(&circuit).exists() && !Path::new(&key).exists());
    }
    for command in ["run", "plan"] {
        let input = ["--input", &files.path("input.json")];
        let told = stderr(&succeeds(&[&[command, &model], &input[..if command == "run" { 2 } else { 0 }]].concat()));
        assert!(told.contains("zknn::fixed::loss"), "{told}");
    }
    // A greater error may be allowed, and then nothing is said of it.
    succeeds(&["compile", &model, "--max-error", "100%"]);
    succeeds(&["prove", &circuit, "--input", &files.path("input.json"), "-o", &proof, "--disclose-input"]);
    let json: Value = serde_json::from_slice(&succeeds(&["verify", &key, &proof, "--json"]).stdout).expect("JSON");
    assert_eq!(json["uncalibrated"], false);

    let told = stderr(&succeeds(&["compile", &model, "--force"]));
    assert!(told.contains("zknn::fixed::loss"), "{told}");
    let told =
        stderr(&succeeds(&["prove", &circuit, "--input", &files.path("input.json"), "-o", &proof, "--disclose-input"]));
    assert!(told.contains("UNCALIBRATED"), "{told}");
    let statement = succeeds(&["verify", &key, &proof]);
    assert!(String::from_utf8_lossy(&statement.stdout).contains("The program is uncalibrated"));
    let json: Value = serde_json::from_slice(&succeeds(&["verify", &key, &proof, "--json"]).stdout).expect("JSON");
    assert_eq!(json["uncalibrated"], true);
    succeeds(&["verify", "--model", &model, "--force", &key, &proof]);
    assert_eq!(zknn(&["verify", "--model", &model, &key, &proof]).status.code(), Some(1));
}

#[test]
fn a_network_that_chooses_is_compared_by_its_scores() {
    let files = Files::new(&deep(Some(LayerKind::Argmax { axis: None })));
    for (options, samples) in [(vec!["--bits", "8"], 32), (vec!["--calibrate", &files.path("calibration.json")], 64)] {
        let (json, _) = files.run(&options);
        assert!(json["rounding"]["error"].as_f64().is_some_and(|error| 0.0 < error && error < 0.03), "{json}");
        assert!(json["rounding"]["same_class"].as_u64().is_some_and(|same| same * 8 > samples * 7), "{json}");
    }
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
        let Lowered { program: graph, reals, .. } =
            lower_with_reals(&model, &lowering, &mut |_, _| {}).expect("it fits");
        let loss = measure(&graph, &reals, &lowering.calibration).expect("inputs").expect("it rounds");
        let [inputs] = &lowering.calibration[..] else {
            assert_eq!((loss.samples, loss.is_random), (RANDOM_SAMPLES, true));
            continue;
        };
        let scale = graph.node(graph.output()).fact.scale().expect("fixed");
        let (mut reals, mut difference, mut squares) = (Vec::new(), 0.0f64, 0.0);
        for input in inputs.outer_iter() {
            let input = input.to_owned();
            let real = nn::run(&model, &input).expect("its shape");
            let integers = eval_fixed(&graph, &input::integers(&graph, &input).expect("in range")).expect("in range");
            let off = &real - integers.output().mapv(|integer| integer as f64 * scale);
            squares += off.iter().map(|off| off * off).sum::<f64>();
            difference = off.iter().fold(difference, |most, off| most.max(off.abs()));
            reals.push(Array1::from_iter(real));
        }
        let spread = (0..4).map(|output| {
            let values = reals.iter().map(|real| real[output]);
            values.clone().fold(f64::MIN, f64::max) - values.fold(f64::MAX, f64::min)
        });
        let spread = spread.fold(0.0, f64::max);
        let (error, greatest) = ((squares / (20.0 * 4.0)).sqrt() / spread, difference / spread);
        assert!((loss.error - error).abs() < 1e-9 * error, "{} {error}", loss.error);
        assert!((loss.greatest - greatest).abs() < 1e-9 * greatest, "{} {greatest}", loss.greatest);
        assert_eq!((loss.samples, loss.is_random), (20, false));
    }
}

/// The error of rounding to so many bits, as `run` tells it.
fn error(files: &Files, options: &[&str]) -> f64 {
    files.run(options).0["rounding"]["error"].as_f64().expect("a number")
}

/// Channels a hundred times smaller and greater than others, as batch normalization leaves them, and rows that make up for it.
#[test]
fn channels_of_unlike_size_keep_their_bits() {
    let mut random = ChaCha20Rng::seed_from_u64(5);
    let mut draw = |shape: &[usize]| ArrayD::from_shape_simple_fn(shape, || random.gen_range(-0.4..0.4));
    let (mut first, mut second) = (draw(&[WIDTH, WIDTH]), draw(&[4, WIDTH]));
    for channel in 0..WIDTH {
        let gain = 10f64.powf(4.0 * channel as f64 / WIDTH as f64 - 2.0);
        first.index_axis_mut(Axis(0), channel).mapv_inplace(|weight| weight * gain);
        second.index_axis_mut(Axis(1), channel).mapv_inplace(|weight| weight / gain);
    }
    let dense = |weights| Layer::new(LayerKind::FullyConnected { weights, biases: None }, [WIDTH]);
    let layers = vec![dense(first), Layer::new(LayerKind::Relu, [WIDTH]), dense(second)];
    let files = Files::new(&Model::new(layers, Some(RANGE)).expect("the layers chain"));
    let calibration = files.path("calibration.json");
    for (bits, most) in [("8", 0.01), ("10", 0.003), ("12", 0.001)] {
        assert!(error(&files, &["--bits", bits, "--calibrate", &calibration]) < most, "{bits} bits");
        assert!(error(&files, &["--bits", bits]) < 3.0 * most, "{bits} bits, uncalibrated");
    }
}

/// Two ratios, a salary and an age.
#[test]
fn features_of_unlike_units_keep_their_bits() {
    let mut random = ChaCha20Rng::seed_from_u64(6);
    let mut row = || {
        [
            random.gen_range(0.0..1.0),
            random.gen_range(0.0..0.2),
            random.gen_range(2e4..2e5),
            random.gen_range(18.0..90.0),
        ]
    };
    let inputs = ndarray::Array2::from((0..64).map(|_| row()).collect::<Vec<_>>()).into_dyn();
    let weights = ndarray::arr2(&[[1.0, -4.0, 2e-6, 0.01], [-2.0, 3.0, 5e-6, -0.02]]).into_dyn();
    let layer = Layer::new(LayerKind::FullyConnected { weights, biases: None }, [4]);
    let relu = Layer::new(LayerKind::Relu, [2]);
    let files = Files::with_inputs(&Model::new(vec![layer, relu], None).expect("the layers chain"), &inputs);
    for bits in ["8", "10"] {
        assert!(error(&files, &["--bits", bits, "--calibrate", &files.path("calibration.json")]) < 0.01, "{bits} bits");
    }
}

/// Pixels from 0 to 1 where the declared range is that of a byte.
#[test]
fn a_declared_range_may_be_much_wider_than_the_inputs() {
    let mut random = ChaCha20Rng::seed_from_u64(7);
    let inputs = ArrayD::from_shape_simple_fn(IxDyn(&[64, WIDTH]), || random.gen_range(0.0..1.0));
    let files = Files::with_inputs(
        &Model::new(deep(None).layers().to_vec(), Some((0, 255))).expect("the layers chain"),
        &inputs,
    );
    assert!(error(&files, &["--calibrate", &files.path("calibration.json")]) < 0.01);
}

/// Many inputs at once give what each gives alone.
#[test]
fn many_inputs_run_at_once() {
    let files = Files::new(&deep(None));
    let (model, many) = (files.path("model.json"), files.path("calibration.json"));
    let output = succeeds(&["run", &model, "--input", &many, "--json"]);
    let all: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let one = files.run(&[]).0;
    let (all, one) = (&all["outputs"][0], &one["outputs"][0]);
    assert_eq!(all["integer"]["dim"], serde_json::json!([64, 4]));
    for field in ["float", "integer"] {
        let first = &all[field]["data"].as_array().expect("numbers")[..4];
        assert_eq!(first, &one[field]["data"].as_array().expect("numbers")[..], "{field}");
    }
    // The same as lists in a list.
    let lists = serde_json::to_string(
        &batch(64).outer_iter().map(|row| row.iter().copied().collect::<Vec<f64>>()).collect::<Vec<_>>(),
    );
    fs::write(files.path("lists.json"), lists.expect("JSON")).expect("written");
    let of_lists = succeeds(&["run", &model, "--input", &files.path("lists.json"), "--json"]);
    assert_eq!(of_lists.stdout, output.stdout);
}

#[test]
fn ranges_stand_for_the_inputs_that_they_were_found_on() {
    let files = Files::new(&deep(None));
    let [model, calibration, ranges] =
        ["model.json", "calibration.json", "ranges.ranges.json"].map(|name| files.path(name));
    let compile = |name: &str, options: &[&str]| {
        let circuit = files.path(&format!("{name}.zkc"));
        let output = succeeds(&[&["compile", &model, "-o", &circuit], options].concat());
        (fs::read(files.path(&format!("{name}.vk"))).expect("a key"), stderr(&output))
    };
    let (key, told) = compile("ranges", &["--calibrate", &calibration]);
    assert!(told.contains("ranges.ranges.json"), "{told}");
    let (again, told_again) = compile("again", &["--ranges", &ranges]);
    assert!(key == again, "another key");
    // What was measured on the inputs is told again.
    let line = |told: &str| told.lines().find(|line| line.starts_with("rounding")).map(str::to_string);
    assert!(line(&told).is_some_and(|line| line.contains("64 calibration inputs")));
    assert_eq!(line(&told), line(&told_again));
    assert!(!files.folder.path().join("again.ranges.json").exists());
    // Of another program it was not measured.
    // Random inputs go farther than these did, and lose more.
    let (_, told) = compile("other", &["--ranges", &ranges, "--bits", "12", "--force"]);
    assert!(line(&told).is_some_and(|line| line.contains("32 random inputs")), "{told}");
    assert_eq!(files.run(&["--ranges", &ranges]).0["rounding"]["samples"], 64);

    // To what ranges are fitted is another matter, for which there must be some.
    let squares = ["--fit", "mean-square"];
    let of_inputs = compile("squares", &[&["--calibrate", &calibration], &squares[..]].concat()).0;
    let of_ranges = compile("again", &[&["--ranges", &ranges], &squares[..]].concat()).0;
    assert!(of_inputs == of_ranges, "another key");

    for refused in [&["--ranges", &ranges, "--calibrate", &calibration][..], &squares] {
        let output = zknn(&[&["compile", &model], refused].concat());
        assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    }
}

#[test]
fn ranges_that_are_none_or_of_another_network_are_refused() {
    let files = Files::new(&deep(None));
    let [model, calibration, ranges] =
        ["model.json", "calibration.json", "model.ranges.json"].map(|name| files.path(name));
    succeeds(&["compile", &model, "--calibrate", &calibration]);
    let text = fs::read_to_string(&ranges).expect("it was written");
    let refused = |code: &str| {
        let told = zknn(&["compile", &model, "--ranges", &ranges]);
        assert_eq!(told.status.code(), Some(2), "{}", stderr(&told));
        assert!(stderr(&told).contains(code), "{}", stderr(&told));
    };
    let value: Value = serde_json::from_str(&text).expect("JSON");
    let change = |change: &dyn Fn(&mut Value)| {
        let mut changed = value.clone();
        change(&mut changed);
        fs::write(&ranges, changed.to_string()).expect("written");
    };
    for (code, changed) in [
        (
            "zknn::fixed::foreign_ranges",
            (&|value: &mut Value| value["ranges"]["network"] = "00".into()) as &dyn Fn(&mut Value),
        ),
        ("zknn::fixed::foreign_ranges", &|value| value["ranges"]["nodes"][0][0]["least"] = 1e300.into()),
        ("zknn::fixed::foreign_ranges", &|value| drop(value["ranges"]["nodes"][1].as_array_mut().map(Vec::pop))),
        ("zknn::fixed::foreign_ranges", &|value| value["ranges"]["integers"] = Vec::<bool>::new().into()),
        ("zknn::ranges::malformed", &|value| value["ranges"]["nodes"][0][0]["least"] = Value::Null),
        ("zknn::ranges::malformed", &|value| value["v"] = 2.into()),
        ("zknn::ranges::malformed", &|value| value["more"] = 2.into()),
    ] {
        change(changed);
        refused(code);
    }
    fs::write(&ranges, &text[..text.len() / 2]).expect("written");
    refused("zknn::ranges::malformed");
    fs::remove_file(&ranges).expect("it was there");
    refused("zknn::ranges::unreadable");

    // Numbers that no inputs have led to: refused, or compiled; nothing breaks.
    for number in [-1e308, -1.0, 0.0, 1e-308, 1e308f64] {
        change(&|value| {
            for seen in value["ranges"]["nodes"]
                .as_array_mut()
                .into_iter()
                .flatten()
                .flat_map(|node| node.as_array_mut())
                .flatten()
            {
                (seen["least"], seen["greatest"]) = ((-number.abs()).into(), number.abs().into());
                seen["mean"] = number.into();
            }
        });
        let told = zknn(&["compile", &model, "--ranges", &ranges, "--force"]);
        assert!([Some(0), Some(2)].contains(&told.status.code()), "{number}: {}", stderr(&told));
    }
}

#[test]
fn saturated_numbers_are_told_denied_and_proved_away() {
    let files = Files::new(&deep(None));
    let [model, calibration, input, extreme, proof] =
        ["model.json", "calibration.json", "input.json", "extreme.json", "proof.zkp"].map(|name| files.path(name));
    // In the range that the model declares, and far from what was calibrated with.
    let small = ArrayD::from_shape_simple_fn(IxDyn(&[64, WIDTH]), {
        let mut random = ChaCha20Rng::seed_from_u64(8);
        move || f64::from(random.gen_range(-3..=3))
    });
    serde_json::to_writer(File::create(&calibration).expect("a file"), &small).expect("written");
    serde_json::to_writer(File::create(&input).expect("a file"), &small.index_axis(Axis(0), 0)).expect("written");
    let far = Array1::from_shape_fn(WIDTH, |at| if at % 2 == 0 { 127.0 } else { -128.0 });
    serde_json::to_writer(File::create(&extreme).expect("a file"), &far).expect("written");
    let [circuit, strict] = ["model.zkc", "strict.zkc"].map(|name| files.path(name));
    succeeds(&["compile", &model, "--calibrate", &calibration]);
    succeeds(&["compile", &model, "--calibrate", &calibration, "-o", &strict, "--prove-no-saturation"]);

    // Not all that can be clamped is saturated: a relu makes zeros.
    let (json, _) = files.run(&["--calibrate", &calibration]);
    assert_eq!(json["saturated"], serde_json::json!([]));
    let run = succeeds(&["run", &model, "--input", &extreme, "--calibrate", &calibration, "--json"]);
    let json: Value = serde_json::from_slice(&run.stdout).expect("JSON");
    let first = &json["saturated"][0];
    assert!(first["layer"] == 0 && first["saturated"].as_u64() > Some(0) && first["numbers"] == WIDTH, "{json}");
    let run = succeeds(&["run", &model, "--input", &extreme, "--calibrate", &calibration]);
    assert!(String::from_utf8_lossy(&run.stdout).contains("of 16 in layer 0"));

    let prove = |circuit: &str, input: &str, more: &[&str]| {
        zknn(&[&["prove", circuit, "--input", input, "-o", &proof], more].concat())
    };
    let verify = |key: &str| {
        let statement = succeeds(&["verify", &files.path(key), &proof]);
        let json = succeeds(&["verify", &files.path(key), &proof, "--json"]);
        let json: Value = serde_json::from_slice(&json.stdout).expect("JSON");
        let told = String::from_utf8_lossy(&statement.stdout).contains("No number was saturated");
        assert_eq!(json["unsaturated"], told);
        told
    };
    let told = prove(&circuit, &extreme, &[]);
    assert!(told.status.success() && stderr(&told).contains("saturated numbers"), "{}", stderr(&told));
    assert!(!verify("model.vk"));
    for (circuit, more) in [(&circuit, &["--deny-saturation"][..]), (&strict, &[])] {
        fs::remove_file(&proof).expect("a proof");
        let refused = prove(circuit, &extreme, more);
        assert_eq!(refused.status.code(), Some(2), "{}", stderr(&refused));
        assert!(stderr(&refused).contains("zknn::prove::saturated") && stderr(&refused).contains("layer 0"));
        assert!(!Path::new(&proof).exists());
        let told = prove(circuit, &input, more);
        assert!(told.status.success() && !stderr(&told).contains("saturated numbers"), "{}", stderr(&told));
        assert_eq!(verify(if more.is_empty() { "strict.vk" } else { "model.vk" }), more.is_empty());
    }
}

#[test]
fn the_fewest_bits_that_a_drop_allows_are_chosen() {
    let files = Files::new(&deep(None));
    let [model, calibration] = ["model.json", "calibration.json"].map(|name| files.path(name));
    let compile = |name: &str, options: &[&str]| {
        let circuit = files.path(&format!("{name}.zkc"));
        zknn(&[&["compile", &model, "-o", &circuit, "--calibrate", &calibration], options].concat())
    };
    let key = |name: &str| fs::read(files.path(&format!("{name}.vk"))).expect("a key");
    let error_at = |bits: &str| error(&files, &["--calibrate", &calibration, "--bits", bits]);
    // A little more than 11 bits lose: some layers do with fewer, and not all.
    let most = error_at("11") * 1.2;
    let told = compile("chosen", &["--max-drop", &format!("{}%", 100.0 * most)]);
    assert!(told.status.success(), "{}", stderr(&told));
    let told = stderr(&told);
    let chosen = told.lines().find_map(|line| line.strip_prefix("chosen: --bits ")).expect("a choice").to_string();
    assert!(chosen.starts_with("11,") && chosen.contains('='), "{told}");
    // Each number of bits has its line, up to the first that loses no more.
    let lines = |bits: u32| told.lines().any(|line| line.trim_start().starts_with(&format!("{bits} |")));
    assert!((8..=11).all(lines) && !lines(12), "{told}");
    assert!(error_at(&chosen) <= most && error_at("10") > most);
    assert!(compile("given", &["--bits", &chosen]).status.success());
    assert!(compile("uniform", &["--bits", "11"]).status.success());
    assert!(key("chosen") == key("given") && key("chosen") != key("uniform"));

    for (options, code) in [
        (&["--max-drop", "0.000001%"][..], "zknn::fixed::drop"),
        (&["--max-drop", "1%", "--bits", "10"], "cannot be used with"),
        (&["--bits", "10,0"], "write 10,2=8"),
        (&["--bits", "10,0=17"], "bits are from 8 to 16"),
        (&["--bits", "10,99=8"], "zknn::fixed::no_such_layer"),
    ] {
        let refused = compile("none", options);
        assert_eq!(refused.status.code(), Some(2), "{options:?}: {}", stderr(&refused));
        assert!(stderr(&refused).contains(code), "{options:?}: {}", stderr(&refused));
    }
    assert!(!files.folder.path().join("none.zkc").exists());
}
