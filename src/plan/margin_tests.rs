//! Every identity that a plan states modulo `p` is one of integers, and by how much.

use super::interval::{Findings, Interval, Symbolic};
use super::*;
use crate::gadget::Gadget;
use security::{HashKind, Level};
use std::collections::BTreeMap;
use std::fmt::Write;

/// The layers of a network of integers.
const CNN: &str = "
%0 = input : [6, 6, 1] fixed(scale 1, -5..=5)
%1 = conv2d %0 kernel=fixed[2, 3, 3, 1] scale 1 [1, -2, 3, -4, 5, -6, 7, -8, 9, 9, 8, 7, 6, 5, 4, 3, 2, 1]
%2 = max_pool %1 window=[2, 2] relu
%3 = conv2d %2 kernel=fixed[2, 1, 1, 2] scale 1 [1, -2, 3, 4]
%4 = relu %3
%5 = flatten %4
%6 = dense %5 weights=fixed[3, 8] scale 1 [1, 2, 3, 4, 5, 6, 7, 8, 9, -1, -2, -3, -4, -5, -6, -7, -8, -9, 1, 0, 2, 0, 3, 0] bias=fixed[3] scale 1 [7, -8, 9]
%7 = relu %6
%8 = normalize %7 fraction_bits=24
output %8
";

/// Those of a fixed-point network.
const FIXED: &str = "
%0 = input : [6, 6, 1] fixed(scale 1, 0..=255)
%1 = conv2d %0 kernel=fixed[2, 3, 3, 1] scale 1 [1, -2, 3, -4, 5, -6, 7, -8, 9, 9, 8, 7, 6, 5, 4, 3, 2, 1]
%2 = max_pool %1 window=[4, 4] relu
%3 = requantize %2 multipliers=[77, 99] shift=4 clamp=-100..=26 scale 1
%4 = flatten %3
%5 = dense %4 weights=fixed[3, 2] scale 1 [1, 2, -3, 4, 5, -6]
%6 = requantize %5 multipliers=[300, 200, 100] shift=9 clamp=0..=255 scale 1
%7 = requantize %6 multipliers=[3, 2, 1] shift=1 clamp=-9999..=9999 scale 1
%8 = argmax %7 axis=0
output %8
";

/// What the identities of a block leave to `p`.
struct Margin {
    gadget: &'static str,
    /// Of one instance.
    identities: usize,
    of_field: usize,
    /// Of the instance with the least.
    bits: f64,
}

/// The ranges of all values, as they follow from the statements, one after the other.
struct Walk {
    ranges: Vec<Option<Interval>>,
    margins: BTreeMap<usize, Margin>,
}

impl Walk {
    fn new(plan: &Plan) -> Self {
        let mut walk = Self { ranges: vec![None; plan.program.values], margins: BTreeMap::new() };
        for (index, Block { demand, wiring }) in plan.program.blocks.iter().enumerate() {
            let Some(gadget) = demand.gadget() else { continue };
            let constants = |instance: usize| {
                let mut constants = vec![0; gadget.shape().constants];
                demand.constants.write(instance, &mut constants, i128::from);
                constants
            };
            walk.instances(index, gadget, wiring, &constants);
        }
        walk
    }

    fn instances(&mut self, block: usize, gadget: &Gadget, all: &[Value], constants: &dyn Fn(usize) -> Vec<i128>) {
        let (symbolic, shape) = (Symbolic::new(gadget), gadget.shape());
        let mut last: Option<(Vec<Option<Interval>>, Findings)> = None;
        for (i, wiring) in all.chunks(shape.routed()).enumerate() {
            let mut ranges: Vec<Option<Interval>> = wiring.iter().map(|&value| self.ranges[value as usize]).collect();
            ranges.resize(shape.wires(), None);
            ranges.extend(constants(i).into_iter().map(|constant| Some((constant, constant))));
            let findings = match last.take() {
                Some((same, findings)) if same == ranges => findings,
                _ => symbolic.find(gadget, ranges.clone()),
            };
            self.note(block, gadget, &findings);
            for (&value, &range) in wiring.iter().zip(&findings.ranges) {
                self.ranges[value as usize] = range;
            }
            last = Some((ranges, findings));
        }
    }

    fn note(&mut self, block: usize, gadget: &Gadget, findings: &Findings) {
        let (name, margin) = (gadget.name(), findings.margin());
        assert!(
            findings.hold_for_integers(),
            "{name}: an identity modulo p may be none of integers, by {margin:.2} bits"
        );
        let (identities, of_field) = (findings.differences.len(), findings.of_field);
        let margin = Margin { gadget: gadget.name(), identities, of_field, bits: f64::INFINITY };
        let margin = self.margins.entry(block).or_insert(margin);
        margin.bits = margin.bits.min(findings.margin());
        // The zero test has an inverse, and a maximum of many values names products of differences.
        let expected = match gadget {
            Gadget::NormTotal(_) => 2,
            Gadget::Conv(_) | Gadget::Max(_) => gadget.shape().advice,
            _ => 0,
        };
        assert_eq!(of_field, expected, "{}: constraints that are about no integers", gadget.name());
    }

    fn table(&self, plan: &Plan) -> String {
        let mut table = String::new();
        for (&block, Margin { gadget, identities, of_field, bits }) in &self.margins {
            let label = &plan.program.blocks[block].demand.label;
            let of_field = if *of_field > 0 { format!(", {of_field} between field elements") } else { String::new() };
            writeln!(
                table,
                "{label}: {gadget}, {identities} identities of integers, {bits:.1} bits to spare{of_field}"
            )
            .expect("a string takes all");
        }
        table
    }
}

/// The margins of the plan. The ranges that follow from its statements alone are no narrower than those of the model.
fn margins(text: &str, claims: impl Into<Claims>) -> String {
    let graph = zknn_ir::parse(text).expect("a graph");
    let scheme = Scheme { zero_knowledge: false, hash: HashKind::Blake3, level: Level::Conjectured };
    let plan = Plan::new(&graph, claims, scheme).expect("a plan");
    let walk = Walk::new(&plan);
    let integers = |values: &[Value]| {
        let ranges = values.iter().map(|&value| walk.ranges[value as usize]);
        ranges.map(|range| range.expect("an integer")).collect::<Vec<Interval>>()
    };
    for (id, values) in
        [(graph.input(), &plan.program.inputs[0].elements), (graph.output(), &plan.program.outputs[0].elements)]
    {
        let (lo, hi) = graph.node(id).fact.interval().expect("integers");
        let is_allowed = |(least, greatest): &Interval| *least <= i128::from(lo) && *greatest >= i128::from(hi);
        assert!(integers(values).iter().all(is_allowed), "no statement excludes what the model allows");
    }
    walk.table(&plan)
}

#[test]
fn identities_of_a_cnn_are_of_integers() {
    insta::assert_snapshot!(margins(CNN, Visibility::Committed));
}

#[test]
fn identities_of_a_fixed_point_network_are_of_integers() {
    insta::assert_snapshot!(margins(FIXED, Visibility::Committed));
}

/// Where a number that is saturated has no witness.
#[test]
fn identities_without_saturation_are_of_integers() {
    let text = FIXED.replace(" clamp=-100..=26", " clamp=-100..=26 saturates_below saturates_above");
    let text = text.replace(" clamp=0..=255", " clamp=0..=255 saturates_above");
    let claims = Claims { unsaturated: true, ..Visibility::Committed.into() };
    insta::assert_snapshot!(margins(&text, claims));
}

/// The longest vector of the widest integers.
#[test]
fn identities_of_the_largest_normalization_are_of_integers() {
    let graph = format!(
        "%0 = input : [{}] fixed(scale 1, {}..={})\n%1 = normalize %0 fraction_bits=24\noutput %1\n",
        crate::gadget::MAX_ELEMENTS,
        -(1i64 << 61),
        1i64 << 61,
    );
    insta::assert_snapshot!(margins(&graph, Visibility::Committed));
}
