//! Choices among thousands: proved as fast as others are, and right where elements are equal.

use ndarray::{ArrayD, IxDyn};
use zknn::artifact::{FileKind, Options, to_bytes};
use zknn::front::Model;
use zknn::{Lowering, compile, lower, verify};

/// The output that is stated of a layer over so many numbers, and the size of the proof.
fn prove(layer: &str, numbers: &[i64]) -> (Vec<i64>, usize) {
    let text = format!(r#"{{"input_range": [-8, 7], "layers": [{{{layer}, "input_shape": [{}]}}]}}"#, numbers.len());
    let model = Model::parse("model.json", text).expect("a model");
    let program = lower(&model, &Lowering::default(), &mut |_, _| {}).expect("a program");
    let circuit = compile(program, Options::default()).expect("a circuit");
    let input = ArrayD::from_shape_fn(IxDyn(&[numbers.len()]), |index| numbers[index[0]] as f64);
    let proof = circuit.prove(&input).expect("a proof");
    let statement = verify(circuit.key(), &proof).expect("it holds");
    let output = statement.output().integers().expect("it is public").iter().copied().collect();
    (output, to_bytes(FileKind::Proof, &proof).len())
}

/// Elements of -8 to 7, of which many are equal, by a generator of its own.
fn numbers(count: usize, seed: u64) -> Vec<i64> {
    let mut state = seed;
    let next = |_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % 16) as i64 - 8
    };
    (0..count).map(next).collect()
}

/// The places of all elements, the greatest first, the lower of equals first.
fn ranking(numbers: &[i64]) -> Vec<i64> {
    let mut places: Vec<usize> = (0..numbers.len()).collect();
    places.sort_by_key(|&place| (-numbers[place], place));
    places.into_iter().map(|place| place as i64).collect()
}

#[test]
fn the_class_of_many_is_the_first_greatest() {
    for classes in [1000, 4000, 50_000] {
        let mut numbers = numbers(classes, classes as u64);
        // A single greatest at the very end, where the groups are not full; then an equal before it.
        numbers.iter_mut().for_each(|number| *number = (*number).min(6));
        numbers[classes - 1] = 7;
        let (class, bytes) = prove(r#""layer_type": "argmax""#, &numbers);
        assert_eq!(class, [classes as i64 - 1]);
        assert!(bytes < 500_000, "{classes} classes: {bytes} bytes");
        numbers[classes / 2] = 7;
        assert_eq!(prove(r#""layer_type": "argmax""#, &numbers).0, [classes as i64 / 2]);
    }
}

#[test]
fn the_least_and_the_greatest_few_of_a_thousand_are_found() {
    let numbers = numbers(1000, 7);
    assert_eq!(prove(r#""layer_type": "top_k", "k": 5"#, &numbers).0, ranking(&numbers)[..5]);
    let negated: Vec<i64> = numbers.iter().map(|number| -number).collect();
    assert_eq!(prove(r#""layer_type": "argmin""#, &numbers).0, ranking(&negated)[..1]);
}
