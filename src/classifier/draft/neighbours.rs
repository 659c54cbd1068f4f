//! What exporters write into a network's metadata and into files beside it: labels, sizes, ways to preprocess.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::Said;
use super::preset::Preset;
use crate::classifier::graph::Graph;

/// Of Hugging Face's libraries.
const CONFIG: &str = "config.json";
pub(super) const PREPROCESSOR: &str = "preprocessor_config.json";
/// One label a line, by the names that people give such files.
const LABEL_FILES: [&str; 4] = ["labels.txt", "classes.txt", "class_names.txt", "imagenet_classes.txt"];
/// Of the metadata; `names` is ultralytics' word.
const LABEL_KEYS: [&str; 4] = ["names", "labels", "classes", "class_names"];

#[derive(Debug, Default)]
pub(super) struct Neighbours {
    pub(super) config: Option<Value>,
    pub(super) preprocessor: Option<Value>,
    listed: Option<Listed>,
    /// Whether somebody named the file of `listed`.
    named: bool,
}

/// A file with one label a line.
#[derive(Debug, Clone)]
struct Listed {
    file: String,
    labels: Vec<String>,
}

impl Listed {
    /// A list or an object of JSON, or one a line.
    fn read(path: &Path) -> Result<Listed, String> {
        let said = |error: &dyn std::fmt::Display| format!("its labels in {} cannot be read: {error}", path.display());
        let text = std::fs::read_to_string(path).map_err(|error| said(&error))?;
        let text = text.trim_start_matches('\u{feff}').trim_end();
        let labels = if text.starts_with(['{', '[']) {
            parsed(text).ok_or_else(|| said(&"it is neither a list of texts nor labels numbered from 0 on"))?
        } else {
            text.lines().map(|line| line.trim().to_owned()).collect()
        };
        Ok(Listed { file: path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned(), labels })
    }
}

impl Neighbours {
    /// Of the file's folder; of the one above it too, where it is `onnx`, as optimum makes it.
    /// `labels` where somebody names the file that has them.
    pub(super) fn of(onnx: &Path, labels: Option<&Path>) -> Result<Neighbours, String> {
        let folder = onnx.parent().unwrap_or(Path::new(""));
        let above = folder.parent().filter(|_| folder.file_name().is_some_and(|name| name == "onnx"));
        let folders: Vec<&Path> = [folder].into_iter().chain(above).collect();
        let json = |name: &str| match found(&folders, name) {
            None => Ok(None),
            Some(path) => {
                let text = std::fs::read_to_string(&path);
                let said = |error: String| format!("has {} beside it, which cannot be read: {error}", path.display());
                let text = text.map_err(|error| said(error.to_string()))?;
                serde_json::from_str(&text).map(Some).map_err(|error| said(error.to_string()))
            }
        };
        let listed = match labels {
            Some(path) => Some(Listed::read(path)?),
            None => {
                LABEL_FILES.iter().find_map(|name| found(&folders, name)).map(|path| Listed::read(&path)).transpose()?
            }
        };
        Ok(Neighbours { config: json(CONFIG)?, preprocessor: json(PREPROCESSOR)?, listed, named: labels.is_some() })
    }

    pub(super) fn says_multi_label(&self) -> bool {
        self.config.as_ref().is_some_and(|config| config["problem_type"] == "multi_label_classification")
    }

    /// Who says it, height and width.
    pub(super) fn sides(&self, graph: &Graph) -> Option<(&'static str, usize, usize)> {
        let of_preprocessor = self.preprocessor.as_ref().and_then(|settings| {
            let crops = settings["do_center_crop"] == true;
            let size = if crops { &settings["crop_size"] } else { &settings["size"] };
            pair(size).map(|(height, width)| (PREPROCESSOR, height, width))
        });
        let of_metadata = || {
            let size = graph.metadata().find(|(key, _)| *key == "imgsz")?.1;
            let sides: Vec<usize> = serde_json::from_str(size).ok()?;
            Some(("imgsz of the metadata", *sides.first()?, *sides.last()?))
        };
        of_preprocessor.or_else(of_metadata)
    }

    /// One a class, made up where nothing says them.
    ///
    /// # Errors
    /// Where those that somebody named are not as many.
    pub(super) fn labels(
        &self,
        graph: &Graph,
        classes: usize,
        preset: Preset,
        said: &mut Said,
    ) -> Result<Vec<String>, String> {
        let metadata = LABEL_KEYS.iter().filter_map(|key| {
            let (_, text) = graph.metadata().find(|(name, _)| name == key)?;
            Some((format!("{key} of the metadata"), parsed(text)?))
        });
        let config = self
            .config
            .as_ref()
            .and_then(|config| Some((format!("id2label of {CONFIG}"), numbered(config["id2label"].as_object()?)?)));
        let listed = self.listed.iter().map(|Listed { file, labels }| (file.clone(), labels.clone()));
        // What a person says goes before what is found.
        let named = listed.clone().filter(|_| self.named);
        for (source, labels) in named.chain(metadata).chain(config).chain(listed) {
            let labels: Vec<String> = labels.into_iter().map(plain).collect();
            let problem = match labels.iter().position(String::is_empty) {
                Some(at) => format!("label {} in {source} is empty", at + 1),
                None if labels.len() == classes => {
                    said.found(format_args!("{} in {source}: {}", counted(classes, "label"), first_ones(&labels)));
                    return Ok(labels);
                }
                None => format!(
                    "{source} has {}, and there are {}",
                    counted(labels.len(), "label"),
                    counted(classes, "output")
                ),
            };
            if self.named {
                return Err(problem);
            }
            said.guessed(format_args!("{problem}: not used"));
        }
        if preset == Preset::Mnist && classes == 10 {
            said.guessed("the ten outputs are the digits from 0 to 9");
            return Ok((0..10).map(|digit| digit.to_string()).collect());
        }
        let labels: Vec<String> = (0..classes).map(placeholder).collect();
        said.guessed(format_args!(
            "names of {} ({}), which nothing says: --labels FILE has the true ones",
            counted(classes, "output"),
            first_ones(&labels)
        ));
        Ok(labels)
    }
}

/// The label of an output that nothing names.
pub(in crate::classifier) fn placeholder(class: usize) -> String {
    format!("class-{class}")
}

pub(in crate::classifier) fn counted(count: usize, thing: &str) -> String {
    format!("{count} {thing}{}", if count == 1 { "" } else { "s" })
}

fn found(folders: &[&Path], name: &str) -> Option<PathBuf> {
    folders.iter().map(|folder| folder.join(name)).find(|path| path.is_file())
}

/// `224`, `{"height": 224, "width": 224}` or `{"shortest_edge": 224}`.
pub(super) fn pair(size: &Value) -> Option<(usize, usize)> {
    let side = |value: &Value| value.as_u64().and_then(|side| usize::try_from(side).ok());
    let both = side(size).or_else(|| side(&size["shortest_edge"]));
    both.map(|side| (side, side)).or_else(|| side(&size["height"]).zip(side(&size["width"])))
}

/// Labels do not write to terminals.
fn plain(label: String) -> String {
    label.chars().map(|c| if c.is_control() { ' ' } else { c }).collect::<String>().trim().to_owned()
}

fn first_ones(labels: &[String]) -> String {
    let rest = if labels.len() > 3 { ", …" } else { "" };
    format!("{}{rest}", labels[..labels.len().min(3)].join(", "))
}

/// A list or an object of JSON or Python, or labels with commas or line ends between.
fn parsed(text: &str) -> Option<Vec<String>> {
    match serde_json::from_str::<Value>(text) {
        Ok(Value::Array(labels)) => {
            return labels.into_iter().map(|label| label.as_str().map(str::to_owned)).collect();
        }
        Ok(Value::Object(labels)) => return numbered(&labels),
        _ => {}
    }
    if text.trim_start().starts_with(['{', '[']) {
        return python(text);
    }
    let between = if text.contains('\n') { '\n' } else { ',' };
    Some(text.trim().split(between).map(|label| label.trim().to_owned()).collect())
}

/// `{"0": "cat"}` or `{"cat": 0}`.
fn numbered(labels: &serde_json::Map<String, Value>) -> Option<Vec<String>> {
    let entry = |(key, value): (&String, &Value)| match value {
        Value::String(label) => Some((key.parse().ok()?, label.clone())),
        number => Some((number.as_u64()?, key.clone())),
    };
    from_zero_on(labels.iter().map(entry).collect::<Option<_>>()?)
}

fn from_zero_on(labels: BTreeMap<u64, String>) -> Option<Vec<String>> {
    let whole = labels.keys().copied().eq(0..labels.len() as u64);
    whole.then(|| labels.into_values().collect())
}

/// `{0: 'cat', 1: "jack-o'-lantern"}` or `['cat', 'dog']`, as Python's `str` of a dictionary or a list.
fn python(text: &str) -> Option<Vec<String>> {
    let mut labels = BTreeMap::new();
    let mut rest = text.trim().strip_prefix(['{', '['])?.trim_start();
    while !rest.starts_with(['}', ']']) {
        let digits = rest.trim_start_matches(|c: char| c.is_ascii_digit());
        let number = &rest[..rest.len() - digits.len()];
        let number = if number.is_empty() { labels.len() as u64 } else { number.parse().ok()? };
        let quoted = digits.trim_start().trim_start_matches(':').trim_start();
        let (label, after) = string(quoted)?;
        labels.insert(number, label);
        rest = after.trim_start();
        rest = rest.strip_prefix(',').unwrap_or(rest).trim_start();
    }
    from_zero_on(labels)
}

/// A quoted string, and what follows it.
fn string(text: &str) -> Option<(String, &str)> {
    let quote = text.chars().next().filter(|c| matches!(c, '\'' | '"'))?;
    let mut label = String::new();
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => {
                label.push(c);
                escaped = false;
            }
            '\\' => escaped = true,
            c if c == quote => return Some((label, &text[at + 1..])),
            c => label.push(c),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_read_as_exporters_write_them() {
        let labels = |text: &str| parsed(text).map(|labels| labels.join("|"));
        for (text, expected) in [
            (r#"{0: 'cat', 1: "jack-o'-lantern", 2: 'it\'s'}"#, Some("cat|jack-o'-lantern|it's")),
            ("{1: 'b', 0: 'a'}", Some("a|b")),
            ("['a', 'b']", Some("a|b")),
            (r#"["a", "b"]"#, Some("a|b")),
            (r#"{"1": "b", "0": "a"}"#, Some("a|b")),
            (r#"{"b": 1, "a": 0}"#, Some("a|b")),
            ("a, b,c", Some("a|b|c")),
            ("a, of Spain\nb\n", Some("a, of Spain|b")),
            ("{0: 'a', 2: 'c'}", None),
            ("{0: 'a'", None),
            ("{0: a}", None),
            ("{'", None),
            ("[", None),
            ("[1, 2]", None),
        ] {
            assert_eq!(labels(text).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn sizes_are_read_as_hugging_face_writes_them() {
        for (text, sides) in [
            ("224", Some((224, 224))),
            (r#"{"height": 192, "width": 256}"#, Some((192, 256))),
            (r#"{"shortest_edge": 256}"#, Some((256, 256))),
            (r#"{"height": 192}"#, None),
            ("null", None),
        ] {
            assert_eq!(serde_json::from_str(text).ok().and_then(|size| pair(&size)), sides, "{text}");
        }
    }
}
