use crate::Graph;
pub const INLINE_LIMIT: usize = 32;
pub fn print(_g: &Graph) -> String {
    String::new()
}
