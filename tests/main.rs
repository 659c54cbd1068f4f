//! The integration tests: one binary, so that one link serves them all.

mod events;
mod harness;
mod records;
mod s3;

fn main() -> std::process::ExitCode {
    let mut trials = Vec::new();
    trials.extend(events::trials());
    trials.extend(records::trials());
    trials.extend(s3::trials());
    harness::run(trials)
}
