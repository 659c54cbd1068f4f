//! Records as HTML. Whatever comes from outside goes through [`escape`] or [`encode`].

use std::fmt::Write;

use axum::http::StatusCode;

use super::query::{Params, encode};
use super::{PageState, Since};
use crate::encoding::base64;
use crate::event::Timestamp;
use crate::record::{Reason, Record, Status};

pub(super) const STYLE: &str = include_str!("style.css");
pub(super) const SCRIPT: &str = include_str!("live.js");
const LIVE: &str = r#"<script src="/live.js" defer></script>"#;

/// Links to labels; a model may know thousands.
const LABEL_LINKS: usize = 20;

/// Text as HTML, between tags and in quoted attributes. Characters that have no shape, or turn the text around them,
/// are shown: a key with U+202E in it reads backwards, and so would what follows.
pub(super) fn escape(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut html, c| {
        match c {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            '\'' => html.push_str("&#39;"),
            '\0'..='\x1f' => html.push(char::from_u32(0x2400 + u32::from(c)).unwrap_or('\u{fffd}')),
            '\x7f' => html.push('\u{2421}'),
            '\u{80}'..='\u{9f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
                let _ = write!(html, "[U+{:04X}]", u32::from(c)); // a String takes everything
            }
            c => html.push(c),
        }
        html
    })
}

fn page(title: &str, script: &str, main: &str) -> String {
    format!(include_str!("page.html"), title = escape(title), script = script, main = main)
}

/// The newest records, or an older page of them.
pub(super) fn newest(state: &PageState, params: &Params, sightings: &[(Record, Since)], older: Option<&str>) -> String {
    let label = params.label.as_deref().unwrap_or_default();
    let first = params.cursor.as_deref().unwrap_or_default().is_empty();
    let mut main = format!(
        "<h1>What {} saw</h1>\n<p class=\"lead\">Newest first. S3 at <code>{}</code></p>\n{}",
        escape(&state.model),
        escape(&state.s3_endpoint),
        filters(&state.labels, label)
    );
    match (sightings.is_empty(), label) {
        (false, _) => main.push_str(&table(sightings)),
        (true, "") if first => main.push_str(&how_to_upload(state)),
        (true, "") => main.push_str("<p class=\"card\">There are no older records.</p>\n"),
        (true, label) => {
            let what = format!("No record is listed as “{}”", escape(label));
            let _ = writeln!(main, "<p class=\"card\">{what}{}.</p>", if first { " yet" } else { " before these" });
        }
    }
    main.push_str(&paging(label, first, older));
    let title = if label.is_empty() { "Newest records".to_owned() } else { format!("Records listed as {label}") };
    page(&title, if first { LIVE } else { "" }, &main)
}

fn paging(label: &str, first: bool, older: Option<&str>) -> String {
    let newest = if label.is_empty() { "/".to_owned() } else { format!("/?label={}", encode(label)) };
    let newest = if first { "<span></span>".to_owned() } else { format!("<a href=\"{newest}\">← Newest</a>") };
    match older {
        None if first => String::new(),
        None => format!("<nav class=\"paging\" aria-label=\"Pages\">{newest}</nav>"),
        Some(way) => {
            let older = format!("<a rel=\"next\" href=\"{}\">Older →</a>", escape(way));
            format!("<nav class=\"paging\" aria-label=\"Pages\">{newest}{older}</nav>")
        }
    }
}

fn filters(labels: &[String], chosen: &str) -> String {
    let statuses = [Status::Unsure, Status::Rejected, Status::Deleted, Status::VersionRemoved].map(Status::as_str);
    let mut all: Vec<&str> = vec![""];
    all.extend(labels.iter().take(LABEL_LINKS).map(String::as_str));
    all.extend(statuses);
    if !all.contains(&chosen) {
        all.push(chosen);
    }
    let links = all.into_iter().map(|label| {
        let way = if label.is_empty() { "/".to_owned() } else { format!("/?label={}", encode(label)) };
        let name = match label {
            "" => "All".to_owned(),
            label if statuses.contains(&label) => label.replace('_', " "),
            label => format!("<bdi>{}</bdi>", escape(label)),
        };
        let current = if label == chosen { " aria-current=\"page\"" } else { "" };
        format!("<a href=\"{way}\"{current}>{name}</a>\n")
    });
    format!("<nav aria-label=\"Label or status\">\n{}</nav>\n", links.collect::<String>())
}

fn how_to_upload(state: &PageState) -> String {
    format!(
        "<section class=\"card\">\n<h2>Nothing here yet</h2>\n<p>Upload a picture, and this page shows what the model \
         sees in it:</p>\n<pre><code>eval \"$(spotter env)\"\naws --endpoint-url {} s3 cp 7.png s3://{}/</code></pre>\n\
         <p>Every bucket is watched; any S3 client will do. <code>spotter env</code> prints the credentials.</p>\n\
         </section>\n",
        escape(&state.s3_endpoint),
        escape(&state.bucket)
    )
}

const HEAD: &str = "<th scope=\"col\">Seen</th><th scope=\"col\">Object</th><th scope=\"col\">Status</th>\
                    <th scope=\"col\">Label</th><th scope=\"col\">Confidence</th><th scope=\"col\">Time (UTC)</th>";

fn table(sightings: &[(Record, Since)]) -> String {
    let rows = sightings.iter().map(|(record, since)| {
        let (past, note) = match since {
            Since::Current => (false, ""),
            Since::Replaced => (true, "<p class=\"why\">replaced since</p>"),
            Since::Deleted => (true, "<p class=\"why\">deleted since</p>"),
        };
        let (bucket, key) = (&record.bucket, &record.key);
        let object = format!(
            "<a href=\"{}\"><span class=\"bucket\">s3://{}/</span><bdi>{}</bdi></a>{}",
            way_to(bucket, key),
            escape(bucket),
            escape(key),
            why(record)
        );
        row(record, &object, past, note)
    });
    format!("<table>\n<thead><tr>{HEAD}</tr></thead>\n<tbody>\n{}</tbody>\n</table>\n", rows.collect::<String>())
}

/// `past`: it is no longer so, and the note says why.
fn row(record: &Record, object: &str, past: bool, note: &str) -> String {
    format!(
        "<tr{}><td class=\"seen\">{}</td><th scope=\"row\" class=\"object\">{object}</th><td class=\"state\">{}{note}</td>\
         <td class=\"label\">{}</td><td class=\"conf\">{}</td><td class=\"when\">{}</td></tr>\n",
        if past { " class=\"past\"" } else { "" },
        seen(record),
        status(record.status),
        label(record),
        confidence(record),
        time(record.order.event_time)
    )
}

fn way_to(bucket: &str, key: &str) -> String {
    format!("/object?bucket={}&amp;key={}", encode(bucket), encode(key))
}

/// In the page itself: 400 bytes are less than a request.
fn seen(record: &Record) -> String {
    if record.seen.is_empty() {
        return "<span class=\"none\"></span>".to_owned();
    }
    let png = base64(&record.seen);
    format!("<img src=\"data:image/png;base64,{png}\" alt=\"what the model saw\" width=\"56\" height=\"56\">")
}

fn status(status: Status) -> String {
    format!("<span class=\"is {}\">{}</span>", status.as_str(), status.as_str().replace('_', " "))
}

fn label(record: &Record) -> String {
    let doubt = if record.status == Status::Unsure { "?" } else { "" };
    record.label.as_deref().map_or("–".to_owned(), |label| format!("<bdi>{}</bdi>{doubt}", escape(label)))
}

fn confidence(record: &Record) -> String {
    let Some(confidence) = record.confidence else { return "–".to_owned() };
    format!(
        "{confidence:.3}<svg viewBox=\"0 0 100 1\" preserveAspectRatio=\"none\" aria-hidden=\"true\"><rect \
         width=\"{:.1}\" height=\"1\"/></svg>",
        confidence * 100.0
    )
}

fn why(record: &Record) -> String {
    reason(record).map(|reason| format!("<p class=\"why\">{reason}</p>")).unwrap_or_default()
}

/// The reason, then its sentence, which may begin with the same words.
fn reason(record: &Record) -> Option<String> {
    let reason = record.reason.map(Reason::as_str).unwrap_or_default().replace('_', " ");
    let why = match (reason.as_str(), record.why.as_str()) {
        ("", "") => return None,
        (reason, "") => reason.to_owned(),
        (reason, why) if why.starts_with(reason) => why.to_owned(),
        (reason, why) => format!("{reason}: {why}"),
    };
    Some(format!("<bdi>{}</bdi>", escape(&why)))
}

/// 1970 stands for a notification without a time.
fn time(at: Timestamp) -> String {
    let text = at.to_string();
    match text.split_once('T') {
        _ if at == Timestamp::default() => "–".to_owned(),
        Some((day, clock)) => {
            let seconds = clock.split('.').next().unwrap_or(clock);
            format!("<time datetime=\"{text}\">{day} {seconds}</time>")
        }
        None => text,
    }
}

/// One object: what it is now, and its newest changes, at most `most` of them.
pub(super) fn object(
    state: &PageState,
    bucket: &str,
    key: &str,
    rows: &[Record],
    current: Option<&Record>,
    most: usize,
) -> String {
    let mut main =
        format!("<h1><span class=\"bucket\">s3://{}/</span><bdi>{}</bdi></h1>\n", escape(bucket), escape(key));
    match current {
        Some(record) => main.push_str(&now(record)),
        None => {
            let model = escape(&state.model);
            let _ = writeln!(main, "<p class=\"card\">No version of it is left that {model} has seen.</p>");
        }
    }
    let shown = &rows[..rows.len().min(most)];
    let _ =
        writeln!(main, "<h2>Changes, newest first</h2>\n<table>\n<thead><tr>{}</tr></thead>\n<tbody>", HISTORY_HEAD);
    for record in shown {
        let now = Some(record) == current;
        let note = if now { "<p class=\"why\">now</p>" } else { "" };
        main.push_str(&row(record, &change(record), !now, note));
    }
    main.push_str("</tbody>\n</table>\n");
    if rows.len() > most {
        let all = "Older ones are there too: <code>spotter get --history</code> prints them all.";
        let _ = writeln!(main, "<p class=\"why\">These are the newest {most}. {all}</p>");
    }
    page(&format!("s3://{bucket}/{key}"), LIVE, &main)
}

const HISTORY_HEAD: &str = "<th scope=\"col\">Seen</th><th scope=\"col\">Version and model</th>\
                            <th scope=\"col\">Status</th><th scope=\"col\">Label</th>\
                            <th scope=\"col\">Confidence</th><th scope=\"col\">Time (UTC)</th>";

fn change(record: &Record) -> String {
    let version = if record.order.version.is_empty() { "–".to_owned() } else { escape(&record.order.version) };
    let model = Some(&record.model).filter(|model| !model.is_empty());
    let model = model.map(|model| format!("<p class=\"why\">{}</p>", escape(model))).unwrap_or_default();
    format!("<span class=\"mono\">{version}</span>{model}{}", why(record))
}

/// The current answer with its facts.
fn now(record: &Record) -> String {
    let mut facts: Vec<(&str, String)> = vec![("status", status(record.status))];
    facts.extend(reason(record).map(|reason| ("why", reason)));
    let top: Vec<String> =
        record.top.iter().map(|guess| format!("<bdi>{}</bdi> {:.3}", escape(&guess.label), guess.confidence)).collect();
    let texts = [
        ("model", (!record.model.is_empty()).then_some(record.model.as_str())),
        ("content type", record.content_type.as_deref()),
        ("ETag", record.etag.as_deref()),
        ("version", record.version_id.as_deref()),
    ];
    if !top.is_empty() {
        facts.push(("guesses", top.join(", ")));
    }
    if let Some((width, height)) = record.dimensions {
        facts.push(("picture", format!("{width} × {height} pixels")));
    }
    if let Some(size) = record.size {
        facts.push(("size", format!("{size} bytes")));
    }
    facts.extend(texts.into_iter().filter_map(|(name, text)| Some((name, format!("<bdi>{}</bdi>", escape(text?))))));
    facts.push(("time (UTC)", time(record.order.event_time)));
    let facts: String = facts.into_iter().map(|(name, fact)| format!("<dt>{name}</dt><dd>{fact}</dd>\n")).collect();
    let picture =
        if record.seen.is_empty() { String::new() } else { format!("<div class=\"seen\">{}</div>", seen(record)) };
    let label =
        if record.label.is_some() { format!("<div class=\"label\">{}</div>", label(record)) } else { String::new() };
    format!("<section class=\"card now\" aria-label=\"Now\">{picture}{label}<dl>\n{facts}</dl></section>\n")
}

/// One sentence in the page's place.
pub(super) fn failure(status: StatusCode, message: &str) -> String {
    let what = status.canonical_reason().unwrap_or("Error");
    let sentence = escape(message);
    page(
        what,
        "",
        &format!(
            "<h1>{what}</h1>\n<p class=\"card\"><bdi>{sentence}</bdi></p>\n<p><a href=\"/\">Newest records</a></p>"
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_escapes() {
        for (text, html) in [
            ("7.png", "7.png"),
            ("\"><img src=x onerror=alert(1)>.png", "&quot;&gt;&lt;img src=x onerror=alert(1)&gt;.png"),
            ("it's & that's", "it&#39;s &amp; that&#39;s"),
            ("a\0b\tc\nd\x1be\x7f", "a\u{2400}b\u{2409}c\u{240a}d\u{241b}e\u{2421}"),
            ("gnp.\u{202e}exe\u{2066}\u{85}", "gnp.[U+202E]exe[U+2066][U+0085]"),
            ("שבע-٧-七.png", "שבע-٧-七.png"),
        ] {
            assert_eq!(escape(text), html, "{text:?}");
        }
    }

    #[test]
    fn times_are_plain_and_exact() {
        let html = "<time datetime=\"2026-01-01T00:00:00.123Z\">2026-01-01 00:00:00</time>";
        assert_eq!(time(Timestamp(1_767_225_600_123)), html);
        assert_eq!(time(Timestamp(0)), "–");
        assert_eq!(time(Timestamp(i64::MAX)), "9223372036854775807 ms");
    }
}
