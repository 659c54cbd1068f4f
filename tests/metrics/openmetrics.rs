//! A strict reader of what Prometheus reads.
//! <https://prometheus.io/docs/specs/om/open_metrics_spec/>

use std::collections::{BTreeMap, BTreeSet};

use libtest_mimic::Failed;

type Labels = BTreeMap<String, String>;

pub struct Family {
    pub kind: String,
    pub help: String,
    /// The whole name of each sample, its labels and its value.
    pub samples: Vec<(String, Labels, f64)>,
}

impl Family {
    /// The one sample of this name that has these labels among others.
    pub fn value(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let has = |found: &Labels| labels.iter().all(|(name, value)| found.get(*name).is_some_and(|v| v == value));
        let found: Vec<_> = self.samples.iter().filter(|(known, of, _)| known == name && has(of)).collect();
        assert_eq!(found.len(), 1, "{name}{labels:?} among {:?}", self.samples);
        found[0].2
    }
}

/// By the family's name, without `_total`.
pub fn parse(text: &str) -> Result<BTreeMap<String, Family>, Failed> {
    let body = text.strip_suffix("# EOF\n").ok_or_else(|| format!("no end: {text:?}"))?;
    let (mut families, mut seen) = (BTreeMap::<String, Family>::new(), BTreeSet::new());
    let (mut current, mut help) = (String::new(), None);
    for line in body.lines() {
        let mut words = line.splitn(4, ' ');
        match (words.next(), words.next(), words.next(), words.next()) {
            (Some("#"), Some("HELP"), Some(name), Some(text)) => {
                current = name.to_owned();
                help = Some(text.to_owned());
            }
            (Some("#"), Some("TYPE"), Some(name), Some(kind)) => {
                let help = help.take().ok_or("a type before its help")?;
                if name != current || !is_name(name) || families.contains_key(name) {
                    return Err(format!("{line:?} in {current}").into());
                }
                families.insert(current.clone(), Family { kind: kind.into(), help, samples: Vec::new() });
            }
            (Some("#"), Some("UNIT"), Some(name), Some(unit)) => {
                assert!(name == current && name.ends_with(&format!("_{unit}")), "{line}");
            }
            _ => {
                let sample = sample(line).ok_or_else(|| format!("no sample: {line:?}"))?;
                let family = families.get_mut(&current).ok_or("a sample before its type")?;
                let suffix = sample.0.strip_prefix(current.as_str()).ok_or_else(|| format!("{line:?} in {current}"))?;
                let suffixes: &[&str] = match family.kind.as_str() {
                    "counter" => &["_total"],
                    "gauge" => &[""],
                    "info" => &["_info"],
                    "histogram" => &["_bucket", "_sum", "_count"],
                    other => return Err(format!("type {other}").into()),
                };
                let is_new = seen.insert((sample.0.clone(), sample.1.clone()));
                assert!(suffixes.contains(&suffix) && is_new && sample.2 >= 0.0, "{line}");
                family.samples.push(sample);
            }
        }
    }
    families.values().filter(|family| family.kind == "histogram").for_each(buckets);
    Ok(families)
}

fn is_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic()) && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

fn sample(line: &str) -> Option<(String, Labels, f64)> {
    let name: String = line.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
    let mut rest = &line[name.len()..];
    let mut labels = Labels::new();
    if let Some(inside) = rest.strip_prefix('{') {
        rest = inside;
        while !rest.starts_with('}') {
            let (label, value) = rest.split_once("=\"")?;
            let (value, after) = quoted(value)?;
            if !is_name(label) || labels.insert(label.to_owned(), value).is_some() {
                return None;
            }
            rest = after.strip_prefix(',').unwrap_or(after);
        }
        rest = &rest[1..];
    }
    let value = rest.strip_prefix(' ')?.parse().ok()?;
    is_name(&name).then_some((name, labels, value))
}

/// What is before the closing quotation mark, and what is after it.
fn quoted(text: &str) -> Option<(String, &str)> {
    let (mut value, mut chars) = (String::new(), text.char_indices());
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((value, &text[at + 1..])),
            '\\' => match chars.next()?.1 {
                'n' => value.push('\n'),
                escaped @ ('\\' | '"') => value.push(escaped),
                _ => return None,
            },
            c => value.push(c),
        }
    }
    None
}

/// Each series' buckets rise, and the last is the count.
fn buckets(family: &Family) {
    let mut series: BTreeMap<Labels, Vec<(f64, f64)>> = BTreeMap::new();
    for (_, labels, value) in family.samples.iter().filter(|(name, ..)| name.ends_with("_bucket")) {
        let mut labels = labels.clone();
        let bound = labels.remove("le").unwrap().parse().unwrap();
        series.entry(labels).or_default().push((bound, *value));
    }
    for (labels, buckets) in series {
        assert!(buckets.is_sorted_by(|(bound, count), (next, more)| bound < next && count <= more), "{buckets:?}");
        let count = family.samples.iter().find(|(name, of, _)| name.ends_with("_count") && *of == labels).unwrap().2;
        assert_eq!(buckets.last(), Some(&(f64::INFINITY, count)), "{labels:?}");
    }
}
