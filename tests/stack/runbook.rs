//! The runbook's commands for AWS, typed into a shell where the template is deployed.

use std::fs;

use libtest_mimic::Failed;

use crate::harness::root;
use crate::harness::stack::Stack;

/// All of them in their order; the first that fails is said.
pub(super) fn typed(stack: &Stack, name: &str) -> Result<(), Failed> {
    let runbook = fs::read_to_string(root().join("docs/runbook.md"))?;
    let (runbook, _) = runbook.split_once("## What was tried").ok_or("no such heading")?;
    let commands = commands(runbook);
    assert!(commands.len() >= 12, "{commands:?}");
    let mut shell = format!(
        "set -Eeuo pipefail\n\
         trap 'echo \"failed: $BASH_COMMAND\" >&2' ERR\n\
         aws() {{ command aws --endpoint-url \"$AWS_ENDPOINT_URL\" \"$@\"; }}\n\
         stack={name}\n{}\n\
         mappings() {{ aws lambda list-event-source-mappings --function-name \"$function\" --output text \"$@\"; }}\n",
        names(runbook)?
    );
    for command in commands {
        shell += &command.replace(" UUID ", " $(mappings --query 'EventSourceMappings[0].UUID') ");
        shell.push('\n');
    }
    let printed = stack.run("bash", ["-c", &shell])?;
    assert!(printed.contains("\tEnabled"), "the function does not take from its queue: {printed}");
    assert!(!printed.contains("ReservedConcurrentExecutions"), "concurrency is reserved: {printed}");
    Ok(())
}

/// What they name, but for the stack.
fn names(runbook: &str) -> Result<&str, Failed> {
    let names = runbook.split_once("```sh\nstack=").and_then(|(_, names)| names.split_once('\n'));
    let names = names.and_then(|(_, names)| names.split_once("```"));
    Ok(names.ok_or("the runbook gives no names")?.0)
}

/// In blocks of their own and within sentences.
fn commands(runbook: &str) -> Vec<&str> {
    let mut commands = Vec::new();
    let mut in_block = false;
    for line in runbook.lines() {
        if line.starts_with("```") {
            in_block = !in_block;
        } else if in_block {
            commands.push(line);
        } else {
            commands.extend(line.split('`').skip(1).step_by(2));
        }
    }
    commands.retain(|command| command.starts_with("aws "));
    commands
}
