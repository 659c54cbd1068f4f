//! What a look at something found, as lines for people or for programs.

use std::io::IsTerminal;

use super::failure::Failure;
use super::output::{line, visible};
use crate::classifier::{Finding, Level};
use crate::config;

/// A line, and below it the way out; `width` is that of the names of checks.
pub(super) fn told(finding: &Finding, width: usize) -> Result<(), Failure> {
    line(&format!("{}  {:<width$}  {}", coloured(finding.level), finding.check, visible(&finding.says)))?;
    let indent = width + "warn    ".len();
    let way_out = finding.way_out.as_ref();
    way_out.map_or(Ok(()), |way_out| line(&format!("{:indent$}→ {}", "", visible(way_out))))
}

pub(super) fn count(findings: &[Finding], level: Level) -> usize {
    findings.iter().filter(|finding| finding.level == level).count()
}

pub(super) fn counted(count: usize, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

fn coloured(level: Level) -> String {
    let word = format!("{:<4}", level.as_str());
    if !(std::io::stdout().is_terminal() && config::colours_wanted()) {
        return word;
    }
    // ECMA-48, SGR.
    let colour = match level {
        Level::Ok => "32",
        Level::Warn => "33",
        Level::Fail => "31",
        Level::Skip => "2",
    };
    format!("\u{1b}[{colour}m{word}\u{1b}[0m")
}
