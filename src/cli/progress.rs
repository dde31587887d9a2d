//! What is being done, for someone who waits at a terminal.

use indicatif::{ProgressBar, ProgressStyle};
use std::time::{Duration, Instant};

/// Runs a step that takes a while: a spinner turns meanwhile, and the time it took stays. Nothing is shown where
/// stderr is no terminal, or where logs are shown, which tell the same.
pub(super) fn step<T>(what: &'static str, work: impl FnOnce() -> T) -> T {
    if tracing::enabled!(tracing::Level::INFO) {
        return work();
    }
    let spinner = ProgressBar::new_spinner().with_message(what);
    // The template is a constant; should it ever be wrong, the default will do.
    if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} {elapsed}") {
        spinner.set_style(style);
    }
    spinner.enable_steady_tick(Duration::from_millis(100));
    let start = Instant::now();
    let result = work();
    if !spinner.is_hidden() {
        spinner.println(format!("{what}: {:.1} s", start.elapsed().as_secs_f64()));
    }
    spinner.finish_and_clear();
    result
}
