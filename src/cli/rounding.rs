//! What rounding costs, told before anything is proved.

use super::output;
use miette::{Diagnostic, Report};
use thiserror::Error;
use zknn::rounding::RoundingLoss;

/// Beyond this fraction of the outputs' spread there is a warning.
const TOLERATED: f64 = 0.05;

#[derive(Debug, Error, Diagnostic)]
#[error(
    "rounding changes outputs by up to {percent:.1} % of their spread: proofs will hold for other numbers than the model's"
)]
#[diagnostic(
    code(zknn::fixed::loss),
    severity(Warning),
    help(
        "scale the numbers to inputs such as will be proved, `--calibrate FILE`, or give them more bits, `--bits 16`; \
         `zknn eval` measures the accuracy that is left"
    )
)]
struct LossWarning {
    percent: f64,
}

/// The loss in a line.
pub(super) fn text(loss: &RoundingLoss) -> String {
    let RoundingLoss { samples, is_random, error, same_class } = *loss;
    let sort = if is_random { "random" } else { "calibration" };
    let classes = same_class.map(|same| format!(", {same} of {samples} classes the same")).unwrap_or_default();
    format!("rounding, on {samples} {sort} inputs: at most {:.2} % of the outputs' spread{classes}", 100.0 * error)
}

/// Warns on stderr of a loss that is not small.
pub(super) fn warn(loss: &RoundingLoss) {
    if loss.error > TOLERATED {
        let warning = LossWarning { percent: 100.0 * loss.error };
        output::talk(&format!("{:?}", Report::new(warning)));
    }
}
