//! Numbers for models and inputs that are measured.

use serde_json::{Value, json};

/// A tensor in its JSON form, of these elements.
pub fn tensor(dim: &[usize], mut element: impl FnMut() -> f64) -> Value {
    let data: Vec<f64> = (0..dim.iter().product()).map(|_| element()).collect();
    json!({"v": 1, "dim": dim, "data": data})
}

/// Numbers in 0..1, the same each time.
pub struct Random(pub u64);

impl Random {
    /// The next one.
    pub fn next(&mut self) -> f64 {
        // Knuth's linear congruential generator.
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1u64 << 53) as f64
    }
}
