//! What fixed-point networks have beyond sums and maxima: requantization, and the choice of a class.

use super::{Block, Kind, Matrix, ONE, Value, Writer};
use crate::gadget::{Argmax, Requantize};
use crate::plan::PlanError;
use ndarray::{ArcArray2, Array2};
use zknn_ir::NodeId;

impl Writer<'_> {
    /// The multipliers are values of their own, so that one gadget serves all channels: a column of weights, times one.
    /// As such they lie in row constants and take no columns of wires from other rows.
    pub(super) fn requantize(
        &mut self,
        id: NodeId,
        operand: NodeId,
        op: &zknn_ir::Requantize,
    ) -> Result<(), PlanError> {
        let (lo, hi) = self.interval(operand)?;
        let (least, greatest) = op.quotients((lo, hi));
        let too_wide = || PlanError::TooWide { node: self.label(id), lo, hi };
        let quotients = i64::try_from(least).ok().zip(i64::try_from(greatest).ok()).ok_or_else(too_wide)?;
        let gadget = Requantize::new(op.shift, (op.lo, op.hi), quotients).ok_or_else(too_wide)?;

        let multipliers: Vec<Value> = self.fresh(op.multipliers.len()).collect();
        let column = Array2::from_shape_fn((multipliers.len(), 1), |(channel, _)| op.multipliers[channel]);
        self.blocks.push(Block {
            label: format!("{} multipliers", self.label(id)),
            kind: Kind::MatVec(Matrix { weights: ArcArray2::from(column), bias: None }),
            wiring: [ONE].into_iter().chain(multipliers.iter().copied()).collect(),
            own_rows: None,
        });
        let outputs = self.fresh_tensor(id);
        let from = self.tensor(operand);
        let elements = from.iter().zip(multipliers.into_iter().cycle()).zip(outputs);
        let wiring = elements.flat_map(|((&x, multiplier), y)| [x, multiplier, y]).collect();
        self.gadget(self.label(id), gadget, wiring, None);
        Ok(())
    }

    pub(super) fn argmax(&mut self, id: NodeId, operand: NodeId) -> Result<(), PlanError> {
        let from = self.tensor(operand);
        let gadget = Argmax::new(from.len(), self.spread(operand, false)?);
        let output = self.fresh_tensor(id);
        let wiring = from.iter().copied().chain(output).collect();
        self.gadget(self.label(id), gadget, wiring, None);
        Ok(())
    }
}
