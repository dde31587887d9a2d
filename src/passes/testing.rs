//! What the tests of the passes share.

use zknn_ir::{Graph, parse, print, validate};

use super::{Context, PassError, observe};

/// What is known in the tests that are not about it.
pub(super) fn context() -> Context {
    Context::of_one((-5, 4), None)
}

type Run = fn(&mut Graph, &mut Context) -> Result<(), PassError>;

/// The text of a graph after one pass, which must leave it valid and be idle when it runs again.
pub(super) fn after(run: Run, text: &str) -> String {
    after_with(run, &context(), text)
}

/// The same in another context.
pub(super) fn after_with(run: Run, context: &Context, text: &str) -> String {
    let (mut graph, mut context) = (parse(text).unwrap(), context.clone());
    observe::run(&mut graph, &mut context).unwrap();
    run(&mut graph, &mut context).unwrap();
    assert_eq!(validate(&graph), Ok(()));
    let once = print(&graph);
    run(&mut graph, &mut context).unwrap();
    assert_eq!(print(&graph), once);
    once
}

/// The error of one pass.
pub(super) fn error_after(run: Run, text: &str) -> String {
    error_with(run, &context(), text)
}

/// The same in another context.
pub(super) fn error_with(run: Run, context: &Context, text: &str) -> String {
    run(&mut parse(text).unwrap(), &mut context.clone()).unwrap_err().to_string()
}
