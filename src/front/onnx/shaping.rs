//! Operators that move elements.

use super::super::{Attribute, LayerKind};
use super::importer::{Importer, Stream, Value, integers};
use super::node::{Imported, Node, length_of, refused};

/// Flatten: the axes before one become the first, and the others the second.
pub(super) fn flatten(importer: &mut Importer, node: &Node<'_>) -> Imported<Stream> {
    let x = importer.stream(node, 0)?;
    let (full, axis) = (x.full_shape(), node.int("axis", 1));
    let at = if axis == full.len() as i64 { full.len() } else { x.full_axis(axis)? };
    let length = |lengths: &[usize]| lengths.iter().product();
    importer.reshaped_to(node.name(), &x, &[length(&full[..at]), length(&full[at..])])
}

/// Reshape to a constant shape, of which -1 stands for what is left and 0 for the axis of the operand.
pub(super) fn reshape(importer: &mut Importer, node: &Node<'_>) -> Imported<Stream> {
    let x = importer.stream(node, 0)?;
    let asked = importer.constant(node, 1)?.integers();
    let keeps_zero = node.int("allowzero", 0) != 0;
    let from = x.full_shape();
    let all: usize = from.iter().product();
    let length = |(at, &length): (usize, &i64)| match length {
        0 if !keeps_zero => from.get(at).copied(),
        -1 => Some(0),
        length => usize::try_from(length).ok(),
    };
    let wrong = || refused(format!("it makes {asked:?} of {from:?}"), "the new shape must have as many elements");
    let Some(mut shape) = asked.iter().enumerate().map(length).collect::<Option<Vec<usize>>>() else { return wrong() };
    let product = |shape: &[usize]| shape.iter().try_fold(1usize, |product, length| product.checked_mul(*length));
    let known: Vec<usize> = shape.iter().copied().filter(|length| *length > 0).collect();
    let Some(known) = product(&known) else { return wrong() };
    for length in shape.iter_mut().filter(|length| **length == 0) {
        *length = all / known.max(1);
    }
    if product(&shape) == Some(all) { importer.reshaped_to(node.name(), &x, &shape) } else { wrong() }
}

/// Squeeze and Unsqueeze, whose axes are an attribute in old versions and an operand in new ones.
pub(super) fn squeeze(importer: &mut Importer, node: &Node<'_>) -> Imported<Stream> {
    let x = importer.stream(node, 0)?;
    let axes = importer.ints(node, "axes", 1)?;
    let mut shape = x.full_shape();
    if node.proto.op_type == "Squeeze" {
        let gone = match axes {
            Some(axes) => axes.iter().map(|&axis| x.full_axis(axis)).collect::<Imported<Vec<usize>>>()?,
            None => (0..shape.len()).filter(|&axis| shape[axis] == 1).collect(),
        };
        if gone.iter().any(|&axis| shape[axis] != 1) {
            return refused(format!("it takes axes {gone:?} out of {shape:?}"), "only axes of length one can go");
        }
        shape = shape.into_iter().enumerate().filter(|(at, _)| !gone.contains(at)).map(|(_, length)| length).collect();
    } else {
        let axes = axes.unwrap_or_default();
        let rank = (shape.len() + axes.len()) as i64;
        let mut places: Vec<i64> = axes.iter().map(|&axis| if axis < 0 { axis + rank } else { axis }).collect();
        places.sort_unstable();
        for place in places {
            match usize::try_from(place) {
                Ok(at) if at <= shape.len() => shape.insert(at, 1),
                _ => return refused(format!("it makes axes {axes:?}"), "see the operator's definition"),
            }
        }
    }
    importer.reshaped_to(node.name(), &x, &shape)
}

/// Transpose. A batch axis has length one, so where it goes makes no difference to the others.
pub(super) fn transpose(importer: &mut Importer, node: &Node<'_>) -> Imported<Stream> {
    let x = importer.stream(node, 0)?;
    let full = x.full_shape();
    let reversed: Vec<i64> = (0..full.len() as i64).rev().collect();
    let order = node.ints("perm").unwrap_or(&reversed).iter().map(|&axis| x.full_axis(axis));
    let order: Vec<usize> = order.collect::<Imported<_>>()?;
    let mut sorted = order.clone();
    sorted.sort_unstable();
    if !sorted.iter().copied().eq(0..full.len()) {
        return refused(format!("`perm` is {order:?}"), "it must name each axis once");
    }
    let shape: Vec<usize> = order.iter().map(|&axis| full[axis]).collect();
    let others: Vec<usize> = order.iter().filter_map(|axis| axis.checked_sub(usize::from(x.has_batch()))).collect();
    let x = importer.in_order(&x)?;
    let turned = importer.compose(node.name(), "transpose", vec![("axes", integers(others))], &[&x])?;
    let turned = turned.quantized_to(x.quantized);
    importer.reshaped_to(&format!("{}, with its axes", node.name()), &turned, &shape)
}

/// Concat.
pub(super) fn concat(importer: &mut Importer, node: &Node<'_>) -> Imported<Stream> {
    let mut streams = Vec::new();
    for value in importer.operands(node)? {
        match value {
            Value::Stream(stream) => streams.push(stream),
            Value::Constant(_) => return refused("one of its operands is a constant", "all must depend on the input"),
        }
    }
    concat_of(importer, node, streams)
}

/// Streams end to end along the axis of a node.
pub(super) fn concat_of(importer: &mut Importer, node: &Node<'_>, streams: Vec<Stream>) -> Imported<Stream> {
    let Some(first) = streams.first().cloned() else {
        return refused("it has no operands", "see the operator's definition");
    };
    let axis = first.axis(node.int("axis", 1))?;
    if let [only] = &streams[..] {
        return Ok(only.clone());
    }
    // Images end to end by channel need not be turned.
    let is_last = axis == 0 && streams.iter().all(Stream::is_last);
    let brought = importer.in_one_order(&streams, is_last)?;
    let axis = if is_last { first.shape.len() - 1 } else { axis };
    let reads: Vec<&Stream> = brought.iter().collect();
    Ok(importer.compose(node.name(), "concat", vec![("axis", integers(vec![axis]))], &reads)?.with_layer_order(is_last))
}

/// Pad with a constant, its borders an attribute in old versions and an operand in new ones.
pub(super) fn pad(importer: &mut Importer, node: &Node<'_>) -> Imported<Stream> {
    let mode = node.text("mode").unwrap_or("constant");
    if mode != "constant" {
        return refused(format!("`mode` is {mode}"), "borders of one number are supported");
    }
    let x = importer.stream(node, 0)?;
    let pads = importer.ints(node, "pads", 1)?.unwrap_or_default();
    let (axes, batch) = (x.full_shape().len(), usize::from(x.has_batch()));
    let lengths: Option<Vec<usize>> = pads.iter().map(|&pad| length_of(pad)).collect();
    let fits = |lengths: &Vec<usize>| lengths.len() == 2 * axes && (batch == 0 || lengths[0] + lengths[axes] == 0);
    let Some(lengths) = lengths.filter(fits) else {
        return refused(
            format!("its borders are {pads:?}"),
            "two for each axis, none negative, and none for the batch axis",
        );
    };
    if importer.optional_constant(node, 3)?.is_some() {
        return refused("it names axes", "give borders for all axes");
    }
    let value = importer.number(node, "value", 2)?;
    let x = importer.in_order(&x)?;
    let (before, after) = (lengths[batch..axes].to_vec(), lengths[axes + batch..].to_vec());
    importer.push(node.name(), LayerKind::Padding { before, after, value: value.unwrap_or(0.0) }, &[&x])
}

/// ArgMax and ArgMin, of equals the first.
pub(super) fn argmax(importer: &mut Importer, node: &Node<'_>) -> Imported<Stream> {
    node.only("select_last_index", 0)?;
    let x = importer.stream(node, 0)?;
    let axis = x.axis(node.int("axis", 0))?;
    let x = importer.in_order(&x)?;
    let chosen = match node.proto.op_type == "ArgMax" {
        true => importer.push(node.name(), LayerKind::Argmax { axis: Some(axis) }, &[&x])?,
        false => importer.compose(node.name(), "argmin", vec![("axis", integers(vec![axis]))], &[&x])?,
    };
    let (mut shape, axis) = (x.full_shape(), axis + usize::from(x.has_batch()));
    shape[axis] = 1;
    if node.int("keepdims", 1) == 0 {
        shape.remove(axis);
    }
    importer.reshaped_to(&format!("{}, with its axes", node.name()), &chosen, &shape)
}

/// Slice by constants, along axes that are not the batch axis, forwards.
pub(super) fn slice(importer: &mut Importer, node: &Node<'_>) -> Imported<Stream> {
    let x = importer.stream(node, 0)?;
    let given = |name: &str, at: usize| importer.ints(node, name, at);
    let (starts, ends) = (given("starts", 1)?.unwrap_or_default(), given("ends", 2)?.unwrap_or_default());
    let axes = given("axes", 3)?.unwrap_or((0..starts.len() as i64).collect());
    let steps = importer.optional_constant(node, 4)?.map_or(vec![1; starts.len()], |steps| steps.integers());
    if [ends.len(), axes.len(), steps.len()] != [starts.len(); 3] {
        return refused("starts, ends, axes and steps are not as many", "give one of each for each axis");
    }
    let mut x = importer.in_order(&x)?;
    for (at, &axis) in axes.iter().enumerate() {
        let (start, end, step) = (starts[at], ends[at], steps[at]);
        if x.has_batch() && x.full_axis(axis)? == 0 && start == 0 && end >= 1 && step == 1 {
            continue;
        }
        let axis = x.axis(axis)?;
        let length = x.shape[axis] as i64;
        let place = |at: i64| if at < 0 { at + length } else { at }.clamp(0, length) as usize;
        let (start, end) = (place(start), place(end));
        if step < 1 || start >= end {
            return refused(
                format!("it takes {start} to {end} in steps of {step}"),
                "slices that go forwards and are not empty are supported",
            );
        }
        let numbers = [("axis", axis), ("start", start), ("end", end), ("step", step as usize)];
        let fields = numbers.map(|(field, number)| (field, integers(vec![number]))).to_vec();
        let name =
            if at + 1 == axes.len() { node.name().to_string() } else { format!("{}, along axis {axis}", node.name()) };
        x = importer.compose(&name, "slice", fields, &[&x])?;
    }
    Ok(x)
}

/// What gives its operand as it is: Identity, and Dropout as it is after training.
pub(super) fn identity(importer: &mut Importer, node: &Node<'_>) -> Imported<Value> {
    let trains = importer.optional_constant(node, 2)?.is_some_and(|trains| trains.data.iter().any(|flag| *flag != 0.0));
    if trains {
        return refused("it is in training mode", "export the network for inference");
    }
    importer.required(node, 0).cloned()
}

/// Upsampling by whole factors, each element repeated.
pub(super) fn upsample(importer: &mut Importer, node: &Node<'_>) -> Imported<Stream> {
    let mode = node.text("mode").unwrap_or("nearest");
    let is_floor = node.text("nearest_mode").is_none_or(|mode| mode == "floor" || mode == "round_prefer_floor");
    let by = node.text("coordinate_transformation_mode").unwrap_or("half_pixel");
    let at = if node.proto.op_type == "Resize" && node.version > 10 { 2 } else { 1 };
    let scales = node
        .floats("scales")
        .or(importer.optional_constant(node, at)?.map(|scales| scales.reals().into_iter().collect()));
    let x = importer.sample(node, 0)?;
    let factors = scales.unwrap_or_default();
    let is_whole = factors.iter().all(|factor| *factor >= 1.0 && factor.fract() == 0.0);
    let ([1.0, 1.0, down, right], true, "nearest", true) =
        (&factors[..], is_whole && x.shape.len() == 3, mode, is_floor && (by == "asymmetric" || by == "half_pixel"))
    else {
        return refused(
            format!("it resizes by {factors:?} in mode {mode}, {by}"),
            "images whose elements are repeated a whole number of times are supported",
        );
    };
    let factor = Attribute::Integers(vec![*down as usize, *right as usize]);
    let x = importer.channels_last(&x)?;
    Ok(importer.compose(node.name(), "upsample", vec![("factor", factor)], &[&x])?.with_layer_order(true))
}
