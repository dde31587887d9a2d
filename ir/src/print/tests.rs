use crate::testing::{chain, fixed, fixed_input, real, real_input, reference_network};
use crate::{Graph, Op, op, print};

#[test]
fn the_reference_network_as_text() {
    insta::assert_snapshot!(print(&reference_network()), @"
    %0 = input layer=0 : [120, 80, 3] fixed(scale 1, -5..=4)
    %1 = conv2d %0 kernel=fixed[32, 5, 5, 3] scale 1 #5f28fa182fa39107 layer=1 : [116, 76, 32] fixed(scale 1, -927..=959)
    %2 = max_pool %1 window=[2, 2] layer=2 : [58, 38, 32] fixed(scale 1, -927..=959)
    %3 = relu %2 layer=3 : [58, 38, 32] fixed(scale 1, 0..=959)
    %4 = conv2d %3 kernel=fixed[32, 5, 5, 32] scale 1 #4d7ec5f7abe1008a layer=4 : [54, 34, 32] fixed(scale 1, -1257249..=861182)
    %5 = max_pool %4 window=[2, 2] layer=5 : [27, 17, 32] fixed(scale 1, -1257249..=861182)
    %6 = relu %5 layer=6 : [27, 17, 32] fixed(scale 1, 0..=861182)
    %7 = flatten %6 layer=7 : [14688] fixed(scale 1, 0..=861182)
    %8 = dense %7 weights=fixed[1000, 14688] scale 1 #dbf00a9beae88ba0 layer=8 : [1000] fixed(scale 1, -19537636034..=13069298032)
    %9 = relu %8 layer=9 : [1000] fixed(scale 1, 0..=13069298032)
    %10 = dense %9 weights=fixed[5, 1000] scale 1 #cb6af4e23dfd80d5 layer=10 : [5] fixed(scale 1, -20361966333856..=13892663808016)
    %11 = normalize %10 fraction_bits=24 layer=11 : [5] fixed(scale 2^-24, -16777216..=16777216)
    output %11
    ");
}

#[test]
fn small_weights_are_printed_whole() {
    let kernel = fixed(&[2, 1, 2, 1], &[1, -2, 0, 3], 0.5);
    let bias = Some(fixed(&[2], &[-7, 7], 0.5));
    let weights = fixed(&[1, 4], &[1, 1, 1, 1], 0.1);
    let graph = chain([
        fixed_input(&[2, 4, 1], -5, 4),
        Op::Conv2d(op::Conv2d { kernel, bias, ..op::Conv2d::default() }),
        Op::MaxPool(op::MaxPool::tiles([2, 3], true)),
        Op::Flatten,
    ]);
    insta::assert_snapshot!(print(&graph), @"
    %0 = input layer=0 : [2, 4, 1] fixed(scale 1, -5..=4)
    %1 = conv2d %0 kernel=fixed[2, 1, 2, 1] scale 2^-1 [1, -2, 0, 3] bias=fixed[2] scale 2^-1 [-7, 7] layer=1 : [2, 3, 2] fixed(scale 2^-1, -20..=19)
    %2 = max_pool %1 window=[2, 3] relu layer=2 : [1, 1, 2] fixed(scale 2^-1, 0..=19)
    %3 = flatten %2 layer=3 : [2] fixed(scale 2^-1, 0..=19)
    output %3
    ");
    let graph = chain([
        fixed_input(&[4], 0, 1),
        Op::Dense(op::Dense { weights, bias: None }),
        Op::Normalize(op::Normalize { fraction_bits: 8 }),
    ]);
    insta::assert_snapshot!(print(&graph), @"
    %0 = input layer=0 : [4] fixed(scale 1, 0..=1)
    %1 = dense %0 weights=fixed[1, 4] scale 0.1 [1, 1, 1, 1] layer=1 : [1] fixed(scale 0.1, 0..=4)
    %2 = normalize %1 fraction_bits=8 layer=2 : [1] fixed(scale 2^-8, 0..=256)
    output %2
    ");
}

#[test]
fn real_numbers_keep_every_digit() {
    let weights = real(&[2, 2], &[0.1, -1.0, 1e-7, 1.0 / 3.0]);
    let op = Op::Dense(op::Dense { weights, bias: None });
    insta::assert_snapshot!(print(&chain([real_input(&[2]), op])), @"
    %0 = input layer=0 : [2] real
    %1 = dense %0 weights=real[2, 2] [0.1, -1.0, 1e-7, 0.3333333333333333] layer=1 : [2] real
    output %1
    ");
}

#[test]
fn numbers_are_given_anew_and_dead_nodes_come_last() {
    let mut graph = Graph::new();
    let input = graph.add(fixed_input(&[2], -1, 1), &[], None).unwrap();
    let dead = graph.add(Op::Flatten, &[input], None).unwrap();
    let live = graph.add(Op::Relu, &[input], None).unwrap();
    graph.add(Op::Relu, &[dead], None).unwrap();
    insta::assert_snapshot!(print(&graph), @"
    %0 = input : [2] fixed(scale 1, -1..=1)
    %1 = flatten %0 : [2] fixed(scale 1, -1..=1)
    %2 = relu %0 : [2] fixed(scale 1, 0..=1)
    %3 = relu %1 : [2] fixed(scale 1, 0..=1)
    ");
    graph.set_output(live);
    insta::assert_snapshot!(print(&graph), @"
    %0 = input : [2] fixed(scale 1, -1..=1)
    %1 = relu %0 : [2] fixed(scale 1, 0..=1)
    %2 = flatten %0 : [2] fixed(scale 1, -1..=1)
    %3 = relu %2 : [2] fixed(scale 1, 0..=1)
    output %1
    ");
}
