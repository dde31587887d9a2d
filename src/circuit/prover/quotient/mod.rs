//! The quotient: all constraints, combined and divided by what vanishes at the rows.
//!
//! For each challenge set it is evaluated on the extended domain, in batches of points. The combination goes through the
//! constraints in the order of plonky2's verifier: that `Z` starts with one, the steps of the permutation argument for each
//! challenge set, the gates'.

mod linear;
mod permutation;
mod slots;

use linear::LinearParts;
use slots::Shared;

use super::codeword::{Codeword, Columns, Domain, Polynomials};
use super::fft::{COSETS, LANES, reverse_bits};
use super::poseidon;
use super::preprocessed::Preprocessed;
use super::rows::Rows;
use super::timings::Clock;
use super::weights::padded_inputs;
use crate::circuit::quotient_mask::QuotientMask;
use crate::circuit::shape::{CircuitShape, DigitRun, Gates, UNUSED_SELECTOR};
use crate::gadget::arith::{BATCH, Batch, Column, Points, Sink};
use crate::gadget::field::{D, F, Packed};
use crate::gadget::{DenseTile, Gadget, Place, constrain_columns};
use crate::plan::POSEIDON_CONSTRAINTS;
use crate::plan::security::{LOW_COSETS, QUOTIENT_DEGREE};
use plonky2::field::packed::PackedField;
use plonky2::field::polynomial::PolynomialValues;
use plonky2::field::types::Field;
use plonky2::gates::gate::GateRef;
use plonky2::hash::hash_types::HashOut;
use plonky2::plonk::vars::EvaluationVarsBaseBatch;
use rayon::prelude::*;

/// What the verifier chose: one of each for every challenge set.
pub struct Challenges {
    /// Factors of the permutation argument's identities, none of them zero.
    pub betas: Vec<F>,
    /// Its offsets.
    pub gammas: Vec<F>,
    /// Constraints are batched with their powers.
    pub alphas: Vec<F>,
}

/// What the quotient is made of.
pub struct Quotient<'a> {
    /// The circuit.
    pub shape: &'a CircuitShape,
    /// Its gates.
    pub gates: &'a Gates,
    /// The shifts of the routed columns' identities.
    pub shifts: &'a [F],
    /// The extended domain.
    pub domain: &'a Domain,
    /// Selectors, weights, permutation.
    pub preprocessed: &'a Preprocessed,
    /// Wires.
    pub wires: &'a Polynomials,
    /// `Z` and partial products.
    pub products: &'a Polynomials,
    /// The digest of the public inputs.
    pub public_hash: HashOut<F>,
    /// The challenges.
    pub challenges: &'a Challenges,
}

/// What is computed once for all points.
pub struct Tables<'a> {
    /// For each challenge, powers of it.
    powers: Vec<Vec<F>>,
    /// The weights combined over the rows of a tile: for each challenge, a column for each of a tile's inputs. They belong to
    /// parts of low degree, and there are only the cosets that those are evaluated on.
    tiles: Codeword,
    /// The linear parts of all kinds of rows.
    linear: LinearParts,
    /// All other parts, by the gates that share them.
    shared: Vec<Shared<'a>>,
    /// Where the constraints of gates start.
    first_gate: usize,
    /// For each challenge set `1 / beta` and `gamma / beta`.
    offsets: Vec<(F, F)>,
    /// For each challenge set what undoes the division of a chunk of the permutation argument.
    chunk_scales: Vec<F>,
}

/// One batch: where it is, and what is combined so far, for each challenge.
struct Cursor<'a> {
    quotient: &'a Quotient<'a>,
    /// The preprocessed columns but row constants, on the coset.
    preprocessed: &'a Codeword,
    /// Wires there.
    wires: &'a Codeword,
    /// `Z` and partial products there.
    products: &'a Codeword,
    tables: &'a Tables<'a>,
    coset: usize,
    start: usize,
    sums: Vec<Column>,
    low_sums: Vec<Column>,
}

impl<'q> Quotient<'q> {
    /// The quotients at all points, each divided into what has a high degree and what a low one. `clock` is told what the
    /// permutation argument takes, then linear parts, then other gadgets, and then each other gate.
    pub fn values(&self, tables: &Tables<'_>, clock: &Clock) -> Vec<[Vec<Column>; 2]> {
        (0..COSETS)
            .flat_map(|coset| {
                let points = self.domain.points(coset);
                let first = self.first_lagrange(coset, &points);
                let inverse = self.vanishing(coset).inverse();
                let all = [&self.preprocessed.polynomials, self.wires, self.products];
                let all = all.map(|columns| columns.on_coset(self.domain, coset));
                let [preprocessed, wires, products] = all.each_ref().map(|columns| &**columns);
                let batch = |start: usize| {
                    let [sums, low_sums] = std::array::from_fn(|_| vec![Column::ZERO; self.challenges.alphas.len()]);
                    let mut cursor =
                        Cursor { quotient: self, preprocessed, wires, products, tables, coset, start, sums, low_sums };
                    let running = clock.start(0);
                    cursor.permutation(&points, &first);
                    drop(running);
                    let running = clock.start(1);
                    cursor.linear_parts();
                    drop(running);
                    let running = clock.start(2);
                    cursor.shared();
                    drop(running);
                    cursor.gates(clock);
                    let divide = |sum: Column| sum.map(|values| values * inverse);
                    [cursor.sums, cursor.low_sums].map(|sums| sums.into_iter().map(divide).collect())
                };
                (0..self.domain.rows()).into_par_iter().step_by(BATCH).map(batch).collect::<Vec<_>>()
            })
            .collect()
    }

    /// The chunks of the quotients with these values: coefficients, [`QUOTIENT_DEGREE`] columns for each challenge.
    pub fn chunks(&self, values: &[[Vec<Column>; 2]]) -> Columns {
        let quotient = |set: usize| {
            let mut coefficients = interpolate(values.iter().map(|[sums, _]| &sums[set]));
            let low = &values[..values.len() / COSETS * LOW_COSETS];
            let low = interpolate(low.iter().map(|[_, low_sums]| &low_sums[set]));
            coefficients.iter_mut().zip(low).for_each(|(coefficient, low)| *coefficient += low);
            coefficients
        };
        let sets = (0..self.challenges.alphas.len()).into_par_iter();
        Columns::new(sets.flat_map_iter(quotient).collect(), self.domain.rows())
    }

    /// What is computed once for all points.
    pub fn tables(&self) -> Tables<'q> {
        let sets = self.challenges.alphas.len();
        let first_gate = sets + sets * self.routed_chunks();
        let constraints = self.gates.all.iter().map(|gate| gate.0.num_constraints()).max().unwrap_or(0);
        let terms = first_gate + constraints;
        let powers: Vec<Vec<F>> =
            self.challenges.alphas.iter().map(|alpha| alpha.powers().take(terms).collect()).collect();
        let tile = self.shape.gates.iter().flatten().find_map(|part| match &*part.gadget {
            Gadget::DenseTile(tile) => Some(tile),
            _ => None,
        });
        let cells = tile.map(|tile| self.preprocessed.weights.combine_outputs(tile, &powers)).unwrap_or_default();
        let tiles = Rows::new(&cells, sets * tile.map_or(0, padded_inputs));
        let Challenges { betas, gammas, .. } = self.challenges;
        let offset = |(beta, &gamma): (&F, &F)| (beta.inverse(), gamma * beta.inverse());
        Tables {
            linear: self.linear_parts(&powers, first_gate),
            shared: self.shared(),
            powers,
            tiles: self.domain.extend_rows(tiles, LOW_COSETS),
            first_gate,
            offsets: betas.iter().zip(gammas).map(offset).collect(),
            chunk_scales: betas.iter().map(|beta| beta.exp_u64(QUOTIENT_DEGREE as u64)).collect(),
        }
    }

    /// Chunks of routed columns in the permutation argument.
    fn routed_chunks(&self) -> usize {
        self.shifts.len().div_ceil(QUOTIENT_DEGREE)
    }

    /// `x^rows - 1`, which is the same at all points of a coset.
    fn vanishing(&self, coset: usize) -> F {
        self.domain.shifts[coset].exp_u64(self.domain.rows() as u64) - F::ONE
    }

    /// The polynomial that is one in the first row and zero in all others, at all points of a coset.
    fn first_lagrange(&self, coset: usize, points: &[F]) -> Vec<F> {
        let rows = F::from_canonical_usize(points.len());
        let denominators: Vec<F> = points.iter().map(|&x| rows * (x - F::ONE)).collect();
        let vanishing = self.vanishing(coset);
        F::batch_multiplicative_inverse(&denominators).into_iter().map(|inverse| vanishing * inverse).collect()
    }
}

/// The coefficients of the polynomial with these values, which are in the order of positions, on the first cosets.
fn interpolate<'a>(batches: impl ExactSizeIterator<Item = &'a Column>) -> Vec<F> {
    let len = batches.len() * BATCH;
    let mut natural = vec![F::ZERO; len];
    for (i, batch) in batches.enumerate() {
        for (k, &value) in batch.0.iter().enumerate() {
            natural[reverse_bits(i * BATCH + k, len.ilog2() as usize)] = value;
        }
    }
    PolynomialValues::new(natural).coset_ifft(F::coset_shift()).coeffs
}

impl Cursor<'_> {
    fn batch<'b>(&self, codeword: &'b Codeword, index: usize) -> &'b [F] {
        codeword.batch(self.coset, self.start, index)
    }

    fn load(&self, codeword: &Codeword, index: usize) -> Column {
        Column::load(self.batch(codeword, index))
    }

    /// All gates but those of our rows, each times its filter.
    fn gates(&mut self, clock: &Clock) {
        let quotient = self.quotient;
        for (index, gate) in quotient.gates.all.iter().enumerate() {
            if quotient.gates.kinds.contains(&index) {
                continue;
            }
            let _running = clock.start(3 + index);
            let mut sums = self.no_sums();
            if let Some((_, run)) = quotient.gates.digits.iter().find(|(gate, _)| *gate == index) {
                self.digits(run, &mut sums);
            } else if quotient.gates.mask == Some(index) {
                let mask = QuotientMask::of(quotient.shape, quotient.preprocessed.mask());
                mask.constrain(&mut Batch::new(&AtMask(self), &mut self.combined(0, &mut sums)));
            } else if index == quotient.gates.poseidon {
                self.poseidon(&mut sums);
            } else {
                self.plonky2_gate(gate, &mut sums);
            }
            let (filter, none) = (self.filter(index), Vec::new());
            self.take(&filter, sums, none);
        }
    }

    fn no_sums(&self) -> Vec<Column> {
        vec![Column::ZERO; self.sums.len()]
    }

    /// Takes a gate's constraints from the one with the number `first` on.
    fn combined<'b>(&self, first: usize, sums: &'b mut [Column]) -> Combined<'b>
    where
        Self: 'b,
    {
        Combined { powers: &self.tables.powers, next: self.tables.first_gate + first, sums }
    }

    fn digits(&self, run: &DigitRun, sums: &mut [Column]) {
        let mut combined = self.combined(run.first, sums);
        constrain_columns(&mut Batch::new(self, &mut combined), run.columns.clone());
    }

    /// All constraints of a tile: `Σ power · (before + W x - after)`, where the sums over `W` are known.
    fn tile(&self, tile: &DenseTile, place: Place, combined: &mut Combined<'_>) {
        let wires = self.wires;
        let first = combined.next;
        for i in 0..tile.height {
            let before = self.load(wires, place.routed + tile.width + i);
            let after = self.load(wires, place.routed + tile.width + tile.height + i);
            combined.take(&before.zip(&after, |a, b| a - b), BATCH);
        }
        for (set, (sum, powers)) in combined.sums.iter_mut().zip(combined.powers).enumerate() {
            let mut products = Column::ZERO;
            for j in 0..tile.width {
                let weights = self.batch(&self.tables.tiles, set * padded_inputs(tile) + j);
                products.add_product(self.batch(wires, place.routed + j), weights);
            }
            // The combined weights start with the power zero.
            sum.add_scaled(&products, powers[first]);
        }
    }

    fn poseidon(&self, sums: &mut [Column]) {
        let mut constraints = [Column::ZERO; POSEIDON_CONSTRAINTS];
        for part in 0..BATCH / LANES {
            let wire = |index| *Packed::from_slice(&self.batch(self.wires, index)[part * LANES..][..LANES]);
            let mut columns = constraints.iter_mut();
            poseidon::constrain(wire, |value| {
                // As many as plonky2's gate states.
                columns.next().expect("a constraint").parts_mut()[part] = value;
            });
        }
        let mut combined = self.combined(0, sums);
        constraints.iter().for_each(|constraint| combined.take(constraint, BATCH));
    }

    /// A gate of plonky2's own, which wants its wires in one piece and takes no constants.
    fn plonky2_gate(&self, gate: &GateRef<F, D>, sums: &mut [Column]) {
        let wires: Vec<F> = (0..gate.0.num_wires()).flat_map(|index| self.batch(self.wires, index)).copied().collect();
        let vars = EvaluationVarsBaseBatch::new(BATCH, &[], &wires, &self.quotient.public_hash);
        let mut combined = self.combined(0, sums);
        for constraint in gate.0.eval_unfiltered_base_batch(vars).chunks_exact(BATCH) {
            combined.take(&Column::load(constraint), BATCH);
        }
    }

    /// plonky2's filter of a gate that is alone in its group: zero in all other rows.
    fn filter(&self, gate: usize) -> Column {
        let unused = F::from_canonical_u64(UNUSED_SELECTOR);
        self.load(self.preprocessed, gate).map(|selector| Packed::from(unused) - selector)
    }
}

impl Points for Cursor<'_> {
    fn len(&self) -> usize {
        BATCH
    }

    fn wire(&self, index: usize) -> &[F] {
        self.batch(self.wires, index)
    }

    /// Tiles are not evaluated like other gadgets: their weights are not on the extended domain.
    fn row_constant(&self, index: usize) -> &[F] {
        let (constants, index) = self.quotient.preprocessed.constant(index);
        self.batch(constants, index)
    }
}

/// The points of a batch for the mask, whose constant is a column of its own.
struct AtMask<'a>(&'a Cursor<'a>);

impl Points for AtMask<'_> {
    fn len(&self) -> usize {
        BATCH
    }

    fn wire(&self, index: usize) -> &[F] {
        self.0.wire(index)
    }

    fn row_constant(&self, index: usize) -> &[F] {
        self.0.batch(self.0.preprocessed, index)
    }
}

/// Constraints of a gate, combined as they come.
struct Combined<'a> {
    /// For each challenge, its powers.
    powers: &'a [Vec<F>],
    next: usize,
    sums: &'a mut [Column],
}

impl Sink for Combined<'_> {
    fn take(&mut self, constraint: &Column, _: usize) {
        for (sum, powers) in self.sums.iter_mut().zip(self.powers) {
            sum.add_scaled(constraint, powers[self.next]);
        }
        self.next += 1;
    }
}
