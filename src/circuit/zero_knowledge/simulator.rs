//! A simulator: it makes transcripts that a verifier accepts without knowing an input, by choosing the challenges first. All
//! that it opens is random, but for the last chunk of each quotient, which the equations determine. That a real proof tells
//! no more than a simulated one is what zero knowledge means.

use super::algebra::{is_in_base_field, parts, solve};
use super::reader::{Challenges, Opened, Reader};
use super::transcript::{Hash, Transcript};
use crate::circuit::stock_prover;
use crate::gadget::field::{D, Ext, F};
use crate::plan::Plan;
use crate::plan::security::{CAP_HEIGHT, QUOTIENT_DEGREE, RATE_BITS};
use plonky2::field::extension::quadratic::QuadraticExtension;
use plonky2::field::polynomial::PolynomialCoeffs;
use plonky2::field::types::{Field, Sample};
use plonky2::fri::oracle::PolynomialBatch;
use plonky2::fri::proof::{FriChallenges, FriInitialTreeProof, FriProof, FriQueryRound, FriQueryStep};
use plonky2::hash::merkle_tree::MerkleTree;
use plonky2::hash::poseidon::PoseidonHash;
use plonky2::plonk::config::Hasher;
use plonky2::plonk::plonk_common::reduce_with_powers;
use plonky2::plonk::proof::OpeningSet;
use plonky2::util::timing::TimingTree;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha20Rng;

type Batch = PolynomialBatch<F, crate::circuit::hash::Blake3Config, D>;
type Columns = Vec<PolynomialCoeffs<F>>;

/// A transcript of the circuit for these public inputs, of which nothing but the key is used.
pub fn simulate(plan: &Plan, public: &[F], seed: u64) -> Transcript {
    let reader = Reader::new(plan);
    let mut random = ChaCha20Rng::seed_from_u64(seed);
    let sets = reader.sets();
    let [betas, gammas, alphas] = std::array::from_fn(|_| (0..sets).map(|_| F::sample(&mut random)).collect());
    let challenges = Challenges { betas, gammas, alphas, zeta: Ext::sample(&mut random) };
    let params = &reader.common.fri_params;
    let fri_challenges = FriChallenges {
        fri_alpha: Ext::sample(&mut random),
        fri_betas: params.reduction_arity_bits.iter().map(|_| Ext::sample(&mut random)).collect(),
        fri_pow_response: F::ZERO,
        fri_query_indices: (0..params.config.num_query_rounds)
            .map(|_| random.gen_range(0..params.lde_size()))
            .collect(),
    };
    let simulation = Simulation { reader, public, challenges, fri_challenges };
    simulation.transcript(stock_prover::preprocessed(plan), &mut random)
}

struct Simulation<'a> {
    reader: Reader,
    public: &'a [F],
    challenges: Challenges,
    fri_challenges: FriChallenges<F, D>,
}

impl Simulation<'_> {
    fn transcript(self, preprocessed: Batch, random: &mut ChaCha20Rng) -> Transcript {
        let (common, rows, sets) = (&self.reader.common, self.reader.subgroup.len(), self.reader.sets());
        let mut columns = |count: usize| -> Columns {
            (0..count).map(|_| PolynomialCoeffs::new((0..rows).map(|_| F::sample(random)).collect())).collect()
        };
        let wires = columns(common.config.num_wires);
        let products = columns(sets * (1 + common.num_partial_products));
        let mut chunks = columns(sets * QUOTIENT_DEGREE);
        self.settle([&preprocessed.polynomials, &wires, &products], &mut chunks);
        let commit = |columns: Columns| {
            Batch::from_coeffs(columns, RATE_BITS, true, CAP_HEIGHT, &mut TimingTree::default(), None)
        };
        let oracles = [preprocessed, commit(wires), commit(products), commit(chunks)];
        let all = oracles.each_ref().map(|oracle| &oracle.polynomials);
        let Opened { constants, sigmas, wires, zs, partial_products, chunks, .. } =
            self.open([all[0], all[1], all[2]], all[3], self.challenges.zeta);
        let openings = OpeningSet {
            constants,
            plonk_sigmas: sigmas,
            wires,
            plonk_zs: zs,
            plonk_zs_next: self.z_next(all[2], self.challenges.zeta),
            partial_products,
            quotient_polys: chunks,
            lookup_zs: Vec::new(),
            lookup_zs_next: Vec::new(),
        };
        Transcript {
            public: self.public.to_vec(),
            caps: oracles.each_ref().map(|oracle| oracle.merkle_tree.cap.clone()).to_vec(),
            fri: self.low_degree_test(&oracles),
            openings,
            challenges: self.challenges,
            fri_challenges: self.fri_challenges,
        }
    }

    /// Changes the last chunk of each quotient so that the equations hold wherever all columns are opened.
    fn settle(&self, columns: [&Columns; 3], chunks: &mut Columns) {
        let public_hash = PoseidonHash::hash_no_pad(self.public);
        let zeta = self.challenges.zeta;
        let mut points: Vec<Ext> = vec![zeta];
        for &position in &self.fri_challenges.fri_query_indices {
            let point = self.reader.point(position).into();
            if !points.contains(&point) {
                points.push(point);
            }
        }
        let last = |&point: &Ext| {
            let at = self.open(columns, chunks, point);
            self.reader.last_chunks(&at, &self.z_next(columns[2], point), &self.challenges, &public_hash)
        };
        let values: Vec<Vec<Ext>> = points.iter().map(last).collect();
        for set in 0..self.reader.sets() {
            let chunk = &mut chunks[(set + 1) * QUOTIENT_DEGREE - 1];
            // As many of the lowest coefficients as there are conditions are determined by the others.
            let conditions: Vec<(Ext, Ext)> =
                points.iter().zip(&values).map(|(&point, values)| (point, values[set])).collect();
            let count = conditions.iter().map(|(point, _)| if is_in_base_field(*point) { 1 } else { 2 }).sum();
            chunk.coeffs[..count].fill(F::ZERO);
            let condition = |&(point, value): &(Ext, Ext)| {
                let powers = point.powers().take(count).chain([value - evaluate(chunk, point)]);
                parts(&powers.collect::<Vec<Ext>>(), point)
            };
            let lowest = solve(conditions.iter().flat_map(condition).collect());
            chunk.coeffs[..count].copy_from_slice(&lowest);
        }
    }

    fn open(&self, [preprocessed, wires, products]: [&Columns; 3], chunks: &Columns, point: Ext) -> Opened {
        let at = |columns: &[PolynomialCoeffs<F>]| columns.iter().map(|column| evaluate(column, point)).collect();
        let (constants, sigmas) = preprocessed.split_at(self.reader.common.num_constants);
        let (zs, partial_products) = products.split_at(self.reader.sets());
        Opened {
            point,
            constants: at(constants),
            sigmas: at(sigmas),
            wires: at(wires),
            zs: at(zs),
            partial_products: at(partial_products),
            chunks: at(chunks),
        }
    }

    fn z_next(&self, products: &Columns, point: Ext) -> Vec<Ext> {
        products[..self.reader.sets()].iter().map(|z| evaluate(z, self.reader.next(point))).collect()
    }

    /// The low-degree test of the combination of all columns, made for challenges that are known.
    fn low_degree_test(&self, oracles: &[Batch; 4]) -> FriProof<F, Hash, D> {
        let params = &self.reader.common.fri_params;
        let mut coefficients = self.combination(oracles);
        let (mut trees, mut shift) = (Vec::new(), F::coset_shift());
        for (&arity_bits, &beta) in params.reduction_arity_bits.iter().zip(&self.fri_challenges.fri_betas) {
            let values = coefficients.lde(RATE_BITS).coset_fft(shift.into()).values;
            let bits = values.len().ilog2();
            let at = |position: usize| values[position.reverse_bits() >> (usize::BITS - bits)];
            let leaf = |leaf: usize| (0..1 << arity_bits).flat_map(|i| at((leaf << arity_bits) + i).0).collect();
            let leaves: Vec<Vec<F>> = (0..values.len() >> arity_bits).map(leaf).collect();
            trees.push(MerkleTree::<F, Hash>::new(leaves, CAP_HEIGHT));
            let fold = |chunk: &[Ext]| reduce_with_powers(chunk, beta);
            coefficients = PolynomialCoeffs::new(coefficients.coeffs.chunks(1 << arity_bits).map(fold).collect());
            shift = shift.exp_power_of_2(arity_bits);
        }
        let query = |&position: &usize| {
            let initial = oracles
                .each_ref()
                .map(|oracle| (oracle.merkle_tree.get(position).to_vec(), oracle.merkle_tree.prove(position)));
            let mut position = position;
            let step = |(tree, &arity_bits): (&MerkleTree<F, Hash>, &usize)| {
                position >>= arity_bits;
                let evals = tree.get(position).chunks(D).map(|pair| QuadraticExtension([pair[0], pair[1]])).collect();
                FriQueryStep { evals, merkle_proof: tree.prove(position) }
            };
            let steps = trees.iter().zip(&params.reduction_arity_bits).map(step).collect();
            FriQueryRound { initial_trees_proof: FriInitialTreeProof { evals_proofs: initial.to_vec() }, steps }
        };
        FriProof {
            commit_phase_merkle_caps: trees.iter().map(|tree| tree.cap.clone()).collect(),
            query_round_proofs: self.fri_challenges.fri_query_indices.iter().map(query).collect(),
            final_poly: coefficients,
            pow_witness: F::ZERO,
        }
    }

    /// All columns but their values at the opening point, divided by what vanishes there, and `Z` likewise at the next point.
    fn combination(&self, oracles: &[Batch; 4]) -> PolynomialCoeffs<Ext> {
        let (alpha, zeta) = (self.fri_challenges.fri_alpha, self.challenges.zeta);
        let quotient = |columns: Vec<&PolynomialCoeffs<F>>, point: Ext| {
            let mut sum = vec![Ext::ZERO; self.reader.subgroup.len()];
            for (column, power) in columns.into_iter().zip(alpha.powers()) {
                sum.iter_mut()
                    .zip(&column.coeffs)
                    .for_each(|(sum, &coefficient)| *sum += power * Ext::from(coefficient));
            }
            let mut quotient = PolynomialCoeffs::new(sum).divide_by_linear(point);
            quotient.coeffs.push(Ext::ZERO);
            quotient
        };
        let zs: Vec<_> = oracles[2].polynomials.iter().take(self.reader.sets()).collect();
        let power = alpha.exp_u64(zs.len() as u64);
        let mut all = quotient(oracles.iter().flat_map(|oracle| &oracle.polynomials).collect(), zeta);
        all *= power;
        all += quotient(zs, self.reader.next(zeta));
        all
    }
}

fn evaluate(column: &PolynomialCoeffs<F>, point: Ext) -> Ext {
    column.coeffs.iter().rev().fold(Ext::ZERO, |sum, &coefficient| sum * point + Ext::from(coefficient))
}
