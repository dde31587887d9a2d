//! What each layer reads: names resolved, and an order in which every layer comes after those it reads.

use std::collections::BTreeMap;

use super::Layer;
use super::composed::Reads;
use super::error::Problem;
use super::fields::{closest, quoted};
use super::source::shown;

/// The name of the model's input among those that layers read.
pub const INPUT: &str = "input";

/// Where a layer takes a tensor from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// The model's input.
    Input,
    /// The output of the layer with this index.
    Layer(usize),
}

/// What the layers of a model read.
#[derive(Debug, Clone)]
pub(super) struct Wiring {
    /// For each layer what it reads, in order.
    pub(super) reads: Vec<Vec<Source>>,
    /// The layers, each after those it reads.
    pub(super) order: Vec<usize>,
}

/// Why layers do not make a network, and where that shows.
#[derive(Debug)]
pub(super) struct WiringError {
    pub(super) problem: Box<Problem>,
    pub(super) layer: usize,
    /// The field, and the element of it.
    pub(super) place: (&'static str, Option<usize>),
    pub(super) label: String,
}

impl Wiring {
    /// Resolves the names that layers read. A layer that names nothing reads the layer before it, the first one the
    /// model's input.
    pub(super) fn of(layers: &[Layer]) -> Result<Wiring, WiringError> {
        let known = names(layers)?;
        let mut reads: Vec<Vec<Source>> = Vec::with_capacity(layers.len());
        for (index, layer) in layers.iter().enumerate() {
            let sources = match &layer.inputs {
                None => vec![index.checked_sub(1).map_or(Source::Input, Source::Layer)],
                Some(names) => {
                    let find = |(at, name): (usize, &String)| find(&known, index, at, name);
                    names.iter().enumerate().map(find).collect::<Result<_, _>>()?
                }
            };
            check_count(layer, index, sources.len())?;
            reads.push(sources);
        }
        let order = order(&reads)?;
        check_read(layers, &reads)?;
        Ok(Wiring { reads, order })
    }
}

/// The layers by their names.
fn names(layers: &[Layer]) -> Result<BTreeMap<&str, usize>, WiringError> {
    let mut names = BTreeMap::new();
    for (layer, name) in layers.iter().enumerate().filter_map(|(index, layer)| Some((index, layer.name.as_deref()?))) {
        let (problem, label) = if name == INPUT {
            (Problem::ReservedName { layer }, "taken".to_string())
        } else if let Some(first) = names.insert(name, layer) {
            (Problem::DuplicateName { layer, first, name: shown(name) }, format!("layer {first} has it"))
        } else {
            continue;
        };
        return Err(WiringError { problem: Box::new(problem), layer, place: ("name", None), label });
    }
    Ok(names)
}

fn find(names: &BTreeMap<&str, usize>, layer: usize, at: usize, name: &str) -> Result<Source, WiringError> {
    if name == INPUT {
        return Ok(Source::Input);
    }
    if let Some(&found) = names.get(name) {
        return Ok(Source::Layer(found));
    }
    let known: Vec<&str> = [INPUT].into_iter().chain(names.keys().copied()).collect();
    let label = match closest(name, &known) {
        Some(close) => format!("did you mean `{}`?", shown(close)),
        None => "unknown".to_string(),
    };
    let problem = Box::new(Problem::UnknownInput { layer, name: shown(name), advice: advice(&known) });
    Err(WiringError { problem, layer, place: ("inputs", Some(at)), label })
}

/// The names that there are, or some of them.
fn advice(known: &[&str]) -> String {
    const SHOWN: usize = 8;
    let names = quoted(known.iter().take(SHOWN).map(|name| shown(name)));
    match known.len() {
        0..=SHOWN => format!("the names are {names}; give a layer a `name` to read it elsewhere"),
        count => format!("some of the {count} names are {names}; give a layer a `name` to read it elsewhere"),
    }
}

fn check_count(layer: &Layer, index: usize, got: usize) -> Result<(), WiringError> {
    let (is_right, expected) = match layer.kind.reads() {
        Reads::One => (got == 1, "one input"),
        Reads::Two => (got == 2, "two inputs"),
        Reads::TwoOrMore => (got >= 2, "two inputs or more"),
    };
    if is_right {
        return Ok(());
    }
    let layer_type = layer.kind.layer_type();
    Err(WiringError {
        problem: Box::new(Problem::InputCount { layer: index, layer_type, expected, got }),
        layer: index,
        place: ("inputs", None),
        label: format!("expected {expected}"),
    })
}

/// A depth-first walk that keeps its way on a stack of its own: a hostile file may hold a chain of any length.
fn order(reads: &[Vec<Source>]) -> Result<Vec<usize>, WiringError> {
    #[derive(Clone, Copy, PartialEq)]
    enum State {
        Unseen,
        OnTheWay,
        Done,
    }
    let mut states = vec![State::Unseen; reads.len()];
    let mut order = Vec::with_capacity(reads.len());
    for root in 0..reads.len() {
        if states[root] == State::Done {
            continue;
        }
        states[root] = State::OnTheWay;
        let mut way = vec![(root, 0)];
        while let Some((layer, next)) = way.last_mut() {
            let layer = *layer;
            let Some(&source) = reads[layer].get(*next) else {
                states[layer] = State::Done;
                order.push(layer);
                way.pop();
                continue;
            };
            let at = *next;
            *next += 1;
            let Source::Layer(read) = source else { continue };
            match states[read] {
                State::Done => {}
                State::Unseen => {
                    states[read] = State::OnTheWay;
                    way.push((read, 0));
                }
                State::OnTheWay => {
                    let problem = Box::new(Problem::Cycle { layer, read });
                    let place = ("inputs", Some(at));
                    let label = if layer == read { "itself" } else { "depends on this layer" };
                    return Err(WiringError { problem, layer, place, label: label.to_string() });
                }
            }
        }
    }
    Ok(order)
}

/// The last layer is the output, and every other is read.
fn check_read(layers: &[Layer], reads: &[Vec<Source>]) -> Result<(), WiringError> {
    let mut is_read = vec![false; layers.len()];
    for source in reads.iter().flatten() {
        if let Source::Layer(read) = source {
            is_read[*read] = true;
        }
    }
    let unread = is_read.iter().position(|is_read| !is_read).filter(|&layer| layer + 1 < layers.len());
    match unread {
        None => Ok(()),
        Some(layer) => Err(WiringError {
            problem: Box::new(Problem::Unread { layer, layers: layers.len() }),
            layer,
            place: ("layer_type", None),
            label: "nothing reads it".to_string(),
        }),
    }
}
