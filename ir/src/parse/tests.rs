use proptest::prelude::*;

use super::*;
use crate::random::any_graph;
use crate::testing::{chain, fixed, fixed_input, noise};
use crate::{op, print};

fn error(text: &str) -> String {
    parse(text).unwrap_err().to_string()
}

/// The error of a line that follows an input of shape `[2, 4, 1]`.
fn line_error(line: &str) -> String {
    error(&format!("%0 = input : [2, 4, 1] fixed(scale 1, -5..=4)\n{line}"))
}

#[test]
fn facts_and_layers_may_be_left_out_and_comments_be_put_in() {
    let graph = parse(
        "
        ; a small network
        %7 = input : [2, 4, 1] fixed(scale 2^-1, -5..=4)   ; numbers need no order
        %3 = conv2d %7 kernel=fixed[1, 1, 1, 1] scale 0.5 [-2] bias=fixed[1] scale 2^-2 [1] layer=4

        %4 = max_pool %3 window=[2, 2] relu : [1, 2, 1] fixed(scale 0.25, 0..=11)
        output %4
        ",
    )
    .unwrap();
    insta::assert_snapshot!(print(&graph), @"
    %0 = input : [2, 4, 1] fixed(scale 2^-1, -5..=4)
    %1 = conv2d %0 kernel=fixed[1, 1, 1, 1] scale 2^-1 [-2] bias=fixed[1] scale 2^-2 [1] layer=4 : [2, 4, 1] fixed(scale 2^-2, -7..=11)
    %2 = max_pool %1 window=[2, 2] relu : [1, 2, 1] fixed(scale 2^-2, 0..=11)
    output %2
    ");
}

#[test]
fn words_that_cannot_stand_where_they_do_are_pointed_at() {
    insta::assert_snapshot!(error("\n  relu"), @"line 2, column 3: expected a node or `output`, found `relu`");
    insta::assert_snapshot!(error("%0 = input"), @"line 1, column 11: expected `:` and the fact of the input, found the end of the line");
    insta::assert_snapshot!(error("%0 input : [1] real"), @"line 1, column 4: expected `=`, found `input`");
    insta::assert_snapshot!(error("%99999999999 = input : [1] real"), @"line 1, column 1: expected a node number of 32 bits, found `%99999999999`");
    insta::assert_snapshot!(error("%0 = input : [1, ] real"), @"line 1, column 18: expected the length of an axis, found `]`");
    insta::assert_snapshot!(error("%0 = input : [1 2] real"), @"line 1, column 17: expected `,` or `]`, found `2`");
    insta::assert_snapshot!(error("%0 = input : [-1] real"), @"line 1, column 15: expected the length of an axis, found `-1`");
    insta::assert_snapshot!(error("%0 = input : [1] integer"), @"line 1, column 18: expected `real` or `fixed`, found `integer`");
    insta::assert_snapshot!(error("%0 = input : [1] fixed(scale 1, -5...4)"), @"line 1, column 35: unexpected character '.'");
    insta::assert_snapshot!(error("%0 = input : [1] fixed(scale 2^1024, 0..=1)"), @"line 1, column 32: expected an exponent from -1074 to 1023, found `1024`");
    insta::assert_snapshot!(error("%0 = input : [1] fixed(scale 1, 0..=9223372036854775808)"), @"line 1, column 37: expected the greatest integer, found `9223372036854775808`");
    insta::assert_snapshot!(line_error("%1 = %0"), @"line 2, column 6: expected an operation, found `%0`");
    insta::assert_snapshot!(line_error("%1 = relu %0 ; fine\n%2 = relu %1 relu"), @"line 3, column 14: expected the end of the line, found `relu`");
    insta::assert_snapshot!(line_error("%1 = max_pool %0 window=[2]"), @"line 2, column 25: expected a height and a width, found [2]");
    insta::assert_snapshot!(line_error("%1 = max_pool %0 relu"), @"line 2, column 18: expected `window`, found `relu`");
    insta::assert_snapshot!(line_error("%1 = normalize %0 fraction_bits=-1"), @"line 2, column 33: expected a number of bits, found `-1`");
    insta::assert_snapshot!(line_error("%1 = dense %0 weights=[1]"), @"line 2, column 23: expected `fixed`, `scaled` or `real`, found `[`");
    insta::assert_snapshot!(line_error("%1 = dense %0 weights=fixed[1, 1] scale 1 [0.5]"), @"line 2, column 44: expected an integer weight, found `0.5`");
    insta::assert_snapshot!(line_error("%1 = dense %0 weights=fixed[1, 2] scale 1 [1]"), @"line 2, column 43: 1 elements do not fill shape [1, 2]");
}

#[test]
fn what_is_not_defined_or_twice_is_pointed_at() {
    insta::assert_snapshot!(line_error("%1 = softmax %0"), @"line 2, column 6: there is no operation `softmax`");
    insta::assert_snapshot!(line_error("%1 = relu %1"), @"line 2, column 11: `%1` is not defined above");
    insta::assert_snapshot!(line_error("%0 = relu %0"), @"line 2, column 1: `%0` is already defined");
    insta::assert_snapshot!(line_error("output %1"), @"line 2, column 8: `%1` is not defined above");
    insta::assert_snapshot!(line_error("output %0\noutput %0"), @"line 3, column 1: the output is already chosen");
    insta::assert_snapshot!(line_error("%1 = relu %0"), @"line 2, column 1: the graph has no output");
    insta::assert_snapshot!(line_error("output %0 %0 %1"), @"line 2, column 14: `%1` is not defined above");
    insta::assert_snapshot!(line_error("output"), @"line 2, column 7: expected a node, found the end of the line");
    insta::assert_snapshot!(error(""), @"line 1, column 1: the graph has no input");
}

#[test]
fn what_does_not_follow_is_pointed_at() {
    insta::assert_snapshot!(line_error("%1 = relu %0 : [2, 4, 1] fixed(scale 1, -5..=4)"), @"line 2, column 14: stated as [2, 4, 1] fixed(scale 1, -5..=4), but it is [2, 4, 1] fixed(scale 1, 0..=4)");
    insta::assert_snapshot!(line_error("%1 = max_pool %0 window=[3, 2]"), @"line 2, column 6: windows of 3 by 2 do not each hold some of an input of 2 by 4");
    insta::assert_snapshot!(line_error("%1 = relu %0 %0"), @"line 2, column 6: relu has 2 operands, it takes 1");
    insta::assert_snapshot!(line_error("%1 = relu"), @"line 2, column 6: relu has 0 operands, it takes 1");
}

#[test]
fn big_weights_are_asked_for_by_their_digest() {
    let weights = fixed(&[7, 5], &noise(1, 35), 1.0);
    let op = Op::Dense(op::Dense { weights: weights.clone(), bias: None });
    let graph = chain([fixed_input(&[5], 0, 1), op]);
    let text = print(&graph);
    let resolve = |digest: &str| (digest == weights.short_digest()).then(|| weights.clone());
    assert_eq!(parse_with(&text, &resolve).unwrap(), graph);
    insta::assert_snapshot!(error(&text), @"line 2, column 43: no weights with digest 21f4dfc2018f6d72 are at hand");
    let wrong = parse_with(&text, &|_| Some(fixed(&[7, 5], &noise(2, 35), 1.0))).unwrap_err();
    insta::assert_snapshot!(wrong, @"line 2, column 43: the weights supplied for digest 21f4dfc2018f6d72 have another kind, shape, scale or digest");
}

proptest! {
    #[test]
    fn what_is_printed_is_read_back(graph in any_graph()) {
        let weights: Vec<Weights> = graph
            .topological()
            .into_iter()
            .filter_map(|id| graph.node(id).op.factors())
            .flat_map(|factors| [Some(factors.weights.clone()), factors.bias.cloned()])
            .flatten()
            .collect();
        let resolve = |digest: &str| weights.iter().find(|w| w.short_digest() == digest).cloned();
        let text = print(&graph);
        let read = parse_with(&text, &resolve).unwrap();
        prop_assert_eq!(print(&read), text);
        prop_assert_eq!(read.digest(), graph.digest());
        prop_assert_eq!(read, graph);
    }

    #[test]
    fn no_text_makes_the_parser_panic(text in "[-%=:\\[\\](),^.#;a-z0-9 \n]{0,80}") {
        let _ = parse(&text);
    }

    #[test]
    fn a_spoilt_text_is_an_error_or_a_graph(
        graph in any_graph(),
        at in any::<prop::sample::Index>(),
        with in "[-%=:\\[\\](),^.#;a-z0-9 \n]{0,2}",
    ) {
        let mut text = print(&graph);
        let at = at.index(text.len());
        text.replace_range(at..=at, &with);
        if let Ok(read) = parse(&text) {
            prop_assert_eq!(crate::validate(&read), Ok(()));
        }
    }
}

#[test]
fn the_example_of_the_reference_is_what_it_says() {
    let reference = include_str!("../../IR.md");
    let (_, rest) = reference.split_once("```zknn\n").unwrap();
    let (example, _) = rest.split_once("```").unwrap();
    let without_comment: String =
        example.lines().filter(|line| !line.starts_with(';')).map(|line| format!("{line}\n")).collect();
    assert_eq!(print(&parse(example).unwrap()), without_comment);
}
