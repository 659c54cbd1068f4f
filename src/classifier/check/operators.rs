//! Which operators of a network do not work, where, and what usually helps.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::path::Path;

use tract_onnx::pb::NodeProto;

use super::super::graph::{Graph, is_onnx, node_name};
use super::trial::{Failure, Stage, first_failure, first_not_finite};
use super::{Finding, Level, Place};

/// What tract is tested with: `tract_onnx::model::Onnx::parse_with_template` warns outside of it.
const TESTED_OPSETS: RangeInclusive<i64> = 9..=18;
/// Kinds of unknown operators that are named.
const NAMED: usize = 5;
/// Kinds of known operators that are named.
const SHOWN: usize = 10;
const EXPORT_AGAIN: &str = "Export with opset 17";
const SIMPLIFY: &str = "Simplify it first: python -m onnxsim model.onnx simple.onnx; else export with opset 17";

/// The version of the operators that it is written in; `None` where there is nothing to say.
pub(super) fn opset(graph: &Graph, loads: bool) -> Option<Finding> {
    let (says, way_out) = match graph.opset() {
        None => ("does not say the opset of its operators".into(), "Export it again: exporters write opset_import"),
        Some(opset) if TESTED_OPSETS.contains(&opset) => return None,
        Some(opset) => {
            let than = if opset > *TESTED_OPSETS.end() { "newer" } else { "older" };
            let tested = format!("{} to {}", TESTED_OPSETS.start(), TESTED_OPSETS.end());
            let says =
                format!("is written in opset {opset}, which is {than} than what tract is tested with ({tested})");
            (says, "Export with opset 17, or convert it: onnx.version_converter.convert_version(model, 17)")
        }
    };
    if loads {
        return Some(Finding::warn("opset", format!("{says}; it loads nevertheless")).way_out(way_out));
    }
    Some(Finding::warn("opset", says).way_out(way_out))
}

/// Weights that are in other files.
pub(super) fn external_weights(graph: &Graph, folder: &Path) -> Option<Finding> {
    let files = graph.external_files();
    let first = files.first()?;
    let more = if files.len() > 1 { format!(" and {} more files", files.len() - 1) } else { String::new() };
    let missing = files.iter().find(|file| !folder.join(file).is_file());
    let (says, first_step) = match missing {
        Some(file) => (
            format!("has its weights in {first:?}{more}, and {file:?} is not in the folder"),
            "Put it beside the network that it came with, then merge the two",
        ),
        None => (
            format!("has its weights in {first:?}{more}; Spotter reads one file, whose SHA-256 the manifest has"),
            "Merge them",
        ),
    };
    let merge = "python -c \"import onnx; onnx.save(onnx.load('model.onnx'), 'merged.onnx')\", name merged.onnx model.onnx, and check again: it says the new sha256";
    Some(Finding::fail("weights", says).way_out(format!("{first_step}: {merge}")))
}

/// Whether tract has all operators; else which not, one finding a kind.
pub(super) fn known(graph: &Graph, loads: bool) -> Vec<Finding> {
    let mut unknown = unknown(graph);
    if unknown.is_empty() {
        return vec![all_known(graph)];
    }
    if loads {
        for finding in &mut unknown {
            finding.level = Level::Warn;
            finding.says.push_str("; the output does not need it");
        }
    }
    unknown
}

pub(super) fn unknown(graph: &Graph) -> Vec<Finding> {
    let known = tract_onnx::onnx().op_register.0;
    let mut kinds: BTreeMap<(&str, &str), Vec<&NodeProto>> = BTreeMap::new();
    for node in graph.nodes().filter(|node| !known.contains_key(&node.op_type)) {
        kinds.entry((&node.domain, &node.op_type)).or_default().push(node);
    }
    let mut findings: Vec<Finding> = kinds
        .values()
        .take(NAMED)
        .map(|nodes| {
            let place = Place::of(graph, nodes[0]);
            let more = match nodes.len() - 1 {
                0 => String::new(),
                1 => ", and so is one more node".into(),
                more => format!(", and so are {more} more nodes"),
            };
            let says = format!("{place}, an operator that tract does not have{more}");
            Finding::fail("operators", says).way_out(way_out(graph, &place)).at(place)
        })
        .collect();
    if kinds.len() > NAMED {
        let others: Vec<&str> = kinds.keys().skip(NAMED).map(|(_, operator)| *operator).collect();
        findings.push(Finding::fail("operators", format!("tract does not have these either: {}", others.join(", "))));
    }
    findings
}

/// The node at which tract fails, where each operator by itself is known.
pub(super) fn failing(graph: &Graph, input: [usize; 4]) -> Option<Finding> {
    let (node, Failure { stage, says }) = first_failure(graph, input)?;
    let place = Place::of(graph, node);
    let (what, way_out) = match stage {
        Stage::Build => ("with attributes that tract cannot work with", attributes_way_out(&place).into()),
        Stage::Fit => ("whose inputs do not fit together, in shape or in type", fit_way_out(graph, input)),
        Stage::Optimise => ("which tract cannot prepare", SIMPLIFY.into()),
        Stage::Run => ("which fails when it runs", SIMPLIFY.into()),
        Stage::GaveUp => ("at which tract gives up", format!("Are its attributes and inputs right? {SIMPLIFY}")),
    };
    let is_first = graph.graph().node.first().is_some_and(|first| std::ptr::eq(first, node));
    let before = if is_first { "" } else { "; the nodes before it work" };
    let says = format!("{place}, {what} ({}){before}", says.trim_end_matches('.'));
    Some(Finding::fail("operators", says).way_out(way_out).at(place))
}

fn fit_way_out(graph: &Graph, input: [usize; 4]) -> String {
    let name = graph.inputs().first().map(|port| port.name.clone()).unwrap_or_default();
    let shape = input.map(|side| side.to_string()).join(",");
    format!(
        "Is input.shape {input:?} what it was trained on? Then fix its dynamic axes and simplify it: \
         torch.onnx.export(…, dynamic_axes=None), or python -m onnxsim model.onnx simple.onnx --overwrite-input-shape {name}:{shape}"
    )
}

/// The node that makes no numbers.
pub(super) fn not_finite(graph: &Graph, input: [usize; 4]) -> Option<Finding> {
    let place = Place::of(graph, first_not_finite(graph, input)?);
    let says = format!("{place}, and the first whose output is not finite");
    let way_out =
        "Its weights or its input overflow: look at that layer's weights, and at mean, std and scale in the manifest";
    Some(Finding::fail("operators", says).way_out(way_out).at(place))
}

/// `98 nodes, all known to tract: Add, Clip, Conv (53), …`
fn all_known(graph: &Graph) -> Finding {
    let operators = graph.operators();
    let nodes: usize = operators.values().sum();
    let counted = |(operator, count): (&&str, &usize)| match count {
        1 => (*operator).to_owned(),
        count => format!("{operator} ×{count}"),
    };
    let mut most_first: Vec<_> = operators.iter().collect();
    most_first.sort_by_key(|(_, count)| Reverse(**count));
    let mut names: Vec<String> = most_first.into_iter().take(SHOWN).map(counted).collect();
    if operators.len() > SHOWN {
        names.push("…".into());
    }
    let quantised = ["QuantizeLinear", "DequantizeLinear", "QLinearConv", "QLinearMatMul", "DynamicQuantizeLinear"];
    let is_quantised = operators.keys().any(|operator| quantised.contains(operator));
    let note = if is_quantised { "; it is quantised, and tract computes it so" } else { "" };
    Finding::ok("operators", format!("{nodes} nodes, all known to tract: {}{note}", names.join(", ")))
}

fn attributes_way_out(place: &Place) -> &'static str {
    match place.operator.as_str() {
        "Resize" | "Upsample" => {
            "Export with mode nearest or linear and coordinate_transformation_mode asymmetric, half_pixel or align_corners"
        }
        "QuantizeLinear" | "DequantizeLinear" => {
            "Quantise by tensor or by channel, not in blocks, to int8 or uint8; or use the network from before quantisation"
        }
        "AveragePool" | "MaxPool" => "Export with ceil_mode=False and without dilations",
        "BatchNormalization" => "Export in evaluation mode: model.eval(), training=TrainingMode.EVAL",
        _ => EXPORT_AGAIN,
    }
}

/// What usually helps against an operator that is not there.
fn way_out(graph: &Graph, place: &Place) -> &'static str {
    let is_function = |name: &str| graph.proto.functions.iter().any(|function| function.name.as_deref() == Some(name));
    if is_function(&place.operator) {
        return "It is a function that the file itself defines: inline it with onnx.inliner.inline_local_functions(model), or export with dynamo=False";
    }
    match (place.domain.as_str(), place.operator.as_str()) {
        ("com.microsoft", operator) if operator.starts_with('Q') => {
            "onnxruntime quantised it in its own operators: quantise with quant_format=QuantFormat.QDQ, or use the network from before quantisation"
        }
        ("com.microsoft", _) => {
            "onnxruntime's optimiser fused it: use the file from before the optimisation, or export again with opset 17 and without optimising"
        }
        ("ai.onnx.ml", "ZipMap") => {
            "It makes a dictionary of the probabilities: convert with options={'zipmap': False} (skl2onnx)"
        }
        ("ai.onnx.ml", _) => "It is not a neural network: Spotter reads networks that take pixels",
        ("aten" | "org.pytorch.aten", _) => {
            "PyTorch had no ONNX operator for it: replace it in the network by plain operators, then export with operator_export_type=ONNX"
        }
        (domain, _) if !is_onnx(domain) => {
            "It belongs to a runtime's own extension: replace it in the network by plain ONNX operators, then export with opset 17"
        }
        (_, "RoiAlign" | "MaxRoiPool") => "It is a detector's: Spotter reads classifiers, which give one value a label",
        (_, "Loop") => {
            "Control flow that depends on values: trace the network instead of scripting it, then python -m onnxsim model.onnx simple.onnx"
        }
        (_, operator) if operator.starts_with("Sequence") || operator.starts_with("Optional") => {
            "Lists of tensors mostly vanish when it is simplified: python -m onnxsim model.onnx simple.onnx"
        }
        (_, "Upsample") => "It was replaced by Resize in opset 10: export with opset 17",
        (_, "StringNormalizer" | "TfIdfVectorizer" | "RegexFullMatch" | "StringConcat" | "StringSplit") => {
            "It works on text: Spotter reads networks that take pixels"
        }
        (_, "ImageDecoder") => "Spotter decodes pictures itself: export the network from behind it, which takes pixels",
        (_, "DeformConv" | "Col2Im" | "AffineGrid" | "CenterCropPad") => {
            "tract has no such geometry: replace it in the network by an ordinary convolution or interpolation, and train it briefly again"
        }
        (_, "Unique") => {
            "The size of what it makes depends on values: remove it, or simplify: python -m onnxsim model.onnx simple.onnx"
        }
        (_, "LpPool" | "MaxUnpool") => "Replace it by AveragePool, MaxPool or Resize in the network, then export again",
        _ => {
            "Export with opset 17 and simplify (python -m onnxsim model.onnx simple.onnx); if it stays, replace it in the network by other operators"
        }
    }
}

impl Place {
    fn of(graph: &Graph, node: &NodeProto) -> Place {
        let domain = if is_onnx(&node.domain) { "ai.onnx" } else { &node.domain };
        Place {
            node: node_name(node).to_owned(),
            operator: node.op_type.clone(),
            domain: domain.to_owned(),
            opset: graph.opset_of(&node.domain),
        }
    }
}
