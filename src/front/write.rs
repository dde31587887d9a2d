//! Writing JSON byte for byte as Python's `json.dump` does, so that a file can be compared with the original.

use std::io::{self, BufWriter, Write};

use ndarray::ArrayD;

use super::{Attribute, Composed, INPUT, Last, LayerKind, Model, ModelInput};

pub(super) fn model(model: &Model, w: impl Write) -> io::Result<()> {
    let w = &mut BufWriter::with_capacity(1 << 16, w);
    write!(w, "{{")?;
    if let Some((lo, hi)) = model.input_range {
        write!(w, "\"input_range\": [{lo}, {hi}], ")?;
    }
    ends(w, model)?;
    write!(w, "\"layers\": [")?;
    for (index, layer) in model.layers.iter().enumerate() {
        let separator = if index == 0 { "" } else { ", " };
        // A list of integers has the same form in Python and in Rust.
        let (layer_type, input_shape) = (layer.kind.layer_type(), &layer.input_shape);
        write!(w, "{separator}{{\"layer_type\": \"{layer_type}\", \"input_shape\": {input_shape:?}")?;
        match &layer.kind {
            LayerKind::Convolution { kernel, biases, steps } => {
                fields(w, [("kernel", Some(kernel)), ("biases", biases.as_ref())])?;
                for (field, sides) in [("stride", steps.stride), ("dilation", steps.dilation)] {
                    if sides != [1, 1] {
                        write!(w, ", \"{field}\": {sides:?}")?;
                    }
                }
                if steps.groups != 1 {
                    write!(w, ", \"groups\": {}", steps.groups)?;
                }
                edges(w, steps.before, steps.after)?;
            }
            LayerKind::FullyConnected { weights, biases } => {
                fields(w, [("weights", Some(weights)), ("biases", biases.as_ref())])?;
            }
            LayerKind::MaxPool { window, stride, before, after } => {
                match window {
                    [height, width] if height == width => write!(w, ", \"window\": {height}")?,
                    window => write!(w, ", \"window\": {window:?}")?,
                }
                if let Some(stride) = stride {
                    write!(w, ", \"stride\": {stride:?}")?;
                }
                edges(w, *before, *after)?;
            }
            LayerKind::Padding { before, after, value } => {
                write!(w, ", \"before\": {before:?}, \"after\": {after:?}")?;
                if *value != 0.0 {
                    write!(w, ", \"value\": ")?;
                    float(w, *value)?;
                }
            }
            LayerKind::Composed(composed) => attributes(w, composed)?,
            LayerKind::Argmax { axis: Some(axis) } => write!(w, ", \"axis\": {axis}")?,
            LayerKind::Relu | LayerKind::Flatten | LayerKind::Normalize | LayerKind::Argmax { axis: None } => {}
        }
        if let Some(name) = &layer.name {
            write!(w, ", \"name\": {}", serde_json::to_string(name)?)?;
        }
        if let Some(inputs) = &layer.inputs {
            let names = inputs.iter().map(serde_json::to_string).collect::<Result<Vec<_>, _>>()?;
            write!(w, ", \"inputs\": [{}]", names.join(", "))?;
        }
        write!(w, "}}")?;
    }
    write!(w, "]}}")?;
    w.flush()
}

/// The inputs and outputs, where they are not what they would be without a word.
fn ends(w: &mut impl Write, model: &Model) -> io::Result<()> {
    if !matches!(model.inputs(), [only] if only.name == INPUT && only.range.is_none()) {
        let input = |input: &ModelInput| {
            let name = serde_json::to_string(&input.name)?;
            let range = input.range.map(|(lo, hi)| format!(", \"range\": [{lo}, {hi}]")).unwrap_or_default();
            Ok(format!("{{\"name\": {name}, \"shape\": {:?}{range}}}", input.shape))
        };
        let inputs = model.inputs().iter().map(input).collect::<io::Result<Vec<_>>>()?;
        write!(w, "\"inputs\": [{}], ", inputs.join(", "))?;
    }
    if model.outputs() != [model.layers.len() - 1] {
        // An output that is not the last layer's was named.
        let names = model.outputs().iter().map(|&layer| serde_json::to_string(&model.layers[layer].name));
        write!(w, "\"outputs\": [{}], ", names.collect::<Result<Vec<_>, _>>()?.join(", "))?;
    }
    if model.omitted().iter().any(Option::is_some) {
        let names: Vec<String> =
            model.omitted().iter().map(|last| format!("\"{}\"", last.map_or("none", Last::name))).collect();
        write!(w, "\"omitted\": [{}], ", names.join(", "))?;
    }
    Ok(())
}

pub(super) fn tensor_file(tensor: &ArrayD<f64>, w: impl Write) -> io::Result<()> {
    let w = &mut BufWriter::with_capacity(1 << 16, w);
    write_tensor(w, tensor)?;
    w.flush()
}

fn fields<const N: usize>(w: &mut impl Write, fields: [(&str, Option<&ArrayD<f64>>); N]) -> io::Result<()> {
    for (field, tensor) in fields {
        if let Some(tensor) = tensor {
            write!(w, ", \"{field}\": ")?;
            write_tensor(w, tensor)?;
        }
    }
    Ok(())
}

fn edges(w: &mut impl Write, before: [usize; 2], after: [usize; 2]) -> io::Result<()> {
    for (field, edges) in [("before", before), ("after", after)] {
        if edges != [0, 0] {
            write!(w, ", \"{field}\": {edges:?}")?;
        }
    }
    Ok(())
}

fn attributes(w: &mut impl Write, composed: &Composed) -> io::Result<()> {
    for (field, attribute) in composed.fields() {
        write!(w, ", \"{}\": ", field.name)?;
        match attribute {
            Attribute::Tensor(tensor) => write_tensor(w, tensor)?,
            Attribute::Number(number) => float(w, *number)?,
            Attribute::Flag(flag) => write!(w, "{flag}")?,
            Attribute::Integers(integers) if field.kind.is_single() => write!(w, "{}", integers[0])?,
            Attribute::Integers(integers) => write!(w, "{integers:?}")?,
        }
    }
    Ok(())
}

fn write_tensor(w: &mut impl Write, tensor: &ArrayD<f64>) -> io::Result<()> {
    write!(w, "{{\"v\": 1, \"dim\": {:?}, \"data\": [", tensor.shape())?;
    let mut separator = "";
    for number in tensor {
        w.write_all(separator.as_bytes())?;
        float(w, *number)?;
        separator = ", ";
    }
    write!(w, "]}}")
}

/// `repr(float)`: the fewest digits that read back as the same number, with an exponent below 1e-4 and from 1e16 on.
fn float(w: &mut impl Write, number: f64) -> io::Result<()> {
    if !number.is_finite() {
        return Err(io::Error::new(io::ErrorKind::InvalidData, format!("JSON has no number {number}")));
    }
    let size = number.abs();
    if number == 0.0 || (1e-4..1e16).contains(&size) {
        return write!(w, "{number:?}");
    }
    let scientific = format!("{number:e}");
    match scientific.split_once('e') {
        Some((digits, exponent)) => {
            let (sign, exponent) = match exponent.strip_prefix('-') {
                Some(exponent) => ('-', exponent),
                None => ('+', exponent),
            };
            write!(w, "{digits}e{sign}{exponent:0>2}")
        }
        None => w.write_all(scientific.as_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each right side is what Python prints for `json.dumps(float(left))`.
    #[test]
    fn numbers_are_written_as_python_writes_them() {
        let python = [
            (0.0, "0.0"),
            (-0.0, "-0.0"),
            (-5.0, "-5.0"),
            (0.1, "0.1"),
            (1e-4, "0.0001"),
            (0.00012345, "0.00012345"),
            (9.9999e-5, "9.9999e-05"),
            (1e-100, "1e-100"),
            (9999999999999998.0, "9999999999999998.0"),
            (1e16, "1e+16"),
            (-1.25e22, "-1.25e+22"),
            (f64::MAX, "1.7976931348623157e+308"),
            (5e-324, "5e-324"),
            (1.0 / 3.0, "0.3333333333333333"),
        ];
        for (number, expected) in python {
            let mut out = Vec::new();
            float(&mut out, number).unwrap();
            assert_eq!(String::from_utf8(out).unwrap(), expected);
        }
        assert!(float(&mut Vec::new(), f64::NAN).is_err());
    }
}
