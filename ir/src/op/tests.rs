use ndarray::{ArrayD, IxDyn, arr1, array};
use proptest::prelude::*;

use super::*;
use crate::eval::{eval_fixed, eval_real};
use crate::testing::{fixed, fixed_input, real_input};
use crate::{Graph, MAX_MAGNITUDE, Number, Weights, infer, parse, print};

pub(super) fn fact(shape: &[usize], scale: f64, lo: i64, hi: i64) -> Fact {
    Fact { shape: shape.to_vec(), number: Number::Fixed { scale, lo, hi } }
}

fn pad(before: &[usize], after: &[usize]) -> Op {
    Op::Pad(Pad::border(before.to_vec(), after.to_vec()))
}

pub(super) fn message(op: &Op, operands: &[&Fact]) -> String {
    infer(op, operands).unwrap_err().to_string()
}

/// An input for each fact, an operation that reads them all, and its result as the output.
pub(super) fn alone(op: Op, facts: &[Fact]) -> Graph {
    let mut graph = Graph::new();
    let input =
        |fact: &Fact| Op::Input(Input { shape: fact.shape.clone(), number: fact.number.clone(), rounds: false });
    let inputs: Vec<_> = facts.iter().map(|fact| graph.add(input(fact), &[], None).unwrap()).collect();
    let output = graph.add(op, &inputs, None).unwrap();
    graph.set_output(output);
    graph
}

/// Tags are part of digests and files.
#[test]
fn tags_stay_what_they_are() {
    let expected = [
        "input",
        "conv2d",
        "dense",
        "max_pool",
        "relu",
        "flatten",
        "normalize",
        "requantize",
        "argmax",
        "add",
        "pad",
        "abs",
        "reshape",
        "transpose",
        "gather",
        "concat",
        "affine",
        "multiply",
        "maximum",
        "clip",
        "top_k",
        "quantize",
    ];
    assert_eq!(NAMES, expected);
    for (tag, name) in NAMES.iter().enumerate() {
        let op = Op::blank(name).unwrap();
        assert_eq!((op.name(), usize::from(op.tag())), (*name, tag));
        let stored = bincode::serde::encode_to_vec(&op, bincode::config::standard()).unwrap();
        assert_eq!(usize::from(stored[0]), tag);
    }
    assert_eq!(Op::blank("softmax"), None);
}

/// What `IR.md` says of an attribute.
struct Grammar(String);

impl Grammar {
    fn attribute(&mut self, name: &str, form: &str) -> Result<(), std::convert::Infallible> {
        self.0 += &format!(" \"{name}\" \"=\" {form}");
        Ok(())
    }
}

impl Visitor for Grammar {
    type Error = std::convert::Infallible;

    fn fact(&mut self, _: &mut Vec<usize>, _: &mut Number) -> Result<(), Self::Error> {
        Ok(())
    }

    fn weights(&mut self, name: &'static str, _: &mut Weights) -> Result<(), Self::Error> {
        self.attribute(name, "weights")
    }

    fn optional_weights(&mut self, name: &'static str, _: &mut Option<Weights>) -> Result<(), Self::Error> {
        self.0 += &format!(" [ \"{name}\" \"=\" weights ]");
        Ok(())
    }

    fn bits(&mut self, name: &'static str, _: &mut u32) -> Result<(), Self::Error> {
        self.attribute(name, "integer")
    }

    fn flag(&mut self, name: &'static str, _: &mut bool) -> Result<(), Self::Error> {
        self.0 += &format!(" [ \"{name}\" ]");
        Ok(())
    }

    fn height_and_width(&mut self, name: &'static str, _: &mut [usize; 2]) -> Result<(), Self::Error> {
        self.attribute(name, "shape")
    }

    fn sides_unless(&mut self, name: &'static str, _: &mut [usize; 2], _: [usize; 2]) -> Result<(), Self::Error> {
        self.0 += &format!(" [ \"{name}\" \"=\" shape ]");
        Ok(())
    }

    fn count_unless_one(&mut self, name: &'static str, _: &mut usize) -> Result<(), Self::Error> {
        self.0 += &format!(" [ \"{name}\" \"=\" integer ]");
        Ok(())
    }

    fn lengths(&mut self, name: &'static str, _: &mut Vec<usize>) -> Result<(), Self::Error> {
        self.attribute(name, "shape")
    }

    fn lengths_unless_zero(&mut self, name: &'static str, _: &mut Vec<usize>, _: usize) -> Result<(), Self::Error> {
        self.0 += &format!(" [ \"{name}\" \"=\" shape ]");
        Ok(())
    }

    fn axis(&mut self, _: &mut usize) -> Result<(), Self::Error> {
        self.attribute("axis", "integer")
    }

    fn indices(&mut self, name: &'static str, _: &mut Vec<usize>) -> Result<(), Self::Error> {
        self.attribute(name, "shape")
    }

    fn integers(&mut self, name: &'static str, _: &mut Vec<i64>) -> Result<(), Self::Error> {
        self.attribute(name, "elements")
    }

    fn interval(&mut self, name: &'static str, _: &mut i64, _: &mut i64) -> Result<(), Self::Error> {
        self.attribute(name, "interval")
    }

    fn scale(&mut self, _: &mut f64) -> Result<(), Self::Error> {
        self.0 += " \"scale\" scale";
        Ok(())
    }
}

#[test]
fn the_reference_has_the_grammar_and_a_section_for_every_operation() {
    let reference = include_str!("../../IR.md");
    let words: Vec<&str> = reference.split_whitespace().collect();
    let reference_in_words = words.join(" ");
    for name in NAMES {
        let mut op = Op::blank(name).unwrap();
        let mut grammar = Grammar(format!("\"{name}\""));
        if op.arity() != Arity::Exactly(0) {
            grammar.0 += " operands";
        }
        let Ok(()) = op.attributes(&mut grammar);
        assert!(reference_in_words.contains(&grammar.0), "IR.md lacks {}", grammar.0);
        assert!(reference.lines().any(|line| line == format!("### {name}")), "IR.md has no section on {name}");
    }
}

#[test]
fn sums_have_the_sum_of_the_intervals() {
    let [a, b] = [fact(&[2, 3], 0.5, -3, 9), fact(&[2, 3], 0.5, -100, -10)];
    assert_eq!(infer(&Op::Add, &[&a, &b]), Ok(fact(&[2, 3], 0.5, -103, -1)));
    assert_eq!(infer(&Op::Add, &[&a, &b, &a]), Ok(fact(&[2, 3], 0.5, -106, 8)));
    let real = Fact { shape: vec![4], number: Number::Real };
    assert_eq!(infer(&Op::Add, &[&real, &real]), Ok(real));
}

#[test]
fn sums_of_what_differs_are_refused() {
    let a = fact(&[2, 3], 1.0, -3, 9);
    insta::assert_snapshot!(message(&Op::Add, &[]), @"add has 0 operands, it takes 2 or more");
    insta::assert_snapshot!(message(&Op::Add, &[&a]), @"add has 1 operands, it takes 2 or more");
    insta::assert_snapshot!(message(&Op::Add, &[&a, &a, &fact(&[3, 2], 1.0, 0, 1)]), @"operand 2 of add has shape [3, 2], the first has [2, 3]");
    insta::assert_snapshot!(message(&Op::Add, &[&a, &fact(&[2, 3], 0.5, 0, 1)]), @"operand 1 of add has scale 0.5, the first has 1");
    let real = Fact { shape: vec![2, 3], number: Number::Real };
    insta::assert_snapshot!(message(&Op::Add, &[&a, &real]), @"operand 1 of add and the first are not both real or both fixed-point");
    insta::assert_snapshot!(message(&Op::Add, &[&real, &a]), @"operand 1 of add and the first are not both real or both fixed-point");
    // The sum is zero, but on the way there may be more than that.
    let half = fact(&[1], 1.0, 1 << 61, 1 << 61);
    let minus_half = fact(&[1], 1.0, -(1 << 61), -(1 << 61));
    assert_eq!(infer(&Op::Add, &[&half, &minus_half]), Ok(fact(&[1], 1.0, 0, 0)));
    insta::assert_snapshot!(message(&Op::Add, &[&half, &minus_half, &fact(&[1], 1.0, 0, 1)]), @"add spans 0..=1 and needs magnitudes up to 4611686018427387905, beyond ±2^62");
    insta::assert_snapshot!(message(&Op::Add, &[&fact(&[1], 1.0, 0, MAX_MAGNITUDE); 9]), @"add spans 0..=41505174165846491136 and needs magnitudes up to 41505174165846491136, beyond ±2^62");
}

#[test]
fn a_value_may_be_read_several_times_by_one_sum() {
    let graph = parse("%0 = input : [2] fixed(scale 1, -9..=9)\n%1 = add %0 %0 %0\noutput %1\n").unwrap();
    let values = eval_fixed(&graph, &arr1(&[2, -3]).into_dyn()).unwrap();
    assert_eq!(values.output(), &arr1(&[6, -9]).into_dyn());
    assert_eq!(graph.users(graph.input()), [graph.output()]);
    assert_eq!(graph.operands(graph.output()), [graph.input(); 3]);
}

#[test]
fn borders_of_zeros_by_hand() {
    let graph = alone(pad(&[1, 0], &[0, 2]), &[fact(&[2, 2], 1.0, 1, 4)]);
    let values = eval_fixed(&graph, &array![[1, 2], [3, 4]].into_dyn()).unwrap();
    assert_eq!(values.output(), &array![[0, 0, 0, 0], [1, 2, 0, 0], [3, 4, 0, 0]].into_dyn());
    // The border takes part in the interval.
    assert_eq!(graph.node(graph.output()).fact, fact(&[3, 4], 1.0, 0, 4));
    let unpadded = alone(pad(&[0, 0], &[0, 0]), &[fact(&[2, 2], 1.0, 1, 4)]);
    assert_eq!(unpadded.node(unpadded.output()).fact, fact(&[2, 2], 1.0, 1, 4));
}

#[test]
fn absolute_values_have_the_interval_of_magnitudes() {
    for ((lo, hi), expected) in [((-5, 3), (0, 5)), ((2, 3), (2, 3)), ((-7, -2), (2, 7)), ((-1 << 62, 0), (0, 1 << 62))]
    {
        let (least, greatest) = expected;
        assert_eq!(infer(&Op::Abs, &[&fact(&[2], 0.5, lo, hi)]).unwrap(), fact(&[2], 0.5, least, greatest));
        let graph = alone(Op::Abs, &[fact(&[2], 0.5, lo, hi)]);
        let values = eval_fixed(&graph, &arr1(&[lo, hi]).into_dyn()).unwrap();
        assert_eq!(values.output(), &arr1(&[-lo.min(-lo), hi.max(-hi)]).into_dyn());
        let reals = eval_real(&graph, &arr1(&[lo as f64 * 0.5, hi as f64 * 0.5]).into_dyn()).unwrap();
        assert_eq!(reals.output(), &arr1(&[(lo as f64 * 0.5).abs(), (hi as f64 * 0.5).abs()]).into_dyn());
    }
}

#[test]
fn borders_that_do_not_fit_are_refused() {
    let a = fact(&[2, 3], 1.0, -3, 9);
    insta::assert_snapshot!(message(&pad(&[1], &[1, 1]), &[&a]), @"pad has borders for 1 axes, its input has 2");
    insta::assert_snapshot!(message(&pad(&[1, 1], &[1, 1, 1]), &[&a]), @"pad has borders for 3 axes, its input has 2");
    insta::assert_snapshot!(message(&pad(&[usize::MAX, 0], &[usize::MAX, 0]), &[&a]), @"a tensor of shape [18446744073709551615, 3] has more than 268435456 elements");
}

#[test]
fn sums_and_borders_as_text() {
    let text = "\
        %0 = input : [2, 2, 1] fixed(scale 2^-1, -3..=5)\n\
        %1 = input : [2, 2, 1] fixed(scale 2^-1, 0..=1)\n\
        %2 = add %1 %0 %1 layer=3 : [2, 2, 1] fixed(scale 2^-1, -3..=7)\n\
        %3 = pad %2 before=[1, 0, 0] after=[0, 1, 0] : [3, 3, 1] fixed(scale 2^-1, -3..=7)\n\
        output %3 %1\n";
    let graph = parse(text).unwrap();
    assert_eq!(print(&graph), text);
    let outputs = graph.outputs();
    assert_eq!((graph.node(outputs[0]).op.name(), graph.node(outputs[1]).op.name()), ("pad", "input"));
}

#[test]
fn classes_tell_what_attributes_tell() {
    let requantize = |lo, hi| Op::Requantize(Requantize { lo, hi, ..Requantize::default() }).class();
    assert_eq!(requantize(0, 255), Class::Monotone { keeps_zero: true });
    assert_eq!(requantize(1, 255), Class::Monotone { keeps_zero: false });
    assert_eq!(Op::MaxPool(MaxPool::tiles([1, 1], true)).class(), Class::Greatest { with_zero: true });
}

/// A tensor of these integers, and what stands at an index of it.
pub(super) fn tensor(shape: &[usize], data: &[i64]) -> ArrayD<i64> {
    let count = shape.iter().product();
    ArrayD::from_shape_vec(IxDyn(shape), data.iter().copied().cycle().take(count).collect()).unwrap()
}

proptest! {
    /// Against the definition, index by index.
    #[test]
    fn borders_are_their_definition(
        axes in prop::collection::vec((1usize..4, 0usize..3, 0usize..3), 1..4),
        data in prop::collection::vec(-9i64..=9, 1..20),
    ) {
        let column = |part: fn(&(usize, usize, usize)) -> usize| axes.iter().map(part).collect::<Vec<_>>();
        let (shape, before, after) = (column(|axis| axis.0), column(|axis| axis.1), column(|axis| axis.2));
        let graph = alone(pad(&before, &after), &[fact(&shape, 1.0, -9, 9)]);
        let input = tensor(&shape, &data);
        let result = eval_fixed(&graph, &input).unwrap();
        let real = eval_real(&graph, &input.mapv(|value| value as f64)).unwrap();
        let expected_shape: Vec<usize> = axes.iter().map(|(length, before, after)| length + before + after).collect();
        let expected = ArrayD::from_shape_fn(IxDyn(&expected_shape), |at| {
            let inside: Option<Vec<usize>> =
                before.iter().enumerate().map(|(axis, before)| at[axis].checked_sub(*before)).collect();
            inside.and_then(|inside| input.get(IxDyn(&inside)).copied()).unwrap_or(0)
        });
        prop_assert_eq!(result.output(), &expected);
        prop_assert_eq!(real.output(), &expected.mapv(|value| value as f64));
    }

    /// Adding is a dense layer over the operands laid end to end whose matrix is a row of unit matrices.
    #[test]
    fn sums_are_a_product_with_unit_matrices(
        operands in prop::collection::vec(prop::collection::vec(-1000i64..=1000, 5), 2..5),
    ) {
        let facts: Vec<Fact> = operands.iter().map(|_| fact(&[5], 0.5, -1000, 1000)).collect();
        let inputs: Vec<ArrayD<i64>> = operands.iter().map(|operand| tensor(&[5], operand)).collect();
        let graph = alone(Op::Add, &facts);
        let sum = eval_fixed(&graph, &inputs[..]).unwrap();
        let count = operands.len();
        let units: Vec<i64> = (0..5 * 5 * count).map(|at| i64::from(at / (5 * count) == at % 5)).collect();
        let dense = Op::Dense(Dense { weights: fixed(&[5, 5 * count], &units, 1.0), bias: None });
        let product = alone(dense, &[fact(&[5 * count], 0.5, -1000, 1000)]);
        let expected = eval_fixed(&product, &tensor(&[5 * count], &operands.concat())).unwrap();
        prop_assert_eq!(sum.output(), expected.output());
        prop_assert_eq!(&graph.node(graph.output()).fact, &product.node(product.output()).fact);
        let reals: Vec<ArrayD<f64>> = inputs.iter().map(|input| input.mapv(|value| value as f64 / 2.0)).collect();
        let real = eval_real(&graph, &reals[..]).unwrap();
        prop_assert_eq!(real.output(), &expected.output().mapv(|value| value as f64 / 2.0));
    }
}

#[test]
fn real_sums_have_no_interval() {
    let mut graph = Graph::new();
    let inputs = [0, 1].map(|_| graph.add(real_input(&[1]), &[], None).unwrap());
    let sum = graph.add(Op::Add, &inputs, None).unwrap();
    assert_eq!(graph.node(sum).fact.interval(), None);
    let fixed = graph.add(fixed_input(&[1], 0, 1), &[], None).unwrap();
    assert!(graph.add(Op::Add, &[sum, fixed], None).is_err());
}

#[test]
fn an_input_that_rounds_is_another_input() {
    let text = |rounds: &str| format!("%0 = input{rounds} : [2] fixed(scale 2^-1, -3..=5)\noutput %0\n");
    let [exact, rounded] = [text(""), text(" rounds")].map(|text| {
        let graph = parse(&text).unwrap();
        assert_eq!(print(&graph), text);
        let stored = bincode::serde::encode_to_vec(&graph, bincode::config::standard()).unwrap();
        let read: (Graph, usize) = bincode::serde::decode_from_slice(&stored, bincode::config::standard()).unwrap();
        assert_eq!(read.0, graph);
        graph
    });
    assert_ne!(exact, rounded);
    assert_ne!(exact.digest(), rounded.digest());
    let input = arr1(&[-3, 5]).into_dyn();
    assert_eq!(eval_fixed(&exact, &input).unwrap().output(), eval_fixed(&rounded, &input).unwrap().output());
}
