//! Views by hand, and against definitions index by index.

use ndarray::{ArrayD, Axis, IxDyn, arr1, array};
use proptest::prelude::*;

use super::tests::{alone, fact, message, tensor};
use super::*;
use crate::eval::{eval_fixed, eval_fixed_batch, eval_real};
use crate::{Number, infer, parse, print};

fn transpose(axes: &[usize]) -> Op {
    Op::Transpose(Transpose { axes: axes.to_vec() })
}

fn gather(axis: usize, indices: &[usize]) -> Op {
    Op::Gather(Gather { axis, indices: indices.to_vec() })
}

fn reshape(shape: &[usize]) -> Op {
    Op::Reshape(Reshape { shape: shape.to_vec() })
}

/// What integers become; real numbers and the second tensor of a batch must become the same.
#[track_caller]
fn evaluated(op: &Op, inputs: &[ArrayD<i64>]) -> ArrayD<i64> {
    let facts: Vec<Fact> = inputs.iter().map(|input| fact(input.shape(), 0.5, -99, 99)).collect();
    let graph = alone(op.clone(), &facts);
    let integers = eval_fixed(&graph, inputs).unwrap().output().clone();
    let reals: Vec<ArrayD<f64>> = inputs.iter().map(|input| input.mapv(|x| x as f64)).collect();
    assert_eq!(eval_real(&graph, &reals[..]).unwrap().output(), &integers.mapv(|x| x as f64));
    let batch = |input: &ArrayD<i64>| ndarray::stack(Axis(0), &[(input * -1).view(), input.view()]).unwrap();
    let batches: Vec<ArrayD<i64>> = inputs.iter().map(batch).collect();
    assert_eq!(eval_fixed_batch(&graph, &batches[..]).unwrap().output(), &batch(&integers));
    integers
}

#[test]
fn views_by_hand() {
    let image = array![[[1, 2], [3, 4]], [[5, 6], [7, 8]]].into_dyn();
    let of = |op: Op| evaluated(&op, std::slice::from_ref(&image));
    assert_eq!(of(reshape(&[4, 2])), array![[1, 2], [3, 4], [5, 6], [7, 8]].into_dyn());
    assert_eq!(of(transpose(&[2, 0, 1])), array![[[1, 3], [5, 7]], [[2, 4], [6, 8]]].into_dyn());
    assert_eq!(of(gather(1, &[1, 0, 1])), array![[[3, 4], [1, 2], [3, 4]], [[7, 8], [5, 6], [7, 8]]].into_dyn());
    let pair = [arr1(&[1, 2]).into_dyn(), arr1(&[3]).into_dyn()];
    assert_eq!(evaluated(&Op::Concat(Concat { axis: 0 }), &pair), arr1(&[1, 2, 3]).into_dyn());
    let gaps = Op::Pad(Pad { before: vec![1], after: vec![0], between: vec![2] });
    assert_eq!(evaluated(&gaps, &pair[..1]), arr1(&[0, 1, 0, 0, 2]).into_dyn());
}

#[test]
fn zeros_between_elements_extend_the_interval_where_there_are_any() {
    let gaps = |between| Op::Pad(Pad { before: vec![0], after: vec![0], between: vec![between] });
    assert_eq!(infer(&gaps(3), &[&fact(&[2], 1.0, 5, 9)]), Ok(fact(&[5], 1.0, 0, 9)));
    assert_eq!(infer(&gaps(3), &[&fact(&[1], 1.0, 5, 9)]), Ok(fact(&[1], 1.0, 5, 9)));
    assert_eq!(gaps(0).class(), Class::View { with_zero: false });
    assert_eq!(gaps(3).class(), Class::View { with_zero: true });
}

#[test]
fn tensors_end_to_end_have_the_interval_of_all() {
    let concat = Op::Concat(Concat { axis: 1 });
    let (a, b) = (fact(&[2, 3], 0.5, -3, 9), fact(&[2, 1], 0.5, 2, 70));
    assert_eq!(infer(&concat, &[&a, &b]), Ok(fact(&[2, 4], 0.5, -3, 70)));
    assert_eq!(infer(&concat, &[&b, &a, &b]), Ok(fact(&[2, 5], 0.5, -3, 70)));
    let zero = Range { lo: 0.0, hi: 1.0 };
    let below = Range { lo: -7.0, hi: -2.0 };
    assert_eq!(concat.range(&[zero, below], &a), Range { lo: -7.0, hi: 1.0 });
}

#[test]
fn views_that_make_no_sense_are_refused() {
    let a = fact(&[2, 3], 1.0, -3, 9);
    let of = |op: Op| message(&op, &[&a]);
    insta::assert_snapshot!(of(reshape(&[5])), @"a tensor of shape [2, 3] can't be one of shape [5]: the number of elements differs");
    insta::assert_snapshot!(of(reshape(&[usize::MAX, 2])), @"a tensor of shape [2, 3] can't be one of shape [18446744073709551615, 2]: the number of elements differs");
    insta::assert_snapshot!(of(reshape(&[])), @"the result of reshape needs axes of length 1 or more, its shape is []");
    insta::assert_snapshot!(of(transpose(&[0])), @"transpose has axes [0], it takes each from 0 to 1 once");
    insta::assert_snapshot!(of(transpose(&[1, 1])), @"transpose has axes [1, 1], it takes each from 0 to 1 once");
    insta::assert_snapshot!(of(gather(2, &[0])), @"gather goes along axis 2 of an input with 2 axes, counted from zero");
    insta::assert_snapshot!(of(gather(1, &[0, 3])), @"gather takes index 3 of axis 1, which has length 3");
    insta::assert_snapshot!(of(gather(1, &[])), @"the result of gather needs axes of length 1 or more, its shape is [2, 0]");
    let gaps = Op::Pad(Pad { between: vec![usize::MAX, 0], ..Pad::border(vec![0; 2], vec![0; 2]) });
    insta::assert_snapshot!(of(gaps), @"a tensor of shape [18446744073709551615, 3] has more than 268435456 elements");
    let concat = |axis, other: &Fact| message(&Op::Concat(Concat { axis }), &[&a, other]);
    insta::assert_snapshot!(concat(2, &a), @"concat goes along axis 2 of an input with 2 axes, counted from zero");
    insta::assert_snapshot!(concat(0, &fact(&[2, 2], 1.0, 0, 0)), @"operand 1 of concat has shape [2, 2], which must be [2, 3] but for axis 0");
    insta::assert_snapshot!(concat(1, &fact(&[2], 1.0, 0, 0)), @"operand 1 of concat has shape [2], which must be [2, 3] but for axis 1");
    insta::assert_snapshot!(concat(0, &fact(&[2, 3], 0.5, 0, 0)), @"operand 1 of concat has scale 0.5, the first has 1");
    insta::assert_snapshot!(concat(0, &Fact { number: Number::Real, ..a.clone() }), @"operand 1 of concat and the first are not both real or both fixed-point");
}

#[test]
fn views_as_text() {
    let text = "\
        %0 = input : [2, 2, 1] fixed(scale 1, 1..=5)\n\
        %1 = reshape %0 shape=[4, 1] : [4, 1] fixed(scale 1, 1..=5)\n\
        %2 = transpose %1 axes=[1, 0] layer=3 : [1, 4] fixed(scale 1, 1..=5)\n\
        %3 = gather %2 axis=1 indices=[3, 0] : [1, 2] fixed(scale 1, 1..=5)\n\
        %4 = concat %3 %2 %3 axis=1 : [1, 8] fixed(scale 1, 1..=5)\n\
        %5 = pad %4 before=[0, 0] after=[0, 0] between=[0, 1] : [1, 15] fixed(scale 1, 0..=5)\n\
        %6 = pad %5 before=[0, 1] after=[0, 0] : [1, 16] fixed(scale 1, 0..=5)\n\
        output %6\n";
    let graph = parse(text).unwrap();
    assert_eq!(print(&graph), text);
}

/// A shape of one to three axes, and elements to fill tensors with.
fn shape_and_data() -> impl Strategy<Value = (Vec<usize>, Vec<i64>)> {
    (prop::collection::vec(1usize..5, 1..4), prop::collection::vec(-9i64..=9, 1..20))
}

proptest! {
    #[test]
    fn transposing_permutes_axes((shape, data) in shape_and_data(), keys in prop::collection::vec(any::<u8>(), 3)) {
        let mut axes: Vec<usize> = (0..shape.len()).collect();
        axes.sort_by_key(|&axis| keys[axis]);
        let input = tensor(&shape, &data);
        let expected = input.clone().permuted_axes(IxDyn(&axes));
        prop_assert_eq!(evaluated(&transpose(&axes), &[input]), expected);
    }

    #[test]
    fn gathering_selects_along_an_axis((shape, data) in shape_and_data(), axis in 0usize..3, picks in prop::collection::vec(any::<usize>(), 1..6)) {
        let axis = axis % shape.len();
        let indices: Vec<usize> = picks.iter().map(|pick| pick % shape[axis]).collect();
        let input = tensor(&shape, &data);
        let expected = input.select(Axis(axis), &indices);
        prop_assert_eq!(evaluated(&gather(axis, &indices), &[input]), expected);
    }

    #[test]
    fn concatenation_is_that_of_arrays((shape, data) in shape_and_data(), axis in 0usize..3, lengths in prop::collection::vec(1usize..4, 2..4)) {
        let axis = axis % shape.len();
        let operand = |(nth, &length): (usize, &usize)| {
            let mut shape = shape.clone();
            shape[axis] = length;
            tensor(&shape, &data) + nth as i64
        };
        let operands: Vec<ArrayD<i64>> = lengths.iter().enumerate().map(operand).collect();
        let views: Vec<_> = operands.iter().map(|operand| operand.view()).collect();
        let expected = ndarray::concatenate(Axis(axis), &views).unwrap();
        prop_assert_eq!(evaluated(&Op::Concat(Concat { axis }), &operands), expected);
    }

    #[test]
    fn reshaping_keeps_the_order((shape, data) in shape_and_data(), ones in 0usize..3) {
        let mut to = vec![1; ones];
        to.extend(shape.iter().rev());
        let input = tensor(&shape, &data);
        let expected = input.clone().into_shape_with_order(IxDyn(&to)).unwrap();
        prop_assert_eq!(evaluated(&reshape(&to), &[input]), expected);
    }

    /// Each element goes where it belongs, and all else is zero.
    #[test]
    fn zeros_stand_around_and_between(
        axes in prop::collection::vec((1usize..4, 0usize..3, 0usize..3, 0usize..3), 1..4),
        data in prop::collection::vec(-9i64..=9, 1..20),
    ) {
        let column = |part: fn(&(usize, usize, usize, usize)) -> usize| axes.iter().map(part).collect::<Vec<_>>();
        let shape = column(|axis| axis.0);
        let pad = Pad { before: column(|axis| axis.1), after: column(|axis| axis.2), between: column(|axis| axis.3) };
        let input = tensor(&shape, &data);
        let length = |(n, before, after, between): &(usize, usize, usize, usize)| before + n + (n - 1) * between + after;
        let mut expected = ArrayD::zeros(IxDyn(&axes.iter().map(length).collect::<Vec<_>>()));
        for (at, &value) in input.indexed_iter() {
            let place: Vec<usize> = (0..shape.len()).map(|axis| pad.before[axis] + at[axis] * (1 + pad.between[axis])).collect();
            expected[IxDyn(&place)] = value;
        }
        prop_assert_eq!(evaluated(&Op::Pad(pad), &[input]), expected);
    }
}
