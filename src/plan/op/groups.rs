//! Comparisons of many values, level by level: of groups first, then of what these give.

use super::{Candidate, Way};
use crate::gadget::{Argmax, Max};
use crate::plan::Demand;
use crate::plan::node::Node;
use crate::plan::values::{Value, Values};

/// How many values a group may have.
const SIZES: [usize; 4] = [4, 8, 16, 32];

/// How many values there are at each level, all of them first; the last are so few that one group holds them.
pub(super) fn levels(values: usize, size: usize) -> Vec<usize> {
    let mut levels = vec![values];
    while levels[levels.len() - 1] > size {
        levels.push(levels[levels.len() - 1].div_ceil(size));
    }
    levels
}

/// The maxima of so many lists of values, in groups of a size; zero takes part in them with `relu`.
pub(super) struct Maxima<'a> {
    pub(super) node: Node<'a>,
    pub(super) values: usize,
    pub(super) size: usize,
    pub(super) relu: bool,
    pub(super) spread: u64,
}

impl Maxima<'_> {
    /// One demand a level.
    pub(super) fn demands(&self, lists: usize) -> Vec<Demand> {
        let levels = levels(self.values, self.size);
        let demand = |(level, &count): (usize, &usize)| match level + 1 == levels.len() {
            true => self.node.demand(Max::new(count, self.relu, self.spread), lists),
            false => self.node.demand(Max::new(self.size, false, self.spread), lists * levels[level + 1]),
        };
        levels.iter().enumerate().map(demand).collect()
    }

    /// The wiring of each level, for lists one after the other, whose maxima are these.
    pub(super) fn wire(&self, values: &mut Values, mut lists: Vec<Vec<Value>>, maxima: &[Value]) -> Vec<Vec<Value>> {
        let mut wirings = Vec::new();
        for _ in 1..levels(self.values, self.size).len() {
            let mut wiring = Vec::new();
            for list in &mut lists {
                let groups = groups_of(list, self.size);
                let results: Vec<Value> = values.fresh(groups.len()).collect();
                wiring
                    .extend(groups.iter().zip(&results).flat_map(|(group, &result)| [&group[..], &[result]].concat()));
                *list = results;
            }
            wirings.push(wiring);
        }
        wirings.push(lists.iter().zip(maxima).flat_map(|(list, &maximum)| [&list[..], &[maximum]].concat()).collect());
        wirings
    }
}

/// The index of the greatest value of so many lists, in groups of a size.
pub(super) struct Indices<'a> {
    pub(super) node: Node<'a>,
    pub(super) values: usize,
    pub(super) size: usize,
    pub(super) spread: u64,
}

impl Indices<'_> {
    /// One demand a level.
    pub(super) fn demands(&self, lists: usize) -> Vec<Demand> {
        let levels = levels(self.values, self.size);
        let demand = |(level, &count): (usize, &usize)| {
            let is_last = level + 1 == levels.len();
            let (arity, instances) = if is_last { (count, 1) } else { (self.size, levels[level + 1]) };
            let mut gadget = Argmax::new(arity, self.spread);
            if level > 0 {
                // What one value at this level stands for.
                gadget = gadget.of_groups((self.size as u64).pow(level as u32));
            }
            self.node.demand(if is_last { gadget } else { gadget.with_maximum() }, lists * instances)
        };
        levels.iter().enumerate().map(demand).collect()
    }

    /// The wiring of each level, for lists one after the other, whose greatest values have these indices.
    pub(super) fn wire(&self, values: &mut Values, mut lists: Vec<Vec<Value>>, found: &[Value]) -> Vec<Vec<Value>> {
        let mut wirings = Vec::new();
        // From the second level on, the index of each value within its group.
        let mut indices: Vec<Vec<Value>> = vec![Vec::new(); lists.len()];
        for _ in 1..levels(self.values, self.size).len() {
            let mut wiring = Vec::new();
            for (list, indices) in lists.iter_mut().zip(&mut indices) {
                let groups = groups_of(list, self.size);
                let of_groups = groups_of(indices, self.size);
                let next: Vec<[Value; 2]> = groups.iter().map(|_| fresh_pair(values)).collect();
                for (at, (group, result)) in groups.iter().zip(&next).enumerate() {
                    wiring.extend(group);
                    wiring.extend(of_groups.get(at).into_iter().flatten());
                    wiring.extend(result);
                }
                *indices = next.iter().map(|[index, _]| *index).collect();
                *list = next.iter().map(|[_, maximum]| *maximum).collect();
            }
            wirings.push(wiring);
        }
        let last = lists.iter().zip(&indices).zip(found);
        wirings.push(last.flat_map(|((list, indices), &index)| [&list[..], indices, &[index]].concat()).collect());
        wirings
    }
}

fn fresh_pair(values: &mut Values) -> [Value; 2] {
    let pair = values.fresh(2);
    [pair.start, pair.start + 1]
}

/// Groups of one size. In the last the first of its values may stand several times: it is no greater than itself, and of
/// equals the first counts.
fn groups_of(list: &[Value], size: usize) -> Vec<Vec<Value>> {
    let full = |group: &[Value]| {
        let mut group = group.to_vec();
        group.resize(size, group[0]);
        group
    };
    list.chunks(size).map(full).collect()
}

/// A candidate for each size of groups in which lists of so many values may be compared, the whole list at once first.
pub(super) fn each_size<'a>(values: usize, candidate: impl Fn(usize, Way) -> Candidate<'a>) -> Vec<Candidate<'a>> {
    let smaller = SIZES.into_iter().filter(|&size| size < values).map(|size| (size, Way::Groups(size)));
    std::iter::once((values, Way::Whole)).chain(smaller).map(|(size, way)| candidate(size, way)).collect()
}
