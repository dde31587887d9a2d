//! Trained networks with branches, normalizations, windows and gates: rounded without loss, and proved.
//!
//! `ref_cnn/train_networks.py` made them, on the images of `testdata/digits`.

mod shared;

use serde_json::json;
use shared::{first, read, told};
use std::fs;
use std::path::{Path, PathBuf};

/// What rounding may cost, in points of accuracy or in percent of the outputs' spread.
const MAX_LOSS: f64 = 0.5;
const MAX_ERROR: f64 = 1.0;
/// Images that are proved of each network.
const PROOFS: usize = 2;

fn testdata(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata").join(name)
}

/// A folder with a network as `model.json`, the data for it, and the first test images.
fn folder(network: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let copy = |from: PathBuf, to: &str| fs::copy(from, folder.path().join(to)).expect("a copy");
    copy(testdata("networks").join(format!("{network}.json")), "model.json");
    for name in ["calibration.json", "test_inputs.json", "test_labels.json"] {
        copy(testdata("digits").join(name), name);
    }
    let images = first(&read(&folder.path().join("test_inputs.json")), PROOFS);
    fs::write(folder.path().join("images.json"), images.to_string()).expect("the images are written");
    for (at, pixels) in images["data"].as_array().expect("pixels").chunks(64).enumerate() {
        let image = json!({"v": 1, "dim": [8, 8, 1], "data": pixels});
        fs::write(folder.path().join(format!("image-{at}.json")), image.to_string()).expect("an image is written");
    }
    folder
}

/// The proofs state what the program computes in integers, which is what it computes in floating point but for rounding.
fn is_proved(folder: &Path) {
    told(folder, &["compile", "model.json", "--calibrate", "calibration.json"]);
    told(folder, &["prove", "model.zkc", "--input", "images.json", "--disclose-input"]);
    for at in 0..PROOFS {
        let statement = told(folder, &["verify", "model.vk", &format!("proof-{at}.zkp"), "--json"]);
        let image = format!("image-{at}.json");
        let run = told(folder, &["run", "model.json", "--input", &image, "--calibrate", "calibration.json", "--json"]);
        assert_eq!(statement["output"]["integers"], run["outputs"][0]["integer"]["integers"]);
        let error = run["rounding"]["error"].as_f64().expect("it rounds");
        assert!(error * 100.0 <= MAX_ERROR, "off by {error} of the spread");
    }
}

fn is_as_accurate_in_integers(folder: &Path, least: f64) {
    let of_labels = ["--inputs", "test_inputs.json", "--labels", "test_labels.json"];
    let rounding = ["--calibrate", "calibration.json", "--json"];
    let figures = told(folder, &[&["eval", "model.json"], &of_labels[..], &rounding[..]].concat());
    let of = |name: &str| figures[name].as_f64().expect("a share") * 100.0;
    assert!(of("float_accuracy") >= least, "trained badly: {figures}");
    assert!((of("float_accuracy") - of("integer_accuracy")).abs() <= MAX_LOSS, "{figures}");
}

#[test]
fn a_residual_network_with_batch_norm_and_a_global_average_is_proved() {
    let folder = folder("residual");
    is_as_accurate_in_integers(folder.path(), 98.0);
    is_proved(folder.path());
}

#[test]
fn a_mobile_network_with_squeeze_and_excite_is_proved() {
    let folder = folder("mobile");
    is_as_accurate_in_integers(folder.path(), 97.0);
    is_proved(folder.path());
}

#[test]
fn a_dilated_network_along_one_axis_is_proved() {
    let folder = folder("dilated");
    is_as_accurate_in_integers(folder.path(), 96.0);
    is_proved(folder.path());
}

#[test]
fn an_autoencoder_with_transposed_convolutions_is_proved() {
    is_proved(folder("autoencoder").path());
}
