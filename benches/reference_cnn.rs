//! The reference CNN outside of circuits: reading it, writing it, running it.

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use ndarray::ArrayD;
use std::hint::black_box;
use zknn::front::Model;
use zknn::nn::reference::reference_cnn;
use zknn::{DEFAULT_INPUT_RANGE, lower_exact};
use zknn_ir::eval::eval_fixed;

const SAMPLES: usize = 10;

/// Reads the model from its JSON.
fn bench_serde_neural_net(c: &mut Criterion) {
    let json = String::from_utf8(json(&reference_cnn().0)).unwrap();
    let read = |json| Model::parse("model.json", json).unwrap();
    c.bench_function("bench_serde_neural_net", |b| b.iter_batched(|| json.clone(), read, BatchSize::PerIteration));
}

/// Writes the model as JSON.
fn bench_serialize(c: &mut Criterion) {
    let (model, _) = reference_cnn();
    c.bench_function("bench_serialize_neural_net", |b| b.iter(|| json(black_box(&model))));
}

/// One inference in floating point.
fn bench_float_inference(c: &mut Criterion) {
    let (model, input) = reference_cnn();
    c.bench_function("bench_float_inference", |b| b.iter(|| zknn::nn::run(&model, black_box(&input)).unwrap()));
}

/// One inference in the integers that are proved.
fn bench_integer_inference(c: &mut Criterion) {
    let (model, input) = reference_cnn();
    let range = model.input_range().unwrap_or(DEFAULT_INPUT_RANGE);
    let graph = lower_exact(&model, range, &mut |_, _| {}).unwrap();
    let input: ArrayD<i64> = input.mapv(|x| x as i64);
    c.bench_function("bench_integer_inference", |b| b.iter(|| eval_fixed(&graph, black_box(&input)).unwrap()));
}

fn json(model: &Model) -> Vec<u8> {
    let mut json = Vec::new();
    model.write(&mut json).unwrap();
    json
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(SAMPLES);
    targets = bench_serde_neural_net, bench_serialize, bench_float_inference, bench_integer_inference
}
criterion_main!(benches);
