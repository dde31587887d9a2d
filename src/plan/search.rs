//! The search for the cheapest way to state a graph.
//!
//! How wide rows are decides how a layer is best stated: a wide row holds a large block of positions, which share what they
//! read. So for each number of rows and each width every node takes the candidate that takes least room there, by what it
//! demands alone; what comes of that is laid out, and the cheapest layout wins. At its number of rows and width, each
//! node then tries what it would have taken at others.

use super::cost::Cost;
use super::demand::Demand;
use super::op::Candidate;
use super::program::{Picks, Statable};
use super::security::Scheme;
use super::{Layout, MAX_COLUMNS, MAX_DEGREE_BITS, MAX_ROWS, POSEIDON_WIRES, PlanError};
use rayon::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use zknn_ir::NodeId;

/// Each width that is tried is about so many times the one before.
const STEP: f64 = 1.25;

/// A candidate that takes so many times as much room as another is not worth a layout.
const MUCH: f64 = 2.0;

/// The cheapest layout, and the candidates that it is of.
///
/// # Errors
/// Nothing that was tried fits a circuit; the reason is that of the layout that comes closest.
pub(super) fn cheapest(statable: &Statable<'_>, scheme: Scheme) -> Result<(Picks, Layout), PlanError> {
    let mut search = Search { statable, scheme, best: None, refusals: Vec::new() };
    let mut tried: BTreeMap<NodeId, BTreeSet<usize>> = BTreeMap::new();
    let widths: Vec<usize> = widths(statable).collect();
    for degree_bits in scheme.min_degree_bits()..=MAX_DEGREE_BITS {
        let draft = |&width: &usize| {
            let picks = picks(statable, degree_bits, width);
            (picks.clone(), search.draft(picks, degree_bits, width))
        };
        let drafts: Vec<_> = widths.par_iter().map(draft).collect();
        for (picks, draft) in drafts {
            for (id, pick) in picks {
                tried.entry(id).or_default().insert(pick);
            }
            search.consider(draft);
        }
    }
    let Some(Draft { degree_bits, width, .. }) = search.best else { return Err(search.refusal()) };
    // One node after the other: trying all combinations would take too long for many.
    for (id, candidates) in statable.open() {
        let room = |pick: usize| room(&candidates[pick].demands, degree_bits, width);
        for pick in tried.remove(&id).unwrap_or_default() {
            let Some(best) = search.best.as_ref().filter(|best| best.picks.get(&id) != Some(&pick)) else { continue };
            if best.picks.get(&id).is_some_and(|&taken| room(pick) > MUCH * room(taken)) {
                continue;
            }
            let mut picks = best.picks.clone();
            picks.insert(id, pick);
            let draft = search.draft(picks, degree_bits, width);
            search.consider(draft);
        }
    }
    let refusal = search.refusal();
    search.best.map(|best| (best.picks, best.layout)).ok_or(refusal)
}

/// The cheapest layout of what is picked.
#[cfg(test)]
pub(super) fn cheapest_of(statable: &Statable<'_>, picks: &Picks, scheme: Scheme) -> Result<Layout, PlanError> {
    let mut search = Search { statable, scheme, best: None, refusals: Vec::new() };
    for degree_bits in scheme.min_degree_bits()..=MAX_DEGREE_BITS {
        for width in widths(statable) {
            let draft = search.draft(picks.clone(), degree_bits, width);
            search.consider(draft);
        }
    }
    let refusal = search.refusal();
    search.best.map(|best| best.layout).ok_or(refusal)
}

struct Search<'a> {
    statable: &'a Statable<'a>,
    scheme: Scheme,
    best: Option<Draft>,
    refusals: Vec<PlanError>,
}

/// A layout that proofs can be made with.
struct Draft {
    picks: Picks,
    degree_bits: usize,
    width: usize,
    layout: Layout,
    weight: f64,
}

impl Search<'_> {
    /// Lays out what is picked, unless that is not worth it or does not fit.
    fn draft(&self, picks: Picks, degree_bits: usize, width: usize) -> Option<Result<Draft, PlanError>> {
        let demands = self.statable.demands(&picks);
        // Not if the cells that it has at the least take longer than all of the best.
        if !self.is_better(least_weight(&demands, degree_bits)) {
            return None;
        }
        let layout = Layout::new(&demands, degree_bits, width, self.scheme)?;
        let weight = Cost::of(&layout).weight();
        if !self.is_better(weight) {
            return None;
        }
        Some(match layout.refusal() {
            Some(refusal) => Err(refusal),
            None => Ok(Draft { picks, degree_bits, width, layout, weight }),
        })
    }

    /// Whether it is cheaper than all before.
    fn is_better(&self, weight: f64) -> bool {
        self.best.as_ref().is_none_or(|best| weight < best.weight)
    }

    /// Keeps a draft if it is cheaper than all before.
    fn consider(&mut self, draft: Option<Result<Draft, PlanError>>) {
        match draft {
            Some(Ok(draft)) if self.is_better(draft.weight) => self.best = Some(draft),
            Some(Err(refusal)) => self.refusals.push(refusal),
            _ => {}
        }
    }

    /// Why there is no layout: of several reasons that of the most secure one, or of the one with the fewest challenge sets.
    fn refusal(&self) -> PlanError {
        let rank = |refusal: &&PlanError| match refusal {
            PlanError::Insecure { bits, .. } => (1, *bits),
            PlanError::BlindedSets { sets } => (0, usize::MAX - sets),
            _ => (0, 0),
        };
        self.refusals.iter().max_by_key(rank).cloned().unwrap_or(PlanError::TooLarge { max_rows: MAX_ROWS })
    }
}

/// Less than any layout of these demands in so many rows weighs.
fn least_weight(demands: &[Demand], degree_bits: usize) -> f64 {
    let shapes = || demands.iter().filter_map(|demand| Some((demand.count, demand.shape()?.wires())));
    let cells: usize = shapes().map(|(count, wires)| count * wires).sum();
    let widest = shapes().map(|(_, wires)| wires).max().unwrap_or(0);
    Cost::seconds_of(cells.max(widest << degree_bits))
}

/// The widths of rows that are tried: from that of a Poseidon permutation to that of the widest instance.
fn widths(statable: &Statable<'_>) -> impl Iterator<Item = usize> + use<> {
    let shapes = statable.open().flat_map(|(_, candidates)| candidates).flat_map(|candidate| &candidate.demands);
    let widest = shapes.filter_map(Demand::shape).map(|shape| shape.wires()).max().unwrap_or(0).min(MAX_COLUMNS);
    let next = |&width: &f64| Some(width * STEP);
    std::iter::successors(Some(POSEIDON_WIRES as f64), next).map(|width| width as usize).take_while(move |&width| {
        // One that holds the widest instance is among them.
        (width as f64) < widest.max(POSEIDON_WIRES) as f64 * STEP
    })
}

/// For each node that there is more than one way to state the candidate that takes least room.
fn picks(statable: &Statable<'_>, degree_bits: usize, width: usize) -> Picks {
    let least = |(id, candidates): (NodeId, &[Candidate<'_>])| {
        let rooms = candidates.iter().map(|candidate| room(&candidate.demands, degree_bits, width));
        let (pick, _) = rooms.enumerate().min_by(|(_, a), (_, b)| a.total_cmp(b))?;
        Some((id, pick))
    };
    statable.open().filter_map(least).collect()
}

/// The cells that these demands take in rows of about `width` wires, and what else they cost, as cells.
fn room(demands: &[Demand], degree_bits: usize, width: usize) -> f64 {
    let room = |demand: &Demand| {
        let (Some(gadget), Some(shape)) = (demand.gadget(), demand.shape()) else { return 0.0 };
        let of_gate = Cost::columns_of(gadget);
        let room = match demand.own_rows {
            Some(_) => {
                let [rows, _] = demand.in_rows_of(shape, width);
                // It is evaluated at every point.
                (rows * width.max(shape.wires())) as f64 + of_gate * (1u64 << degree_bits) as f64
            }
            None => demand.count as f64 * (shape.wires() as f64 + of_gate),
        };
        // Wider ones would make all rows wider: where there is nothing else, the narrowest.
        if shape.wires() > width { room + (MAX_ROWS * shape.wires()) as f64 } else { room }
    };
    demands.iter().map(room).sum()
}
