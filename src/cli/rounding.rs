//! What rounding costs, told before anything is proved.

use super::output;
use super::percent::Percent;
use miette::{Diagnostic, Report};
use thiserror::Error;
use zknn::front::Model;
use zknn::rounding::RoundingLoss;

/// Beyond this there is a warning, or a refusal.
pub(super) const MAX_ERROR: Percent = Percent(1.0);

#[derive(Debug, Error, Diagnostic)]
#[error(
    "rounding changes outputs by {percent:.1} % of their spread: proofs would hold for other numbers than the model's"
)]
#[diagnostic(
    code(zknn::fixed::loss),
    help(
        "{first}; scale the numbers to inputs such as will be proved, `--calibrate FILE`, give them more bits, `--bits 16`, or \
         accept it, `--force`, which every statement will tell; `zknn eval` measures the accuracy that is left"
    )
)]
struct TooMuch {
    percent: f64,
    first: String,
}

/// The same where it is accepted.
#[derive(Debug, Error, Diagnostic)]
#[error("{error}")]
#[diagnostic(code(zknn::fixed::loss), severity(Warning), help("{}", error.help().map(|help| help.to_string()).unwrap_or_default()))]
struct Warning {
    error: TooMuch,
}

/// The loss in a line.
pub(super) fn text(loss: &RoundingLoss) -> String {
    let RoundingLoss { samples, is_random, error, greatest, same_class, .. } = *loss;
    let sort = if is_random { "random" } else { "calibration" };
    let classes = same_class.map(|same| format!(", {same} of {samples} classes the same")).unwrap_or_default();
    let (error, greatest) = (100.0 * error, 100.0 * greatest);
    format!(
        "rounding, on {samples} {sort} inputs: {error:.2} % of the outputs' spread, at most {greatest:.2} %{classes}"
    )
}

/// Refuses a loss beyond so much, or warns of it where it is accepted.
pub(super) fn check(loss: &RoundingLoss, model: &Model, most: Percent, is_accepted: bool) -> Result<(), Report> {
    if is_accepted {
        warn(loss, model, most);
        return Ok(());
    }
    too_much(loss, model, most).map_or(Ok(()), |error| Err(error.into()))
}

/// Warns on stderr of a loss beyond so much.
pub(super) fn warn(loss: &RoundingLoss, model: &Model, most: Percent) {
    if let Some(error) = too_much(loss, model, most) {
        output::talk(&format!("{:?}", Report::new(Warning { error })));
    }
}

fn too_much(loss: &RoundingLoss, model: &Model, Percent(most): Percent) -> Option<TooMuch> {
    // What is no number is beyond all.
    let is_allowed = 100.0 * loss.error <= most;
    (!is_allowed).then(|| TooMuch {
        percent: 100.0 * loss.error,
        first: loss.first_beyond(most / 100.0).map_or_else(
            || "it is the last layer that loses".to_string(),
            |lost| {
                let layer_type = model.layers()[lost.layer].kind.layer_type();
                let bits = lost.bits_left().max(0.0);
                format!(
                    "layer {} ({layer_type}) is the first that loses: {bits:.1} bits of its signal are left",
                    lost.layer
                )
            },
        ),
    })
}
