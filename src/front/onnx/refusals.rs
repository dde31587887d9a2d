//! What is wrong with a graph, all of it before any of it is told.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::super::error::{FrontError, Problem, Result};
use super::check::domain;
use super::node::{Node, Refusal};

/// How many problems are told.
const MAX_TOLD: usize = 20;

/// What is wrong so far.
#[derive(Default)]
pub(super) struct Refusals {
    /// How many nodes of each operator that is not supported, and the first of them.
    unsupported: BTreeMap<String, (usize, String)>,
    problems: Vec<Problem>,
    /// Nodes of functions that may end a network, and do not.
    inside: HashSet<String>,
    /// What is not known because of what is wrong; with operator and node where it is given by a function that may end a network.
    unknown: HashMap<String, Option<(String, String)>>,
}

impl Refusals {
    pub(super) fn problem(&mut self, problem: Problem) {
        self.problems.push(problem);
    }

    pub(super) fn unsupported(&mut self, node: &Node<'_>) {
        let of = domain(&node.proto.domain);
        let operator = &node.proto.op_type;
        let name = if of.is_empty() { operator.clone() } else { format!("{of}.{operator}") };
        self.unsupported.entry(name).or_insert((0, node.name().to_string())).0 += 1;
    }

    /// A node of a function that may end a network, and does not. Several nodes may read what one gives.
    pub(super) fn inside(&mut self, operator: &str, node: &str) {
        let (nodes, _) = self.unsupported.entry(operator.to_string()).or_insert((0, node.to_string()));
        *nodes += usize::from(self.inside.insert(node.to_string()));
    }

    /// The same for all whose results are not known and read by a node.
    pub(super) fn inside_of_unknown(&mut self, node: &Node<'_>) {
        for read in &node.proto.input {
            if let Some(Some((operator, name))) = self.unknown.get(read).cloned() {
                self.inside(&operator, &name);
            }
        }
    }

    pub(super) fn node(&mut self, node: &Node<'_>, Refusal { message, help }: Refusal) {
        let (name, operator) = (node.name().to_string(), node.proto.op_type.clone());
        self.problem(Problem::OnnxNode { name, operator, message, help });
    }

    pub(super) fn unknown(&mut self, name: &str, ending: Option<(String, String)>) {
        self.unknown.insert(name.to_string(), ending);
    }

    pub(super) fn is_unknown(&self, name: &str) -> bool {
        self.unknown.contains_key(name)
    }

    /// All that is wrong, if anything is.
    pub(super) fn told(self) -> Result<()> {
        let operators = self.unsupported.iter().map(|(operator, (count, first))| match count {
            1 => format!("{operator} (node `{first}`)"),
            count => format!("{operator} ({count} nodes, the first `{first}`)"),
        });
        let operators = operators.collect::<Vec<_>>().join(", ");
        let unsupported = (!operators.is_empty()).then_some(Problem::OnnxUnsupported { operators });
        let mut problems: Vec<Problem> = unsupported.into_iter().chain(self.problems).collect();
        let count = problems.len();
        problems.truncate(MAX_TOLD);
        match count {
            0 => Ok(()),
            1 => Err(FrontError::unplaced(problems.remove(0))),
            _ => Err(FrontError::unplaced(Problem::OnnxSeveral { count, problems })),
        }
    }
}
