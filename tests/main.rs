//! The integration tests: one binary, so that one link serves them all.

mod harness;
mod records;

fn main() -> std::process::ExitCode {
    let mut trials = Vec::new();
    trials.extend(records::trials());
    harness::run(trials)
}
