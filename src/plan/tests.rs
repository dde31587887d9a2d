//! Plans as text, and the accounts that they must balance.

use super::security::HashKind;
use super::*;
use std::collections::HashSet;

const CNN: &str = "
%0 = input : [8, 8, 1] fixed(scale 1, -5..=4)
%1 = conv2d %0 kernel=fixed[2, 3, 3, 1] scale 1 [1, -2, 3, -4, 5, -6, 7, -8, 9, 9, 8, 7, 6, 5, 4, 3, 2, 1]
%2 = max_pool %1 window=[2, 2] relu
%3 = flatten %2
%4 = dense %3 weights=fixed[1, 18] scale 1 [1, 2, 3, 4, 5, 6, 7, 8, 9, -1, -2, -3, -4, -5, -6, -7, -8, -9] bias=fixed[1] scale 1 [7]
%5 = normalize %4 fraction_bits=24
output %5
";

fn plan(text: &str, zero_knowledge: bool) -> Plan {
    let graph = zknn_ir::parse(text).expect("a graph");
    Plan::new(&graph, Visibility::Committed, Scheme { zero_knowledge, hash: HashKind::Blake3, ..Scheme::default() })
        .expect("a plan")
}

#[test]
fn a_small_cnn() {
    insta::assert_snapshot!(plan(CNN, true).to_string());
}

const FIXED: &str = "
%0 = input : [4, 4, 1] fixed(scale 1, -5..=4)
%1 = conv2d %0 kernel=fixed[2, 3, 3, 1] scale 1 [1, -2, 3, -4, 5, -6, 7, -8, 9, 9, 8, 7, 6, 5, 4, 3, 2, 1]
%2 = max_pool %1 window=[2, 2]
%3 = requantize %2 multipliers=[77, 99] shift=8 clamp=0..=15 scale 1
%4 = flatten %3
%5 = argmax %4 axis=0
output %5
";

#[test]
fn a_small_fixed_point_network() {
    let plan = plan(FIXED, true);
    insta::assert_snapshot!(plan.to_string());
    balance(&plan);
}

#[test]
fn quotients_that_the_field_cannot_tell_apart_have_no_plan() {
    let graph = zknn_ir::parse(
        "%0 = input : [1] fixed(scale 1, -2305843009213693951..=2305843009213693951)
        %1 = requantize %0 multipliers=[2] shift=1 clamp=0..=15 scale 1
        output %1",
    );
    let scheme = Scheme { zero_knowledge: true, hash: HashKind::Blake3, ..Scheme::default() };
    let error = Plan::new(&graph.expect("a graph"), Visibility::Private, scheme).expect_err("no plan");
    assert!(matches!(error, PlanError::TooWide { .. }), "{error}");
}

/// Borders and flattening take no value, and a sum one for each element.
#[test]
fn borders_are_views_and_sums_are_linear() {
    let text = |layers: &str| format!("%0 = input : [3, 3, 1] fixed(scale 1, -5..=4)\n{layers}");
    let values = |layers: &str, width: usize| {
        let weights = vec!["1"; width].join(", ");
        let dense = format!("%4 = dense %3 weights=fixed[1, {width}] scale 1 [{weights}]\noutput %4");
        let graph = zknn_ir::parse(&text(&format!("{layers}\n{dense}"))).expect("a graph");
        let statable = Statable::new(&graph, Visibility::Private.into()).expect("statements");
        statable.write(&Picks::new()).values
    };
    let flat = values("%3 = flatten %0", 9);
    assert_eq!(values("%1 = pad %0 before=[1, 1, 0] after=[0, 0, 0]\n%3 = flatten %1", 16), flat);
    assert_eq!(values("%1 = add %0 %0\n%3 = flatten %1", 9), flat + 9);
    assert_eq!(values("%1 = add %0 %0 %0 %0 %0 %0 %0 %0\n%3 = flatten %1", 9), flat + 9);
    assert_eq!(values("%1 = add %0 %0 %0 %0 %0 %0 %0 %0 %0\n%3 = flatten %1", 9), flat + 18);
    let summed = plan(&text("%1 = add %0 %0\n%2 = flatten %1\noutput %2"), true);
    balance(&summed);
    assert_eq!(summed.program.blocks.iter().filter(|block| block.demand.label == "%1 add").count(), 1);
    // An output that is zero for the most part, and another that is the input.
    for layers in ["%1 = pad %0 before=[0, 0, 0] after=[2, 0, 0]\noutput %1", "output %0"] {
        balance(&plan(&text(layers), true));
    }
}

/// With so many cells, rows times columns, too many challenges batch the polynomials wrongly.
#[test]
fn what_would_not_be_secure_has_no_plan() {
    let plan = |elements: usize, level| {
        let text = format!("%0 = input : [{elements}] fixed(scale 1, -100..=100)\n%1 = relu %0\noutput %1\n");
        let scheme = Scheme { level, ..Scheme::default() };
        Plan::new(&zknn_ir::parse(&text).expect("a graph"), Visibility::Private, scheme)
    };
    let (conjectured, proven) = (security::Level::Conjectured, security::Level::Proven);
    assert_eq!(plan(200_000, proven).expect("a plan").layout.soundness().shortfall(proven), None);
    assert_eq!(plan(8_000_000, conjectured).expect("a plan").layout.soundness().shortfall(conjectured), None);
    let error = plan(8_000_000, proven).expect_err("too large to be secure");
    let PlanError::Insecure { round, regime, bits } = error else { panic!("{error}") };
    assert_eq!((round, regime), (security::Round::Batching, security::Regime::UniqueDecoding));
    assert!((90..100).contains(&bits), "{bits}");
    assert!(error.to_string().contains("batching of polynomials"), "{error}");
    assert!(error.help().contains("cells"));
}

#[test]
fn a_small_cnn_without_zero_knowledge() {
    insta::assert_snapshot!(plan(CNN, false).to_string());
}

/// The reference CNN's shapes; the weights only need the right intervals.
#[test]
fn the_reference_cnn() {
    let (model, _) = crate::nn::reference::reference_cnn();
    let graph = crate::lower_exact(&model, (-5, 4), &mut |_, _| {}).expect("integers");
    let plan = Plan::new(
        &graph,
        Visibility::Committed,
        Scheme { zero_knowledge: true, hash: HashKind::Blake3, ..Scheme::default() },
    )
    .expect("a plan");
    insta::assert_snapshot!(plan.to_string());
    balance(&plan);
}

#[test]
fn every_instance_has_a_place_of_its_own() {
    balance(&plan(CNN, true));
    balance(&plan(CNN, false));
}

/// No two instances share a place, parts of a row do not overlap, every value is the output of some instance, and what
/// `used_rows` says is what the placements use.
fn balance(plan: &Plan) {
    let layout = &plan.layout;
    for kind in &layout.kinds {
        let mut columns = HashSet::new();
        for part in &kind.parts {
            let shape = part.gadget.shape();
            let routed = part.place.routed..part.place.routed + shape.routed();
            let advice = part.place.advice..part.place.advice + shape.advice;
            let digits = part.place.digits..part.place.digits + shape.digits;
            assert!(routed.end <= layout.routed && digits.end <= layout.wires - layout.masks);
            assert!(routed.chain(advice).chain(digits).all(|column| columns.insert(column)), "columns overlap");
        }
    }

    let program = &plan.program;
    let salts = program.inputs.iter().chain(&program.outputs).flat_map(|tensor| tensor.salt.clone());
    let inputs = program.inputs.iter().flat_map(|input| input.elements.iter().copied());
    let mut pinned: HashSet<Value> = inputs.chain(salts).collect();
    let mut used: HashSet<(usize, usize)> = HashSet::new();
    for placement in &layout.placements {
        let block = &plan.program.blocks[placement.block];
        let (label, shape) = (&block.demand.label, block.demand.shape().expect("only gadgets are placed"));
        let outputs = |i: usize| &wiring(&block.wiring, shape.routed(), i)[shape.inputs..];
        let all: HashSet<Value> = (0..block.demand.count).flat_map(outputs).copied().collect();
        for i in 0..block.demand.count {
            let (row, place) = layout.locate(placement, i);
            // The witness fills those instances at once that are as far on in their runs.
            let start = i - i % block.demand.run;
            let before: HashSet<Value> = (start..i).flat_map(outputs).copied().collect();
            let inputs = &wiring(&block.wiring, shape.routed(), i)[..shape.inputs];
            let depends = inputs.iter().any(|value| all.contains(value) && !before.contains(value));
            assert!(!depends, "{label} depends on itself");
            assert!(used.insert((row, place.routed)), "{label} shares a place");
            pinned.extend(outputs(i));
        }
        assert_eq!(block.wiring.len(), block.demand.count * shape.routed(), "{label} has as many instances as it said");
    }
    for values in plan.program.poseidon_wiring() {
        pinned.extend(&values[SPONGE_WIDTH..2 * SPONGE_WIDTH]);
    }
    assert_eq!(pinned.len(), plan.program.values, "every value is determined somewhere");

    let counted: usize = layout.used_rows().into_iter().flatten().sum();
    assert_eq!(counted, used.len());
}

/// Plans are what their choices say, also those that no search would end at.
#[test]
fn a_plan_is_made_again_from_its_choices() {
    for text in [CNN, FIXED] {
        let graph = zknn_ir::parse(text).expect("a graph");
        for zero_knowledge in [true, false] {
            let scheme = Scheme { zero_knowledge, hash: HashKind::Blake3, ..Scheme::default() };
            for plan in Plan::with_every_candidate(&graph, Visibility::Committed, scheme) {
                let again = Plan::replay(&graph, Visibility::Committed, scheme, &plan.choices).expect("as chosen");
                assert_eq!(again.choices, plan.choices);
                assert_eq!(format!("{:?}", again.layout), format!("{:?}", plan.layout));
                assert_eq!(again.program.public, plan.program.public);
            }
        }
    }
}

/// Choices come from files, which may have been made to do harm.
#[test]
fn choices_that_do_not_fit_are_refused() {
    let graph = zknn_ir::parse(CNN).expect("a graph");
    let scheme = Scheme { zero_knowledge: true, hash: HashKind::Blake3, ..Scheme::default() };
    let honest = Plan::with_every_candidate(&graph, Visibility::Committed, scheme).swap_remove(0).choices;
    assert_eq!(honest.ways, [(1, Way::Fused)]);
    let changes: [fn(&mut Choices); 22] = [
        |choices| choices.degree_bits += 1,
        |choices| choices.degree_bits = usize::MAX,
        |choices| choices.degree_bits = 0,
        |choices| choices.ways.clear(),
        |choices| choices.ways.push((2, Way::Fused)),
        |choices| choices.ways.push((1, Way::Fused)),
        |choices| choices.ways.insert(0, (0, Way::Cut(Cut { block: [1, 1], parts: 2, slices: 1 }))),
        |choices| choices.ways[0].1 = Way::Cut(Cut { block: [0, 1], parts: 0, slices: 1 }),
        |choices| choices.ways[0].1 = Way::Whole,
        |choices| choices.fills.kinds.clear(),
        |choices| choices.fills.kinds[0].rows += 1,
        |choices| choices.fills.kinds[0].rows = usize::MAX,
        |choices| choices.fills.kinds[0].own.clear(),
        |choices| choices.fills.kinds[0].own[0].0 = usize::MAX,
        |choices| choices.fills.kinds[0].own[0].0 = 0,
        |choices| choices.fills.kinds[0].own[0].1 = usize::MAX,
        |choices| choices.fills.kinds[0].slots = usize::MAX,
        |choices| choices.fills.slots.clear(),
        |choices| choices.fills.slots[0].0 = usize::MAX,
        |choices| choices.fills.slots[0].1 = usize::MAX,
        |choices| choices.tile = None,
        |choices| choices.tile = Some(TileShape { width: 0, height: 1 }),
    ];
    for (i, change) in changes.into_iter().enumerate() {
        let mut choices = honest.clone();
        change(&mut choices);
        let result = Plan::replay(&graph, Visibility::Committed, scheme, &choices);
        assert!(matches!(result, Err(PlanError::Choices)), "change {i}");
    }
}
