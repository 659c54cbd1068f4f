//! Trying a network, whole or its beginning only, to find where it fails.

use std::collections::BTreeSet;

use tract_onnx::pb::{ModelProto, NodeProto, ValueInfoProto};
use tract_onnx::prelude::*;

use super::super::caught::{GAVE_UP, caught};
use super::super::graph::Graph;

/// How far tract came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// An attribute of an operator is not one that it can work with.
    Build,
    /// Shapes and types do not fit together.
    Fit,
    Optimise,
    Run,
    /// Wherever it was: tract panicked.
    GaveUp,
}

#[derive(Debug)]
pub(super) struct Failure {
    pub(super) stage: Stage,
    /// tract's innermost words.
    pub(super) says: String,
}

/// The network's outputs for an input of ones, whatever their number and shape.
pub(super) fn run(network: &ModelProto, input: [usize; 4]) -> Result<Vec<Tensor>, Failure> {
    let mut stage = Stage::Build;
    let tried = caught(|| {
        let mut model = onnx().model_for_proto_model(network)?;
        stage = Stage::Fit;
        model.set_input_fact(0, f32::fact(input).into())?;
        let model = model.into_typed()?;
        stage = Stage::Optimise;
        let runnable = model.into_optimized()?.into_runnable()?;
        stage = Stage::Run;
        let ones = tract_ndarray::Array4::from_elem(input, 1.0f32).into_tensor();
        let outputs = runnable.run(tvec!(ones.into()))?;
        Ok(outputs.into_iter().map(TValue::into_tensor).collect())
    });
    tried.map_err(|error| {
        let says = error.root_cause().to_string();
        match says.strip_prefix(GAVE_UP) {
            Some(panic) => Failure { stage: Stage::GaveUp, says: short(panic) },
            None => Failure { stage, says: short(&says) },
        }
    })
}

/// The first node, in the file's order, with which the network fails: what is before it works.
pub(super) fn first_failure(graph: &Graph, input: [usize; 4]) -> Option<(&NodeProto, Failure)> {
    let nodes = &graph.graph().node;
    let mut part = graph.proto.clone();
    let mut fails = |count: usize| {
        begin(&mut part, &nodes[..count]);
        run(&part, input).err()
    };
    let mut failure = fails(nodes.len())?;
    let (mut works, mut count) = (0, nodes.len());
    while count - works > 1 {
        let middle = works + (count - works) / 2;
        match fails(middle) {
            Some(earlier) => (failure, count) = (earlier, middle),
            None => works = middle,
        }
    }
    Some((&nodes[count - 1], failure))
}

/// The first node that makes something else than numbers.
pub(super) fn first_not_finite(graph: &Graph, input: [usize; 4]) -> Option<&NodeProto> {
    let nodes = &graph.graph().node;
    let mut all = graph.proto.clone();
    let made = |node: &'_ NodeProto| node.output.iter().find(|output| !output.is_empty()).cloned();
    let named: Vec<(usize, String)> =
        nodes.iter().enumerate().filter_map(|(at, node)| Some((at, made(node)?))).collect();
    all.graph.get_or_insert_default().output = named.iter().map(|(_, name)| output(name)).collect();
    let outputs = run(&all, input).ok()?;
    // An infinity may be meant, as in an attention's mask; NaN never is.
    let bad = |is_bad: fn(f32) -> bool| {
        named
            .iter()
            .zip(&outputs)
            .find(|(_, tensor)| floats(tensor).is_some_and(|values| values.iter().any(|v| is_bad(*v))))
    };
    let ((at, _), _) = bad(f32::is_nan).or_else(|| bad(|value| !value.is_finite()))?;
    nodes.get(*at)
}

pub(super) fn floats(tensor: &Tensor) -> Option<Vec<f32>> {
    Some(tensor.to_plain_array_view::<f32>().ok()?.iter().copied().collect())
}

/// Cuts the network to its first nodes, with all that they make and do not use as outputs.
fn begin(network: &mut ModelProto, nodes: &[NodeProto]) {
    let used: BTreeSet<&str> = nodes.iter().flat_map(|node| &node.input).map(String::as_str).collect();
    let made =
        nodes.iter().flat_map(|node| &node.output).filter(|name| !name.is_empty() && !used.contains(name.as_str()));
    let outputs = made.map(|name| output(name)).collect();
    let graph = network.graph.get_or_insert_default();
    graph.node = nodes.to_vec();
    graph.output = outputs;
}

fn output(name: &str) -> ValueInfoProto {
    ValueInfoProto { name: name.to_owned(), ..ValueInfoProto::default() }
}

/// One line that fits a sentence, with `Val(6)`, tract's way to say that a side is known, as 6.
fn short(words: &str) -> String {
    const MOST: usize = 160;
    let mut line = words.split_whitespace().collect::<Vec<_>>().join(" ");
    while let Some((before, (value, after))) =
        line.split_once("Val(").and_then(|(before, rest)| Some((before, rest.split_once(')')?)))
    {
        line = format!("{before}{value}{after}");
    }
    match line.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}
