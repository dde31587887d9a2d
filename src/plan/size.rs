//! What a circuit takes at the least, by arithmetic: before anything is written for each of its elements.
//!
//! A few bytes can say that a tensor has hundreds of millions of elements. So what fits no circuit is refused by its numbers
//! alone.

use super::layout::are_counted;
use super::program::Statable;
use super::security::{MAX_BLINDED_SETS, Scheme, Soundness};
use super::{Claims, Demand, MAX_COLUMNS, MAX_DEGREE_BITS, MAX_ROWS, PlanError};
use crate::gadget::Shape;
use std::collections::BTreeMap;
use zknn_ir::Graph;

/// More cells than this no plan has: their witness alone takes four gigabytes, and their codewords eight times as much.
const MAX_CELLS: usize = 1 << 29;

/// Lower bounds of what the statements of a graph take. Matrices are left out: they are no larger than the file that holds
/// their weights.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LeastSize {
    /// Rows that hold nothing else: those of convolutions with maxima, normalizations and Poseidon.
    pub own_rows: usize,
    /// Cells that copy constraints reach.
    pub routed: usize,
    /// All cells.
    pub cells: usize,
    /// Wires of the widest instance.
    pub widest: usize,
}

impl LeastSize {
    /// Of these statements.
    pub(super) fn of<'a>(demands: impl IntoIterator<Item = &'a Demand>) -> Self {
        let mut groups: BTreeMap<(usize, usize), usize> = BTreeMap::new();
        let mut size = Self::default();
        for demand in demands {
            let permutations = Self { own_rows: demand.permutations(), ..Self::default() };
            size = size.and(demand.shape().map_or(permutations, |shape| Self::instances(shape, demand.count)));
            // Of linear ones several may lie in a row.
            let is_alone = demand.gadget().is_some_and(|gadget| !gadget.is_linear());
            if let Some(key) = demand.own_rows.filter(|_| is_alone) {
                let rows = groups.entry(key).or_default();
                *rows = demand.count.max(*rows);
            }
        }
        groups.into_values().fold(size, |size, own_rows| size.and(Self { own_rows, ..Self::default() }))
    }

    /// Of `graph`, in whatever way its nodes are stated.
    ///
    /// # Errors
    /// What can't be stated at all.
    pub fn of_any(graph: &Graph, claims: Claims) -> Result<Self, PlanError> {
        Ok(Self::of_all(&Statable::new(graph, claims)?))
    }

    pub(super) fn of_all(statable: &Statable<'_>) -> Self {
        let (common, nodes) = statable.alternatives();
        let of_node = |ways: Vec<&[Demand]>| ways.into_iter().map(Self::of).reduce(Self::least).unwrap_or_default();
        nodes.into_iter().map(of_node).fold(Self::of(common), Self::and)
    }

    /// Whether `2^degree_bits` rows could hold it.
    pub fn may_fit(&self, degree_bits: usize, scheme: Scheme) -> bool {
        let rows = 1usize << degree_bits;
        self.cells <= MAX_CELLS
            && self.own_rows.saturating_add(scheme.blinding().rows()) < rows
            && self.widest.max(self.cells.div_ceil(rows)) <= MAX_COLUMNS
            && are_counted(self.routed.div_ceil(rows), degree_bits)
    }

    /// The fewest challenge sets that it needs in `2^degree_bits` rows.
    fn challenges(&self, degree_bits: usize) -> usize {
        Soundness::challenge_sets(degree_bits, self.routed.div_ceil(1 << degree_bits).max(1), 0)
    }

    /// Refuses what no circuit could hold.
    ///
    /// # Errors
    /// It is too large for every number of rows, or for those that can be blinded.
    pub fn check(&self, scheme: Scheme) -> Result<(), PlanError> {
        let sizes = (scheme.min_degree_bits()..=MAX_DEGREE_BITS).filter(|&bits| self.may_fit(bits, scheme));
        match sizes.map(|bits| self.challenges(bits)).min() {
            None => Err(PlanError::TooLarge { max_rows: MAX_ROWS }),
            Some(sets) if scheme.zero_knowledge && sets > MAX_BLINDED_SETS => Err(PlanError::BlindedSets { sets }),
            Some(_) => Ok(()),
        }
    }

    fn instances(shape: Shape, count: usize) -> Self {
        let times = |wires: usize| wires.saturating_mul(count);
        let widest = if count > 0 { shape.wires() } else { 0 };
        Self { own_rows: 0, routed: times(shape.routed()), cells: times(shape.wires()), widest }
    }

    fn and(self, other: Self) -> Self {
        Self {
            own_rows: self.own_rows.saturating_add(other.own_rows),
            routed: self.routed.saturating_add(other.routed),
            cells: self.cells.saturating_add(other.cells),
            widest: self.widest.max(other.widest),
        }
    }

    fn least(self, other: Self) -> Self {
        Self {
            own_rows: self.own_rows.min(other.own_rows),
            routed: self.routed.min(other.routed),
            cells: self.cells.min(other.cells),
            widest: self.widest.min(other.widest),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::security::{HashKind, Level};
    use crate::plan::{Plan, Visibility};

    const OPEN: Scheme = Scheme { zero_knowledge: false, hash: HashKind::Blake3, level: Level::Conjectured };

    const CNN: &str = "
%0 = input : [9, 8, 2] fixed(scale 1, -5..=5)
%1 = conv2d %0 kernel=fixed[2, 2, 1, 2] scale 1 [1, -2, 3, -4, 5, -6, 7, -8]
%2 = max_pool %1 window=[2, 2] relu
%3 = requantize %2 multipliers=[77, 99] shift=4 clamp=-100..=26 scale 1
%4 = conv2d %3 kernel=fixed[2, 2, 2, 2] scale 1 [1, 2, 3, 4, 5, 6, 7, 8, 9, 8, 7, 6, 5, 4, 3, 2]
%5 = max_pool %4 window=[3, 1]
%6 = relu %5
%7 = flatten %6
";

    const RESIDUAL: &str = "
%0 = input : [9, 9, 2] fixed(scale 1, -5..=5)
%1 = pad %0 before=[1, 1, 0] after=[1, 1, 0]
%2 = conv2d %1 kernel=fixed[2, 3, 3, 2] scale 1 [1, -2, 3, -4, 5, -6, 7, -8, 9, -1, 2, -3, 4, -5, 6, -7, 8, -9, 1, -2, 3, -4, 5, -6, 7, -8, 9, -1, 2, -3, 4, -5, 6, -7, 8, -9]
%3 = add %2 %0 %0 %0 %0 %0 %0 %2 %0
%4 = relu %3
%5 = add %4 %4
%6 = max_pool %5 window=[1, 3]
%7 = flatten %6
";

    /// The bounds are those of the plans that there are: nothing that has a plan is refused.
    #[test]
    fn bounds_are_below_every_plan() {
        let ends = ["output %7", "%8 = argmax %7 axis=0\noutput %8", "%8 = normalize %7 fraction_bits=24\noutput %8"];
        for (body, end) in ends.iter().map(|end| (CNN, end)).chain([(RESIDUAL, &ends[0])]) {
            let graph = zknn_ir::parse(&format!("{body}{end}\n")).expect("a graph");
            for visibility in [Visibility::Committed, Visibility::Public, Visibility::Private] {
                let any = LeastSize::of_any(&graph, visibility.into()).expect("statements");
                assert!(any.own_rows > 0 && any.routed > 500 && any.cells > any.routed, "{any:?}");
                for plan in Plan::with_every_candidate(&graph, visibility, OPEN) {
                    let layout = &plan.layout;
                    assert!(
                        any.own_rows <= layout.kinds.last().map_or(0, |kind| kind.rows.end) + layout.poseidon.len()
                    );
                    assert!(any.routed <= layout.rows() * layout.routed && any.cells <= layout.rows() * layout.wires);
                    assert!(any.widest <= layout.wires && any.may_fit(layout.degree_bits, OPEN));
                }
            }
        }
    }

    /// A tensor of many elements costs a model a few bytes.
    #[test]
    fn what_fits_no_circuit_is_refused_by_its_numbers() {
        let shape = |side: usize| format!("%0 = input : [{side}, {side}, 1] fixed(scale 1, -128..=127)\n");
        let models = [
            ("%1 = relu %0\noutput %1\n", Visibility::Committed),
            ("%1 = relu %0\noutput %1\n", Visibility::Private),
            ("%1 = relu %0\n%2 = max_pool %1 window=[16384, 16384]\noutput %2\n", Visibility::Private),
            ("%1 = relu %0\n%2 = flatten %1\n%3 = argmax %2 axis=0\noutput %3\n", Visibility::Private),
            (
                "%1 = conv2d %0 kernel=fixed[1, 1, 1, 1] scale 1 [1]\n%2 = max_pool %1 window=[16384, 16384]\noutput %2\n",
                Visibility::Private,
            ),
        ];
        for (text, visibility) in models {
            let graph = zknn_ir::parse(&(shape(16384) + text)).expect("a graph");
            let statable = Statable::new(&graph, visibility.into()).expect("statements");
            let most = statable.open().map(|(_, candidates)| candidates.len()).max().unwrap_or(1);
            for pick in 0..most {
                let picks = statable.open().map(|(id, candidates)| (id, pick.min(candidates.len() - 1))).collect();
                let size = LeastSize::of(&statable.demands(&picks));
                assert!(size.check(OPEN).is_err(), "{text} {pick}: {size:?}");
            }
            assert!(matches!(Plan::new(&graph, visibility, OPEN), Err(PlanError::TooLarge { .. })), "{text}");
        }
    }
}
