//! The links of the documents: each leads to a file of the repository, to a heading, or to the web.

use std::collections::BTreeSet;
use std::path::PathBuf;

use libtest_mimic::{Failed, Trial};

use crate::architecture::{fail_with, tracked_files};
use crate::harness::{needs, root};

pub fn trials() -> Vec<Trial> {
    vec![
        needs("links: each of every document leads somewhere", tracked_files(), every_link),
        needs("links: one that leads nowhere is seen", tracked_files(), a_broken_link),
        Trial::test("links: of a text, without its code", of_a_text),
        Trial::test("links: headings have GitHub's anchors", headings),
    ]
}

fn every_link(files: Vec<PathBuf>) -> Result<(), Failed> {
    let there = there(files);
    let (mut links, mut wrong) = (0, Vec::new());
    for document in there.iter().filter(|path| path.ends_with(".md")) {
        for target in targets(&std::fs::read_to_string(root().join(document))?) {
            links += 1;
            let why = check(document, &target, &there).err();
            wrong.extend(why.map(|why| format!("{document}: {target}: {why}")));
        }
    }
    if links < 50 { Err("the links were not found".into()) } else { fail_with(wrong) }
}

fn a_broken_link(files: Vec<PathBuf>) -> Result<(), Failed> {
    let there = there(files);
    let mut wrong = Vec::new();
    for target in ["page.md", "page.md#the-api", "../LICENSE-MIT", "exports", "#columns", "https://aws.amazon.com/s3"] {
        let why = check("docs/exports.md", target, &there).err();
        wrong.extend(why.map(|why| format!("{target}: {why}")));
    }
    for target in [
        "pages.md",
        "Page.md",
        "page.md#the-apis",
        "#column",
        "../Cargo.toml#package",
        "../../elsewhere.md",
        "../target",
        "",
        "/docs/page.md",
        "page.md with a space",
        "file:///etc/passwd",
        "http://aws.amazon.com/s3",
        "https://localhost/",
        "https://",
    ] {
        if check("docs/exports.md", target, &there).is_ok() {
            wrong.push(format!("'{target}' leads somewhere"));
        }
    }
    fail_with(wrong)
}

fn of_a_text() -> Result<(), Failed> {
    let text = "See [a](a.md), [`b`](b.md#c)\nand <https://example.com>.\n\n```sh\n[no](no.md)\n```\n\nNot `[no](no.md)`,\n\
                but <img src=\"i.png\">.\n\n[r]: r.md\n";
    assert_eq!(targets(text), ["a.md", "b.md#c", "https://example.com", "i.png", "r.md"]);
    Ok(())
}

fn headings() -> Result<(), Failed> {
    let text = "# A `b`, c: d's\n## Größe\n## Same\n### Same\n```\n# no heading\n```\n#no heading\n";
    assert_eq!(anchors(text).into_iter().collect::<Vec<_>>(), ["a-b-c-ds", "größe", "same", "same-1"]);
    Ok(())
}

/// What is in the repository, with `/`.
fn there(files: Vec<PathBuf>) -> BTreeSet<String> {
    let root = root();
    // Some were removed in the work tree only.
    let files = files.iter().filter(|file| file.exists()).filter_map(|file| file.strip_prefix(&root).ok());
    files.map(|path| path.to_string_lossy().replace('\\', "/")).collect()
}

/// Why a link of a document leads nowhere.
fn check(document: &str, target: &str, there: &BTreeSet<String>) -> Result<(), String> {
    if target.is_empty() || target.contains(char::is_whitespace) {
        return Err("is no address".to_owned());
    }
    // Nobody is asked: a page that is away for a moment is no fault of the document.
    if let Some(rest) = target.strip_prefix("https://") {
        let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
        return if host.contains('.') { Ok(()) } else { Err("has no host".to_owned()) };
    }
    if target.starts_with('/') || target.contains(':') {
        return Err("must be relative, or begin with https://".to_owned());
    }
    let (path, anchor) = target.split_once('#').map_or((target, None), |(path, anchor)| (path, Some(anchor)));
    let path = if path.is_empty() { Some(document.to_owned()) } else { resolved(document, path) };
    let path = path.ok_or("leads out of the repository")?;
    let folder = format!("{path}/");
    if !there.contains(&path) && !there.iter().any(|file| file.starts_with(&folder)) {
        return Err("is not in the repository".to_owned());
    }
    let Some(anchor) = anchor else { return Ok(()) };
    let text = std::fs::read_to_string(root().join(&path)).unwrap_or_default();
    let found = path.ends_with(".md") && anchors(&text).contains(anchor);
    if found { Ok(()) } else { Err(format!("{path} has no such heading")) }
}

/// A relative path, from the root. `None` where it leads out.
fn resolved(document: &str, path: &str) -> Option<String> {
    let mut parts: Vec<&str> = document.split('/').collect();
    parts.pop();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            name => parts.push(name),
        }
    }
    Some(parts.join("/"))
}

/// Where its links lead: Markdown's own, those of a reference, in angle brackets and of HTML.
fn targets(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for paragraph in without_fences(text).split("\n\n") {
        // A span of code may go on in the next line.
        let prose: String = paragraph.split('`').step_by(2).collect();
        let web = between(&prose, "<", '>').filter(|target| target.starts_with("http"));
        let html = between(&prose, "src=\"", '"').chain(between(&prose, "href=\"", '"'));
        let references = prose.lines().filter_map(|line| line.strip_prefix('[')?.split_once("]: "));
        let all = between(&prose, "](", ')').chain(web).chain(html).chain(references.map(|(_, target)| target));
        found.extend(all.map(str::to_owned));
    }
    found
}

fn between<'a>(text: &'a str, before: &'a str, after: char) -> impl Iterator<Item = &'a str> {
    text.split(before).skip(1).filter_map(move |rest| Some(rest.split_once(after)?.0))
}

/// What may stand behind `#`. Of a heading only its text counts, so one with a link in it is best avoided.
/// <https://docs.github.com/en/get-started/writing-on-github/getting-started-with-writing-and-formatting-on-github/basic-writing-and-formatting-syntax#section-links>
fn anchors(text: &str) -> BTreeSet<String> {
    let mut anchors = BTreeSet::new();
    for line in without_fences(text).lines() {
        let heading = line.trim_start_matches('#');
        if heading.len() == line.len() || !heading.starts_with(' ') {
            continue;
        }
        let kept = heading.trim().to_lowercase().replace(|c: char| !c.is_alphanumeric() && !"-_ ".contains(c), "");
        let anchor = kept.replace(' ', "-");
        let again = (1..).map(|n| format!("{anchor}-{n}"));
        let free = std::iter::once(anchor.clone()).chain(again).find(|name| !anchors.contains(name));
        anchors.extend(free);
    }
    anchors
}

/// An empty line for each line of a block of code.
fn without_fences(text: &str) -> String {
    let mut fenced = false;
    let lines = text.lines().map(|line| {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        if fenced || fence { "" } else { line }
    });
    lines.collect::<Vec<_>>().join("\n")
}
