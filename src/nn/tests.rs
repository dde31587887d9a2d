use std::fs::{self, File};
use std::path::Path;
use std::time::Instant;

use ndarray::{ArrayD, IxDyn, arr1};
use proptest::prelude::*;
use sha2::{Digest, Sha256};

use super::reference::reference_cnn;
use super::*;
use crate::front::{Layer, LayerKind, Model, Steps, read_tensor, write_tensor};

/// `python3 ref_cnn/generate_cnn_json.py` prints both again.
const MODEL_SHA256: &str = "cac0842b36558f8f64894e1295f88b7da2aceffeb36c93f71a1e1944b3a581cb";
const INPUT_SHA256: &str = "d4ff7c1531e405ddcd42d763ab23dab987ed85dac1d9f4846ab47c3d8ec8b23f";

/// What `python3 ref_cnn/vanilla_cnn.py` prints, and asserts.
const LOGITS: [f64; 5] = [-9404869.0, -11033050.0, -34374361.0, -20396580.0, 70483360.0];
const FINAL_OUTPUT: [f64; 5] = [-0.11425511, -0.13403508, -0.41759714, -0.24778798, 0.85626755];
const TABLE: &str = "               layer |    output shape |     #parameters |            #ops
-------------------- | --------------- | --------------- | ---------------
       conv 32x5x5x3 |   (116, 76, 32) |            2400 |        21158400
            max-pool |    (58, 38, 32) |               0 |               0
                relu |    (58, 38, 32) |               0 |               0
      conv 32x5x5x32 |    (54, 34, 32) |           25600 |        47001600
            max-pool |    (27, 17, 32) |               0 |               0
                relu |    (27, 17, 32) |               0 |               0
             flatten |        (14688,) |               0 |               0
     conv 1000x14688 |         (1000,) |        14689000 |        14688000
                relu |         (1000,) |               0 |               0
         conv 5x1000 |            (5,) |            5005 |            5000
           normalize |            (5,) |               0 |               6";

/// The reference model through a file: written, read again with serde, run.
#[test]
fn serde_neural_net() {
    let folder = tempfile::tempdir().unwrap();
    let (model_path, input_path) = (folder.path().join("model.json"), folder.path().join("input.json"));
    let (model, input) = reference_cnn();
    model.write(File::create(&model_path).unwrap()).unwrap();
    write_tensor(&input, File::create(&input_path).unwrap()).unwrap();
    drop((model, input));

    let start = Instant::now();
    let model = Model::read(&model_path).unwrap();
    println!("read {} bytes in {:.2?}", fs::metadata(&model_path).unwrap().len(), start.elapsed());
    let input = read_tensor(&input_path).unwrap();
    let start = Instant::now();
    let outputs = run_all(&model, &input).unwrap();
    println!("inference in {:.2?}", start.elapsed());

    let [.., logits, output] = outputs.as_slice() else { panic!("too few outputs") };
    println!("{}\nfinal output (normalized): {output:.8}", model.table());
    assert_eq!(model.table().to_string(), TABLE);
    assert_eq!(logits, &arr1(&LOGITS).into_dyn());
    assert!(output.iter().zip(FINAL_OUTPUT).all(|(got, expected)| (got - expected).abs() < 5e-9), "{output}");
    assert_eq!(run(&model, &input).unwrap(), *output);
    assert_eq!(model.input_range(), Some((-5, 4)));
}

#[test]
fn the_reference_is_written_byte_for_byte_as_python_writes_it() {
    let (model, input) = reference_cnn();
    let mut digest = Sha256::new();
    model.write(&mut digest).unwrap();
    assert_eq!(format!("{:x}", digest.finalize()), MODEL_SHA256);
    let mut digest = Sha256::new();
    write_tensor(&input, &mut digest).unwrap();
    assert_eq!(format!("{:x}", digest.finalize()), INPUT_SHA256);
}

/// Every small model runs on its input and is written again as it stands in its file.
#[test]
fn small_models() {
    let mut printed = String::new();
    for name in ["tiny_mlp", "tiny_cnn", "wide_pool", "residual"] {
        let folder = Path::new("testdata/models");
        let path = folder.join(format!("{name}.json"));
        let model = Model::read(&path).unwrap();
        let input = read_tensor(&folder.join(format!("{name}_input.json"))).unwrap();
        let output = run(&model, &input).unwrap();
        printed += &format!("{name}\n{}\noutput: {output:.8}\n\n", model.table());

        let mut written = Vec::new();
        model.write(&mut written).unwrap();
        assert!(fs::read(&path).unwrap() == written, "{name} is not written as it was read");
    }
    insta::assert_snapshot!(printed);
}

#[test]
fn argmax_is_the_lowest_index_of_the_greatest() {
    let text = r#"{"layers": [{"layer_type": "argmax", "input_shape": [4]}]}"#;
    let model = Model::parse("model.json", text.to_string()).unwrap();
    let run = |x: [f64; 4]| run(&model, &arr1(&x).into_dyn()).unwrap();
    assert_eq!(run([-2.0, 3.0, 1.0, 3.0]), arr1(&[1.0]).into_dyn());
    assert_eq!(run([-2.0, -3.0, -2.0, -2.0]), arr1(&[0.0]).into_dyn());
    let mut written = Vec::new();
    model.write(&mut written).unwrap();
    assert_eq!(String::from_utf8(written).unwrap(), text);
    assert_eq!(model.table().rows[0].name, "argmax");
    assert!(Model::new(vec![Layer::new(LayerKind::Argmax { axis: None }, [2, 3])], None).is_err());
}

#[test]
fn an_input_of_another_shape_is_refused() {
    let model = Model::new(vec![Layer::new(LayerKind::Relu, [2, 3])], None).unwrap();
    let input: ArrayD<f64> = ArrayD::zeros(IxDyn(&[3, 2]));
    let error = WrongInput { expected: vec![vec![2, 3]], got: vec![vec![3, 2]] };
    assert_eq!(run(&model, &input), Err(error.clone()));
    assert_eq!(run_all(&model, &input), Err(error));
}

/// The definition of a convolution, one product at a time.
fn naive_convolution(image: &ArrayD<f64>, kernel: &ArrayD<f64>, biases: &ArrayD<f64>) -> ArrayD<f64> {
    let (image_shape, kernel_shape) = (image.shape(), kernel.shape());
    let (h, w) = (image_shape[0] - kernel_shape[1] + 1, image_shape[1] - kernel_shape[2] + 1);
    ArrayD::from_shape_fn(IxDyn(&[h, w, kernel_shape[0]]), |at| {
        let (y, x, channel) = (at[0], at[1], at[2]);
        let kernel = kernel.index_axis(ndarray::Axis(0), channel);
        let products = kernel.indexed_iter().map(|(k, weight)| weight * image[[y + k[0], x + k[1], k[2]]]);
        products.sum::<f64>() + biases[channel]
    })
}

fn tensor(shape: Vec<usize>) -> impl Strategy<Value = ArrayD<f64>> {
    let values = prop::collection::vec((-9_i8..9).prop_map(f64::from), shape.iter().product::<usize>());
    values.prop_map(move |values| ArrayD::from_shape_vec(IxDyn(&shape), values).unwrap())
}

proptest! {
    #[test]
    fn convolution_is_its_definition(
        (image, kernel, biases) in [1..5_usize, 1..4, 1..3, 1..3, 0..40, 0..20].prop_flat_map(|[c_out, k_h, k_w, c_in, h, w]| {
            (tensor(vec![k_h + h, k_w + w, c_in]), tensor(vec![c_out, k_h, k_w, c_in]), tensor(vec![c_out]))
        })
    ) {
        let expected = naive_convolution(&image, &kernel, &biases);
        let kind = LayerKind::Convolution { kernel, biases: Some(biases), steps: Steps::default() };
        let model = Model::new(vec![Layer::new(kind, image.shape())], None).unwrap();
        prop_assert_eq!(run(&model, &image).unwrap(), expected);
    }

    #[test]
    fn any_float_is_read_as_it_was_written(bits in prop::collection::vec(any::<u64>(), 1..20)) {
        let numbers: Vec<f64> = bits.into_iter().map(f64::from_bits).filter(|x| x.is_finite()).collect();
        prop_assume!(!numbers.is_empty());
        let tensor = arr1(&numbers).into_dyn();
        let mut text = Vec::new();
        write_tensor(&tensor, &mut text).unwrap();
        let read = crate::front::parse_tensor("t", String::from_utf8(text).unwrap()).unwrap();
        let bits = |tensor: &ArrayD<f64>| tensor.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
        prop_assert_eq!(bits(&read), bits(&tensor));
    }
}

/// A model whose patches do not fit one block, so that several are laid out.
#[test]
fn a_convolution_of_several_blocks() {
    let image = ArrayD::from_shape_fn(IxDyn(&[70, 50, 8]), |at| ((at[0] * 7 + at[1] * 3 + at[2]) % 11) as f64 - 5.0);
    let kernel =
        ArrayD::from_shape_fn(IxDyn(&[3, 4, 5, 8]), |at| ((at[0] + at[1] * 5 + at[2] + at[3]) % 7) as f64 - 3.0);
    let expected = naive_convolution(&image, &kernel, &arr1(&[0.0; 3]).into_dyn());
    let kind = LayerKind::Convolution { kernel, biases: None, steps: Steps::default() };
    let model = Model::new(vec![Layer::new(kind, [70, 50, 8])], None).unwrap();
    assert_eq!(run(&model, &image).unwrap(), expected);
}
