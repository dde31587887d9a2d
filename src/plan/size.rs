//! What a circuit takes at the least, by arithmetic: before anything is written for each of its elements.
//!
//! A few bytes can say that a tensor has hundreds of millions of elements. So what fits no circuit is refused by its numbers
//! alone.

use super::layout::{MAX_COLUMNS, MAX_DEGREE_BITS, MAX_ROWS, are_counted};
use super::program::{Lowering, Lowerings, MAX_TERMS, SPONGE_RATE, choices, fused_with};
use super::security::{MAX_BLINDED_SETS, Scheme, Soundness};
use super::{DIGEST, PlanError, Visibility};
use crate::gadget::{Add, Argmax, Gadget, Max, PackInput, Requantize};
use zknn_ir::{Fact, Graph, NodeId, Op, op};

/// Lower bounds of what the statements of a graph take. Matrices are left out: they are no larger than the file that holds
/// their weights.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LeastSize {
    /// Rows that hold nothing else: those of convolutions, normalizations and Poseidon.
    pub own_rows: usize,
    /// Cells that copy constraints reach.
    pub routed: usize,
    /// All cells.
    pub cells: usize,
    /// Wires of the widest instance.
    pub widest: usize,
}

impl LeastSize {
    /// Of a graph whose convolutions are stated as `lowerings` says.
    pub fn new(graph: &Graph, visibility: Visibility, lowerings: &Lowerings) -> Self {
        let of_conv = |id: NodeId| conv(graph, id, lowerings.get(&id).copied().unwrap_or(Lowering::Parts(1)));
        Self::with(graph, visibility, of_conv)
    }

    /// Of a graph whose convolutions are stated in any way.
    pub fn of_any(graph: &Graph, visibility: Visibility) -> Self {
        let choices = choices(graph);
        let of_conv = |id: NodeId| {
            let lowerings = choices.iter().filter(|(of, _)| *of == id).flat_map(|(_, lowerings)| lowerings);
            let sizes = lowerings.map(|&lowering| conv(graph, id, lowering));
            sizes.reduce(Self::least).unwrap_or_default()
        };
        Self::with(graph, visibility, of_conv)
    }

    fn with(graph: &Graph, visibility: Visibility, of_conv: impl Fn(NodeId) -> Self) -> Self {
        let mut size = public(graph, visibility);
        for id in graph.topological() {
            size = size.and(match graph.node(id).op {
                Op::Conv2d(_) => of_conv(id),
                _ => node(graph, id),
            });
        }
        size
    }

    /// Whether `2^degree_bits` rows could hold it.
    pub fn may_fit(&self, degree_bits: usize, scheme: Scheme) -> bool {
        let rows = 1usize << degree_bits;
        self.own_rows.saturating_add(scheme.blinding().rows()) < rows
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

    fn instances(gadget: impl Into<Gadget>, count: usize) -> Self {
        let shape = gadget.into().shape();
        let times = |wires: usize| wires.saturating_mul(count);
        let widest = if count > 0 { shape.wires() } else { 0 };
        Self { own_rows: 0, routed: times(shape.routed()), cells: times(shape.wires()), widest }
    }

    fn rows(own_rows: usize) -> Self {
        Self { own_rows, ..Self::default() }
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

/// The range check of the input, its commitment, and the digest of what is public.
fn public(graph: &Graph, visibility: Visibility) -> LeastSize {
    let fact = &graph.node(graph.input()).fact;
    let (elements, outputs) = (fact.elements(), graph.node(graph.output()).fact.elements());
    let Some((lo, hi)) = fact.interval().filter(|_| spread(fact, false).is_some()) else { return LeastSize::default() };
    let capacity = PackInput::capacity(lo, hi);
    let words = elements.div_ceil(capacity);
    let packing = LeastSize::instances(PackInput::new(lo, hi, capacity), elements / capacity);
    let permutations = |elements: usize| LeastSize::rows(elements.div_ceil(SPONGE_RATE));
    let disclosed = match visibility {
        Visibility::Committed => DIGEST,
        Visibility::Public => words,
        Visibility::Private => 0,
    };
    let commitment = if visibility == Visibility::Committed { words } else { 0 };
    packing.and(permutations(commitment)).and(permutations(outputs.saturating_add(disclosed)))
}

/// Any operation but a convolution. What has no statement at all is refused later, and for a better reason.
fn node(graph: &Graph, id: NodeId) -> LeastSize {
    let Some(&operand) = graph.operands(id).first() else { return LeastSize::default() };
    // A convolution's rows may have taken it up.
    if fused_with(graph, operand) == Some(id) {
        return LeastSize::default();
    }
    let (fact, from) = (&graph.node(id).fact, &graph.node(operand).fact);
    let max = |arity: usize, relu: bool| {
        spread(from, relu).map(|spread| LeastSize::instances(Max::new(arity, relu, spread), fact.elements()))
    };
    let size = match &graph.node(id).op {
        Op::MaxPool(op::MaxPool { window, relu }) => {
            window[0].checked_mul(window[1]).and_then(|arity| max(arity, *relu))
        }
        Op::Relu => max(1, true),
        Op::Normalize(_) => Some(LeastSize::rows(fact.elements())),
        Op::Argmax => spread(from, false).map(|spread| LeastSize::instances(Argmax::new(from.elements(), spread), 1)),
        Op::Requantize(op) => from.interval().and_then(|interval| {
            let (least, greatest) = op.quotients(interval);
            let quotients = i64::try_from(least).ok().zip(i64::try_from(greatest).ok())?;
            let gadget = Requantize::new(op.shift, (op.lo, op.hi), quotients)?;
            Some(LeastSize::instances(gadget, fact.elements()))
        }),
        Op::Add => {
            let terms = graph.operands(id).len();
            // Each gadget but the first goes on from the sum before it.
            let gadgets = terms.saturating_sub(1).div_ceil(MAX_TERMS - 1);
            let of_one = LeastSize::instances(Add::new(terms.min(MAX_TERMS)), fact.elements());
            let rest = LeastSize::instances(Add::new(2), fact.elements().saturating_mul(gadgets.saturating_sub(1)));
            Some(of_one.and(rest))
        }
        // Views have no statement, matrices none of their own.
        Op::Input(_) | Op::Flatten | Op::Pad(_) | Op::Dense(_) | Op::Conv2d(_) => None,
    };
    size.unwrap_or_default()
}

/// The routed wires of a convolution, and its rows.
fn conv(graph: &Graph, id: NodeId, lowering: Lowering) -> LeastSize {
    let Op::Conv2d(op::Conv2d { kernel, .. }) = &graph.node(id).op else { return LeastSize::default() };
    let &[channels, height, width, inputs] = kernel.shape() else { return LeastSize::default() };
    let (instances, block, parts) = match (lowering, fused_with(graph, id)) {
        (Lowering::Fused, Some(user)) => {
            let block = match graph.node(user).op {
                Op::MaxPool(op::MaxPool { window, .. }) => window,
                _ => [1, 1],
            };
            (graph.node(user).fact.elements() / channels, block, 1)
        }
        (Lowering::Parts(parts), _) => (graph.node(id).fact.elements() / channels, [1, 1], parts),
        (Lowering::Fused, None) => return LeastSize::default(),
    };
    let patch = [height + block[0] - 1, width + block[1] - 1, inputs];
    let patch = patch.into_iter().fold(1usize, |product, n| product.saturating_mul(n));
    // All parts together read the patch once, and each gives all channels.
    let routed = patch.saturating_add(channels * parts).saturating_mul(instances);
    let widest = patch / parts + channels;
    LeastSize { own_rows: instances * parts, routed, cells: routed, widest }
}

/// The greatest difference between two values, if they can be compared.
fn spread(fact: &Fact, with_zero: bool) -> Option<u64> {
    let (lo, hi) = fact.interval()?;
    let (lo, hi) = if with_zero { (lo.min(0), hi.max(0)) } else { (lo, hi) };
    Some(hi.abs_diff(lo)).filter(|&spread| spread <= 1 << 62)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Plan;
    use crate::plan::security::{HashKind, Level};

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
        let ends = ["output %7", "%8 = argmax %7\noutput %8", "%8 = normalize %7 fraction_bits=24\noutput %8"];
        for (body, end) in ends.iter().map(|end| (CNN, end)).chain([(RESIDUAL, &ends[0])]) {
            let graph = zknn_ir::parse(&format!("{body}{end}\n")).expect("a graph");
            for visibility in [Visibility::Committed, Visibility::Public, Visibility::Private] {
                let any = LeastSize::of_any(&graph, visibility);
                assert!(any.own_rows > 15 && any.routed > 500 && any.cells > any.routed, "{any:?}");
                for plan in Plan::every_lowering(&graph, visibility, OPEN) {
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
            ("%1 = max_pool %0 window=[8192, 8192]\noutput %1\n", Visibility::Private),
            ("%1 = flatten %0\n%2 = argmax %1\noutput %2\n", Visibility::Private),
            (
                "%1 = conv2d %0 kernel=fixed[1, 1, 1, 1] scale 1 [1]\n%2 = max_pool %1 window=[8192, 8192]\noutput %2\n",
                Visibility::Private,
            ),
        ];
        for (text, visibility) in models {
            let graph = zknn_ir::parse(&(shape(8192) + text)).expect("a graph");
            for (id, lowerings) in choices(&graph) {
                for lowering in lowerings {
                    let size = LeastSize::new(&graph, visibility, &Lowerings::from([(id, lowering)]));
                    assert!(size.check(OPEN).is_err(), "{text} {lowering:?}: {size:?}");
                }
            }
            assert!(matches!(Plan::new(&graph, visibility, OPEN), Err(PlanError::TooLarge { .. })), "{text}");
        }
    }
}
