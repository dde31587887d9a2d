//! Gadgets that lie in the same columns in several kinds of rows.
//!
//! Slots, and the tile before them, are the same in all kinds of rows that have them: the same gadget in the same columns, and, as slots come before what a
//! kind has of its own, with constraints of the same numbers. So what is combined of them differs from kind to kind by the filter
//! alone, and is computed once and multiplied with the sum of the filters.

use super::{Cursor, Quotient};
use crate::gadget::arith::{Batch, Column};
use crate::gadget::{Gadget, Place};
use crate::plan::Part;
use crate::plan::security::{LOW_COSETS, LOW_DEGREE};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Parts that just these gates have in common.
pub struct Shared<'a> {
    gates: Vec<usize>,
    /// The parts, and the number of the first constraint of each.
    parts: Vec<(usize, &'a Part)>,
}

impl<'a> Quotient<'a> {
    /// All parts that are not linear, by the gates that have them.
    pub(super) fn shared(&self) -> Vec<Shared<'a>> {
        let mut found: BTreeMap<(usize, Place, *const Gadget), (Vec<usize>, &'a Part)> = BTreeMap::new();
        for (&gate, parts) in self.gates.kinds.iter().zip(&self.shape.gates) {
            let mut first = 0;
            for part in parts {
                let key = (first, part.place, Arc::as_ptr(&part.gadget));
                first += part.gadget.shape().constraints;
                if part.gadget.is_linear() {
                    continue;
                }
                let (gates, _) = found.entry(key).or_insert_with(|| (Vec::new(), part));
                gates.push(gate);
            }
        }
        let mut by_gates: BTreeMap<Vec<usize>, Vec<(usize, &'a Part)>> = BTreeMap::new();
        for ((first, ..), (gates, part)) in found {
            by_gates.entry(gates).or_default().push((first, part));
        }
        by_gates.into_iter().map(|(gates, parts)| Shared { gates, parts }).collect()
    }
}

impl Cursor<'_> {
    /// Takes all of these parts, each times the filters of its gates.
    pub(super) fn shared(&mut self) {
        let tables = self.tables;
        for Shared { gates, parts } in &tables.shared {
            let [mut all, mut low] = [self.no_sums(), self.no_sums()];
            for &(first, part) in parts {
                let is_low = part.gadget.shape().degree <= LOW_DEGREE;
                if is_low && self.coset >= LOW_COSETS {
                    continue;
                }
                let mut combined = self.combined(first, if is_low { &mut low } else { &mut all });
                match &*part.gadget {
                    Gadget::DenseTile(tile) => self.tile(tile, part.place, &mut combined),
                    gadget => gadget.constrain(&mut Batch::new(self, &mut combined), part.place),
                }
            }
            let sum = |sum: Column, &gate| sum.zip(&self.filter(gate), |a, b| a + b);
            let filters = gates.iter().fold(Column::ZERO, sum);
            self.take(&filters, all, low);
        }
    }

    /// Adds sums, times a filter, to the totals: those of any degree, and those of a low one.
    pub(super) fn take(&mut self, filter: &Column, all: Vec<Column>, low: Vec<Column>) {
        for (totals, sums) in [(&mut self.sums, all), (&mut self.low_sums, low)] {
            for (total, sum) in totals.iter_mut().zip(sums) {
                *total = total.zip(&sum.zip(filter, |a, b| a * b), |a, b| a + b);
            }
        }
    }
}
