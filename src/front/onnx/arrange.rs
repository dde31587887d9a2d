//! Layers around the one that an operator is: the order of axes, other shapes, elements that are taken, products along an axis.

use ndarray::{Array2, ArrayD, Axis};

use super::super::{Attribute, LayerKind};
use super::importer::{Importer, integers, list};
use super::node::Imported;
use super::stream::{Stream, broadcast};

impl Importer {
    /// The stream with its first axis last, as layers of images and sequences want it.
    pub(super) fn channels_last(&mut self, stream: &Stream) -> Imported<Stream> {
        let axes = stream.shape.len();
        if stream.is_last || axes < 2 {
            return Ok(stream.clone());
        }
        let order = (1..axes).chain([0]).collect();
        let turned = self.permuted(&format!("{}, channels last", stream.layer), stream, order)?;
        Ok(Stream { shape: stream.shape.clone(), is_last: true, quantized: stream.quantized, ..turned })
    }

    /// The stream with its axes in the order of ONNX.
    pub(super) fn in_order(&mut self, stream: &Stream) -> Imported<Stream> {
        if !stream.is_last {
            return Ok(stream.clone());
        }
        let axes = stream.shape.len();
        let order = std::iter::once(axes - 1).chain(0..axes - 1).collect();
        let turned = self.permuted(&format!("{}, channels first", stream.layer), stream, order)?;
        Ok(Stream { quantized: stream.quantized, ..turned })
    }

    /// The output of the stream's layer with its axes in another order.
    pub(super) fn permuted(&mut self, name: &str, stream: &Stream, order: Vec<usize>) -> Imported<Stream> {
        self.compose(name, "transpose", vec![("axes", integers(order))], &[stream])
    }

    /// The output of the stream's layer under another shape.
    pub(super) fn view(&mut self, name: &str, stream: &Stream, shape: &[usize]) -> Imported<Stream> {
        self.compose(name, "reshape", vec![("shape", integers(shape.to_vec()))], &[stream])
    }

    /// The stream under another full shape, whose first axis is one of samples where it begins with one of length one.
    pub(super) fn reshaped_to(&mut self, name: &str, stream: &Stream, full: &[usize]) -> Imported<Stream> {
        let has_batch = matches!(full, [1, _, ..]);
        self.with_axes(name, stream, full, has_batch)
    }

    fn with_axes(&mut self, name: &str, stream: &Stream, full: &[usize], has_batch: bool) -> Imported<Stream> {
        let stream = self.in_order(stream)?;
        let shape = full[usize::from(has_batch)..].to_vec();
        let layer_shape = if shape.is_empty() { &[1][..] } else { &shape };
        let viewed = match stream.layer_shape() == layer_shape {
            true => stream.clone(),
            false => self.view(name, &stream, layer_shape)?,
        };
        Ok(Stream { shape, has_batch, quantized: stream.quantized, ..viewed })
    }

    /// Streams with as many axes as the longest has, a batch axis among them or not.
    pub(super) fn aligned(&mut self, streams: &[Stream]) -> Imported<Vec<Stream>> {
        let axes = streams.iter().map(|stream| stream.full_shape().len()).max().unwrap_or(0);
        let padded = |stream: &Stream| {
            let full = stream.full_shape();
            [vec![1; axes - full.len()], full].concat()
        };
        let fulls: Vec<Vec<usize>> = streams.iter().map(padded).collect();
        let has_batch = streams.iter().any(|stream| stream.has_batch) && fulls.iter().all(|full| full[0] == 1);
        let aligned = streams.iter().zip(&fulls).map(|(stream, full)| {
            if stream.has_batch == has_batch && stream.full_shape() == *full {
                return Ok(stream.clone());
            }
            self.with_axes(&format!("{}, with more axes", stream.layer), stream, full, has_batch)
        });
        aligned.collect()
    }

    /// Several streams in one order of axes, of which they have as many.
    pub(super) fn in_one_order(&mut self, streams: &[Stream], is_last: bool) -> Imported<Vec<Stream>> {
        let bring = |stream| if is_last { self.channels_last(stream) } else { self.in_order(stream) };
        streams.iter().map(bring).collect()
    }

    /// The stream repeated to a full shape that it broadcasts to.
    pub(super) fn expanded(&mut self, name: &str, stream: &Stream, full: &[usize]) -> Imported<Stream> {
        let own = stream.full_shape();
        if own == full {
            return Ok(stream.clone());
        }
        let with_ones = [vec![1; full.len().saturating_sub(own.len())], own].concat();
        let has_batch = matches!(full, [1, _, ..]);
        let x = self.with_axes(&format!("{name}, with its axes"), stream, &with_ones, has_batch)?;
        let shape = &full[usize::from(has_batch)..];
        if x.shape == shape {
            return Ok(x);
        }
        self.compose(name, "expand", vec![("shape", integers(shape.to_vec()))], &[&x])
    }

    /// The stream, repeated where it must be so that a tensor of a shape broadcasts to it.
    pub(super) fn expanded_for(&mut self, name: &str, stream: &Stream, shape: &[usize]) -> Imported<Stream> {
        let full = broadcast(&stream.full_shape(), shape)?;
        self.expanded(&format!("{name}, repeated"), stream, &full)
    }

    /// Indices along an axis, of the stream's shape.
    pub(super) fn gathered(
        &mut self,
        name: &str,
        stream: &Stream,
        axis: usize,
        indices: Vec<usize>,
    ) -> Imported<Stream> {
        let stream = self.in_order(stream)?;
        if indices.iter().copied().eq(0..stream.shape[axis]) {
            return Ok(stream);
        }
        let gather = vec![("axis", integers(vec![axis])), ("indices", integers(indices))];
        Ok(self.compose(name, "gather", gather, &[&stream])?.quantized_to(stream.quantized))
    }

    /// Elements by their indices, row by row, under a full shape.
    pub(super) fn taken(
        &mut self,
        name: &str,
        stream: &Stream,
        indices: Vec<usize>,
        full: &[usize],
    ) -> Imported<Stream> {
        let row = self.with_axes(&format!("{name}, in a row"), stream, &[stream.shape.iter().product()], false)?;
        let taken = self.gathered(name, &row, 0, indices)?;
        self.reshaped_to(&format!("{name}, with its axes"), &taken, full)
    }

    /// Products with a matrix `[outputs, inputs]` along an axis of the stream's shape.
    pub(super) fn products_along(
        &mut self,
        name: &str,
        stream: &Stream,
        axis: usize,
        matrix: &Array2<f64>,
        biases: Option<Vec<f64>>,
    ) -> Imported<Stream> {
        let part = |what: &str| format!("{name}, {what}");
        let stream = self.in_order(stream)?;
        let axes = stream.shape.len();
        if axes == 1 {
            return self.products(name, &stream, matrix, biases);
        }
        let order: Vec<usize> = (0..axes).filter(|other| *other != axis).chain([axis]).collect();
        let is_last = axis + 1 == axes;
        let x = if is_last { stream } else { self.permuted(&part("the axis last"), &stream, order)? };
        let lengths = x.shape[..axes - 1].to_vec();
        let rows = self.view(&part("as rows"), &x, &[lengths.iter().product(), matrix.ncols()])?;
        let products = self.products(name, &rows, matrix, biases)?;
        let products = self.view(&part("with its axes"), &products, &[&lengths[..], &[matrix.nrows()]].concat())?;
        if is_last {
            return Ok(products);
        }
        let back: Vec<usize> = (0..axis).chain([axes - 1]).chain(axis..axes - 1).collect();
        self.permuted(&part("the axis back"), &products, back)
    }

    /// Products of each vector of a sequence `[length, inputs]`, or of one vector, with a matrix `[outputs, inputs]`.
    pub(super) fn products(
        &mut self,
        name: &str,
        x: &Stream,
        matrix: &Array2<f64>,
        biases: Option<Vec<f64>>,
    ) -> Imported<Stream> {
        let weights = matrix.as_standard_layout().into_owned().into_dyn();
        if let [_] = &x.shape[..] {
            let biases = biases.map(|biases| ndarray::Array1::from(biases).into_dyn());
            return self.push(name, LayerKind::FullyConnected { weights, biases }, &[x]);
        }
        let mut fields = vec![("kernel", Attribute::Tensor(weights.insert_axis(Axis(1))))];
        fields.extend(biases.map(|biases| ("biases", list(biases))));
        self.compose(name, "convolution_1d", fields, &[x])
    }

    /// The greatest, the sum … along the last axis of a stream, which goes.
    pub(super) fn over_the_last(&mut self, name: &str, layer_type: &str, stream: &Stream) -> Imported<Stream> {
        let last = stream.shape.len() - 1;
        self.compose(name, layer_type, vec![("axes", integers(vec![last]))], &[stream])
    }

    /// A factor and an offset for each element, of the stream's shape in the order of ONNX.
    pub(super) fn scaled_and_shifted(
        &mut self,
        name: &str,
        x: &Stream,
        factors: Option<ArrayD<f64>>,
        offsets: Option<ArrayD<f64>>,
    ) -> Imported<Stream> {
        let in_order = |tensor: Option<ArrayD<f64>>| tensor.map(|tensor| x.in_layer_order(tensor));
        let (factors, offsets) = (in_order(factors), in_order(offsets));
        let channels = x.layer_shape().last().copied().unwrap_or(1);
        let is_by_channel = |tensor: &ArrayD<f64>| {
            let rows = tensor.as_slice().unwrap_or_default();
            rows.chunks(channels).all(|row| row == &rows[..channels])
        };
        let by_channel = factors.iter().chain(&offsets).all(is_by_channel);
        let field = |tensor: ArrayD<f64>| match by_channel {
            true => list(tensor.into_iter().take(channels).collect()),
            false => Attribute::Tensor(tensor),
        };
        let fields = [("weights", factors), ("biases", offsets)];
        let fields = fields.into_iter().filter_map(|(name, tensor)| Some((name, field(tensor?)))).collect();
        Ok(self.compose(name, "affine", fields, &[x])?.with_layer_order(x.is_last))
    }
}
