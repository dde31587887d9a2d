use bincode::config;
use bincode::serde::{borrow_decode_from_slice, encode_to_vec};
use proptest::prelude::*;

use super::*;
use crate::random::any_graph;
use crate::testing::{chain, fixed, fixed_input, noise};
use crate::{Number, op, validate};

fn write<T: Serialize>(value: &T) -> Vec<u8> {
    encode_to_vec(value, config::standard()).unwrap()
}

fn read<T: serde::de::DeserializeOwned>(bytes: &[u8]) -> Result<T, String> {
    borrow_decode_from_slice(bytes, config::standard()).map(|(value, _)| value).map_err(|error| error.to_string())
}

fn input() -> Op {
    fixed_input(&[2], -3, 3)
}

fn node(op: Op, operands: &[u32]) -> NodeForm<'static> {
    NodeForm { op: Cow::Owned(op), operands: operands.to_vec(), layer: None }
}

fn read_error(nodes: Vec<NodeForm<'_>>, output: u32) -> String {
    read::<Graph>(&write(&GraphForm { nodes, outputs: OutputsForm(vec![output]) })).unwrap_err()
}

#[test]
fn a_small_weight_takes_one_byte() {
    let weights = fixed(&[100, 100], &noise(1, 10_000), 1.0);
    let bytes = write(&weights);
    assert!(bytes.len() < 10_100, "{} bytes", bytes.len());
    assert_eq!(read(&bytes), Ok(weights));
}

#[test]
fn integers_take_as_many_bytes_as_the_largest_needs() {
    for bits in 0..63 {
        let edge = 1i64 << bits;
        for (list, needed) in [([edge - 1, -edge], bits / 8 + 1), ([0, edge], (bits + 1) / 8 + 1)] {
            let form = IntegersForm::of(&list);
            assert_eq!((usize::from(form.width), form.bytes.len()), (needed, 2 * needed), "{list:?}");
            assert_eq!(form.integers::<serde::de::value::Error>(), Ok(list.to_vec()));
        }
    }
    let extremes = [i64::MIN, i64::MAX, 0, -1];
    assert_eq!(IntegersForm::of(&extremes).integers::<serde::de::value::Error>(), Ok(extremes.to_vec()));
    assert_eq!(IntegersForm::of(&[]).width, 1);
}

#[test]
fn bytes_that_are_no_integers_are_refused() {
    for (width, len) in [(0, 0), (0, 3), (2, 3), (9, 9), (255, 0)] {
        let data = IntegersForm { width, bytes: vec![0; len].into() };
        assert!(read::<Weights>(&write(&WeightsForm::Fixed { shape: vec![len].into(), scale: 1.0, data })).is_err());
    }
}

#[test]
fn lists_that_are_no_graphs_are_refused() {
    let relu = |operands: &[u32]| node(Op::Relu, operands);
    insta::assert_snapshot!(read_error(vec![], 0), @r#"OtherString("no node 0 among the first 0")"#);
    insta::assert_snapshot!(read_error(vec![node(input(), &[]), relu(&[1])], 1), @r#"OtherString("no node 1 among the first 1")"#);
    insta::assert_snapshot!(read_error(vec![node(input(), &[]), relu(&[0])], 2), @r#"OtherString("no node 2 among the first 2")"#);
    insta::assert_snapshot!(read_error(vec![node(input(), &[]), relu(&[0, 0])], 1), @r#"OtherString("node 1: relu has 2 operands, it takes 1")"#);
    let normalize = Op::Normalize(op::Normalize { fraction_bits: 77 });
    insta::assert_snapshot!(read_error(vec![node(input(), &[]), node(normalize, &[0])], 1), @r#"OtherString("node 1: fraction_bits must lie in 1..=24, got 77")"#);
    let number = Number::Fixed { scale: f64::NAN, lo: 0, hi: 0 };
    let shape = vec![1];
    insta::assert_snapshot!(read_error(vec![node(Op::Input(op::Input { shape, number, rounds: false }), &[])], 0), @r#"OtherString("node 0: the scale of the numbers of input must be positive and finite, it is NaN")"#);
}

#[test]
fn weights_that_do_not_fill_their_shape_are_refused() {
    let form = |shape: Vec<usize>| {
        let data = IntegersForm::of(&[1, 2, 3]);
        write(&WeightsForm::Fixed { shape: shape.into(), scale: 1.0, data })
    };
    assert_eq!(read(&form(vec![3, 1])), Ok(fixed(&[3, 1], &[1, 2, 3], 1.0)));
    for shape in [vec![], vec![4], vec![2, 2], vec![usize::MAX, 3], vec![0, 3]] {
        let error = read::<Weights>(&form(shape)).unwrap_err();
        assert!(error.contains("does not have 3 elements"), "{error}");
    }
    let huge = write(&WeightsForm::Real { shape: vec![0, usize::MAX, usize::MAX].into(), data: vec![].into() });
    assert!(read::<Weights>(&huge).is_err());
}

#[test]
fn a_length_without_its_elements_allocates_little() {
    let mut bytes = vec![1, 1, 252];
    bytes.extend(u32::MAX.to_le_bytes());
    bytes.extend(1f64.to_le_bytes());
    // One byte an integer, and then, it says, 2^60 of them.
    bytes.extend([1, 253]);
    bytes.extend((1u64 << 60).to_le_bytes());
    assert!(read::<Weights>(&bytes).is_err());
}

#[test]
fn graphs_that_could_not_be_read_back_are_not_written() {
    let refused = |graph: &Graph| {
        let error = encode_to_vec(graph, config::standard()).unwrap_err();
        error.to_string()
    };
    insta::assert_snapshot!(refused(&Graph::new()), @r#"OtherString("the graph has no input")"#);
    let mut stale = chain([input(), Op::Relu]);
    stale.replace_op(stale.output(), Op::Flatten);
    insta::assert_snapshot!(refused(&stale), @r#"OtherString("the graph's facts are stale")"#);
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(graph in any_graph()) {
        let copy: Graph = read(&write(&graph)).unwrap();
        prop_assert_eq!(copy.digest(), graph.digest());
        prop_assert_eq!(copy, graph);
    }

    #[test]
    fn a_spoilt_file_is_an_error_or_a_valid_graph(
        graph in any_graph(),
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
        length in any::<prop::sample::Index>(),
    ) {
        let mut bytes = write(&graph);
        let at = at.index(bytes.len());
        bytes[at] = byte;
        if let Ok(read) = read::<Graph>(&bytes) {
            prop_assert_eq!(validate(&read), Ok(()));
        }
        bytes.truncate(length.index(bytes.len()));
        if let Ok(read) = read::<Graph>(&bytes) {
            prop_assert_eq!(validate(&read), Ok(()));
        }
    }
}

#[test]
fn one_output_is_stored_as_it_is_and_several_as_a_list() {
    assert_eq!(write(&OutputsForm(vec![7])), write(&7u32));
    for outputs in [vec![7], vec![7, 7], vec![0, 1, 2]] {
        assert_eq!(read(&write(&OutputsForm(outputs.clone()))), Ok(OutputsForm(outputs)));
    }
    // A list of one, which would be a second form of the same.
    for outputs in [vec![], vec![7]] {
        let error = read::<OutputsForm>(&write(&(OutputsForm::SEVERAL, outputs))).unwrap_err();
        assert!(error.contains("fewer than two"), "{error}");
    }
    assert!(read::<OutputsForm>(&write(&OutputsForm::SEVERAL)).is_err());
    let form = GraphForm { nodes: vec![node(input(), &[])], outputs: OutputsForm(vec![0, 1]) };
    assert!(read::<Graph>(&write(&form)).unwrap_err().contains("no node 1 among the first 1"));
}
