//! `Z` and the partial products: what a proof tells of them depends on the random cells that are tied across the seams
//! between chunks of the permutation argument. That is no linear form, so its derivative is taken.

use super::Products;
use super::algebra::{Coverage, forms};
use super::subject::{Cell, Subject};
use crate::gadget::field::{Ext, F};
use crate::plan::security::QUOTIENT_DEGREE;
use plonky2::field::types::Field;
use std::collections::BTreeMap;

/// The pairs of tied random cells that change one product in one row, by the product's chunk, `Z` being that of chunk zero,
/// and then by row; each with the derivative of the product's logarithm for each challenge set.
pub type Seams = BTreeMap<usize, BTreeMap<usize, Vec<Vec<F>>>>;

impl Subject {
    /// The seams of the circuit.
    pub fn seams(&self) -> Seams {
        let mut seams = Seams::new();
        for pair in &self.pairs {
            let sets: Vec<(Cell, F)> = (0..self.reader.sets()).map(|set| self.seam(pair, set)).collect();
            let (row, chunk) = sets[0].0;
            assert!(sets.iter().all(|(product, _)| *product == (row, chunk)));
            let derivatives = sets.into_iter().map(|(_, derivative)| derivative).collect();
            seams.entry(chunk).or_default().entry(row).or_default().push(derivatives);
        }
        seams
    }

    /// The one product, by row and chunk, that a pair of cells changes, and the derivative of its logarithm.
    fn seam(&self, pair: &[Cell; 2], set: usize) -> (Cell, F) {
        let chunks = self.reader.common.num_partial_products + 1;
        let (beta, gamma) = (self.challenges.betas[set], self.challenges.gammas[set]);
        // The products from which on each cell counts, one after the other through all rows.
        let mut steps = pair.map(|(row, column)| {
            let value = self.witness.row(row)[column] + gamma;
            let identity = value + beta * self.reader.common.k_is[column] * self.reader.subgroup[row];
            let sigma = value + beta * self.reader.sigmas[column * self.rows() + row];
            (row * chunks + column / QUOTIENT_DEGREE + 1, identity.inverse() - sigma.inverse())
        });
        steps.sort_by_key(|(product, _)| *product);
        let [(product, derivative), (end, undone)] = steps;
        assert_eq!(end, product + 1, "the cells are on either side of one product");
        assert_eq!(derivative + undone, F::ZERO, "what one multiplies by, the other divides by");
        ((product / chunks, product % chunks), derivative)
    }

    /// What is told of `Z` of all sets together, and how much of it is random through these seams, without those in the first
    /// `margin` rows.
    pub fn z(&self, seams: &Seams, margin: usize) -> Coverage {
        self.product(seams, 0, &self.points_of_z(), margin)
    }

    /// The same of all partial products.
    pub fn partial_products(&self, seams: &Seams, margin: usize) -> Coverage {
        let chunks = 1..=self.reader.common.num_partial_products;
        chunks.map(|chunk| self.product(seams, chunk, &self.points(), margin)).sum()
    }

    fn product(&self, seams: &Seams, chunk: usize, points: &[Ext], margin: usize) -> Coverage {
        let of_chunk = seams.get(&chunk).into_iter().flatten().skip(margin);
        let pairs: Vec<(usize, &Vec<F>)> =
            of_chunk.flat_map(|(&row, pairs)| pairs.iter().map(move |pair| (row, pair))).collect();
        let mut all = Vec::new();
        for (set, (&beta, &gamma)) in self.challenges.betas.iter().zip(&self.challenges.gammas).enumerate() {
            let products = Products::new(&self.reader, &self.witness, beta, gamma);
            let value = |row: usize| if chunk == 0 { products.z[row] } else { products.partial[row][chunk - 1] };
            for form in points.iter().flat_map(|&point| forms(&self.reader.subgroup, point)) {
                all.push(pairs.iter().map(|&(row, pair)| form[row] * value(row) * pair[set]).collect());
            }
        }
        Coverage::of(all)
    }
}
