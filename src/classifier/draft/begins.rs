//! How a network begins: what it does with its input first says what it expects there.

use tract_onnx::pb::NodeProto;

use crate::classifier::graph::Graph;

/// Operators that change no value's meaning.
const PASS_ON: [&str; 3] = ["Cast", "Identity", "Transpose"];
/// Values that a mean or a scale has: one, or one a channel.
const FEW: i64 = 3;

fn consumer<'a>(graph: &'a Graph, value: &str) -> Option<&'a NodeProto> {
    graph.graph().node.iter().find(|node| node.input.iter().any(|input| input == value))
}

/// Whether channels stand last in the input, because the network moves them first.
pub(super) fn with_transpose_to_nchw(graph: &Graph, input: &str) -> bool {
    let order = |node: &NodeProto| {
        let order = node.attribute.iter().find(|attribute| attribute.name == "perm");
        order.is_some_and(|order| order.ints == [0, 3, 1, 2])
    };
    first(graph, input, |node| node.op_type == "Transpose" && order(node))
}

/// Whether it subtracts a mean or scales by itself.
pub(super) fn with_normalisation(graph: &Graph, input: &str) -> bool {
    let constant = |value: &str| {
        let weights = graph.graph().initializer.iter().find(|weight| weight.name == value);
        let made = graph.graph().node.iter().filter(|node| node.op_type == "Constant");
        let made = made.filter(|node| node.output.iter().any(|output| output == value));
        let made = made.flat_map(|node| &node.attribute).find_map(|attribute| attribute.t.as_ref());
        weights.or(made).is_some_and(|tensor| tensor.dims.iter().product::<i64>() <= FEW)
    };
    let normalises = |node: &NodeProto| {
        ["Sub", "Div", "Mul", "Add"].contains(&node.op_type.as_str()) && node.input.iter().any(|input| constant(input))
    };
    first(graph, input, normalises)
}

/// Whether a node that gets the input, as it is or only moved about, is `wanted`.
fn first(graph: &Graph, input: &str, wanted: impl Fn(&NodeProto) -> bool) -> bool {
    let mut value = input;
    for _ in 0..=graph.graph().node.len() {
        let Some(node) = consumer(graph, value) else { return false };
        if wanted(node) {
            return true;
        }
        match node.output.first() {
            Some(output) if PASS_ON.contains(&node.op_type.as_str()) => value = output,
            _ => return false,
        }
    }
    false
}

/// Weights are outputs x inputs x height x width.
pub(super) fn channels_of_first_convolution(graph: &Graph) -> Option<usize> {
    let convolution = graph.graph().node.iter().find(|node| node.op_type == "Conv")?;
    let weights = graph.graph().initializer.iter().find(|weight| Some(&weight.name) == convolution.input.get(1))?;
    usize::try_from(*weights.dims.get(1)?).ok()
}
