use super::*;
use crate::front::{Model, read_tensor};
use crate::{DEFAULT_BITS, Lowering};
use ndarray::{IxDyn, arr2};
use std::path::{Path, PathBuf};

/// How much worse than floating point the integers may be: half a point.
const MAX_DROP: f64 = 0.005;

fn digits(name: &str) -> PathBuf {
    Path::new("testdata/digits").join(format!("{name}.json"))
}

fn evaluated(name: &str, bits: u32, is_calibrated: bool) -> Evaluation {
    let model = Model::read(&digits(name)).unwrap();
    let calibration = is_calibrated.then(|| read_tensor(&digits("calibration")).unwrap()).into_iter().collect();
    let lowering = Lowering { bits: Some(bits), calibration, ..Lowering::default() };
    let crate::Lowered { program: graph, reals, .. } =
        crate::lower_with_reals(&model, &lowering, &mut |_, _| {}).unwrap();
    let inputs = [read_tensor(&digits("test_inputs")).unwrap()];
    let labels = crate::front::read_labels(&digits("test_labels")).unwrap();
    let mut done = 0;
    let evaluation =
        evaluate(&graph, Some(&reals), &inputs, Expected::Labels(&labels), &mut |count| done += count).unwrap();
    assert_eq!(done, evaluation.samples);
    evaluation
}

/// In floating point and in integers.
fn accuracies(evaluation: &Evaluation) -> [f64; 2] {
    match evaluation.score {
        Some(Score::Accuracy { float, integer }) => [float, integer],
        _ => panic!("no labels: {evaluation:?}"),
    }
}

/// The acceptance test of the fixed-point lowering, on the third of the digits that no training has seen.
#[test]
fn digits_are_told_as_well_in_integers() {
    for name in ["mlp", "cnn"] {
        for bits in [8, DEFAULT_BITS, 12, 16] {
            let evaluation = evaluated(name, bits, true);
            assert_eq!(evaluation.samples, 599);
            assert!(accuracies(&evaluation)[0] > 0.98, "{name}: {evaluation:?}");
            let drop = accuracies(&evaluation)[0] - accuracies(&evaluation)[1];
            assert!(drop <= MAX_DROP, "{name} at {bits} bits: {evaluation:?}");
            assert!(evaluation.agreement > 0.99, "{name} at {bits} bits: {evaluation:?}");
        }
        let uncalibrated = evaluated(name, DEFAULT_BITS, false);
        assert!(accuracies(&uncalibrated)[0] - accuracies(&uncalibrated)[1] <= MAX_DROP, "{name}: {uncalibrated:?}");
        let is_rare = |drift: &Drift| drift.saturated * 1000 < drift.numbers;
        assert!(uncalibrated.layers.iter().all(is_rare), "{name}: {uncalibrated:?}");
    }
}

#[test]
fn drift_is_small_and_told_for_each_layer_that_sums() {
    let evaluation = evaluated("cnn", DEFAULT_BITS, true);
    let layers: Vec<usize> = evaluation.layers.iter().map(|drift| drift.layer).collect();
    assert_eq!(layers, [1, 5, 6]);
    for drift in &evaluation.layers {
        assert!(drift.mean <= drift.max && drift.mean > 0.0, "{drift:?}");
        assert!(drift.saturated * 100 < drift.numbers, "{drift:?}");
    }
    assert!(evaluation.layers[0].mean < 1.0, "{evaluation:?}");
}

#[test]
fn a_program_is_its_own_counterpart() {
    let graph = zknn_ir::parse(
        "%0 = input : [2] fixed(scale 1, -9..=9)
        %1 = requantize %0 multipliers=[1] shift=1 clamp=-3..=3 saturates_below saturates_above scale 2 layer=0
        %2 = argmax %1 axis=0 layer=1
        output %2",
    )
    .unwrap();
    let inputs = [arr2(&[[1.0, 9.0], [3.0, 4.0], [-9.0, -7.0]]).into_dyn()];
    let evaluation = evaluate(&graph, None, &inputs, Expected::Labels(&[1, 1, 0]), &mut |_| {}).unwrap();
    // Rounded, the second is a tie; the third is one with clamps.
    assert_eq!(accuracies(&evaluation), [1.0, 2.0 / 3.0]);
    assert_eq!(evaluation.agreement, 2.0 / 3.0);
    let [drift] = &evaluation.layers[..] else { panic!("{evaluation:?}") };
    assert_eq!((drift.layer, drift.scale, drift.max, drift.numbers, drift.saturated), (0, 2.0, 0.5, 6, 2));
}

#[test]
fn inputs_and_labels_that_do_not_fit_are_refused() {
    let graph = zknn_ir::parse("%0 = input : [2] fixed(scale 1, -9..=9)\noutput %0").unwrap();
    let refused = |inputs: ArrayD<f64>, labels: &[usize]| {
        evaluate(&graph, None, &[inputs], Expected::Labels(labels), &mut |_| {}).unwrap_err().to_string()
    };
    let inputs = arr2(&[[1.0, 2.0], [3.0, 4.0]]).into_dyn();
    insta::assert_snapshot!(refused(inputs.clone(), &[1]), @"there are 1 labels for 2 inputs");
    insta::assert_snapshot!(refused(inputs.clone(), &[1, 2]), @"label 1 is 2, and the model has 2 classes");
    insta::assert_snapshot!(refused(ArrayD::zeros(IxDyn(&[0, 2])), &[]), @"there are no inputs");
    insta::assert_snapshot!(refused(10.0 * inputs, &[1, 0]), @"the input has at [0, 0] a number outside the input range -9..9");
    insta::assert_snapshot!(refused(ArrayD::zeros(IxDyn(&[2])), &[1, 0]), @"the network takes inputs of shape [2] in a batch, got [2]");
}

const ROUNDED: &str = "
    %0 = input : [2] fixed(scale 0.5, -9..=9)
    %1 = requantize %0 multipliers=[1] shift=1 clamp=-9..=9 scale 1 layer=0
    output %1";

/// Without labels the two are compared with each other; with targets, with these.
#[test]
fn outputs_that_are_no_classes_are_compared_too() {
    let graph = zknn_ir::parse(ROUNDED).unwrap();
    let inputs = [arr2(&[[0.5, 2.0], [-1.0, 4.0], [1.0, 3.5]]).into_dyn()];
    let alone = evaluate(&graph, None, &inputs, Expected::Nothing, &mut |_| {}).unwrap();
    // Two of six are half a unit off; the second outputs differ by two.
    assert_eq!((alone.score, alone.samples, alone.refused, alone.agreement), (None, 3, 0, 1.0));
    assert!((alone.error - (0.5f64 / 6.0).sqrt() / 2.0).abs() < 1e-12 && alone.greatest == 0.25, "{alone:?}");
    let targets = arr2(&[[0.5, 2.0], [-1.0, 4.0], [1.0, 5.5]]).into_dyn();
    let evaluation = evaluate(&graph, None, &inputs, Expected::Targets(&targets), &mut |_| {}).unwrap();
    let Some(Score::Distance { float, integer, equal }) = evaluation.score else { panic!("{evaluation:?}") };
    assert_eq!(float, (4.0f64 / 6.0).sqrt());
    assert_eq!(integer, ((0.25 + 2.25) / 6.0f64).sqrt());
    assert_eq!(equal, 5.0 / 6.0);
    let short = targets.slice_axis(Axis(0), (0..2).into()).to_owned();
    let error = evaluate(&graph, None, &inputs, Expected::Targets(&short), &mut |_| {}).unwrap_err();
    insta::assert_snapshot!(error, @"the targets have shape [2, 2], and the outputs for all inputs [3, 2]");
}

/// One input out of range is no reason to evaluate none; its label goes with it.
#[test]
fn inputs_that_the_program_does_not_take_are_left_out() {
    let graph = zknn_ir::parse(ROUNDED.replace("fixed(scale 0.5", "fixed(scale 1").as_str()).unwrap();
    let inputs = [arr2(&[[0.0, 2.0], [99.0, 0.0], [4.0, 3.0]]).into_dyn()];
    let evaluation = evaluate(&graph, None, &inputs, Expected::Labels(&[1, 1, 0]), &mut |_| {}).unwrap();
    assert_eq!((evaluation.samples, evaluation.refused, accuracies(&evaluation)), (2, 1, [1.0, 1.0]));
}

/// A network that ends in top_k has the class of the first place, which is that of the greatest score.
#[test]
fn the_first_of_several_places_is_the_class() {
    let text = "%0 = input : [3] fixed(scale 1, -9..=9)\n%1 = top_k %0 axis=0 count=2 layer=0\noutput %1";
    let graph = zknn_ir::parse(text).unwrap();
    let inputs = [arr2(&[[1.0, 2.0, 3.0], [1.0, 3.0, 2.0], [3.0, 2.0, 1.0]]).into_dyn()];
    let evaluation = evaluate(&graph, None, &inputs, Expected::Labels(&[2, 1, 0]), &mut |_| {}).unwrap();
    assert_eq!((accuracies(&evaluation), evaluation.agreement), ([1.0, 1.0], 1.0));
}
