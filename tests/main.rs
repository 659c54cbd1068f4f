//! The integration tests: one binary, so that one link serves them all.

mod harness;

fn main() -> std::process::ExitCode {
    let trials = Vec::new();
    harness::run(trials)
}
