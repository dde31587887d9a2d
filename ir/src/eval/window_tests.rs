//! Windows and kernels that step over an image, against second definitions.

use ndarray::{ArrayD, Axis};
use proptest::prelude::*;

use super::*;
use crate::testing::{fixed, fixed_input, noise, real_input};
use crate::{Weights, op};

/// What convolutions with strides, dilations and groups are by another way: each weight takes part in the sums that it belongs
/// to, wherever it meets an element of the image.
fn scattered(image: &ArrayD<i64>, op: &op::Conv2d) -> ArrayD<i64> {
    let Weights::Fixed { data, .. } = &op.kernel else { unreachable!("integers") };
    let (&[c_out, h, w, c_in], &[height, width, channels]) = (data.shape(), image.shape()) else { unreachable!() };
    let rows = (0..height).filter(|y| y + (h - 1) * op.dilation[0] < height && y % op.stride[0] == 0).count();
    let columns = (0..width).filter(|x| x + (w - 1) * op.dilation[1] < width && x % op.stride[1] == 0).count();
    let mut result = ArrayD::zeros(vec![rows, columns, c_out]);
    for ((y, x, channel), &value) in image.view().into_dimensionality::<ndarray::Ix3>().unwrap().indexed_iter() {
        let group = channel / (channels / op.groups);
        for o in group * (c_out / op.groups)..(group + 1) * (c_out / op.groups) {
            for (u, v) in (0..h).flat_map(|u| (0..w).map(move |v| (u, v))) {
                let start = (y.checked_sub(u * op.dilation[0]), x.checked_sub(v * op.dilation[1]));
                let (Some(top), Some(left)) = start else { continue };
                let (i, j) = (top / op.stride[0], left / op.stride[1]);
                if top % op.stride[0] == 0 && left % op.stride[1] == 0 && i < rows && j < columns {
                    result[[i, j, o]] += value * data[[o, u, v, channel % c_in]];
                }
            }
        }
    }
    result
}

proptest! {
    #[test]
    fn strides_dilations_and_groups_follow_the_definition(
        size in [1usize..=7, 1usize..=7],
        kernel in [1usize..=3, 1usize..=3],
        (stride, dilation) in ([1usize..=3, 1usize..=3], [1usize..=3, 1usize..=3]),
        (groups, c_in, c_out) in (1usize..=3, 1usize..=2, 1usize..=2),
        seed in any::<u64>(),
        // Beyond what floats hold exactly, sums are taken another way.
        factor in prop_oneof![Just(1i64), Just(1 << 50)],
    ) {
        let weights: Vec<i64> = noise(seed, groups * c_out * kernel[0] * kernel[1] * c_in);
        let weights: Vec<i64> = weights.into_iter().map(|weight| weight * factor).collect();
        let kernel = fixed(&[groups * c_out, kernel[0], kernel[1], c_in], &weights, 1.0);
        let op = op::Conv2d { kernel, stride, dilation, groups, ..op::Conv2d::default() };
        let shape = [size[0], size[1], groups * c_in];
        let mut graph = Graph::new();
        let input = graph.add(fixed_input(&shape, -5, 4), &[], None).unwrap();
        // The kernel may be too large.
        if let Ok(output) = graph.add(Op::Conv2d(op.clone()), &[input], None) {
            graph.set_output(output);
            let image = ArrayD::from_shape_vec(shape.to_vec(), noise(seed ^ 1, shape.iter().product())).unwrap();
            let expected = scattered(&image, &op);
            let values = eval_fixed(&graph, &image).unwrap();
            prop_assert_eq!(values.output(), &expected);
            if factor == 1 {
                let mut op = op;
                op.kernel = Weights::Real(match &op.kernel {
                    Weights::Fixed { data, .. } => data.mapv(|weight| weight as f64).into(),
                    Weights::Real(_) | Weights::Scaled { .. } => unreachable!("integers"),
                });
                let mut graph = Graph::new();
                let input = graph.add(real_input(&shape), &[], None).unwrap();
                let output = graph.add(Op::Conv2d(op), &[input], None).unwrap();
                graph.set_output(output);
                let batch = image.mapv(|x| x as f64).insert_axis(Axis(0));
                let expected = expected.mapv(|x| x as f64).insert_axis(Axis(0));
                for values in [eval_real_batch(&graph, &batch), eval_real_batch_in_order(&graph, &batch)] {
                    let values = values.unwrap();
                    prop_assert_eq!(values.output(), &expected);
                }
            }
        }
    }
}

proptest! {
    /// With numbers below all others where windows reach over the edges.
    #[test]
    fn pooling_is_that_of_an_image_with_a_border_of_nothing(
        size in [1usize..=7, 1usize..=7, 1usize..=2],
        (window, stride) in ([1usize..=4, 1usize..=4], [1usize..=5, 1usize..=5]),
        (before, after) in ([0usize..=4, 0usize..=4], [0usize..=4, 0usize..=4]),
        relu in any::<bool>(),
        seed in any::<u64>(),
    ) {
        let [height, width, channels] = size;
        let op = op::MaxPool { window, relu, stride, before, after };
        let padded_shape = vec![before[0] + height + after[0], before[1] + width + after[1], channels];
        let windows = |axis: usize| {
            let starts = (0..padded_shape[axis]).step_by(stride[axis]);
            starts.filter(|start| start + window[axis] <= padded_shape[axis]).count()
        };
        let mut graph = Graph::new();
        let input = graph.add(fixed_input(&size, -5, 4), &[], None).unwrap();
        let image = ArrayD::from_shape_vec(size.to_vec(), noise(seed, size.iter().product())).unwrap();
        let mut padded = ArrayD::from_elem(padded_shape.clone(), i64::MIN);
        padded
            .slice_mut(ndarray::s![before[0]..before[0] + height, before[1]..before[1] + width, ..])
            .assign(&image.view().into_dimensionality::<ndarray::Ix3>().unwrap());
        let expected = ArrayD::from_shape_fn(vec![windows(0), windows(1), channels], |at| {
            let (y, x) = (at[0] * stride[0], at[1] * stride[1]);
            let cells = padded.slice(ndarray::s![y..y + window[0], x..x + window[1], at[2]]);
            cells.iter().copied().chain(relu.then_some(0)).max().unwrap()
        });
        match graph.add(Op::MaxPool(op), &[input], None) {
            Ok(output) => {
                graph.set_output(output);
                let values = eval_fixed(&graph, &image).unwrap();
                prop_assert_eq!(values.output(), &expected);
            }
            // There is no window, or one that holds nothing, though zero may hide it.
            Err(_) => prop_assert!(expected.is_empty() || relu || expected.iter().any(|&greatest| greatest == i64::MIN)),
        }
    }
}

#[test]
fn steps_and_groups_that_make_no_sense_are_refused() {
    let fact = Fact { shape: vec![5, 5, 4], number: Number::Fixed { scale: 1.0, lo: 0, hi: 1 } };
    let op = |change: fn(&mut op::Conv2d)| {
        let mut op = op::Conv2d { kernel: fixed(&[4, 3, 3, 2], &[1; 72], 1.0), groups: 2, ..op::Conv2d::default() };
        change(&mut op);
        crate::infer(&Op::Conv2d(op), &[&fact])
    };
    assert_eq!(op(|op| op.stride = [2, 3]).unwrap().shape, [2, 1, 4]);
    assert_eq!(op(|op| op.dilation = [2, 1]).unwrap().shape, [1, 3, 4]);
    let message = |change| op(change).unwrap_err().to_string();
    assert_eq!(message(|op| op.stride = [0, 1]), "conv2d: stride is [0, 1], and must be positive along both axes");
    assert!(message(|op| op.dilation = [1, 0]).contains("dilation"));
    assert!(message(|op| op.dilation = [1, usize::MAX]).contains("does not fit"));
    assert!(message(|op| op.groups = 0).contains("groups") && message(|op| op.groups = 3).contains("groups"));
    assert!(message(|op| op.groups = 1).contains("channels"));
}
