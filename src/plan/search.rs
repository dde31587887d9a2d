//! The search for the cheapest way to state a graph.

use super::program::{Picks, Statable};
use super::security::Scheme;
use super::{Cost, Layout, PlanError};

/// The cheapest layout, and the candidates that it is of.
///
/// # Errors
/// Nothing that was tried fits a circuit; the reason is that of the first.
pub(super) fn cheapest(statable: &Statable<'_>, scheme: Scheme) -> Result<(Picks, Layout), PlanError> {
    let mut best = Draft::new(statable, Picks::new(), scheme);
    // One node after the other: trying all combinations would take too long for many.
    for (id, count) in statable.open() {
        for pick in 1..count {
            let mut picks = best.picks.clone();
            picks.insert(id, pick);
            best = best.or(Draft::new(statable, picks, scheme));
        }
    }
    Ok((best.picks, best.layout?))
}

/// One way to lay a graph out, or why it can't be.
struct Draft {
    picks: Picks,
    layout: Result<Layout, PlanError>,
}

impl Draft {
    fn new(statable: &Statable<'_>, picks: Picks, scheme: Scheme) -> Self {
        let layout = Layout::cheapest(&statable.demands(&picks), scheme);
        Self { picks, layout }
    }

    fn weight(&self) -> f64 {
        self.layout.as_ref().map_or(f64::INFINITY, |layout| Cost::of(layout).weight())
    }

    /// The cheaper one, and this one if they cost the same.
    fn or(self, other: Self) -> Self {
        if other.weight() < self.weight() { other } else { self }
    }
}
