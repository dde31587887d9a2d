//! What a proof will state and disclose, told before it is made.

use crate::artifact::{Commitment, hex};
use crate::pipeline::Circuit;
use crate::plan::{OutputVisibility, Visibility};
use std::collections::HashSet;
use std::fmt;
use zknn_ir::{Graph, NodeId, Op, Weights, op};

/// A way in which proofs of a circuit disclose the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InputDisclosure {
    /// It is public.
    Public,
    /// Proofs are made without zero knowledge.
    NoZeroKnowledge,
    /// The output is public, and holds each element of the input, at most at another place and scale.
    View,
}

impl fmt::Display for InputDisclosure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Public => "it was compiled with a public input",
            Self::NoZeroKnowledge => "it was compiled without zero knowledge",
            Self::View => "its output is public, and shows every element of the input",
        })
    }
}

impl Circuit {
    /// In which ways its proofs disclose the input. An output may tell of the input in other ways, too, which no list has.
    pub fn input_disclosures(&self) -> Vec<InputDisclosure> {
        let file = self.file();
        let description = &self.key().description;
        let is_public = description.told_inputs().any(|(_, visibility)| visibility == Visibility::Public);
        let mut outputs = file.graph.outputs().iter().zip(description.told_outputs());
        let is_view = outputs
            .any(|(&output, (_, visibility))| visibility == OutputVisibility::Public && is_shown(&file.graph, output));
        let ways = [
            (is_public, InputDisclosure::Public),
            (!file.options.scheme.zero_knowledge, InputDisclosure::NoZeroKnowledge),
            (is_view, InputDisclosure::View),
        ];
        ways.into_iter().filter_map(|(is_so, way)| is_so.then_some(way)).collect()
    }
}

/// What a proof of a circuit is about to state and to disclose.
pub struct Announcement<'a> {
    /// The circuit.
    pub circuit: &'a Circuit,
    /// The text that the proof is to be bound to.
    pub context: Option<&'a str>,
    /// The commitments to the first of the inputs that are committed to, so many as are known before the proof.
    pub commitments: Vec<Commitment>,
}

impl fmt::Display for Announcement<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = self.circuit.key();
        let description = &key.description;
        writeln!(f, "About to prove, under the key {}:", hex(&key.digest()))?;
        writeln!(f, "  model: {}", hex(&description.model))?;
        let options = &description.options;
        let mut commitments = self.commitments.iter();
        for (tensor, visibility) in description.told_inputs() {
            write!(f, "  input: {tensor}; ")?;
            let commitment = (visibility == Visibility::Committed).then(|| commitments.next()).flatten();
            match (visibility, commitment) {
                (Visibility::Committed, Some(commitment)) => {
                    writeln!(f, "its commitment is public: {}", hex(commitment))?;
                }
                (Visibility::Committed, None) => writeln!(f, "a commitment to it, with a new salt, is public")?,
                (Visibility::Public, _) => writeln!(f, "ALL OF IT IS PUBLIC")?,
                (Visibility::Private, _) => writeln!(f, "nothing of it is public")?,
            }
        }
        for ((tensor, visibility), omitted) in description.told_outputs().zip(description.omitted()) {
            write!(f, "  output: {tensor}; ")?;
            match visibility {
                OutputVisibility::Public => writeln!(f, "all of it is public")?,
                OutputVisibility::Committed => writeln!(f, "a commitment to it, with a new salt, is public")?,
            }
            if let Some(name) = omitted.name() {
                writeln!(f, "  its {name}, which ends the network, is not computed")?;
            }
        }
        if options.uncalibrated {
            writeln!(f, "  rounding: UNCALIBRATED, the program may be far from the network")?;
        }
        if options.unsaturated {
            writeln!(f, "  saturation: the proof states that there was none")?;
        }
        let zero_knowledge = if options.scheme.zero_knowledge { "on" } else { "OFF" };
        writeln!(f, "  zero knowledge: {zero_knowledge}")?;
        match self.context {
            Some(context) => write!(f, "  context: {context:?}"),
            None => write!(f, "  context: none"),
        }
    }
}

/// Whether each element of an input can be read off an output: every operation between them keeps each element of its
/// operand, or a one-to-one function of it.
fn is_shown(graph: &Graph, output: NodeId) -> bool {
    let mut ways = vec![output];
    let mut seen = HashSet::new();
    while let Some(id) = ways.pop() {
        match graph.operands(id)[..] {
            _ if !seen.insert(id) => {}
            [] => return matches!(graph.node(id).op, Op::Input(_)),
            ref operands => ways.extend(operands.iter().filter(|&&operand| keeps_elements(graph, id, operand))),
        }
    }
    false
}

fn keeps_elements(graph: &Graph, id: NodeId, operand: NodeId) -> bool {
    let interval = graph.node(operand).fact.interval();
    let is_rectified = interval.is_some_and(|(lo, _)| lo >= 0);
    match &graph.node(id).op {
        Op::Input(_) | Op::Flatten | Op::Pad(_) | Op::Reshape(_) | Op::Transpose(_) | Op::Concat(_) => true,
        Op::Gather(op) => op.has_all(graph.node(operand).fact.shape[op.axis]),
        // A multiple of one value; sums of others may tell of it, or not.
        Op::Add | Op::Maximum => graph.operands(id).iter().all(|&other| other == operand),
        // A square tells of what is never negative.
        Op::Multiply => is_rectified && graph.operands(id).iter().all(|&other| other == operand),
        Op::Relu | Op::Abs => is_rectified,
        Op::MaxPool(pool) => pool.window == [1, 1] && pool.is_tiling() && (!pool.relu || is_rectified),
        // Not below one, a factor leaves unlike integers apart, and so does rounding; clamping must not, either.
        Op::Requantize(op) => interval.is_some_and(|interval| {
            let (least, greatest) = op.quotients(interval);
            let factor = 1i64 << op.shift;
            let is_wide = i128::from(op.lo) <= least && greatest <= i128::from(op.hi);
            is_wide && op.multipliers.iter().all(|&multiplier| multiplier >= factor)
        }),
        Op::Dense(op::Dense { weights, .. }) => copies_columns(weights),
        Op::Affine(op::Affine { weights: Weights::Fixed { data, .. }, .. }) => data.iter().all(|&weight| weight != 0),
        Op::Conv2d(op::Conv2d { kernel, stride: [1, 1], groups: 1, .. }) => {
            matches!(kernel.shape(), [_, 1, 1, _]) && copies_columns(kernel)
        }
        // Sums of a group's channels may tell of them, and with a stride some elements are not read.
        Op::Conv2d(_) => false,
        Op::Normalize(_) | Op::Argmax(_) | Op::TopK(_) | Op::Affine(_) | Op::Clip(_) | Op::Quantize(_) => false,
    }
}

/// Whether each column of a matrix, in row-major order with the last axis for columns, stands alone in some row.
fn copies_columns(weights: &Weights) -> bool {
    let Weights::Fixed { data, .. } = weights else { return false };
    let columns = weights.shape().last().copied().unwrap_or(1).max(1);
    let elements: Vec<i64> = data.iter().copied().collect();
    let mut is_copied = vec![false; columns];
    for row in elements.chunks(columns) {
        let mut nonzero = row.iter().enumerate().filter(|(_, weight)| **weight != 0);
        if let (Some((column, _)), None) = (nonzero.next(), nonzero.next()) {
            is_copied[column] = true;
        }
    }
    is_copied.into_iter().all(|is_copied| is_copied)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn shows(body: &str, expected: bool) {
        let graph = zknn_ir::parse(&format!("%0 = input : [2, 1, 2] fixed(scale 1, 0..=9)\n{body}")).expect("a graph");
        assert_eq!(is_shown(&graph, graph.output()), expected, "{body}");
    }

    #[test]
    fn outputs_that_are_the_input_in_another_form() {
        shows("output %0", true);
        shows("%1 = flatten %0\noutput %1", true);
        shows("%1 = relu %0\n%2 = max_pool %1 window=[1, 1]\noutput %2", true);
        shows("%1 = pad %0 before=[1, 0, 0] after=[0, 0, 2]\n%2 = add %1 %1 %1\noutput %2", true);
        shows("%1 = abs %0\noutput %1", true);
        shows("%1 = transpose %0 axes=[2, 0, 1]\n%2 = reshape %1 shape=[4]\noutput %2", true);
        shows("%1 = gather %0 axis=2 indices=[1, 0, 1]\noutput %1", true);
        shows("%1 = gather %0 axis=2 indices=[1, 1]\noutput %1", false);
        shows("%1 = max_pool %0 window=[2, 1]\n%2 = concat %1 %0 axis=0\noutput %2", true);
        shows("%1 = max_pool %0 window=[2, 1]\n%2 = concat %1 %1 axis=0\noutput %2", false);
        shows("%1 = max_pool %0 window=[2, 1]\noutput %1", false);
        shows("%1 = requantize %0 multipliers=[1] shift=9 clamp=0..=1 scale 1\n%2 = add %1 %0\noutput %2", false);
        shows("%1 = flatten %0\n%2 = argmax %1 axis=0\noutput %2", false);
        shows("%1 = flatten %0\n%2 = normalize %1 fraction_bits=24\noutput %2", false);
    }

    #[test]
    fn matrices_that_only_place_and_scale() {
        let kernel = |rows: &str| format!("%1 = conv2d %0 kernel=fixed[2, 1, 1, 2] scale 1 [{rows}]\noutput %1");
        shows(&kernel("0, -3, 1, 0"), true);
        shows(&kernel("0, -3, 0, 1"), false);
        shows(&kernel("1, 1, 1, -1"), false);
        let dense = |rows: &str| {
            format!("%1 = flatten %0\n%2 = dense %1 weights=fixed[5, 4] scale 1 [{rows}]\n%3 = relu %2\noutput %3")
        };
        let copies = "0, 0, 7, 0,  1, 0, 0, 0,  1, 1, 1, 1,  0, 0, 0, 2,  0, 1, 0, 0";
        shows(&dense(copies), true);
        // A negative weight, and relu leaves nothing of it.
        shows(&dense(&copies.replace('7', "-7")), false);
        shows(&dense(&copies.replace('7', "0")), false);
    }

    #[test]
    fn rounding_that_loses_nothing() {
        let rounded = |multiplier: &str, clamp: &str| {
            format!("%1 = requantize %0 multipliers=[{multiplier}] shift=2 clamp={clamp} scale 1\noutput %1")
        };
        shows(&rounded("4", "0..=9"), true);
        shows(&rounded("9", "-100..=100"), true);
        shows(&rounded("3", "0..=9"), false);
        shows(&rounded("4", "1..=9"), false);
    }
}
