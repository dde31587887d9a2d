//! What the tests of the passes share.

use zknn_ir::{Graph, parse, print, validate};

use super::{Context, PassError};

/// The input range of the tests that are not about it.
pub(super) const CONTEXT: Context = Context { input_range: (-5, 4), fixed: None };

type Run = fn(&mut Graph, &Context) -> Result<(), PassError>;

/// The text of a graph after one pass, which must leave it valid and be idle when it runs again.
pub(super) fn after(run: Run, text: &str) -> String {
    after_with(run, &CONTEXT, text)
}

/// The same in another context.
pub(super) fn after_with(run: Run, context: &Context, text: &str) -> String {
    let mut graph = parse(text).unwrap();
    run(&mut graph, context).unwrap();
    assert_eq!(validate(&graph), Ok(()));
    let once = print(&graph);
    run(&mut graph, context).unwrap();
    assert_eq!(print(&graph), once);
    once
}

/// The error of one pass.
pub(super) fn error_after(run: Run, text: &str) -> String {
    error_with(run, &CONTEXT, text)
}

/// The same in another context.
pub(super) fn error_with(run: Run, context: &Context, text: &str) -> String {
    let mut graph = parse(text).unwrap();
    run(&mut graph, context).unwrap_err().to_string()
}
