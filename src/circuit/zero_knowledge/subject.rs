//! A circuit with a witness and challenges, and which of its cells are random. That is found by comparing two witnesses of
//! one input, not read off the layout.

use super::algebra::{Coverage, forms, lagrange};
use super::reader::{Challenges, Opened, Reader};
use super::secrets;
use crate::circuit::Witness;
use crate::circuit::columns::Permutation;
use crate::circuit::shape::Gates;
use crate::circuit::shape_of;
use crate::circuit::verifier_view::constant_columns;
use crate::gadget::field::{Ext, F};
use crate::plan::security::{QUOTIENT_DEGREE, RATE_BITS};
use crate::plan::{DIGEST, Plan};
use plonky2::field::polynomial::PolynomialValues;
use plonky2::field::types::{Field, Sample};
use plonky2::hash::hash_types::HashOut;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha20Rng;
use std::collections::{BTreeSet, HashSet};

/// A cell, as row and column.
pub type Cell = (usize, usize);

pub struct Subject {
    pub reader: Reader,
    pub witness: Witness,
    pub challenges: Challenges,
    /// The points of the queries, all different.
    pub queries: Vec<F>,
    /// Columns that are random, and tied to nothing, in all rows.
    pub masks: Vec<usize>,
    /// Rows that are random, and tied to nothing, in all columns. What other rows hold at random counts for other oracles, or
    /// not at all.
    pub single: BTreeSet<usize>,
    /// Pairs of random cells that are tied to one another.
    pub pairs: Vec<[Cell; 2]>,
    /// The preprocessed constants, column by column.
    constants: Vec<Vec<F>>,
}

impl Subject {
    pub fn new(plan: &Plan) -> Self {
        let input: Vec<i64> = plan.program.inputs[0].elements.iter().map(|value| i64::from(value % 3)).collect();
        let witnesses = [1, 2].map(|seed| Witness::new(plan, &input, secrets([F::ZERO; DIGEST], seed)));
        let (free, pairs) = random_cells(plan, &witnesses);
        let [witness, _] = witnesses;
        let (height, width) = (plan.layout.rows(), plan.layout.wires);
        let masks = (0..width).filter(|&column| (0..height).all(|row| free.contains(&(row, column)))).collect();
        let single = (0..height).filter(|&row| (0..width).all(|column| free.contains(&(row, column)))).collect();
        let reader = Reader::new(plan);
        let constants = constant_columns(plan, &Gates::new(&shape_of(plan)));
        let mut random = ChaCha20Rng::seed_from_u64(3);
        let mut draw = || (0..reader.sets()).map(|_| F::sample(&mut random)).collect();
        let (betas, gammas, alphas) = (draw(), draw(), draw());
        let challenges = Challenges { betas, gammas, alphas, zeta: Ext::sample(&mut random) };
        let mut positions = BTreeSet::new();
        while positions.len() < reader.common.config.fri_config.num_query_rounds {
            positions.insert(random.gen_range(0..height * QUOTIENT_DEGREE));
        }
        let queries = positions.into_iter().map(|position| reader.point(position)).collect();
        Self { reader, witness, challenges, queries, masks, single, pairs, constants }
    }

    pub fn rows(&self) -> usize {
        self.reader.subgroup.len()
    }

    /// The points at which all polynomials are opened.
    pub fn points(&self) -> Vec<Ext> {
        self.queries.iter().map(|&x| x.into()).chain([self.challenges.zeta]).collect()
    }

    /// … with the points after them, at which `Z` is told as well.
    pub fn points_of_z(&self) -> Vec<Ext> {
        let mut points = self.points();
        for point in self.points() {
            let next = self.reader.next(point);
            if !points.contains(&next) {
                points.push(next);
            }
        }
        points
    }

    /// What is told of the wires that are not masks, and how much of it is random. They are all random in the same rows.
    pub fn wires(&self) -> Coverage {
        let all = self.points().into_iter().flat_map(|point| forms(&self.reader.subgroup, point));
        let column = Coverage::of(all.map(|form| self.single.iter().map(|&row| form[row]).collect()).collect());
        std::iter::repeat_n(column, self.witness.wires - self.masks.len()).sum()
    }

    /// The gates that read the column, as indices.
    pub fn gates_reading(&self, column: usize) -> Vec<usize> {
        let point = Ext::sample(&mut ChaCha20Rng::seed_from_u64(4));
        let basis = lagrange(&self.reader.subgroup, point);
        let value =
            |column: &Vec<F>| column.iter().zip(&basis).map(|(&value, &weight)| weight * Ext::from(value)).sum();
        let at = self.at(point, self.constants.iter().map(value).collect());
        let reads = |&gate: &usize| self.derivative(gate, &at, column).iter().any(|value| !value.is_zero());
        (0..self.reader.common.gates.len()).filter(reads).collect()
    }

    /// How much each constraint of a gate changes with a column.
    pub fn derivative(&self, gate: usize, at: &Opened, column: usize) -> Vec<Ext> {
        let mut after = self.at(at.point, at.constants.clone());
        after.wires[column] += Ext::ONE;
        let [before, after] = [at, &after].map(|at| self.reader.gate(gate, at, &HashOut::ZERO));
        after.into_iter().zip(before).map(|(after, before)| after - before).collect()
    }

    /// The points of the extended domain in natural order, with their constants.
    pub fn on_coset(&self) -> impl Iterator<Item = Opened> {
        let size = self.rows() * QUOTIENT_DEGREE;
        let extend =
            |column: &Vec<F>| PolynomialValues::new(column.clone()).ifft().lde(RATE_BITS).coset_fft(F::coset_shift());
        let columns: Vec<Vec<F>> = self.constants.iter().map(|column| extend(column).values).collect();
        let powers = F::primitive_root_of_unity(size.ilog2() as usize).powers().take(size).enumerate();
        powers.map(move |(i, power)| {
            let constants = columns.iter().map(|column| column[i].into()).collect();
            self.at((F::coset_shift() * power).into(), constants)
        })
    }

    /// A point with these constants, and with arbitrary wires.
    fn at(&self, point: Ext, constants: Vec<Ext>) -> Opened {
        let mut random = ChaCha20Rng::seed_from_u64(5);
        let wires = (0..self.witness.wires).map(|_| F::sample(&mut random).into()).collect();
        let none = Vec::new;
        Opened { point, constants, wires, sigmas: none(), zs: none(), partial_products: none(), chunks: none() }
    }
}

/// The cells in which the witnesses differ: those that are tied to nothing, and the others in pairs.
fn random_cells(plan: &Plan, [first, second]: &[Witness; 2]) -> (HashSet<Cell>, Vec<[Cell; 2]>) {
    let permutation = Permutation::new(plan);
    let (mut free, mut pairs) = (HashSet::new(), Vec::new());
    for row in 0..plan.layout.rows() {
        for column in (0..plan.layout.wires).filter(|&column| first.row(row)[column] != second.row(row)[column]) {
            let cell = (row, column);
            let next = if column < plan.layout.routed { permutation.next(row, column) } else { cell };
            if next == cell {
                free.insert(cell);
                continue;
            }
            assert_eq!(permutation.next(next.0, next.1), cell, "random cells are tied in pairs");
            if cell < next {
                pairs.push([cell, next]);
            }
        }
    }
    (free, pairs)
}
