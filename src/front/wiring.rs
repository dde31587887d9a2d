//! What each layer reads: names resolved, and an order in which every layer comes after those it reads.

use std::collections::BTreeMap;

use super::Layer;
use super::composed::Reads;
use super::ends::Ends;
use super::error::Problem;
use super::fields::{closest, quoted};
use super::source::shown;

/// Where a layer takes a tensor from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// The model's input at this position.
    Input(usize),
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
    /// The layers whose outputs are the model's.
    pub(super) outputs: Vec<usize>,
}

/// Why layers do not make a network, and where that shows.
#[derive(Debug)]
pub(super) struct WiringError {
    pub(super) problem: Box<Problem>,
    pub(super) place: Place,
    pub(super) label: String,
}

/// What of a model is at fault.
#[derive(Debug, Clone, Copy)]
pub(super) enum Place {
    /// A field of a layer, or an element of it.
    Layer { layer: usize, field: &'static str, element: Option<usize> },
    /// The name of an input.
    Input(usize),
    /// The name of an output.
    Output(usize),
}

impl Wiring {
    /// Resolves the names that layers read. A layer that names nothing reads the layer before it, the first one the
    /// model's first input.
    pub(super) fn of(layers: &[Layer], ends: &Ends) -> Result<Wiring, WiringError> {
        let known = names(layers, ends)?;
        let mut reads: Vec<Vec<Source>> = Vec::with_capacity(layers.len());
        for (index, layer) in layers.iter().enumerate() {
            let sources = match &layer.inputs {
                None => vec![index.checked_sub(1).map_or(Source::Input(0), Source::Layer)],
                Some(names) => {
                    let find = |(at, name): (usize, &String)| find(&known, index, at, name);
                    names.iter().enumerate().map(find).collect::<Result<_, _>>()?
                }
            };
            check_count(layer, index, sources.len())?;
            reads.push(sources);
        }
        let (order, outputs) = (order(&reads)?, ends.output_layers(&known, layers.len())?);
        check_read(layers, ends, &reads, &outputs)?;
        Ok(Wiring { reads, order, outputs })
    }
}

/// The inputs and the layers by their names.
fn names<'a>(layers: &'a [Layer], ends: &'a Ends) -> Result<BTreeMap<&'a str, Source>, WiringError> {
    let mut names = BTreeMap::new();
    for (position, name) in ends.input_names().into_iter().enumerate() {
        if names.insert(name, Source::Input(position)).is_some() {
            let problem = Box::new(Problem::RepeatedInput { name: shown(name) });
            return Err(WiringError { problem, place: Place::Input(position), label: "again".to_string() });
        }
    }
    for (layer, name) in layers.iter().enumerate().filter_map(|(index, layer)| Some((index, layer.name.as_deref()?))) {
        let (problem, label) = match names.insert(name, Source::Layer(layer)) {
            None => continue,
            Some(Source::Input(_)) => (Problem::ReservedName { layer, name: shown(name) }, "taken".to_string()),
            Some(Source::Layer(first)) => {
                (Problem::DuplicateName { layer, first, name: shown(name) }, format!("layer {first} has it"))
            }
        };
        let place = Place::Layer { layer, field: "name", element: None };
        return Err(WiringError { problem: Box::new(problem), place, label });
    }
    Ok(names)
}

fn find(names: &BTreeMap<&str, Source>, layer: usize, at: usize, name: &str) -> Result<Source, WiringError> {
    if let Some(&found) = names.get(name) {
        return Ok(found);
    }
    // The inputs first.
    let mut known: Vec<(&str, Source)> = names.iter().map(|(name, source)| (*name, *source)).collect();
    known.sort_by_key(|(_, source)| matches!(source, Source::Layer(_)));
    let known: Vec<&str> = known.into_iter().map(|(name, _)| name).collect();
    let label = match closest(name, &known) {
        Some(close) => format!("did you mean `{}`?", shown(close)),
        None => "unknown".to_string(),
    };
    let problem = Box::new(Problem::UnknownInput { layer, name: shown(name), advice: advice(&known) });
    let place = Place::Layer { layer, field: "inputs", element: Some(at) };
    Err(WiringError { problem, place, label })
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
        place: Place::Layer { layer: index, field: "inputs", element: None },
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
                    let place = Place::Layer { layer, field: "inputs", element: Some(at) };
                    let label = if layer == read { "itself" } else { "depends on this layer" };
                    return Err(WiringError { problem, place, label: label.to_string() });
                }
            }
        }
    }
    Ok(order)
}

/// Every input is read, and every layer, unless it is an output.
fn check_read(layers: &[Layer], ends: &Ends, reads: &[Vec<Source>], outputs: &[usize]) -> Result<(), WiringError> {
    let names = ends.input_names();
    let (mut is_read, mut is_used) = (vec![false; names.len()], vec![false; layers.len()]);
    outputs.iter().for_each(|&output| is_used[output] = true);
    for source in reads.iter().flatten() {
        match source {
            Source::Input(position) => is_read[*position] = true,
            Source::Layer(read) => is_used[*read] = true,
        }
    }
    let (problem, place) = if let Some(layer) = is_used.iter().position(|is_used| !is_used) {
        let place = Place::Layer { layer, field: "layer_type", element: None };
        (Problem::Unread { layer, layers: layers.len() }, place)
    } else if let Some(position) = is_read.iter().position(|is_read| !is_read) {
        (Problem::UnreadInput { name: shown(names[position]) }, Place::Input(position))
    } else {
        return Ok(());
    };
    Err(WiringError { problem: Box::new(problem), place, label: "nothing reads it".to_string() })
}
