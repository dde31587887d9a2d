//! Brings each quantize to the sums whose numbers it rounds.
//!
//! A quantize is monotone, so it changes places with what selects numbers: a max-pool, a maximum, a concat, a view; where zeros take
//! part, if zero stays zero. A relu or a clip in front of it only narrows its ends, and so does another quantize at its scale.
//!
//! Precondition: canonical form.
//!
//! Postcondition: no quantize reads, alone, any of these, but for views and max-pools with zeros where it has no zero. What the
//! graph computes stays the same.
//!
//! ```text
//! %1 = dense %0 …                                            %1 = dense %0 …
//! %2 = relu %1                                          →    %2 = quantize %1 clamp=0..=127 scale 2^-4
//! %3 = flatten %2                                            %3 = flatten %2
//! %4 = quantize %3 clamp=-128..=127 scale 2^-4               output %3
//! output %4
//! ```
//!
//! Runs before the passes that bring relus behind max-pools, and before [`quantize_fixed`](super::quantize_fixed), which takes sums
//! and a quantize behind them as one.

use std::collections::{BTreeMap, HashSet};

use zknn_ir::{Class, Graph, NodeId, Op, op};

use super::{Context, PassError};

pub(super) fn run(graph: &mut Graph, _: &mut Context) -> Result<(), PassError> {
    // One that was brought to an operand comes by again, so it passes all that it can.
    let mut waiting: Vec<NodeId> = graph.topological();
    let mut hoist = Hoist { graph, idle: HashSet::new() };
    while let Some(id) = waiting.pop() {
        if let Op::Quantize(quantize) = hoist.graph.node(id).op.clone() {
            waiting.extend(hoist.step(id, &quantize)?);
        }
    }
    graph.remove_dead();
    Ok(graph.refresh_facts()?)
}

struct Hoist<'a> {
    graph: &'a mut Graph,
    /// What nothing depends on any more.
    idle: HashSet<NodeId>,
}

impl Hoist<'_> {
    /// Brings a quantize past what it reads, if it can pass that, and yields those that stand for it now.
    fn step(&mut self, id: NodeId, quantize: &op::Quantize) -> Result<Vec<NodeId>, PassError> {
        let operand = self.graph.operands(id)[0];
        let in_front = self.graph.node(operand).op.clone();
        let is_alone = self.is_alone(id, operand);
        let (to_zero, keeps_zero) = (quantize.level(0.0), quantize.level(0.0) == 0);
        let narrowed = |lo: i64, hi: i64| op::Quantize { lo, hi, ..*quantize };
        match (&in_front, in_front.class()) {
            (Op::Quantize(first), _) if first.scale == quantize.scale => {
                if quantize.lo <= first.lo && first.hi <= quantize.hi {
                    self.graph.redirect_users(id, operand);
                    self.idle.insert(id);
                    return Ok(Vec::new());
                }
                let ends = [first.lo, first.hi].map(|end| end.clamp(quantize.lo, quantize.hi));
                Ok(if is_alone { self.narrow(id, operand, narrowed(ends[0], ends[1])) } else { Vec::new() })
            }
            _ if !is_alone => Ok(Vec::new()),
            (Op::Relu, _) => Ok(self.narrow(id, operand, narrowed(to_zero, quantize.hi))),
            (Op::Clip(clip), _) => {
                let ends = clip.limits();
                Ok(self.narrow(id, operand, narrowed(quantize.level(ends.lo), quantize.level(ends.hi))))
            }
            (_, Class::Greatest { with_zero } | Class::View { with_zero }) if keeps_zero || !with_zero => {
                self.put_in_front(id, operand)
            }
            (_, Class::Choice) => self.put_in_front(id, operand),
            _ => Ok(Vec::new()),
        }
    }

    /// Whether nothing but a quantize depends on its operand.
    fn is_alone(&self, id: NodeId, operand: NodeId) -> bool {
        let mut users = self.graph.users(operand).into_iter().filter(|user| !self.idle.contains(user));
        users.all(|user| user == id) && !self.graph.is_output(operand)
    }

    /// Lets a quantize with other ends read what the operation in front of it reads.
    fn narrow(&mut self, id: NodeId, in_front: NodeId, quantize: op::Quantize) -> Vec<NodeId> {
        let operand = self.graph.operands(in_front)[0];
        self.graph.replace_op(id, Op::Quantize(quantize));
        self.graph.set_operand(id, 0, operand);
        self.idle.insert(in_front);
        vec![id]
    }

    /// Lets an operation read its operands quantized, in the place of what was quantized behind it.
    fn put_in_front(&mut self, id: NodeId, in_front: NodeId) -> Result<Vec<NodeId>, PassError> {
        let (op, layer) = (self.graph.node(id).op.clone(), self.graph.node(id).layer);
        self.graph.redirect_users(id, in_front);
        self.idle.insert(id);
        let mut quantized: BTreeMap<NodeId, NodeId> = BTreeMap::new();
        for (index, operand) in self.graph.operands(in_front).into_iter().enumerate() {
            let node = match quantized.get(&operand) {
                Some(&node) => node,
                None => self.graph.add(op.clone(), &[operand], layer)?,
            };
            quantized.insert(operand, node);
            self.graph.set_operand(in_front, index, node);
        }
        Ok(quantized.into_values().collect())
    }
}

#[cfg(test)]
mod tests {
    use ndarray::arr1;
    use zknn_ir::eval::eval_real;
    use zknn_ir::{parse, print};

    use super::super::testing::{after, context};
    use super::*;

    #[test]
    fn relu_and_clip_narrow_the_ends_and_views_are_passed() {
        insta::assert_snapshot!(after(run, "
            %0 = input : [2, 2, 1] real
            %1 = conv2d %0 kernel=real[1, 1, 1, 1] [3.0] layer=0
            %2 = relu %1 layer=1
            %3 = max_pool %2 window=[2, 1] layer=2
            %4 = clip %3 ends=real[2] [-1.0, 6.0] layer=3
            %5 = flatten %4 layer=4
            %6 = quantize %5 clamp=-128..=127 scale 2^-4 layer=5
            output %6
        "), @"
        %0 = input : [2, 2, 1] real
        %1 = conv2d %0 kernel=real[1, 1, 1, 1] [3.0] layer=0 : [2, 2, 1] real
        %2 = quantize %1 clamp=0..=96 scale 2^-4 layer=5 : [2, 2, 1] real
        %3 = max_pool %2 window=[2, 1] layer=2 : [1, 2, 1] real
        %4 = flatten %3 layer=4 : [2] real
        output %4
        ");
    }

    #[test]
    fn operands_of_a_concat_are_quantized_each() {
        insta::assert_snapshot!(after(run, "
            %0 = input : [2] real
            %1 = dense %0 weights=real[1, 2] [1.0, 2.0] layer=0
            %2 = concat %0 %1 %0 axis=0 layer=1
            %3 = quantize %2 clamp=0..=255 scale 2^-3 layer=2
            output %3
        "), @"
        %0 = input : [2] real
        %1 = quantize %0 clamp=0..=255 scale 2^-3 layer=2 : [2] real
        %2 = dense %0 weights=real[1, 2] [1.0, 2.0] layer=0 : [1] real
        %3 = quantize %2 clamp=0..=255 scale 2^-3 layer=2 : [1] real
        %4 = concat %1 %3 %1 axis=0 layer=1 : [5] real
        output %4
        ");
    }

    #[test]
    fn one_behind_another_is_dropped_or_narrows_it() {
        insta::assert_snapshot!(after(run, "
            %0 = input : [2] real
            %1 = quantize %0 clamp=0..=255 scale 2^-3 layer=0
            %2 = relu %1 layer=1
            %3 = quantize %2 clamp=0..=255 scale 2^-3 layer=2
            %4 = quantize %3 clamp=-9..=9 scale 2^-3 layer=3
            %5 = quantize %4 clamp=-9..=9 scale 2^-2 layer=4
            output %5
        "), @"
        %0 = input : [2] real
        %1 = quantize %0 clamp=0..=9 scale 2^-3 layer=3 : [2] real
        %2 = quantize %1 clamp=-9..=9 scale 2^-2 layer=4 : [2] real
        output %2
        ");
    }

    #[test]
    fn zeros_that_it_does_not_have_and_other_readers_stop_it() {
        let text = "
            %0 = input : [2] real
            %1 = relu %0 layer=0
            %2 = pad %1 before=[1] after=[0] layer=1
            %3 = quantize %2 clamp=1..=9 scale 2^-3 layer=2
            output %1 %3
        ";
        let unchanged = print(&parse(text).unwrap());
        assert_eq!(after(run, text), unchanged);
    }

    #[test]
    fn the_graph_computes_what_it_did() {
        let mut graph = parse(
            "
            %0 = input : [4] real
            %1 = clip %0 ends=real[2] [-1.3, 0.77] layer=0
            %2 = reshape %1 shape=[2, 2, 1] layer=1
            %3 = max_pool %2 window=[1, 2] relu layer=2
            %4 = quantize %3 clamp=-3..=2 scale 0.3 layer=3
            output %4
        ",
        )
        .unwrap();
        let before = graph.clone();
        run(&mut graph, &mut context()).unwrap();
        for step in -40..40 {
            let x = arr1(&[0.1, -0.25, 0.15, 0.05]).mapv(|x| x * f64::from(step)).into_dyn();
            let [before, after] = [&before, &graph].map(|graph| eval_real(graph, &x).unwrap().output().clone());
            assert_eq!(before, after);
        }
    }
}
