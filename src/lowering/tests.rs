use super::*;
use crate::front::{Layer, LayerKind};
use crate::input;
use ndarray::{arr1, arr2};
use zknn_ir::eval::eval_fixed;

fn dense(weight: f64) -> Layer {
    let weights = arr2(&[[weight, -2.0], [3.0, 1.0]]).into_dyn();
    Layer::new(LayerKind::FullyConnected { weights, biases: None }, [2])
}

fn model(layers: Vec<Layer>) -> Model {
    Model::new(layers, None).unwrap()
}

fn lowered(model: &Model, lowering: &Lowering) -> Graph {
    lower(model, lowering, &mut |_, _| {}).unwrap()
}

/// What the integer program gives on an input, as real numbers.
fn outputs(graph: &Graph, elements: &[f64]) -> Vec<f64> {
    let integers = input::integers(graph, &arr1(elements).into_dyn()).unwrap();
    let scale = graph.node(graph.output()).fact.scale().unwrap();
    eval_fixed(graph, &integers).unwrap().output().iter().map(|&integer| integer as f64 * scale).collect()
}

/// Calibration inputs of integers: few, and as many as a byte has.
fn integers_alone() -> [Option<ArrayD<f64>>; 2] {
    [4.0, 255.0].map(|most| Some(arr2(&[[0.0, 1.0], [most, 2.0]]).into_dyn()))
}

#[test]
fn networks_with_fractions_take_inputs_with_fractions() {
    let model = model(vec![dense(0.5)]);
    for calibration in [vec![None], integers_alone().to_vec()].concat() {
        let graph = lowered(
            &model,
            &Lowering { calibration: calibration.clone().into_iter().collect(), ..Lowering::default() },
        );
        assert!(input::rounds(&graph));
        // Half a step of the input, by the weights of a row, and that of the output.
        let step = graph.node(graph.input()).fact.scale().unwrap();
        let allowed = 0.5 * step * 4.0 + 0.05;
        let got = outputs(&graph, &[1.3, 0.4]);
        assert!((got[0] + 0.15).abs() < allowed && (got[1] - 4.3).abs() < allowed, "{calibration:?}: {got:?}");
        // Integers are told exactly.
        assert_eq!((1.0 / step).fract(), 0.0, "{calibration:?}");
    }
}

#[test]
fn networks_of_integers_stay_exact_unless_bits_are_given() {
    let model = model(vec![dense(5.0)]);
    let exact = lowered(&model, &Lowering::default());
    assert!(!input::rounds(&exact));
    assert_eq!(outputs(&exact, &[3.0, -7.0]), [29.0, 2.0]);
    let fraction = arr1(&[0.5, 0.0]).into_dyn();
    assert!(matches!(input::integers(&exact, &fraction), Err(input::InputError::Fractional { .. })));
    for calibration in integers_alone() {
        let calibrated =
            lowered(&model, &Lowering { calibration: calibration.into_iter().collect(), ..Lowering::default() });
        assert_eq!(calibrated.digest(), exact.digest());
    }
    let lowering = Lowering { calibration: vec![arr2(&[[1.0, 2.0], [0.5, 1.0]]).into_dyn()], ..Lowering::default() };
    let error = lower(&model, &lowering, &mut |_, _| {}).unwrap_err();
    assert!(matches!(error, LoweringError::CalibrationFraction { input: 1 }), "{error}");
    // With as many bits as the range needs, the scale of the input is 1, and it rounds all the same.
    let rounded = lowered(&model, &Lowering { bits: Some(8), ..Lowering::default() });
    assert_eq!(rounded.node(rounded.input()).fact.scale(), Some(1.0));
    assert!(input::integers(&rounded, &fraction).is_ok());
    let with_bits = Lowering { bits: Some(10), ..lowering };
    assert!(input::rounds(&lowered(&model, &with_bits)));
}

#[test]
fn networks_without_weights_take_fractions_and_keep_integers() {
    let image = |kind: LayerKind| Layer::new(kind, [1, 2, 1]);
    let vector = |kind: LayerKind| Layer::new(kind, [2]);
    let pool = LayerKind::MaxPool { window: [1, 2], stride: None, before: [0, 0], after: [0, 0] };
    let cases = [
        (vector(LayerKind::Relu), vec![0.5, 0.0]),
        (image(LayerKind::Flatten), vec![0.5, -0.25]),
        (image(pool), vec![0.5]),
        (vector(LayerKind::Normalize), vec![0.8944271909999159, -0.4472135954999579]),
        (vector(LayerKind::Argmax { axis: None }), vec![0.0]),
    ];
    for (layer, expected) in cases {
        let name = layer.kind.layer_type();
        let model = model(vec![layer]);
        let calibration = Some(ndarray::stack![ndarray::Axis(0), arr1(&[0.5, -0.25]), arr1(&[1.0, -1.0])]);
        let shape = [&[2], model.input_shape()].concat();
        let calibration = calibration.map(|inputs| inputs.into_shape_with_order(shape).unwrap());
        for calibration in [None, calibration] {
            let is_calibrated = calibration.is_some();
            let graph =
                lowered(&model, &Lowering { calibration: calibration.into_iter().collect(), ..Lowering::default() });
            let input = ArrayD::from_shape_vec(model.input_shape(), vec![0.5, -0.25]).unwrap();
            let integers = input::integers(&graph, &input).unwrap();
            let scale = graph.node(graph.output()).fact.scale().unwrap();
            let values = eval_fixed(&graph, &integers).unwrap();
            for (&integer, expected) in values.output().iter().zip(&expected) {
                let off = (integer as f64 * scale - expected).abs();
                assert!(off < 2e-3, "{name}, calibrated: {is_calibrated}: {off} from {expected}");
            }
        }
    }
    // Integers of a range so wide that a fraction would cost their last digits.
    let wide = Model::new(vec![vector(LayerKind::Relu)], Some((-(1 << 20), 1 << 20))).unwrap();
    let graph = lowered(&wide, &Lowering::default());
    assert!(!input::rounds(&graph));
    assert_eq!(outputs(&graph, &[1048573.0, -3.0]), [1048573.0, 0.0]);
}
