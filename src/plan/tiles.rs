//! Matrix-vector products cut into tiles of one shape, one tile a row.

use super::values::{Value, ZERO};
use super::{Demand, Matrix, Program};
use serde::{Deserialize, Serialize};

/// Width and height of a tile, in weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TileShape {
    /// Elements of `x` that it reads.
    pub width: usize,
    /// Elements of `y` that it adds to.
    pub height: usize,
}

/// How a routed wire compares with a row constant in what it costs: its column and that of its permutation.
const ROUTED_COST: usize = 2;

impl TileShape {
    /// Routed wires of a tile.
    pub fn routed(self) -> usize {
        self.width + 2 * self.height
    }

    /// How many tiles the matrices among `demands` take.
    pub fn count(self, demands: &[Demand]) -> usize {
        sides(demands).map(|(h, w)| h.div_ceil(self.height) * w.div_ceil(self.width)).sum()
    }

    /// The shape that costs least among those whose tiles fit `rows` rows; `Some(None)` where there is nothing to cut.
    pub fn choose(demands: &[Demand], rows: usize) -> Option<Option<Self>> {
        let Some(tallest) = sides(demands).map(|(height, _)| height).max() else { return Some(None) };
        let widest = sides(demands).map(|(_, width)| width).max().unwrap_or(1);
        let narrowest = |height: usize| {
            let fits = |width: usize| Self { width, height }.count(demands) <= rows;
            let (mut low, mut high) = (1, widest);
            while low < high {
                let middle = low.midpoint(high);
                if fits(middle) { high = middle } else { low = middle + 1 }
            }
            fits(low).then_some(Self { width: low, height })
        };
        let cost = |shape: &Self| shape.width * shape.height + ROUTED_COST * shape.routed();
        (1..=tallest.min(MAX_HEIGHT)).filter_map(narrowest).min_by_key(cost).map(Some)
    }
}

/// Height and width of each matrix.
fn sides(demands: &[Demand]) -> impl Iterator<Item = (usize, usize)> {
    demands.iter().filter_map(|demand| demand.matrix().map(Matrix::dim))
}

/// Beyond this, accumulators would crowd out inputs.
const MAX_HEIGHT: usize = 1024;

/// A rectangle of a matrix.
#[derive(Clone, Debug)]
pub struct Tile {
    /// The matrix.
    pub matrix: Matrix,
    /// Its top left corner: row and column. Beyond the matrix's edge the weights are zero.
    pub corner: [usize; 2],
}

/// All tiles of a program.
#[derive(Clone, Debug, Default)]
pub struct Tiles {
    /// The tiles, in an order in which each follows those it adds to.
    pub tiles: Vec<Tile>,
    /// The values at their routed wires, one tile after the other: `x`, before, after.
    pub wiring: Vec<Value>,
    /// For each block, where its tiles begin, if it is a matrix-vector product.
    pub first: Vec<Option<usize>>,
    /// How many values the partial sums add to the program's.
    pub partial_sums: usize,
}

impl Tiles {
    /// Cuts the matrix-vector products of `program`; without a shape there are none.
    pub fn cut(program: &Program, shape: Option<TileShape>) -> Self {
        let mut cut = Self { first: vec![None; program.blocks.len()], ..Self::default() };
        let Some(shape) = shape else { return cut };
        let mut next = program.values as Value;
        for (block, wiring, matrix) in program.matrices() {
            cut.first[block] = Some(cut.tiles.len());
            let (height, width) = matrix.dim();
            let (x, y) = wiring.split_at(width);
            for top in (0..height).step_by(shape.height) {
                let mut before = vec![ZERO; shape.height];
                for left in (0..width).step_by(shape.width) {
                    let is_last = left + shape.width >= width;
                    let after: Vec<Value> = (0..shape.height)
                        .map(|i| match y.get(top + i) {
                            Some(&output) if is_last => output,
                            _ => {
                                next += 1;
                                next - 1
                            }
                        })
                        .collect();
                    cut.wiring.extend((left..left + shape.width).map(|j| x.get(j).copied().unwrap_or(ZERO)));
                    cut.wiring.extend(before.iter().chain(&after));
                    cut.tiles.push(Tile { matrix: matrix.clone(), corner: [top, left] });
                    before = after;
                }
            }
        }
        cut.partial_sums = next as usize - program.values;
        cut
    }
}

impl Tile {
    /// Writes the weights of the tile, which is of this shape, row by row, each as an `element`.
    pub fn write<T: Copy>(&self, shape: TileShape, out: &mut [T], element: impl Fn(i64) -> T + Copy) {
        for (row, out) in (self.corner[0]..).zip(out.chunks_exact_mut(shape.width)) {
            self.matrix.write(row, self.corner[1], out, element);
        }
    }
}
