//! The integration tests: one binary, so that one link serves them all.

mod harness;
mod pictures;

fn main() -> std::process::ExitCode {
    if let Some(code) = pictures::decode_and_report() {
        return code;
    }
    let mut trials = Vec::new();
    trials.extend(pictures::trials());
    harness::run(trials)
}
