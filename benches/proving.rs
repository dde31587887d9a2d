//! Compiling, proving and verifying: a small CNN, and the reference CNN where it is asked for by name, as in
//! `cargo bench reference_cnn`, for that takes minutes.

use criterion::{Criterion, criterion_group, criterion_main};
use ndarray::ArrayD;
use std::path::Path;
use std::time::Duration;
use zknn::artifact::Options;
use zknn::front::{Model, read_tensor};
use zknn::nn::reference::reference_cnn;
use zknn::{DEFAULT_INPUT_RANGE, compile, lower_exact, verify};

const SAMPLES: usize = 10;
const REFERENCE: &str = "reference_cnn";

fn bench_small(c: &mut Criterion) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/models");
    let model = Model::read(&folder.join("tiny_cnn.json")).unwrap();
    let input = read_tensor(&folder.join("tiny_cnn_input.json")).unwrap();
    bench(c, "small_cnn", &model, &input);
}

fn bench_reference(c: &mut Criterion) {
    if std::env::args().any(|arg| arg.contains(REFERENCE)) {
        let (model, input) = reference_cnn();
        bench(c, REFERENCE, &model, &input);
    }
}

fn bench(c: &mut Criterion, name: &str, model: &Model, input: &ArrayD<f64>) {
    let range = model.input_range().unwrap_or(DEFAULT_INPUT_RANGE);
    let lower = || lower_exact(model, range, &mut |_, _| {}).unwrap();
    let compile = || compile(lower(), Options::default()).unwrap();
    c.bench_function(&format!("bench_compile_{name}"), |b| b.iter(compile));
    let circuit = compile();
    c.bench_function(&format!("bench_prove_{name}"), |b| b.iter(|| circuit.prove(input).unwrap()));
    let proof = circuit.prove(input).unwrap();
    c.bench_function(&format!("bench_verify_{name}"), |b| b.iter(|| verify(circuit.key(), &proof).unwrap()));
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(SAMPLES).warm_up_time(Duration::from_secs(1));
    targets = bench_small, bench_reference
}
criterion_main!(benches);
