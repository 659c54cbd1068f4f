//! The integration tests: one binary, so that one link serves them all.

mod events;
mod harness;
mod records;

fn main() -> std::process::ExitCode {
    let mut trials = Vec::new();
    trials.extend(events::trials());
    trials.extend(records::trials());
    harness::run(trials)
}
