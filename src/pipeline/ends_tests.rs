//! Models of several inputs and outputs.

use super::*;
use crate::artifact::{Disclosure, Opening, OutputDisclosure};
use crate::circuit::Timings;
use crate::plan::security::{HashKind, Scheme};
use crate::plan::{Each, OutputVisibility, Visibility};
use ndarray::{ArrayD, arr1};
use zknn_verifier::verify;

/// Two inputs of unlike range and scale, and two outputs.
const TEXT: &str = "
%0 = input : [3] fixed(scale 1, -5..=4)
%1 = input : [2] fixed(scale 0.5, 0..=9)
%2 = dense %0 weights=fixed[2, 3] scale 0.5 [1, -2, 3, 4, 5, -6]
%3 = add %2 %1
%4 = relu %3
output %4 %3
";

fn circuit(visibility: impl Into<Each<Visibility>>, output_visibility: impl Into<Each<OutputVisibility>>) -> Circuit {
    let scheme = Scheme { zero_knowledge: false, hash: HashKind::Blake3, ..Scheme::default() };
    let graph = zknn_ir::parse(TEXT).expect("a graph");
    let (visibility, output_visibility) = (visibility.into(), output_visibility.into());
    let options = Options { visibility, output_visibility, scheme, ..Options::default() };
    compile(graph, options).expect("a circuit")
}

fn inputs() -> [ArrayD<f64>; 2] {
    [arr1(&[-5.0, 4.0, 1.0]).into_dyn(), arr1(&[0.5, 4.5]).into_dyn()]
}

#[test]
fn the_statement_is_about_each_input_and_output() {
    let circuit = circuit(Visibility::Public, OutputVisibility::Public);
    let statement = verify(circuit.key(), &circuit.prove(&inputs()[..]).expect("a proof")).expect("it holds");
    let expected_inputs = [vec![-5, 4, 1], vec![1, 9]].map(|input| Disclosure::Public(arr1(&input).into_dyn()));
    assert_eq!(statement.inputs.iter().map(|input| &input.disclosure).collect::<Vec<_>>(), expected_inputs.each_ref());
    // -5 - 8 + 3 + 1, and -20 + 20 - 6 + 9.
    let expected_outputs = [[0, 3], [-9, 3]].map(|output| OutputDisclosure::Public(arr1(&output).into_dyn()));
    assert_eq!(
        statement.outputs.iter().map(|output| &output.disclosure).collect::<Vec<_>>(),
        expected_outputs.each_ref()
    );
    let text = statement.to_string().replace(&hex(&statement.model), "M");
    insta::assert_snapshot!(text);
}

/// Each has a commitment and a salt of its own, and any of them may be there before the proof.
#[test]
fn each_input_and_output_has_a_commitment_of_its_own() {
    let circuit = circuit(Visibility::Committed, OutputVisibility::Committed);
    let [first, _] = inputs();
    let given = Opening::new(circuit.key().description.inputs[1].clone(), vec![1, 9]).expect("an opening");
    let request =
        Request { inputs: &[Input::Tensor(&first), Input::Opening(&given)], context: None, deny_saturation: false };
    let proved = circuit.prove_request(request, &mut Timings::default()).expect("a proof");
    let statement = verify(circuit.key(), &proved.proof).expect("it holds");
    let openings = [&proved.inputs[0], &proved.inputs[1], &proved.outputs[0], &proved.outputs[1]];
    let openings = openings.map(|opening| opening.as_ref().expect("all are committed to"));
    let integers = openings.map(|opening| opening.integers().into_iter().collect::<Vec<_>>());
    assert_eq!(integers, [vec![-5, 4, 1], vec![1, 9], vec![0, 3], vec![-9, 3]]);
    let of_inputs = statement.inputs.iter().map(|input| match input.disclosure {
        Disclosure::Committed(commitment) => commitment,
        Disclosure::Public(_) | Disclosure::Private => panic!("not committed"),
    });
    let of_outputs = statement.outputs.iter().map(|output| match output.disclosure {
        OutputDisclosure::Committed(commitment) => commitment,
        OutputDisclosure::Public(_) => panic!("not committed"),
    });
    let commitments: Vec<_> = of_inputs.chain(of_outputs).collect();
    assert_eq!(commitments, openings.map(Opening::commitment));
    assert_eq!(commitments[1], given.commitment());
    let salts = openings.map(|opening| opening.salt());
    assert!((0..4).all(|i| (0..i).all(|j| salts[i] != salts[j])), "two commitments share a salt");
}

#[test]
fn inputs_that_do_not_fit_are_refused() {
    let circuit = circuit(Visibility::Committed, OutputVisibility::Public);
    let [first, second] = inputs();
    let error = circuit.prove(&first).expect_err("one is missing");
    assert_eq!(error.to_string(), "there are 1 inputs, the network takes 2");
    let swapped = circuit.prove(&[second.clone(), first.clone()][..]).expect_err("the order counts");
    assert!(matches!(swapped, ProofError::Input(_)), "{swapped}");
    // The opening of the second in the place of the first.
    let other = Opening::new(circuit.key().description.inputs[1].clone(), vec![1, 9]).expect("an opening");
    let request =
        Request { inputs: &[Input::Opening(&other), Input::Tensor(&second)], context: None, deny_saturation: false };
    let error = circuit.prove_request(request, &mut Timings::default()).expect_err("another tensor");
    assert!(matches!(error, ProofError::OtherTensor { .. }), "{error}");
}

/// A public question about a committed table: each end is told in its own way.
#[test]
fn inputs_and_outputs_have_visibilities_of_their_own() {
    let of_inputs = Each::Own(vec![Visibility::Public, Visibility::Committed]);
    let of_outputs = Each::Own(vec![OutputVisibility::Committed, OutputVisibility::Public]);
    let circuit = circuit(of_inputs, of_outputs);
    let [first, second] = inputs();
    let given = Opening::new(circuit.key().description.inputs[1].clone(), vec![1, 9]).expect("an opening");
    let request =
        Request { inputs: &[Input::Tensor(&first), Input::Opening(&given)], context: None, deny_saturation: false };
    let proved = circuit.prove_request(request, &mut Timings::default()).expect("a proof");
    let statement = verify(circuit.key(), &proved.proof).expect("it holds");
    let of_inputs = [Disclosure::Public(arr1(&[-5, 4, 1]).into_dyn()), Disclosure::Committed(given.commitment())];
    assert_eq!(statement.inputs.iter().map(|input| &input.disclosure).collect::<Vec<_>>(), of_inputs.each_ref());
    assert_eq!(proved.inputs, [None, Some(given)]);
    let [Some(first_output), None] = &proved.outputs[..] else { panic!("the first output alone is committed to") };
    assert_eq!(statement.outputs[0].disclosure, OutputDisclosure::Committed(first_output.commitment()));
    assert_eq!(first_output.integers(), arr1(&[0, 3]).into_dyn());
    assert_eq!(statement.outputs[1].disclosure, OutputDisclosure::Public(arr1(&[-9, 3]).into_dyn()));

    let opened = Opening::new(circuit.key().description.inputs[0].clone(), vec![-5, 4, 1]).expect("an opening");
    let request =
        Request { inputs: &[Input::Opening(&opened), Input::Tensor(&second)], context: None, deny_saturation: false };
    let error = circuit.prove_request(request, &mut Timings::default()).expect_err("the first is public");
    assert!(matches!(error, ProofError::NotCommitted), "{error}");
}

#[test]
fn visibilities_of_another_number_of_inputs_are_refused() {
    let graph = || zknn_ir::parse(TEXT).expect("a graph");
    for options in [
        Options { visibility: Each::Own(vec![Visibility::Public]), ..Options::default() },
        Options { output_visibility: Each::Own(vec![OutputVisibility::Public; 3]), ..Options::default() },
    ] {
        let error = compile(graph(), options).map(|_| ()).expect_err("they do not fit");
        assert!(matches!(error, CompileError::Plan(PlanError::Visibility(_))), "{error}");
    }
    // Nor does a key hold that says so.
    let circuit = circuit(Visibility::Public, OutputVisibility::Public);
    let proof = circuit.prove(&inputs()[..]).expect("a proof");
    let mut key = circuit.key().clone();
    key.description.options.visibility = Each::Own(vec![Visibility::Public; 3]);
    assert!(verify(&key, &proof).is_err());
}
