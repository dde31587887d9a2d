//! What a reader of a proof can compute from it with nothing but public data.

use super::algebra::solve;
use crate::circuit::columns::Permutation;
use crate::circuit::shape::{Gates, common_data};
use crate::circuit::shape_of;
use crate::gadget::field::{D, Ext, F};
use crate::plan::Plan;
use crate::plan::security::{QUOTIENT_DEGREE, RATE_BITS};
use plonky2::field::types::Field;
use plonky2::fri::proof::{FriProof, FriQueryRound};
use plonky2::hash::hash_types::HashOut;
use plonky2::plonk::circuit_data::CommonCircuitData;
use plonky2::plonk::config::GenericConfig;
use plonky2::plonk::proof::OpeningSet;
use plonky2::plonk::vars::EvaluationVars;

/// A circuit as its readers know it.
pub struct Reader {
    /// plonky2's description.
    pub common: CommonCircuitData<F, D>,
    /// The permutation columns, one after the other, at the rows.
    pub sigmas: Vec<F>,
    /// The points of the rows.
    pub subgroup: Vec<F>,
}

/// The challenges of the argument: one of each for every challenge set, and the opening point.
#[derive(Clone)]
pub struct Challenges {
    pub betas: Vec<F>,
    pub gammas: Vec<F>,
    pub alphas: Vec<F>,
    pub zeta: Ext,
}

/// All columns at one point.
pub struct Opened {
    pub point: Ext,
    pub constants: Vec<Ext>,
    pub sigmas: Vec<Ext>,
    pub wires: Vec<Ext>,
    pub zs: Vec<Ext>,
    pub partial_products: Vec<Ext>,
    pub chunks: Vec<Ext>,
}

/// The constraints at one point, combined for each challenge set: `known - Σ next · Z(g · point)` is zero, or rather the
/// quotient times what vanishes at the rows.
struct Combined {
    known: Vec<Ext>,
    next: Vec<Vec<Ext>>,
}

/// For each challenge set the points at which a proof tells the value of `Z`, with the value.
pub type ToldOfZ = Vec<Vec<(Ext, Ext)>>;

impl Reader {
    pub fn new(plan: &Plan) -> Self {
        let shape = shape_of(plan);
        let common = common_data(&shape, &Gates::new(&shape));
        let sigmas = Permutation::new(plan).columns(&common.k_is);
        let subgroup = F::two_adic_subgroup(common.degree_bits());
        Self { common, sigmas, subgroup }
    }

    pub fn sets(&self) -> usize {
        self.common.config.num_challenges
    }

    /// The point at a position of the extended domain.
    pub fn point(&self, position: usize) -> F {
        let bits = self.common.degree_bits() + RATE_BITS;
        F::coset_shift() * F::primitive_root_of_unity(bits).exp_u64((position.reverse_bits() >> (64 - bits)) as u64)
    }

    /// The point of the row after the one that `point` stands for.
    pub fn next(&self, point: Ext) -> Ext {
        point * Ext::from(self.subgroup[1])
    }

    /// What the proof opens at each query.
    pub fn queries<C: GenericConfig<D, F = F>>(
        &self,
        proof: &FriProof<F, C::Hasher, D>,
        positions: &[usize],
    ) -> Vec<Opened> {
        let rounds = proof.query_round_proofs.iter().zip(positions);
        let opened = |(round, &position): (&FriQueryRound<F, C::Hasher, D>, &usize)| {
            let leaf = |tree: usize| -> Vec<Ext> {
                round.initial_trees_proof.evals_proofs[tree].0.iter().map(|&value| value.into()).collect()
            };
            let mut constants = leaf(0);
            let sigmas = constants.split_off(self.common.num_constants);
            let [mut wires, mut zs, mut chunks] = [leaf(1), leaf(2), leaf(3)];
            // What follows are the salts of the leaves.
            wires.truncate(self.common.config.num_wires);
            zs.truncate(self.sets() * (1 + self.common.num_partial_products));
            chunks.truncate(self.sets() * QUOTIENT_DEGREE);
            let partial_products = zs.split_off(self.sets());
            Opened { point: self.point(position).into(), constants, sigmas, wires, zs, partial_products, chunks }
        };
        rounds.map(opened).collect()
    }

    /// What the openings say of the opening point.
    pub fn opened(&self, openings: &OpeningSet<F, D>, zeta: Ext) -> Opened {
        Opened {
            point: zeta,
            constants: openings.constants.clone(),
            sigmas: openings.plonk_sigmas.clone(),
            wires: openings.wires.clone(),
            zs: openings.plonk_zs.clone(),
            partial_products: openings.partial_products.clone(),
            chunks: openings.quotient_polys.clone(),
        }
    }

    /// `Z` of each set at the next point: the only unknowns in the equations between constraints and quotients.
    pub fn z_next(&self, at: &Opened, challenges: &Challenges, public_hash: &HashOut<F>) -> Vec<Ext> {
        let Combined { known, next } = self.combined(at, challenges, public_hash);
        let quotients =
            at.chunks.chunks(QUOTIENT_DEGREE).map(|chunks| self.vanishing(at.point) * self.join(chunks, at));
        let rows = next.into_iter().zip(known.into_iter().zip(quotients));
        solve(
            rows.map(|(mut row, (known, quotient))| {
                row.push(known - quotient);
                row
            })
            .collect(),
        )
    }

    /// The last chunk of each quotient that satisfies the equations, the others and `Z` at the next point being given.
    pub fn last_chunks(
        &self,
        at: &Opened,
        z_next: &[Ext],
        challenges: &Challenges,
        public_hash: &HashOut<F>,
    ) -> Vec<Ext> {
        let Combined { known, next } = self.combined(at, challenges, public_hash);
        let power = self.shift(at.point).exp_u64(QUOTIENT_DEGREE as u64 - 1);
        let sets = known.into_iter().zip(next).zip(at.chunks.chunks(QUOTIENT_DEGREE));
        let last = |((known, next), chunks): ((Ext, Vec<Ext>), &[Ext])| {
            let steps: Ext = next.iter().zip(z_next).map(|(&factor, &z)| factor * z).sum();
            let quotient = (known - steps) * self.vanishing(at.point).inverse();
            (quotient - self.join(&chunks[..QUOTIENT_DEGREE - 1], at)) * power.inverse()
        };
        sets.map(last).collect()
    }

    fn combined(&self, at: &Opened, challenges: &Challenges, public_hash: &HashOut<F>) -> Combined {
        let (sets, chunks) = (self.sets(), self.common.num_partial_products + 1);
        let first = self.vanishing(at.point)
            * (Ext::from_canonical_usize(self.subgroup.len()) * (at.point - Ext::ONE)).inverse();
        let mut terms: Vec<Ext> = at.zs.iter().map(|&z| first * (z - Ext::ONE)).collect();
        let mut denominators = Vec::new();
        for set in 0..sets {
            let mut before = at.zs[set];
            for chunk in 0..chunks {
                let [numerator, denominator] = self.chunk(at, chunk, challenges.betas[set], challenges.gammas[set]);
                let after = (chunk + 1 < chunks).then(|| at.partial_products[set * (chunks - 1) + chunk]);
                terms.push(before * numerator - after.map_or(Ext::ZERO, |after| after * denominator));
                match after {
                    Some(after) => before = after,
                    None => denominators.push(denominator),
                }
            }
        }
        terms.extend(self.gates(at, public_hash));
        let combine = |&alpha: &F| terms.iter().rev().fold(Ext::ZERO, |sum, &term| sum * Ext::from(alpha) + term);
        let step = |alpha: F, set: usize| alpha.exp_u64((sets + set * chunks + chunks - 1) as u64);
        let next = |&alpha: &F| (0..sets).map(|set| denominators[set] * Ext::from(step(alpha, set))).collect();
        Combined {
            known: challenges.alphas.iter().map(combine).collect(),
            next: challenges.alphas.iter().map(next).collect(),
        }
    }

    /// Numerator and denominator of the ratio of one chunk of routed wires.
    fn chunk(&self, at: &Opened, chunk: usize, beta: F, gamma: F) -> [Ext; 2] {
        let routed = self.common.config.num_routed_wires;
        let columns = chunk * QUOTIENT_DEGREE..routed.min((chunk + 1) * QUOTIENT_DEGREE);
        let (beta, gamma) = (Ext::from(beta), Ext::from(gamma));
        let identity = |k: usize| at.wires[k] + beta * Ext::from(self.common.k_is[k]) * at.point + gamma;
        let tied = |k: usize| at.wires[k] + beta * at.sigmas[k] + gamma;
        [columns.clone().map(identity).product(), columns.map(tied).product()]
    }

    /// The gates' constraints, added up by their numbers.
    fn gates(&self, at: &Opened, public_hash: &HashOut<F>) -> Vec<Ext> {
        let mut sums = vec![Ext::ZERO; self.common.num_gate_constraints];
        for index in 0..self.common.gates.len() {
            let values = self.gate(index, at, public_hash);
            sums.iter_mut().zip(values).for_each(|(sum, value)| *sum += value);
        }
        sums
    }

    /// The constraints of one gate, times its filter.
    pub fn gate(&self, index: usize, at: &Opened, public_hash: &HashOut<F>) -> Vec<Ext> {
        let vars =
            EvaluationVars { local_constants: &at.constants, local_wires: &at.wires, public_inputs_hash: public_hash };
        let gates = &self.common.gates;
        gates[index].0.eval_filtered(vars, index, index, index..index + 1, gates.len(), 0)
    }

    /// `point^rows`: what one chunk of the quotient is shifted by against the one before.
    fn shift(&self, point: Ext) -> Ext {
        point.exp_u64(self.subgroup.len() as u64)
    }

    fn vanishing(&self, point: Ext) -> Ext {
        self.shift(point) - Ext::ONE
    }

    /// The quotient of which these are the first chunks.
    fn join(&self, chunks: &[Ext], at: &Opened) -> Ext {
        chunks.iter().rev().fold(Ext::ZERO, |sum, &chunk| sum * self.shift(at.point) + chunk)
    }

    /// Whether the equations hold at the opening point: what plonky2's verifier checks, apart from the low-degree test.
    pub fn holds(&self, at: &Opened, zs_next: &[Ext], challenges: &Challenges, public_hash: &HashOut<F>) -> bool {
        let last = self.last_chunks(at, zs_next, challenges, public_hash);
        at.chunks.chunks(QUOTIENT_DEGREE).map(|chunks| chunks[QUOTIENT_DEGREE - 1]).eq(last)
    }
}
