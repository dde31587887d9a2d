//! Operators that the file itself defines: each node of one is replaced by those that define it.

use std::collections::HashMap;

use super::check::{Versions, domain};
use super::proto::{AttributeProto, FunctionProto, NodeProto};

/// How deep functions may call each other.
const MAX_DEPTH: usize = 16;

/// How many nodes there may be.
const MAX_NODES: usize = 1 << 20;

/// A node of the graph and the version of its operator; none where the file does not say one.
#[derive(Debug, Clone)]
pub(super) struct Placed {
    pub(super) proto: NodeProto,
    pub(super) version: Option<i64>,
}

/// The nodes of a graph, without those of functions; or what is wrong.
pub(super) fn inlined(
    nodes: Vec<NodeProto>,
    functions: &[FunctionProto],
    versions: &Versions,
) -> Result<Vec<Placed>, String> {
    let mut inliner = Inliner { functions: HashMap::new(), placed: Vec::new(), calls: 0 };
    for function in functions {
        let key = (domain(&function.domain), &function.name[..], &function.overload[..]);
        if inliner.functions.insert(key, function).is_some() {
            return Err(format!("two functions are called `{}`", function.name));
        }
    }
    for node in nodes {
        inliner.place(node, versions, 0)?;
    }
    Ok(inliner.placed)
}

struct Inliner<'a> {
    functions: HashMap<(&'a str, &'a str, &'a str), &'a FunctionProto>,
    placed: Vec<Placed>,
    calls: usize,
}

impl Inliner<'_> {
    fn place(&mut self, node: NodeProto, versions: &Versions, depth: usize) -> Result<(), String> {
        let key = (domain(&node.domain), &node.op_type[..], &node.overload[..]);
        let Some(&function) = self.functions.get(&key) else {
            if self.placed.len() >= MAX_NODES {
                return Err(format!("there are more than {MAX_NODES} nodes"));
            }
            let version = versions.get(&node.domain);
            self.placed.push(Placed { proto: node, version });
            return Ok(());
        };
        if depth == MAX_DEPTH {
            return Err(format!("functions call each other more than {MAX_DEPTH} times, in `{}`", node.op_type));
        }
        self.calls += 1;
        let call = self.calls;
        let own = Versions::of(&function.opset_import).or(versions);
        let outer = |names: &[String], given: &[String]| -> HashMap<String, String> {
            let given = given.iter().chain(std::iter::repeat(const { &String::new() }));
            names.iter().cloned().zip(given.cloned()).collect()
        };
        let mut names = outer(&function.input, &node.input);
        let results = outer(&function.output, &node.output);
        names.extend(results.into_iter().filter(|(_, given)| !given.is_empty()));
        let renamed = |name: &String| match names.get(name) {
            Some(given) => given.clone(),
            None if name.is_empty() => String::new(),
            None => format!("{name}, in call {call} of {}", function.name),
        };
        for inner in &function.node {
            let attribute = function_attributes(inner, &node, function);
            let inner = NodeProto {
                input: inner.input.iter().map(renamed).collect(),
                output: inner.output.iter().map(renamed).collect(),
                name: format!("{}/{}", node.name, inner.name),
                attribute,
                ..inner.clone()
            };
            self.place(inner, &own, depth + 1)?;
        }
        Ok(())
    }
}

/// The attributes of a node of a function; those that stand for the caller's have its values, or the function's own, or are missing.
fn function_attributes(inner: &NodeProto, caller: &NodeProto, function: &FunctionProto) -> Vec<AttributeProto> {
    let attribute = |attribute: &AttributeProto| {
        if attribute.ref_attr_name.is_empty() {
            return Some(attribute.clone());
        }
        let mut given = caller.attribute.iter().chain(&function.attribute_proto);
        let given = given.find(|given| given.name == attribute.ref_attr_name)?;
        Some(AttributeProto { name: attribute.name.clone(), ..given.clone() })
    };
    inner.attribute.iter().filter_map(attribute).collect()
}
