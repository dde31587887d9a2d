//! What the command line asks for.

/// Whether `cargo bench` runs, with a filter that this name contains, or none. Cargo says that it benchmarks; when it tests
/// all targets there is nothing to do.
pub fn is_asked_for(name: &str) -> bool {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let mut filters = args.iter().filter(|arg| !arg.starts_with('-')).peekable();
    let is_named = filters.peek().is_none() || filters.any(|filter| name.contains(filter.as_str()));
    args.iter().any(|arg| arg == "--bench") && is_named
}
