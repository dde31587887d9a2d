//! Every layer type of the table against its definition, index by index, over random shapes.

use std::collections::BTreeSet;

use ndarray::{ArrayD, Dimension, IxDyn};
use rand::{Rng, SeedableRng, seq::SliceRandom};
use rand_chacha::ChaCha20Rng;

use super::*;
use crate::front::{Layer, LayerKind, Model};
use crate::nn;

type Random = ChaCha20Rng;

fn tensor(shape: &[usize], random: &mut Random) -> ArrayD<f64> {
    ArrayD::from_shape_simple_fn(IxDyn(shape), || f64::from(random.gen_range(-40i32..=40)) / 8.0)
}

fn by_index(shape: &[usize], at: impl Fn(&[usize]) -> f64) -> ArrayD<f64> {
    ArrayD::from_shape_fn(IxDyn(shape), |index| at(index.slice()))
}

/// What stands at an index that may lie outside.
fn read(x: &ArrayD<f64>, index: &[isize]) -> Option<f64> {
    let inside: Option<Vec<usize>> = index.iter().map(|&at| usize::try_from(at).ok()).collect();
    x.get(IxDyn(&inside?)).copied()
}

fn integers(values: &[usize]) -> Attribute {
    Attribute::Integers(values.to_vec())
}

/// A case: inputs, fields, and what comes out by definition.
struct Case {
    inputs: Vec<ArrayD<f64>>,
    fields: Vec<(&'static str, Attribute)>,
    expected: ArrayD<f64>,
}

fn image(random: &mut Random) -> ArrayD<f64> {
    let shape = [random.gen_range(1..=6), random.gen_range(1..=6), random.gen_range(1..=3)];
    tensor(&shape, random)
}

fn any_tensor(random: &mut Random) -> ArrayD<f64> {
    let shape: Vec<usize> = (0..random.gen_range(1..=4)).map(|_| random.gen_range(1..=4)).collect();
    tensor(&shape, random)
}

fn convolution_1d(random: &mut Random) -> Case {
    let (groups, outputs, inputs) = (random.gen_range(1..=2), random.gen_range(1..=2), random.gen_range(1..=2));
    let (width, stride, dilation) = (random.gen_range(1..=3), random.gen_range(1..=3), random.gen_range(1..=3));
    let (before, after) = (random.gen_range(0..=4), random.gen_range(0..=2));
    let span = (width - 1) * dilation + 1;
    let length = random.gen_range(span..=span + 5);
    let x = tensor(&[length, groups * inputs], random);
    let kernel = tensor(&[groups * outputs, width, inputs], random);
    let biases = tensor(&[groups * outputs], random);
    let results = (before + length + after - span) / stride + 1;
    let expected = by_index(&[results, groups * outputs], |at| {
        let mut sum = biases[[at[1]]];
        for u in 0..width {
            for c in 0..inputs {
                let place = (at[0] * stride + u * dilation) as isize - before as isize;
                let channel = at[1] / outputs * inputs + c;
                sum += kernel[[at[1], u, c]] * read(&x, &[place, channel as isize]).unwrap_or(0.0);
            }
        }
        sum
    });
    let fields = vec![
        ("kernel", Attribute::Tensor(kernel)),
        ("biases", Attribute::Tensor(biases)),
        ("stride", integers(&[stride])),
        ("dilation", integers(&[dilation])),
        ("groups", integers(&[groups])),
        ("before", integers(&[before])),
        ("after", integers(&[after])),
    ];
    Case { inputs: vec![x], fields, expected }
}

/// Every pixel adds its multiple of the kernel to the result.
fn transposed_convolution(random: &mut Random) -> Case {
    let x = image(random);
    let (height, width, channels) = (x.shape()[0], x.shape()[1], x.shape()[2]);
    let kernel = tensor(&[2, random.gen_range(1..=3), random.gen_range(1..=3), channels], random);
    let (h, w) = (kernel.shape()[1], kernel.shape()[2]);
    let biases = tensor(&[2], random);
    let stride = [random.gen_range(1..=3), random.gen_range(1..=3)];
    let full = [(height - 1) * stride[0] + h, (width - 1) * stride[1] + w];
    let mut sums = by_index(&[full[0], full[1], 2], |at| biases[[at[2]]]);
    for (i, j, c, u, v, o) in ndarray::indices((height, width, channels, h, w, 2)) {
        sums[[i * stride[0] + u, j * stride[1] + v, o]] += kernel[[o, u, v, c]] * x[[i, j, c]];
    }
    let cut = |length: usize, random: &mut Random| {
        let before = random.gen_range(0..length.min(4));
        (before, random.gen_range(0..(length - before).min(3)))
    };
    let ((top, bottom), (left, right)) = (cut(full[0], random), cut(full[1], random));
    let shape = [full[0] - top - bottom, full[1] - left - right, 2];
    let expected = by_index(&shape, |at| sums[[at[0] + top, at[1] + left, at[2]]]);
    let fields = vec![
        ("kernel", Attribute::Tensor(kernel)),
        ("biases", Attribute::Tensor(biases)),
        ("stride", integers(&stride)),
        ("before", integers(&[top, left])),
        ("after", integers(&[bottom, right])),
    ];
    Case { inputs: vec![x], fields, expected }
}

/// Integers less a zero point times a scale, both by output channel or for all of them, where there are so many axes in a row.
fn quantized(random: &mut Random, shape: &[usize]) -> (Vec<(&'static str, Attribute)>, ArrayD<f64>, ArrayD<f64>) {
    let outputs = shape[0];
    let whole = |shape: &[usize], random: &mut Random| tensor(shape, random).mapv(|x| (8.0 * x).round());
    let of_scales = if random.r#gen() { outputs } else { 1 };
    let scales = ArrayD::from_shape_fn(IxDyn(&[of_scales]), |at| 0.125 + 0.25 * at[0] as f64);
    let zeros = whole(&[of_scales], random);
    let (integers, biases) = (whole(shape, random), whole(&[outputs], random));
    let scale = |tensor: &ArrayD<f64>, output: usize| tensor[[if of_scales == 1 { 0 } else { output }]];
    let weights = by_index(shape, |at| scale(&scales, at[0]) * (integers[at] - scale(&zeros, at[0])));
    let name = if shape.len() == 4 { "kernel" } else { "weights" };
    let mut fields = vec![
        (name, Attribute::Tensor(integers)),
        ("weight_scale", Attribute::Tensor(scales.clone())),
        ("weight_zero_point", Attribute::Tensor(zeros)),
        ("biases", Attribute::Tensor(biases.clone())),
    ];
    let mut of_biases = biases.clone();
    if random.r#gen() {
        of_biases = by_index(&[outputs], |at| 0.5 * scale(&scales, at[0]) * biases[at]);
        fields.push(("bias_scale", Attribute::Tensor(0.5 * &scales)));
    }
    (fields, weights, of_biases)
}

fn quantized_convolution(random: &mut Random) -> Case {
    let (groups, outputs, inputs) = (random.gen_range(1..=2), random.gen_range(1..=2), random.gen_range(1..=2));
    let [h, w] = [0; 2].map(|_| random.gen_range(1..=3));
    let (stride, dilation) = (random.gen_range(1..=2), random.gen_range(1..=2));
    let (before, after) = (random.gen_range(0..=2), random.gen_range(0..=2));
    let [height, width] = [h, w].map(|size| (size - 1) * dilation + 1 + random.gen_range(0..=3));
    let x = tensor(&[height, width, groups * inputs], random);
    let (mut fields, kernel, biases) = quantized(random, &[groups * outputs, h, w, inputs]);
    let results = |length: usize, size: usize| (length + before + after - (size - 1) * dilation - 1) / stride + 1;
    let expected = by_index(&[results(height, h), results(width, w), groups * outputs], |at| {
        let mut sum = biases[[at[2]]];
        for (u, v, c) in ndarray::indices((h, w, inputs)) {
            let place = |at: usize, step: usize| (at * stride + step * dilation) as isize - before as isize;
            let channel = (at[2] / outputs * inputs + c) as isize;
            sum += kernel[[at[2], u, v, c]] * read(&x, &[place(at[0], u), place(at[1], v), channel]).unwrap_or(0.0);
        }
        sum
    });
    for (name, value) in [("stride", stride), ("dilation", dilation), ("before", before), ("after", after)] {
        fields.push((name, integers(&[value, value])));
    }
    fields.push(("groups", integers(&[groups])));
    Case { inputs: vec![x], fields, expected }
}

fn quantized_fully_connected(random: &mut Random) -> Case {
    let (outputs, inputs) = (random.gen_range(1..=4), random.gen_range(1..=4));
    let x = tensor(&[inputs], random);
    let (fields, weights, biases) = quantized(random, &[outputs, inputs]);
    let product = |output: usize| (0..inputs).map(|input| weights[[output, input]] * x[[input]]).sum::<f64>();
    let expected = by_index(&[outputs], |at| biases[at] + product(at[0]));
    Case { inputs: vec![x], fields, expected }
}

fn batch_norm(random: &mut Random) -> Case {
    let x = any_tensor(random);
    let channels = [*x.shape().last().expect("an axis")];
    let [scale, shift, mean] = [0; 3].map(|_| tensor(&channels, random));
    let variance = tensor(&channels, random).mapv(f64::abs);
    let expected = by_index(x.shape(), |at| {
        let c = at[at.len() - 1];
        scale[[c]] * (x[at] - mean[[c]]) / (variance[[c]] + 0.01).sqrt() + shift[[c]]
    });
    let fields = [("scale", scale), ("shift", shift), ("mean", mean), ("variance", variance)];
    let mut fields: Vec<_> = fields.into_iter().map(|(name, tensor)| (name, Attribute::Tensor(tensor))).collect();
    fields.push(("epsilon", Attribute::Number(0.01)));
    Case { inputs: vec![x], fields, expected }
}

fn affine(random: &mut Random) -> Case {
    let x = any_tensor(random);
    let shape = if random.r#gen() { x.shape().to_vec() } else { vec![*x.shape().last().expect("an axis")] };
    let (weights, biases) = (tensor(&shape, random), tensor(&shape, random));
    let at_shape = |tensor: &ArrayD<f64>| tensor.broadcast(x.raw_dim()).expect("it fits").to_owned();
    let mut fields =
        vec![("weights", Attribute::Tensor(weights.clone())), ("biases", Attribute::Tensor(biases.clone()))];
    let expected = match random.gen_range(0..3) {
        0 => &x * &at_shape(&fields.pop().map(|_| weights).expect("two fields")),
        1 => &x + &at_shape(&Some(fields.remove(0)).map(|_| biases).expect("two fields")),
        _ => &x * &at_shape(&weights) + at_shape(&biases),
    };
    Case { inputs: vec![x], fields, expected }
}

fn average_pool(random: &mut Random) -> Case {
    let x = image(random);
    let extents = [x.shape()[0], x.shape()[1]];
    let (mut window, mut stride, mut before, mut after) = ([0; 2], [0; 2], [0; 2], [0; 2]);
    for axis in [0, 1] {
        window[axis] = random.gen_range(1..=extents[axis].min(3));
        stride[axis] = random.gen_range(1..=window[axis]);
        before[axis] = random.gen_range(0..window[axis]);
        after[axis] = random.gen_range(0..window[axis]);
    }
    let count_padding = random.r#gen();
    let results = [0, 1].map(|axis| (before[axis] + extents[axis] + after[axis] - window[axis]) / stride[axis] + 1);
    let expected = by_index(&[results[0], results[1], x.shape()[2]], |at| {
        let cells = ndarray::indices((window[0], window[1])).into_iter().map(|(u, v)| {
            let place = |axis: usize, u: usize| (at[axis] * stride[axis] + u) as isize - before[axis] as isize;
            read(&x, &[place(0, u), place(1, v), at[2] as isize])
        });
        let cells: Vec<Option<f64>> = cells.collect();
        let inside: Vec<f64> = cells.iter().flatten().copied().collect();
        inside.iter().sum::<f64>() / if count_padding { cells.len() as f64 } else { inside.len() as f64 }
    });
    let fields = vec![
        ("window", integers(&window)),
        ("stride", integers(&stride)),
        ("before", integers(&before)),
        ("after", integers(&after)),
        ("count_padding", Attribute::Flag(count_padding)),
    ];
    Case { inputs: vec![x], fields, expected }
}

/// Along chosen axes, the last first, so that the others keep their numbers.
fn folded(x: &ArrayD<f64>, axes: &[usize], fold: impl Fn(&[f64]) -> f64) -> ArrayD<f64> {
    let kept: Vec<usize> = (0..x.ndim()).filter(|axis| !axes.contains(axis)).collect();
    let shape: Vec<usize> = kept.iter().map(|&axis| x.shape()[axis]).collect();
    let numbers = |at: &[usize]| {
        let of_result = |index: &IxDyn| kept.iter().zip(at).all(|(&axis, &at)| index[axis] == at);
        x.indexed_iter().filter(|(index, _)| of_result(index)).map(|(_, x)| *x).collect::<Vec<f64>>()
    };
    match shape.is_empty() {
        true => by_index(&[1], |_| fold(&numbers(&[]))),
        false => by_index(&shape, |at| fold(&numbers(at))),
    }
}

fn fold_of(name: &str) -> fn(&[f64]) -> f64 {
    match name {
        "reduce_sum" => |numbers| numbers.iter().sum(),
        "reduce_mean" | "global_average_pool" => |numbers| numbers.iter().sum::<f64>() / numbers.len() as f64,
        "reduce_min" => |numbers| numbers.iter().copied().fold(f64::INFINITY, f64::min),
        _ => |numbers| numbers.iter().copied().fold(f64::NEG_INFINITY, f64::max),
    }
}

fn reduce(name: &str, random: &mut Random) -> Case {
    let x = any_tensor(random);
    let mut axes: Vec<usize> = (0..x.ndim()).collect();
    axes.shuffle(random);
    axes.truncate(random.gen_range(1..=x.ndim()));
    let expected = folded(&x, &axes, fold_of(name));
    Case { inputs: vec![x], fields: vec![("axes", integers(&axes))], expected }
}

/// Tensors of shapes that broadcast, and what `combine` makes of their elements.
fn broadcast(count: usize, random: &mut Random, combine: impl Fn(&[f64]) -> f64) -> Case {
    let shape: Vec<usize> = (0..random.gen_range(1..=3)).map(|_| random.gen_range(1..=4)).collect();
    let part = |random: &mut Random| {
        let own =
            shape[random.gen_range(0..shape.len())..].iter().map(|&length| if random.r#gen() { length } else { 1 });
        own.collect::<Vec<usize>>()
    };
    let mut shapes: Vec<Vec<usize>> = (0..count).map(|_| part(random)).collect();
    let at = random.gen_range(0..count);
    shapes[at] = shape.clone();
    let inputs: Vec<ArrayD<f64>> = shapes.iter().map(|shape| tensor(shape, random)).collect();
    let spread: Vec<_> = inputs.iter().map(|x| x.broadcast(IxDyn(&shape)).expect("it fits").to_owned()).collect();
    let expected = by_index(&shape, |at| combine(&spread.iter().map(|x| x[at]).collect::<Vec<f64>>()));
    Case { inputs, fields: Vec::new(), expected }
}

fn each(random: &mut Random, fields: Vec<(&'static str, Attribute)>, function: impl Fn(f64) -> f64) -> Case {
    let x = any_tensor(random);
    let expected = x.mapv(function);
    Case { inputs: vec![x], fields, expected }
}

fn view(name: &str, random: &mut Random) -> Case {
    let x = any_tensor(random);
    let shape = x.shape().to_vec();
    let axis = random.gen_range(0..shape.len());
    let along = |indices: &[usize]| {
        let mut longer = shape.clone();
        longer[axis] = indices.len();
        by_index(&longer, |at| {
            let mut from = at.to_vec();
            from[axis] = indices[at[axis]];
            x[&from[..]]
        })
    };
    let (fields, expected) = match name {
        "slice" => {
            let start = random.gen_range(0..shape[axis]);
            let (end, step) = (random.gen_range(start + 1..=shape[axis]), random.gen_range(1..=2));
            let indices: Vec<usize> = (start..end).filter(|at| (at - start) % step == 0).collect();
            let fields = [("axis", axis), ("start", start), ("end", end), ("step", step)];
            (fields.map(|(name, integer)| (name, integers(&[integer]))).to_vec(), along(&indices))
        }
        "gather" => {
            let indices: Vec<usize> = (0..random.gen_range(1..=5)).map(|_| random.gen_range(0..shape[axis])).collect();
            (vec![("axis", integers(&[axis])), ("indices", integers(&indices))], along(&indices))
        }
        "reshape" => {
            let to = [1, x.len(), 1];
            (vec![("shape", integers(&to))], by_index(&to, |at| *x.iter().nth(at[1]).expect("as many")))
        }
        "transpose" => {
            let mut axes: Vec<usize> = (0..shape.len()).collect();
            axes.shuffle(random);
            (vec![("axes", integers(&axes))], x.clone().permuted_axes(IxDyn(&axes)))
        }
        _ => {
            let repeats: Vec<usize> = shape.iter().map(|_| random.gen_range(1..=3)).collect();
            let to: Vec<usize> = shape.iter().zip(&repeats).map(|(length, count)| length * count).collect();
            let from = |at: &[usize]| at.iter().zip(&shape).map(|(at, length)| at % length).collect::<Vec<usize>>();
            (vec![("repeats", integers(&repeats))], by_index(&to, |at| x[&from(at)[..]]))
        }
    };
    Case { inputs: vec![x], fields, expected }
}

/// By how many elements come before each.
fn ranks(name: &str, random: &mut Random) -> Case {
    let x = any_tensor(random);
    let axis = random.gen_range(0..x.ndim());
    let count = if name == "top_k" { random.gen_range(1..=x.shape()[axis]) } else { 1 };
    let key = |index: &[usize]| if name == "top_k" { -x[index] } else { x[index] };
    let mut shape = x.shape().to_vec();
    shape[axis] = count;
    let mut expected = ArrayD::from_elem(IxDyn(&shape), -1.0);
    for (index, _) in x.indexed_iter() {
        let mut other = index.slice().to_vec();
        let comes_before = |at: &usize| {
            other[axis] = *at;
            (key(&other), *at) < (key(index.slice()), index[axis])
        };
        let rank = (0..x.shape()[axis]).filter(comes_before).count();
        if rank < count {
            let mut at = index.clone();
            at[axis] = rank;
            expected[at] = index[axis] as f64;
        }
    }
    let mut fields = vec![("axis", integers(&[axis]))];
    if name == "top_k" {
        fields.push(("k", integers(&[count])));
    } else if x.ndim() == 1 {
        fields.clear();
    }
    Case { inputs: vec![x], fields, expected }
}

fn spread(name: &str, random: &mut Random) -> Case {
    match name {
        "upsample" => {
            let (x, factor) = (image(random), [random.gen_range(1..=3), random.gen_range(1..=3)]);
            let to = [x.shape()[0] * factor[0], x.shape()[1] * factor[1], x.shape()[2]];
            let expected = by_index(&to, |at| x[[at[0] / factor[0], at[1] / factor[1], at[2]]]);
            Case { inputs: vec![x], fields: vec![("factor", integers(&factor))], expected }
        }
        "expand" => {
            let to = [random.gen_range(1..=3), random.gen_range(1..=4), random.gen_range(1..=3)];
            let x = tensor(&[[1, to[1]][random.gen_range(0..2)], [1, to[2]][random.gen_range(0..2)]], random);
            let expected = x.broadcast(IxDyn(&to)).expect("it fits").to_owned();
            Case { inputs: vec![x], fields: vec![("shape", integers(&to))], expected }
        }
        _ => {
            let (first, axis) = (any_tensor(random), 0);
            let mut shape = first.shape().to_vec();
            shape[axis] = random.gen_range(1..=3);
            let inputs = vec![first.clone(), tensor(&shape, random), first];
            let views: Vec<_> = inputs.iter().map(|input| input.view()).collect();
            let expected = ndarray::concatenate(ndarray::Axis(axis), &views).expect("they fit");
            Case { inputs, fields: vec![("axis", integers(&[axis]))], expected }
        }
    }
}

fn case(name: &str, random: &mut Random) -> Case {
    let several = random.gen_range(2..=3);
    let number = Attribute::Number;
    match name {
        "convolution_1d" => convolution_1d(random),
        "transposed_convolution" => transposed_convolution(random),
        "batch_norm" => batch_norm(random),
        "affine" => affine(random),
        "quantized_convolution" => quantized_convolution(random),
        "quantized_fully_connected" => quantized_fully_connected(random),
        // Halves, of which there are many, go to the even multiple.
        "quantize" => match random.gen_range(0..2) {
            0 => each(random, vec![("scale", number(0.25))], |x| 0.25 * (4.0 * x).round_ties_even()),
            _ => {
                let fields = [("scale", 0.25), ("zero_point", 7.0), ("least", 0.0), ("greatest", 15.0)];
                let fields = fields.into_iter().map(|(name, value)| (name, number(value))).collect();
                each(random, fields, |x| 0.25 * (4.0 * x).round_ties_even().clamp(-7.0, 8.0))
            }
        },
        "average_pool" => average_pool(random),
        "global_average_pool" | "global_max_pool" => {
            let x = image(random);
            let expected = folded(&x, &[0, 1], fold_of(name));
            Case { inputs: vec![x], fields: Vec::new(), expected }
        }
        "reduce_sum" | "reduce_mean" | "reduce_max" | "reduce_min" => reduce(name, random),
        "add" => broadcast(several, random, |x| x.iter().sum()),
        "subtract" => broadcast(2, random, |x| x[0] - x[1]),
        "multiply" => broadcast(several, random, |x| x.iter().product()),
        "maximum" => broadcast(several, random, fold_of("reduce_max")),
        "minimum" => broadcast(several, random, fold_of("reduce_min")),
        "square" => each(random, Vec::new(), |x| x * x),
        "negate" => each(random, Vec::new(), |x| -x),
        "absolute" => each(random, Vec::new(), f64::abs),
        "leaky_relu" => {
            let slope = [0.0, 0.25, 1.5, -0.5][random.gen_range(0..4)];
            each(random, vec![("slope", number(slope))], |x| if x > 0.0 { x } else { slope * x })
        }
        "clip" => match random.gen_range(0..3) {
            0 => each(random, vec![("least", number(-1.5))], |x| x.max(-1.5)),
            1 => each(random, vec![("greatest", number(2.25))], |x| x.min(2.25)),
            _ => each(random, vec![("least", number(0.5)), ("greatest", number(3.0))], |x| x.clamp(0.5, 3.0)),
        },
        "upsample" | "expand" | "concat" => spread(name, random),
        "argmin" | "top_k" => ranks(name, random),
        name => view(name, random),
    }
}

/// The layer alone, reading inputs of these shapes: slices of the model's input, but for a single one.
fn model_of(composed: &Composed, inputs: &[ArrayD<f64>]) -> Model {
    let all: usize = inputs.iter().map(|input| input.len()).sum();
    let mut layers = Vec::new();
    let mut names = Vec::new();
    let mut start = 0;
    for (nth, input) in inputs.iter().enumerate() {
        let end = start + input.len();
        let fields = [("axis", 0), ("start", start), ("end", end)].map(|(name, integer)| (name, integers(&[integer])));
        let slice = Composed::new("slice", fields).expect("a slice");
        let reshape = Composed::new("reshape", [("shape", integers(input.shape()))]).expect("a reshape");
        let [part, name] = [format!("part {nth}"), format!("operand {nth}")];
        layers.push(Layer::new(LayerKind::Composed(slice), [all]).named(&part).reading(&["input"]));
        layers.push(Layer::new(LayerKind::Composed(reshape), [input.len()]).named(&name).reading(&[&part]));
        names.push(name);
        start = end;
    }
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    layers.push(Layer::new(LayerKind::Composed(composed.clone()), inputs[0].shape()).reading(&names));
    Model::new(layers, None).unwrap_or_else(|error| panic!("{composed:?}: {error}"))
}

#[test]
fn layers_are_their_definitions() {
    let mut random = Random::seed_from_u64(1);
    for layer_type in layer_types() {
        for _ in 0..60 {
            let Case { inputs, fields, expected } = case(layer_type.name, &mut random);
            let composed = Composed::new(layer_type.name, fields).expect("the fields are the type's");
            let model = model_of(&composed, &inputs);
            let flat: Vec<f64> = inputs.iter().flatten().copied().collect();
            let result = nn::run(&model, &ndarray::Array1::from(flat.clone()).into_dyn()).expect("its input");
            assert_eq!(result.shape(), expected.shape(), "{composed:?}");
            assert_eq!(model.output_shape(), expected.shape(), "{composed:?}");
            for (got, expected) in result.iter().zip(&expected) {
                assert!((got - expected).abs() <= 1e-9 * expected.abs().max(1.0), "{composed:?}: {result} {expected}");
            }
            // Through JSON and back it is the same.
            let mut text = Vec::new();
            model.write(&mut text).expect("written");
            let again = Model::parse("again.json", String::from_utf8(text).expect("text")).expect("a model");
            let same = again.layers().iter().zip(model.layers()).all(|(a, b)| a.kind == b.kind);
            assert!(same && again.layers().len() == model.layers().len(), "{composed:?}");
        }
    }
}

/// No two types have one name, nor one that a layer of another sort has.
#[test]
fn names_are_distinct() {
    let names: Vec<&str> = layer_types().map(|layer_type| layer_type.name).collect();
    assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len());
}

#[test]
fn fields_of_other_kinds_are_no_layer() {
    assert!(Composed::new("clip", [("least", Attribute::Number(0.0))]).is_ok());
    assert!(Composed::new("clip", [("least", integers(&[0]))]).is_err());
    assert!(Composed::new("clip", [("slope", Attribute::Number(0.0))]).is_err());
    assert!(Composed::new("leaky_relu", []).is_err());
    assert!(Composed::new("average_pool", [("window", integers(&[2, 0]))]).is_err());
    assert!(Composed::new("sigmoid", []).is_err());
}

/// The layer with its tensors as integers.
fn with_integers(fields: Vec<(&'static str, Attribute)>) -> Vec<(&'static str, Attribute)> {
    let integral = |attribute| match attribute {
        Attribute::Tensor(tensor) => Attribute::Tensor(tensor * 8.0),
        Attribute::Number(number) => Attribute::Number((number * 8.0).ceil()),
        other => other,
    };
    fields.into_iter().map(|(name, attribute)| (name, integral(attribute))).collect()
}

/// In integers, exactly where they need no rounding, and in circuits; each type is proved once in either way.
#[test]
fn layers_are_computed_and_proved() {
    let mut random = Random::seed_from_u64(2);
    let (mut exact, mut rounded) = (BTreeSet::new(), BTreeSet::new());
    for layer_type in layer_types() {
        for nth in 0..6 {
            let Case { inputs, fields, .. } = case(layer_type.name, &mut random);
            let (factor, fields) = if nth % 2 == 0 { (8.0, with_integers(fields)) } else { (1.0, fields) };
            let composed = Composed::new(layer_type.name, fields).expect("the fields are the type's");
            let model = model_of(&composed, &inputs);
            let input = inputs.iter().flatten().map(|x| x * factor).collect::<ndarray::Array1<f64>>().into_dyn();
            let others = (0..8).map(|_| tensor(input.shape(), &mut random) * factor);
            let calibration: Vec<ArrayD<f64>> = others.chain([input.clone()]).collect();
            let views: Vec<_> = calibration.iter().map(|input| input.view()).collect();
            let lowering = crate::Lowering {
                input_range: Some((-40, 40)),
                bits: (factor == 1.0).then_some(12),
                calibration: vec![ndarray::stack(ndarray::Axis(0), &views).expect("one shape")],
                ..crate::Lowering::default()
            };
            let graph = crate::lower(&model, &lowering, &mut |_, _| {});
            let graph = graph.unwrap_or_else(|error| panic!("{composed:?}: {error}"));
            let fixed = crate::input::integers(&graph, &input).expect("in range");
            let values = zknn_ir::eval::eval_fixed(&graph, &fixed).expect("in range");
            let scale = graph.node(graph.output()).fact.scale().expect("integers");
            let expected = nn::run(&model, &input).expect("its input");
            let rounds = crate::input::rounds(&graph);
            let reach = expected.iter().fold(0.0, |reach, x| f64::max(reach, x.abs()));
            for (&got, expected) in values.output().iter().zip(&expected) {
                let error = (got as f64 * scale - expected).abs();
                assert!(error <= if rounds { 0.02 * reach } else { 0.0 }, "{composed:?}: off by {error} of {reach}");
            }
            let is_new = if rounds { &mut rounded } else { &mut exact }.insert(layer_type.name);
            proves(&graph, &fixed, is_new);
        }
    }
    assert_eq!(rounded.len(), layer_types().count());
    // The rest have no weights, or fractions for weights.
    let with_integers = ["affine", "convolution_1d", "transposed_convolution", "subtract", "negate", "minimum", "clip"];
    let missing: Vec<_> = with_integers.into_iter().filter(|name| !exact.contains(name)).collect();
    assert!(missing.is_empty(), "{missing:?} never exact");
}

/// A plan's witness breaks nothing, and makes a proof that holds.
fn proves(graph: &Graph, input: &ArrayD<i64>, with_proof: bool) {
    use crate::circuit::{AnyProver, Binding, Checker, Secrets, Timings, Witness, shape_of, verify};
    use crate::plan::security::{HashKind, Level, Scheme};
    use crate::plan::{Plan, Visibility};
    let scheme = Scheme { zero_knowledge: false, hash: HashKind::Blake3, level: Level::Conjectured };
    let plan = Plan::new(graph, Visibility::Committed, scheme).expect("a plan");
    let flat: Vec<i64> = input.iter().copied().collect();
    let witness = Witness::new(&plan, &flat, Secrets::fresh());
    let checker = Checker::new(&plan);
    let violations = checker.check(&witness);
    assert!(violations.is_empty(), "{}", checker.describe(&violations[0]));
    if with_proof {
        let prover = AnyProver::new(&plan, HashKind::Blake3);
        let proof = prover.prove(&witness, &Binding::default(), &mut Timings::default()).expect("a proof");
        let public = verify(HashKind::Blake3, &shape_of(&plan), &prover.cap(), &Binding::default(), &proof);
        assert_eq!(public.expect("it holds"), witness.public);
    }
}
