//! Windows, and means and maxima of whole images.

use super::super::{Attribute, Composed, LayerKind};
use super::importer::{Importer, Stream, integers};
use super::node::{Imported, Node, refused};

/// How far a window reaches over each edge, before and after, by `pads` or `auto_pad`.
pub(super) fn borders(
    node: &Node<'_>,
    lengths: &[usize],
    sizes: &[usize],
    stride: &[usize],
    dilation: &[usize],
) -> Imported<(Vec<usize>, Vec<usize>)> {
    let spatial = lengths.len();
    match node.text("auto_pad").unwrap_or("NOTSET") {
        "NOTSET" => {
            let pads = node.lengths("pads", 2 * spatial, 0)?;
            Ok((pads[..spatial].to_vec(), pads[spatial..].to_vec()))
        }
        "VALID" => Ok((vec![0; spatial], vec![0; spatial])),
        kind @ ("SAME_UPPER" | "SAME_LOWER") => {
            let pad = |at: usize| {
                let span = sizes[at].saturating_sub(1) * dilation[at] + 1;
                let all =
                    ((lengths[at].div_ceil(stride[at].max(1)) - 1) * stride[at] + span).saturating_sub(lengths[at]);
                let half = all / 2;
                if kind == "SAME_UPPER" { (half, all - half) } else { (all - half, half) }
            };
            Ok((0..spatial).map(pad).unzip())
        }
        other => refused(format!("`auto_pad` is {other}"), "use `pads`, SAME_UPPER, SAME_LOWER or VALID"),
    }
}

/// MaxPool.
pub(super) fn max_pool(importer: &mut Importer, node: &Node<'_>) -> Imported<Stream> {
    pool(importer, node, |window, stride, before, after| {
        let pair = |lengths: Vec<usize>| [lengths[0], lengths[1]];
        let (before, after) = (pair(before), pair(after));
        Some(LayerKind::MaxPool { window: pair(window), stride: Some(pair(stride)), before, after })
    })
}

/// AveragePool.
pub(super) fn average_pool(importer: &mut Importer, node: &Node<'_>) -> Imported<Stream> {
    let counts = node.int("count_include_pad", 0) != 0;
    pool(importer, node, |window, stride, before, after| {
        let sides = [("window", window), ("stride", stride), ("before", before), ("after", after)];
        let fields = sides.map(|(field, sides)| (field, integers(sides)));
        let fields = fields.into_iter().chain([("count_padding", Attribute::Flag(counts))]);
        Composed::new("average_pool", fields).ok().map(LayerKind::Composed)
    })
}

/// A pool of an image, or of a sequence as an image one pixel wide.
fn pool(
    importer: &mut Importer,
    node: &Node<'_>,
    kind: impl Fn(Vec<usize>, Vec<usize>, Vec<usize>, Vec<usize>) -> Option<LayerKind>,
) -> Imported<Stream> {
    node.only("ceil_mode", 0)?;
    if node.proto.output.len() > 1 {
        return refused("it gives indices too", "only the values of a pool are supported");
    }
    let x = importer.sample(node, 0)?;
    let spatial = x.shape.len().saturating_sub(1);
    if !(1..=2).contains(&spatial) {
        return refused(
            format!("its operand has shape {:?}, without the batch axis", x.shape),
            "pools of sequences and of images are supported",
        );
    }
    let (sizes, stride) = (node.lengths("kernel_shape", spatial, 1)?, node.lengths("strides", spatial, 1)?);
    let dilation = node.lengths("dilations", spatial, 1)?;
    if sizes.iter().chain(&stride).any(|length| *length == 0) {
        return refused("its windows are empty, or do not move", "see the operator's definition");
    }
    if dilation.iter().any(|step| *step != 1) {
        return refused(format!("`dilations` is {dilation:?}"), "pools with windows without gaps are supported");
    }
    let (before, after) = borders(node, &x.shape[1..], &sizes, &stride, &dilation)?;
    // The greatest of quantized numbers is one of them; their mean need not be.
    let quantized = x.quantized.filter(|_| node.proto.op_type == "MaxPool");
    // A sequence is an image one pixel wide.
    let wide = |mut lengths: Vec<usize>, one: usize| {
        lengths.resize(2, one);
        lengths
    };
    let Some(kind) = kind(wide(sizes, 1), wide(stride, 1), wide(before, 0), wide(after, 0)) else {
        return refused("its windows reach too far", "see the operator's definition");
    };
    let x = importer.channels_last(&x)?;
    let pooled = if spatial == 2 {
        importer.push(node.name(), kind, &[&x])?
    } else {
        let (channels, length) = (x.shape[0], x.shape[1]);
        let image = importer.view(&format!("{}, as an image", node.name()), &x, &[length, 1, channels])?;
        let image = importer.push(&format!("{}, of an image", node.name()), kind, &[&image])?;
        importer.view(node.name(), &image, &[image.shape[0], channels])?
    };
    let pooled = pooled.with_layer_order(true);
    Ok(pooled.quantized_to(quantized))
}

/// GlobalAveragePool and GlobalMaxPool.
pub(super) fn global_pool(importer: &mut Importer, node: &Node<'_>, layer_type: &'static str) -> Imported<Stream> {
    let x = importer.sample(node, 0)?;
    let axes: Vec<usize> = (2..x.shape.len() + 1).collect();
    reduced(importer, node, &x, layer_type, &axes, true)
}

/// ReduceSum, ReduceMean, ReduceMax and ReduceMin, whose axes are an attribute in old versions and an operand in new ones.
pub(super) fn reduce(importer: &mut Importer, node: &Node<'_>, layer_type: &'static str) -> Imported<Stream> {
    let x = importer.stream(node, 0)?;
    let axes: Vec<usize> = match importer.ints(node, "axes", 1)? {
        Some(given) if !given.is_empty() => given.iter().map(|&axis| x.full_axis(axis)).collect::<Imported<_>>()?,
        _ if node.int("noop_with_empty_axes", 0) != 0 => return Ok(x),
        _ => (0..x.full_shape().len()).collect(),
    };
    reduced(importer, node, &x, layer_type, &axes, node.int("keepdims", 1) != 0)
}

/// A tensor without some of its axes, those of the full shape, or with length one for these.
fn reduced(
    importer: &mut Importer,
    node: &Node<'_>,
    x: &Stream,
    layer_type: &'static str,
    axes: &[usize],
    keeps: bool,
) -> Imported<Stream> {
    let full = x.full_shape();
    let kept = |at: usize| !axes.contains(&at);
    let shape: Vec<usize> = match keeps {
        true => full.iter().enumerate().map(|(at, &length)| if kept(at) { length } else { 1 }).collect(),
        false => full.iter().enumerate().filter(|(at, _)| kept(*at)).map(|(_, &length)| length).collect(),
    };
    let mut x = importer.in_order(x)?;
    // Along the batch axis there is nothing to do.
    let axes: Vec<usize> = axes.iter().filter_map(|axis| axis.checked_sub(usize::from(x.has_batch()))).collect();
    if !axes.is_empty() {
        x = importer.compose(node.name(), layer_type, vec![("axes", integers(axes))], &[&x])?;
    }
    importer.reshaped_to(&format!("{}, with its axes", node.name()), &x, &shape)
}
