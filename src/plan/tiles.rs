//! Matrix-vector products cut into tiles of one shape, one tile a row.

use super::values::{Value, ZERO};
use super::{Block, Demand, Matrix, RowConstants};
use crate::gadget::DenseTile;
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

    /// Weights of a tile, each a row constant.
    pub fn weights(self) -> usize {
        self.width * self.height
    }

    /// What each tile is an instance of.
    pub fn gadget(self) -> DenseTile {
        DenseTile { width: self.width, height: self.height }
    }

    /// How many tiles a matrix of `height` and `width` takes.
    pub fn tiles(self, (height, width): (usize, usize)) -> usize {
        height.div_ceil(self.height) * width.div_ceil(self.width)
    }

    /// Row and column of the top left corner of a tile, in their order.
    pub fn corner(self, (_, width): (usize, usize), tile: usize) -> [usize; 2] {
        let band = width.div_ceil(self.width);
        [tile / band * self.height, tile % band * self.width]
    }

    /// How many tiles the matrices among `demands` take.
    pub fn count(self, demands: &[Demand]) -> usize {
        sides(demands).map(|sides| self.tiles(sides)).sum()
    }

    /// The shape that costs least among those whose tiles fit `rows` rows; `Some(None)` where there is nothing to cut.
    pub fn choose(demands: &[Demand], rows: usize) -> Option<Option<Self>> {
        let sides: Vec<(usize, usize)> = sides(demands).collect();
        let Some(tallest) = sides.iter().map(|(height, _)| *height).max() else { return Some(None) };
        let widest = sides.iter().map(|(_, width)| *width).max().unwrap_or(1);
        let narrowest = |height: usize| {
            let tiles = |width: usize| sides.iter().map(|&sides| Self { width, height }.tiles(sides)).sum::<usize>();
            let fits = |width: usize| tiles(width) <= rows;
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

/// A matrix-vector product, cut into tiles of this shape. `next` is the first value that is free; partial sums are new ones.
pub(super) fn cut(product: &Block, matrix: &Matrix, shape: TileShape, next: &mut usize) -> Block {
    let (height, width) = matrix.dim();
    let (x, y) = product.wiring.split_at(width);
    let mut wiring = Vec::new();
    for top in (0..height).step_by(shape.height) {
        let mut before = vec![ZERO; shape.height];
        for left in (0..width).step_by(shape.width) {
            let is_last = left + shape.width >= width;
            let after: Vec<Value> = (0..shape.height)
                .map(|i| match y.get(top + i) {
                    Some(&output) if is_last => output,
                    _ => {
                        *next += 1;
                        (*next - 1) as Value
                    }
                })
                .collect();
            wiring.extend((left..left + shape.width).map(|j| x.get(j).copied().unwrap_or(ZERO)));
            wiring.extend(before.iter().chain(&after));
            before = after;
        }
    }
    let constants = RowConstants::Tiles { matrix: matrix.clone(), shape };
    let demand = Demand::new(product.demand.label.clone(), shape.gadget(), shape.tiles(matrix.dim()));
    Block { demand: demand.in_runs(width.div_ceil(shape.width)).with_constants(constants), wiring }
}
