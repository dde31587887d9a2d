//! `--timings`: where time and memory go.

use super::{memory, output};
use std::time::Duration;
use zknn::Timings;

/// Whether to tell.
#[derive(Debug, clap::Args)]
#[group(skip)]
pub(super) struct Args {
    /// Tell on stderr how long each step took, and how much memory there was need of
    #[arg(long)]
    timings: bool,
}

impl Args {
    /// Tells the steps and the peak, if asked to. Indented steps are shares of the one above them.
    pub(super) fn tell(&self, timings: &Timings) {
        if !self.timings {
            return;
        }
        for (name, duration) in &timings.steps {
            line(*duration, name);
        }
        let steps = timings.steps.iter().filter(|(name, _)| !name.starts_with(' '));
        line(steps.map(|(_, duration)| duration).sum(), "in all");
        if let Some(peak) = memory::peak() {
            output::talk(&format!("{:>9.1} MiB at most", peak as f64 / f64::from(1 << 20)));
        }
    }
}

fn line(duration: Duration, name: &str) {
    output::talk(&format!("{:>9.1} ms  {name}", duration.as_secs_f64() * 1e3));
}
