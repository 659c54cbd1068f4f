//! Whether what the network gives is a number a label, of the kind that the manifest says.

use tract_onnx::prelude::{Datum, DatumType, TractResult, TypedModel};

use super::super::draft::counted;
use super::super::graph::{Graph, Port};
use super::super::{Model, OutputKind, not_as_said};
use super::Finding;
use super::measure::Loaded;
use super::probes::Answers;

/// Parts of names that outputs of detectors have.
const BOXES: [&str; 4] = ["box", "num_detections", "detection", "dets"];
/// How far a sum of probabilities may be from 1.
const NEARLY: f32 = 1e-3;

struct Made {
    name: String,
    element: DatumType,
    /// As the file names it.
    said: &'static str,
    shape: Vec<usize>,
}

impl Made {
    fn count(&self) -> usize {
        self.shape.iter().product()
    }

    /// `"logits" [1, 10]`
    fn shown(&self) -> String {
        format!("{:?} {:?}", self.name, self.shape)
    }

    /// Sides of more than 1.
    fn sides(&self) -> usize {
        self.shape.iter().filter(|side| **side > 1).count()
    }
}

/// Names, types and shapes as tract knows them, which many files do not say.
fn made(graph: &Graph, network: &TypedModel) -> TractResult<Vec<Made>> {
    let ports = graph.outputs();
    let of = |at: usize| {
        let fact = network.output_fact(at)?;
        let shape = fact.shape.as_concrete().map(<[usize]>::to_vec).unwrap_or_default();
        let (name, said) = ports.get(at).map(|port| (port.name.clone(), port.element)).unwrap_or_default();
        Ok(Made { name, element: fact.datum_type, said, shape })
    };
    (0..network.outputs.len()).map(of).collect()
}

pub(super) fn fits(graph: &Graph, loaded: &Loaded, is_drafted: bool) -> Vec<Finding> {
    let model = &loaded.model;
    let made = match made(graph, loaded.network.model()) {
        Ok(made) => made,
        Err(error) => return vec![Finding::fail("output", format!("it has no output that tract knows: {error:#}"))],
    };
    let Some(first) = made.first() else { return vec![Finding::fail("output", "it has no output")] };
    let labels = model.manifest().labels.len();
    if let Some(finding) = of_another_task(graph, &made) {
        return vec![finding];
    }
    if first.element != f32::datum_type() {
        return vec![of_another_type(first)];
    }
    if first.count() != labels {
        return vec![of_another_count(&made, first, labels)];
    }
    let says = match is_drafted {
        true => format!("{} gives {labels} numbers; their labels are assumed", first.shown()),
        false => format!("{} gives a number for each of the manifest's labels", first.shown()),
    };
    match made.len() {
        1 => vec![Finding::ok("output", says)],
        several => vec![
            Finding::warn("output", format!("{says}; the other {} outputs are not read", several - 1))
                .way_out("If another one has the classes, export with that one first"),
        ],
    }
}

const CLASSIFIERS: &str = "Spotter reads classifiers, which give one number a label";

fn of_another_task(graph: &Graph, made: &[Made]) -> Option<Finding> {
    let outputs = made.iter().map(Made::shown).collect::<Vec<_>>().join(", ");
    let first = made.first()?;
    if first.name.to_lowercase().contains("hidden_state") {
        let says = format!("it gives features and no classes: {outputs}");
        let way_out = "Export it with its head: of transformers AutoModelForImageClassification, not AutoModel";
        return Some(Finding::fail("output", says).way_out(way_out));
    }
    if let Some(finding) = of_a_detector(graph) {
        return Some(finding);
    }
    if made.iter().any(|made| made.shape.len() == 3 && made.sides() > 1) {
        return Some(detector(&outputs));
    }
    (first.sides() > 1).then(|| {
        let says = format!("it gives a map, {outputs}: as a segmenter does, or a network without its head");
        Finding::fail("output", says).way_out(format!("{CLASSIFIERS}: export it with its pooling and its last layer"))
    })
}

/// By what the file says, whether tract loads it or not.
pub(super) fn of_a_detector(graph: &Graph) -> Option<Finding> {
    let ports = graph.outputs();
    let named = |name: &str| BOXES.iter().any(|part| name.to_lowercase().contains(part));
    let detects = graph.operators().contains_key("NonMaxSuppression") || ports.iter().any(|port| named(&port.name));
    let outputs = ports.iter().map(Port::to_string).collect::<Vec<_>>().join(", ");
    detects.then(|| detector(&outputs))
}

fn detector(outputs: &str) -> Finding {
    let says = format!("it is a detector, not a classifier: it gives {outputs}, boxes and their scores");
    let way_out = format!("{CLASSIFIERS}: train or take one, such as YOLO's -cls variants");
    Finding::fail("output", says).way_out(way_out)
}

fn of_another_type(first: &Made) -> Finding {
    let says = format!("{} gives {}, and Spotter reads float32", first.shown(), first.said);
    let way_out = if first.element.is_integer() {
        "It seems to choose the class itself: export it without its ArgMax, so that confidences can be seen"
    } else {
        "Export it with a float32 output, or put a Cast behind it"
    };
    Finding::fail("output", says).way_out(way_out)
}

fn of_another_count(made: &[Made], first: &Made, labels: usize) -> Finding {
    let count = first.count();
    let says = format!(
        "{} gives {}, and the manifest has {}",
        first.shown(),
        counted(count, "number"),
        counted(labels, "label")
    );
    let finding = Finding::fail("output", says);
    if let Some(other) = made.iter().skip(1).find(|made| made.count() == labels) {
        return finding.way_out(format!("Of its outputs {} fits: export with that one first", other.shown()));
    }
    match count {
        1 => finding.way_out(
            "One number says how sure it is of one label: name that label alone, and say multi_label_probabilities (a sigmoid in the network) or multi_label_logits",
        ),
        1000 | 1001 if labels < 1000 => {
            finding.way_out("It still has ImageNet's classes: was its last layer replaced and trained before the export?")
        }
        _ if count == labels + 1 => finding.way_out(
            "One label is missing, often that of the background, first or last: name every output, in the network's order",
        ),
        _ => finding.way_out("Name every output, in the network's order, in labels"),
    }
}

/// What the numbers look like, beside what the manifest calls them.
pub(super) fn kind(graph: &Graph, model: &Model, answers: &Answers) -> Vec<Finding> {
    let said = model.manifest().output.kind;
    let Answers(answers) = answers;
    if let Some(outputs) = answers.iter().find(|outputs| not_as_said(said, outputs).is_some()) {
        return vec![not_that_kind(said, outputs)];
    }
    let last = graph.last_operator().unwrap_or("an operator that is not known");
    let mut findings = vec![of_kind(said, answers, last)];
    let alike = answers.windows(2).all(|pair| pair[0] == pair[1]);
    if alike {
        let says = format!("it gives the same for each of {} inputs, black, white and noise", answers.len());
        findings.push(
            Finding::warn("kind", says)
                .way_out("Are its weights the trained ones, and does scale fit what it was trained on?"),
        );
    }
    findings
}

fn not_that_kind(said: OutputKind, outputs: &[f32]) -> Finding {
    let sum: f32 = outputs.iter().sum();
    let (least, most) = outputs.iter().fold((f32::MAX, f32::MIN), |(least, most), v| (least.min(*v), most.max(*v)));
    let (said, meant) = match said {
        OutputKind::Probabilities => ("probabilities", "logits"),
        _ => ("multi_label_probabilities", "multi_label_logits"),
    };
    let says = format!("the manifest says {said:?}, but they are from {least:.2} to {most:.2} and sum to {sum:.2}");
    Finding::fail("kind", says)
        .way_out(format!("Say output.kind = {meant:?}, unless it should end in softmax or sigmoid"))
}

fn of_kind(said: OutputKind, answers: &[Vec<f32>], last: &str) -> Finding {
    let labels = answers.first().map_or(0, Vec::len);
    let within = answers.iter().flatten().all(|value| (0.0..=1.0).contains(value));
    let is_one =
        within && labels > 1 && answers.iter().all(|outputs| (outputs.iter().sum::<f32>() - 1.0).abs() < NEARLY);
    let tried = answers.len();
    match said {
        OutputKind::Logits if labels == 1 => {
            let says = "the manifest says \"logits\", and softmax of one number is always 1";
            Finding::fail("kind", says)
                .way_out("A model with one label has kind \"multi_label_logits\" or \"multi_label_probabilities\"")
        }
        OutputKind::Logits if is_one => {
            let e = std::f32::consts::E;
            let most = e / (e + labels as f32 - 1.0);
            let says = format!(
                "the manifest says \"logits\", but for {tried} inputs they sum to 1 (made by {last}): softmax done twice leaves no confidence over {most:.2}"
            );
            Finding::warn("kind", says).way_out("Say output.kind = \"probabilities\"")
        }
        OutputKind::Logits if last == "Sigmoid" && within => {
            let says = "the manifest says \"logits\", but Sigmoid makes each a probability of its own";
            Finding::warn("kind", says).way_out("Say output.kind = \"multi_label_probabilities\"")
        }
        OutputKind::MultiLabelLogits if within => {
            let says = format!(
                "the manifest says \"multi_label_logits\", but for {tried} inputs all are from 0 to 1 (made by {last}): a sigmoid more makes them 0.50 to 0.73"
            );
            Finding::warn("kind", says).way_out("Say output.kind = \"multi_label_probabilities\"")
        }
        OutputKind::MultiLabelProbabilities if is_one => {
            let says = format!(
                "the manifest says \"multi_label_probabilities\", but for {tried} inputs they sum to 1 (made by {last}): one label a picture"
            );
            Finding::warn("kind", says).way_out("Say output.kind = \"probabilities\"")
        }
        OutputKind::Logits => Finding::ok("kind", format!("logits, made by {last}; Spotter does the softmax")),
        OutputKind::Probabilities => {
            Finding::ok("kind", format!("probabilities, made by {last}: they sum to 1 for {tried} inputs"))
        }
        OutputKind::MultiLabelLogits => {
            Finding::ok("kind", format!("logits of several labels, made by {last}; Spotter does a sigmoid each"))
        }
        OutputKind::MultiLabelProbabilities => Finding::ok(
            "kind",
            format!("probabilities of several labels, made by {last}: from 0 to 1 for {tried} inputs"),
        ),
    }
}
