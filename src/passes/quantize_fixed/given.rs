//! What quantizes of the network itself say: their scales are kept, and their results are those of the tool that wrote them.

use zknn_ir::op::{Affine, Quantize};
use zknn_ir::{Factors, NodeId, Op, Requantize, Weights};

use super::super::steps::{Channel, Multipliers, Piece, Rounding, rounding};
use super::linear::tensor;
use super::{PassError, Quantizer, ROOM_BITS};

/// How many scales are tried until sums of products with each operand's have the same.
const TRIES: u32 = 256;

/// As far as sums are multiplied to have one scale.
const MOST_FACTOR: f64 = (1u64 << 40) as f64;

impl Quantizer<'_> {
    /// The requantizes that give the results of a quantize on the node `old`; none where numbers are what they are to be.
    pub(super) fn quantize(&mut self, id: NodeId, op: &Quantize) -> Result<NodeId, PassError> {
        let old = self.old.operands(id)[0];
        let operand = self.ids[&old];
        let sums = self.new.node(operand).fact.interval().unwrap_or_default();
        let (units, are_sums) = (self.units_of(old), self.sums.contains_key(&old));
        if !are_sums && units == [op.scale] && op.lo <= sums.0 && sums.1 <= op.hi {
            return Ok(operand);
        }
        let channels: Vec<Channel> = match are_sums {
            // The product of scales, and the quotient, are floats of 32 bits in other tools too; and that of a scale and the
            // number of elements that a mean is of.
            true => {
                let count = mean_of(&self.old.node(old).op);
                let multiplier = |unit: f64| (unit * count) as f32 / (op.scale as f32 * count as f32);
                units.iter().map(|&unit| Channel { multiplier: multiplier(unit), divisor: 1.0, sums }).collect()
            }
            // Elsewhere numbers become real ones in between.
            false => vec![Channel { multiplier: units[0] as f32, divisor: op.scale as f32, sums }],
        };
        let found = rounding(&channels, (op.lo, op.hi));
        match found.ok_or_else(|| self.narrow(id, self.old.node(id), ROOM_BITS + 1))? {
            Rounding::Nearest(by) => self.add(id, at_level(op, by, [true; 2]), &[operand]),
            Rounding::Even { even, odd } => self.even(id, operand, op, [even, odd]),
        }
    }

    /// `max(odd, 2 floor(even / 2))`
    fn even(
        &mut self,
        id: NodeId,
        operand: NodeId,
        op: &Quantize,
        [even, odd]: [Vec<Piece>; 2],
    ) -> Result<NodeId, PassError> {
        // Below the least result lies what does not step up to it, above the greatest what steps up to the next.
        let of_even = [op.lo % 2 == 0, op.hi % 2 != 0];
        let odd = self.pieces(id, operand, op, odd, of_even.map(|is_of_even| !is_of_even))?;
        let even = self.pieces(id, operand, op, even, of_even)?;
        let before = self.affine(id, even, (1, 1.0), &[-1])?;
        let (lo, hi) = (op.lo.div_euclid(2), op.hi.div_euclid(2));
        let halve =
            Requantize { multipliers: vec![1], shift: 1, lo, hi, scale: 2.0 * op.scale, ..Requantize::default() };
        let halves = self.add(id, Op::Requantize(halve), &[before])?;
        let even = self.affine(id, halves, (2, 0.5), &[])?;
        self.add(id, Op::Maximum, &[odd, even])
    }

    /// The results of all pieces together.
    fn pieces(
        &mut self,
        id: NodeId,
        operand: NodeId,
        op: &Quantize,
        pieces: Vec<Piece>,
        [below, above]: [bool; 2],
    ) -> Result<NodeId, PassError> {
        let mut parts = Vec::new();
        let mut least = Vec::new();
        for Piece { results, bits, offsets, by } in pieces {
            let moved = self.affine(id, operand, (1 << bits, 0.5f64.powi(bits as i32)), &offsets)?;
            let ends = [below && results.0 == op.lo, above && results.1 == op.hi];
            let part = Quantize { lo: results.0, hi: results.1, ..*op };
            parts.push(self.add(id, at_level(&part, by, ends), &[moved])?);
            least.push(results.0);
        }
        if let [part] = parts[..] {
            return Ok(part);
        }
        let sum = self.add(id, Op::Add, &parts)?;
        self.affine(id, sum, (1, 1.0), &[-least[1..].iter().sum::<i64>()])
    }

    /// All numbers of a tensor times an integer, which stands for that integer times `scale`, and an offset for each channel, or one
    /// for all, or none.
    fn affine(
        &mut self,
        id: NodeId,
        operand: NodeId,
        (factor, scale): (i64, f64),
        offsets: &[i64],
    ) -> Result<NodeId, PassError> {
        if factor == 1 && offsets.iter().all(|offset| *offset == 0) {
            return Ok(operand);
        }
        let fact = &self.new.node(operand).fact;
        let (channels, unit) = (fact.channels(), fact.scale().unwrap_or(1.0));
        let each = |integers: &[i64]| tensor(&[channels], integers.iter().copied().cycle().take(channels).collect());
        let weights = Weights::Fixed { data: each(&[factor]), scale };
        let bias = offsets.iter().any(|offset| *offset != 0);
        let bias = bias.then(|| Weights::Fixed { data: each(offsets), scale: unit * scale });
        self.add(id, Op::Affine(Affine { weights, bias }), &[operand])
    }

    /// The sum of operands that is quantized to a scale: each is multiplied by the quotient of the scales, as a float of 32 bits
    /// has it, exactly. Nothing if these have too many digits.
    pub(super) fn exact_sum(&mut self, id: NodeId, op: &Op, scale: f64) -> Result<Option<NodeId>, PassError> {
        let old = self.old.operands(id);
        let operands: Vec<NodeId> = old.iter().map(|old| self.ids[old]).collect();
        let scales: Vec<f64> = operands.iter().map(|&node| self.new.node(node).fact.scale().unwrap_or(1.0)).collect();
        let ratios =
            |old: &NodeId| self.units_of(*old).iter().map(|unit| f64::from(*unit as f32 / scale as f32)).collect();
        let ratios: Vec<Vec<f64>> = old.iter().map(ratios).collect();
        let digits = ratios.iter().flatten().map(|ratio| fraction_bits(*ratio)).max().unwrap_or(0);
        let steps = 2f64.powi(digits as i32);
        let unit = scale / steps;
        let is_at_unit =
            |(scale, ratios): (&f64, &Vec<f64>)| *scale == unit && ratios.iter().all(|ratio| ratio * steps == 1.0);
        if scales.iter().zip(&ratios).all(is_at_unit) {
            return self.sum_of_units(id, op, &operands, unit).map(Some);
        }
        let Some(of_weights) = scales_to(&scales, unit) else { return Ok(None) };
        if ratios.iter().flatten().any(|ratio| ratio * steps > MOST_FACTOR) {
            return Ok(None);
        }
        let mut at_unit = Vec::new();
        for ((node, ratios), scale) in operands.into_iter().zip(&ratios).zip(of_weights) {
            let channels = self.new.node(node).fact.channels();
            let factors = ratios.iter().cycle().take(channels).map(|ratio| (ratio * steps) as i64).collect();
            let weights = Weights::Fixed { data: tensor(&[channels], factors), scale };
            at_unit.push(self.add(id, Op::Affine(Affine { weights, bias: None }), &[node])?);
        }
        self.sum_of_units(id, op, &at_unit, unit).map(Some)
    }

    /// The sum of operands in one unit, which is left to the quantizes that read it.
    fn sum_of_units(&mut self, id: NodeId, op: &Op, operands: &[NodeId], unit: f64) -> Result<NodeId, PassError> {
        self.sums.insert(id, vec![unit]);
        self.add(id, op.clone(), operands)
    }
}

/// How many elements an operation takes the mean of, if it does; or one.
fn mean_of(op: &Op) -> f64 {
    let Some(Factors { weights: Weights::Real(weights), bias: None, .. }) = op.factors() else { return 1.0 };
    let first = weights.iter().copied().find(|weight| *weight != 0.0).unwrap_or(1.0);
    let is_of_mean =
        weights.iter().all(|weight| *weight == 0.0 || *weight == first) && 1.0 / first.recip().round() == first;
    if is_of_mean { first.recip().round() } else { 1.0 }
}

/// A requantize to the results of a quantize. An end at zero is what a relu comes to, and no saturation.
fn at_level(op: &Quantize, by: Multipliers, [below, above]: [bool; 2]) -> Op {
    let Multipliers { shift, mut multipliers } = by;
    if multipliers.iter().all(|multiplier| *multiplier == multipliers[0]) {
        multipliers.truncate(1);
    }
    let (lo, hi) = (op.lo, op.hi);
    Op::Requantize(Requantize {
        multipliers,
        shift,
        lo,
        hi,
        saturates_below: below && lo != 0,
        saturates_above: above,
        scale: op.scale,
    })
}

/// How many binary digits a number has behind the point.
fn fraction_bits(number: f64) -> u32 {
    (0..200).find(|&bits| (number * 2f64.powi(bits as i32)).fract() == 0.0).unwrap_or(200)
}

/// Scales for the weights of operands that have these, such that the products have the same one, bit for bit, close to `unit`.
fn scales_to(scales: &[f64], unit: f64) -> Option<Vec<f64>> {
    let candidates = std::iter::successors(Some(unit), |unit| Some(unit.next_up())).take(TRIES as usize);
    let factor = |scale: f64, unit: f64| {
        let near = unit / scale;
        [near, near.next_up(), near.next_down()].into_iter().find(|factor| scale * factor == unit)
    };
    candidates
        .map(|unit| scales.iter().map(|&scale| factor(scale, unit)).collect())
        .find_map(|factors: Option<Vec<f64>>| factors)
}
