//! The fewest bits, layer by layer, that a loss allows.

use crate::lowering::{Lowered, Lowering, LoweringError, lower_with_reals};
use crate::passes::{MAX_BITS, MIN_BITS};
use crate::plan::security::Scheme;
use crate::plan::{Claims, Cost, Plan};
use crate::rounding;
use crate::{evaluate::EvaluateError, front::Model};
use miette::Diagnostic;
use std::collections::BTreeMap;
use std::fmt;
use thiserror::Error;
use zknn_ir::{Class, Graph, NodeId};

/// Bits for a model, with what they cost and lose.
#[derive(Debug, Clone, PartialEq)]
pub struct Assignment {
    /// Of all layers but some.
    pub bits: u32,
    /// Of these layers.
    pub layer_bits: BTreeMap<usize, u32>,
    /// Estimates for a proof.
    pub cost: Cost,
    /// What rounding loses, as [`rounding::RoundingLoss::error`].
    pub error: f64,
}

/// Why there is no assignment.
#[derive(Debug, Error, Diagnostic)]
pub enum SearchError {
    /// The model has no program, whatever the bits.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Lowering(#[from] LoweringError),
    /// The calibration inputs are none of the model's.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Evaluate(#[from] EvaluateError),
    /// It computes with integers exactly.
    #[error("the model is not rounded: it computes with integers exactly")]
    #[diagnostic(code(zknn::fixed::exact), help("leave out `--max-drop`"))]
    Exact,
    /// All bits lose more, or leave no room.
    #[error("no bits from {MIN_BITS} to {MAX_BITS} lose as little as that: the best lose {percent:.2} %")]
    #[diagnostic(
        code(zknn::fixed::drop),
        help("calibrate with more inputs, `--calibrate FILE`, or allow a greater drop")
    )]
    Drop {
        /// What the best lose.
        percent: f64,
    },
}

/// The fewest bits for all layers that lose no more than `most` on the calibration inputs, or random ones; then fewer for each layer
/// with weights that can do with fewer and is cheaper so, those with the most numbers first. `tried` sees all assignments of one
/// number of bits.
///
/// # Errors
/// No bits will do.
pub fn cheapest_bits(
    model: &Model,
    lowering: &Lowering,
    claims: &Claims,
    scheme: Scheme,
    most: f64,
    tried: &mut dyn FnMut(&Assignment),
) -> Result<Assignment, SearchError> {
    let mut search = Search { model, lowering: lowering.clone(), claims, scheme };
    let mut best: Option<(Assignment, Graph)> = None;
    let mut least = f64::INFINITY;
    for bits in MIN_BITS..=MAX_BITS {
        let Some((assignment, program)) = search.assign(bits, &BTreeMap::new())? else { continue };
        tried(&assignment);
        least = least.min(assignment.error);
        if assignment.error <= most {
            best = Some((assignment, program));
            break;
        }
    }
    let (mut best, program) = best.ok_or(SearchError::Drop { percent: 100.0 * least })?;
    for layer in layers_by_size(&program) {
        for bits in (MIN_BITS..best.bits).rev() {
            let mut layer_bits = best.layer_bits.clone();
            layer_bits.insert(layer, bits);
            match search.assign(best.bits, &layer_bits)? {
                Some((other, _)) if other.error <= most => {
                    if other.cost.seconds < best.cost.seconds {
                        best = other;
                    }
                }
                _ => break,
            }
        }
    }
    Ok(best)
}

struct Search<'a> {
    model: &'a Model,
    lowering: Lowering,
    claims: &'a Claims,
    scheme: Scheme,
}

impl Search<'_> {
    /// What some bits cost and lose; nothing where there is no room for them.
    fn assign(
        &mut self,
        bits: u32,
        layer_bits: &BTreeMap<usize, u32>,
    ) -> Result<Option<(Assignment, Graph)>, SearchError> {
        (self.lowering.bits, self.lowering.layer_bits) = (Some(bits), layer_bits.clone());
        let Lowered { program, reals, ranges } = match lower_with_reals(self.model, &self.lowering, &mut |_, _| {}) {
            Ok(lowered) => lowered,
            // More bits need more room; fewer have it.
            Err(LoweringError::Layer(_)) if bits > MIN_BITS => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        // Evaluated once.
        self.lowering.ranges = ranges;
        let loss = rounding::measure(&program, &reals, &self.lowering.calibration)?.ok_or(SearchError::Exact)?;
        let Ok(plan) = Plan::new(&program, self.claims.clone(), self.scheme) else { return Ok(None) };
        let cost = Cost::of(&plan.layout);
        Ok(Some((Assignment { bits, layer_bits: layer_bits.clone(), cost, error: loss.error }, program)))
    }
}

/// The layers with weights, that of the most numbers first.
fn layers_by_size(program: &Graph) -> Vec<usize> {
    let mut sizes: BTreeMap<usize, usize> = BTreeMap::new();
    let is_linear = |id: &NodeId| program.node(*id).op.class() == Class::Linear;
    for id in program.topological().into_iter().filter(is_linear) {
        if let Some(layer) = program.node(id).layer {
            *sizes.entry(layer).or_default() += program.node(id).fact.elements();
        }
    }
    let mut layers: Vec<usize> = sizes.keys().copied().collect();
    layers.sort_by_key(|layer| std::cmp::Reverse(sizes[layer]));
    layers
}

/// As `--bits` takes them.
impl fmt::Display for Assignment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.bits)?;
        self.layer_bits.iter().try_for_each(|(layer, bits)| write!(f, ",{layer}={bits}"))
    }
}
