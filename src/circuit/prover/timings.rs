//! Where the time of a proof goes.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// What was done, and how long it took, in order.
#[derive(Clone, Debug, Default)]
pub struct Timings {
    /// Name and duration of each step.
    pub steps: Vec<(String, Duration)>,
}

impl Timings {
    /// Does `step`, and notes how long it takes.
    pub fn measure<T>(&mut self, name: &str, step: impl FnOnce() -> T) -> T {
        let start = Instant::now();
        let result = step();
        self.steps.push((name.to_owned(), start.elapsed()));
        result
    }

    /// Splits the last step by the shares that `clock` measured.
    pub fn split(&mut self, clock: Clock) {
        let Some((_, whole)) = self.steps.last().cloned() else { return };
        let total: u64 = clock.counters.iter().map(|(_, nanos)| nanos.load(Ordering::Relaxed)).sum();
        for (name, nanos) in clock.counters.into_iter().filter(|(_, nanos)| nanos.load(Ordering::Relaxed) > 0) {
            let share = nanos.into_inner() as f64 / total.max(1) as f64;
            self.steps.push((format!("  {name}"), whole.mul_f64(share)));
        }
    }
}

/// Adds up the time that several threads spend on the parts of a step.
pub struct Clock {
    counters: Vec<(String, AtomicU64)>,
}

impl Clock {
    /// A clock for parts of these names.
    pub fn new(names: impl IntoIterator<Item = String>) -> Self {
        Self { counters: names.into_iter().map(|name| (name, AtomicU64::new(0))).collect() }
    }

    /// Times the part with this index, until what is returned is dropped.
    pub fn start(&self, part: usize) -> Running<'_> {
        Running { counter: &self.counters[part].1, start: Instant::now() }
    }
}

/// A part that is being timed.
pub struct Running<'a> {
    counter: &'a AtomicU64,
    start: Instant,
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.counter.fetch_add(self.start.elapsed().as_nanos() as u64, Ordering::Relaxed);
    }
}
