//! A network's file, as `model check` and `model init` read it.

use spotter::classifier::Graph;

/// Bytes that may be an ONNX file.
pub fn onnx(bytes: &[u8]) {
    let Ok(graph) = Graph::read(bytes) else { return };
    for port in graph.inputs().iter().chain(&graph.outputs()) {
        assert!(!port.to_string().is_empty());
    }
    let _ = (graph.opset(), graph.producer(), graph.last_operator(), graph.operators(), graph.external_files());
}
