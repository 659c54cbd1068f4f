//! What an ONNX file says of itself, read without an engine: so a network that no engine takes can still be talked about.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use prost::Message;
use tract_onnx::pb::tensor_proto::{DataLocation, DataType};
use tract_onnx::pb::tensor_shape_proto::dimension::Value as DimensionValue;
use tract_onnx::pb::type_proto::Value as TypeValue;
use tract_onnx::pb::{GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto};

/// Operators that change no value, only how it lies there.
const PASS_ON: [&str; 7] = ["Cast", "Flatten", "Identity", "Reshape", "Squeeze", "Transpose", "Unsqueeze"];

/// A parsed file with a graph in it.
#[derive(Debug)]
pub struct Graph {
    pub(super) proto: ModelProto,
}

/// An input or an output of the whole graph.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Port {
    pub name: String,
    /// As numpy names it, such as `float32`.
    pub element: &'static str,
    /// `None` where the file does not say it.
    pub shape: Option<Vec<Side>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Side {
    Fixed(usize),
    /// Dynamic, such as `batch`.
    Named(String),
    Unknown,
}

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum NoGraph {
    /// Not the encoding that ONNX has, or only the beginning of it.
    #[error("{0}")]
    NoProtobuf(String),
    #[error("it holds no graph")]
    Empty,
}

impl Graph {
    /// # Errors
    /// What is no ONNX file; the engine's own words where it cannot be decoded.
    pub fn read(onnx: &[u8]) -> Result<Graph, NoGraph> {
        let proto = ModelProto::decode(onnx).map_err(|error| NoGraph::NoProtobuf(error.to_string()))?;
        match &proto.graph {
            Some(graph) if !graph.node.is_empty() => Ok(Graph { proto }),
            _ => Err(NoGraph::Empty),
        }
    }

    /// Of ONNX's own operators; `None` where the file does not say it.
    pub fn opset(&self) -> Option<i64> {
        self.proto.opset_import.iter().find(|set| is_onnx(&set.domain)).map(|set| set.version)
    }

    /// Of a node's domain.
    pub(super) fn opset_of(&self, domain: &str) -> Option<i64> {
        let same = |other: &str| other == domain || (is_onnx(other) && is_onnx(domain));
        self.proto.opset_import.iter().find(|set| same(&set.domain)).map(|set| set.version)
    }

    /// What wrote the file, such as `pytorch 2.5.1`.
    pub fn producer(&self) -> Option<String> {
        let producer = format!("{} {}", self.proto.producer_name, self.proto.producer_version);
        let producer = producer.trim();
        (!producer.is_empty()).then(|| producer.to_owned())
    }

    /// What is to be given to it; weights, which old files list too, are left out.
    pub fn inputs(&self) -> Vec<Port> {
        let graph = self.graph();
        let weights: BTreeSet<&str> = graph.initializer.iter().map(|weight| weight.name.as_str()).collect();
        graph.input.iter().filter(|input| !weights.contains(input.name.as_str())).map(port).collect()
    }

    pub fn outputs(&self) -> Vec<Port> {
        self.graph().output.iter().map(port).collect()
    }

    /// What its exporter wrote beside it, such as `names` of ultralytics.
    pub fn metadata(&self) -> impl Iterator<Item = (&str, &str)> {
        self.proto.metadata_props.iter().map(|entry| (entry.key.as_str(), entry.value.as_str()))
    }

    /// How often each operator stands in it.
    pub fn operators(&self) -> BTreeMap<&str, usize> {
        let mut operators = BTreeMap::new();
        for node in self.nodes() {
            *operators.entry(node.op_type.as_str()).or_insert(0) += 1;
        }
        operators
    }

    /// The operator that makes the first output, such as `Softmax` or `Gemm`.
    pub fn last_operator(&self) -> Option<&str> {
        let graph = self.graph();
        let mut wanted = graph.output.first()?.name.as_str();
        // Each step goes one node up, so there are at most as many.
        for _ in 0..=graph.node.len() {
            let node = graph.node.iter().find(|node| node.output.iter().any(|output| output == wanted))?;
            if !PASS_ON.contains(&node.op_type.as_str()) {
                return Some(&node.op_type);
            }
            wanted = node.input.first()?;
        }
        None
    }

    /// Files beside it that hold its weights.
    pub fn external_files(&self) -> BTreeSet<&str> {
        let constants = self.nodes().flat_map(|node| &node.attribute).filter_map(|attribute| attribute.t.as_ref());
        self.graph().initializer.iter().chain(constants).filter_map(external_file).collect()
    }

    pub(super) fn graph(&self) -> &GraphProto {
        static EMPTY: std::sync::LazyLock<GraphProto> = std::sync::LazyLock::new(GraphProto::default);
        self.proto.graph.as_ref().unwrap_or(&EMPTY)
    }

    /// Of the graph and of the graphs in its nodes.
    pub(super) fn nodes(&self) -> impl Iterator<Item = &NodeProto> {
        let mut nodes = Vec::new();
        let mut graphs = vec![self.graph()];
        while let Some(graph) = graphs.pop() {
            nodes.extend(&graph.node);
            let attributes = graph.node.iter().flat_map(|node| &node.attribute);
            graphs.extend(attributes.flat_map(|attribute| attribute.g.iter().chain(&attribute.graphs)));
        }
        nodes.into_iter()
    }
}

/// ONNX's own domain has two names.
pub(super) fn is_onnx(domain: &str) -> bool {
    domain.is_empty() || domain == "ai.onnx"
}

/// As people find it in a viewer: many exporters name no node, but all name what it makes.
pub(super) fn node_name(node: &NodeProto) -> &str {
    match node.output.first() {
        Some(output) if node.name.is_empty() => output,
        _ => &node.name,
    }
}

fn external_file(tensor: &TensorProto) -> Option<&str> {
    let external = tensor.data_location == Some(DataLocation::External as i32);
    let location = tensor.external_data.iter().find(|entry| entry.key == "location");
    location.filter(|_| external).map(|entry| entry.value.as_str())
}

fn port(info: &ValueInfoProto) -> Port {
    let Some(TypeValue::TensorType(tensor)) = info.r#type.as_ref().and_then(|kind| kind.value.as_ref()) else {
        return Port { name: info.name.clone(), element: "no tensor", shape: None };
    };
    let side = |value: &Option<DimensionValue>| match value {
        Some(DimensionValue::DimValue(side)) => usize::try_from(*side).map_or(Side::Unknown, Side::Fixed),
        Some(DimensionValue::DimParam(name)) => Side::Named(name.clone()),
        None => Side::Unknown,
    };
    let shape = tensor.shape.as_ref().map(|shape| shape.dim.iter().map(|dim| side(&dim.value)).collect());
    Port { name: info.name.clone(), element: element(tensor.elem_type), shape }
}

fn element(data_type: i32) -> &'static str {
    match DataType::try_from(data_type).unwrap_or_default() {
        DataType::Float => "float32",
        DataType::Double => "float64",
        DataType::Float16 => "float16",
        DataType::Bfloat16 => "bfloat16",
        DataType::Uint8 => "uint8",
        DataType::Uint16 => "uint16",
        DataType::Uint32 => "uint32",
        DataType::Uint64 => "uint64",
        DataType::Int8 => "int8",
        DataType::Int16 => "int16",
        DataType::Int32 => "int32",
        DataType::Int64 => "int64",
        DataType::Bool => "bool",
        DataType::String => "string",
        _ => "of another type",
    }
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Side::Fixed(side) => write!(f, "{side}"),
            Side::Named(name) => f.write_str(name),
            Side::Unknown => f.write_str("?"),
        }
    }
}

/// `"input" float32 [batch, 3, 224, 224]`.
impl fmt::Display for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {}", self.name, self.element)?;
        match &self.shape {
            None => f.write_str(" of a shape that it does not say"),
            Some(shape) => {
                let sides: Vec<String> = shape.iter().map(Side::to_string).collect();
                write!(f, " [{}]", sides.join(", "))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // a panic is a failed test

    use super::*;

    fn digits() -> Graph {
        Graph::read(include_bytes!("../../model/digits/model.onnx")).unwrap()
    }

    #[test]
    fn a_graph_says_what_goes_in_and_what_comes_out() {
        let graph = digits();
        let [input] = &graph.inputs()[..] else { panic!("{:?}", graph.inputs()) };
        assert_eq!(input.element, "float32");
        assert_eq!(input.shape.as_ref().unwrap()[1..], [Side::Fixed(1), Side::Fixed(28), Side::Fixed(28)]);
        assert_eq!(graph.outputs().len(), 1);
        assert!(graph.opset().is_some_and(|opset| opset > 8) && graph.external_files().is_empty());
        assert!(graph.operators()["Conv"] > 1 && graph.last_operator() == Some("Div"), "{:?}", graph.last_operator());
    }

    #[test]
    fn what_is_no_graph_is_said() {
        assert_eq!(Graph::read(b"").unwrap_err(), NoGraph::Empty);
        assert!(matches!(Graph::read(b"a pickle, perhaps").unwrap_err(), NoGraph::NoProtobuf(_)));
        let whole = include_bytes!("../../model/digits/model.onnx");
        assert!(matches!(Graph::read(&whole[..whole.len() / 2]).unwrap_err(), NoGraph::NoProtobuf(_)));
    }

    #[test]
    fn ports_are_shown_as_people_write_them() {
        let shape = Some(vec![Side::Named("batch".into()), Side::Fixed(3), Side::Unknown]);
        let port = Port { name: "x".into(), element: "uint8", shape };
        assert_eq!(port.to_string(), "\"x\" uint8 [batch, 3, ?]");
    }
}
