//! The integration tests: one binary, so that one link serves them all.

mod events;
mod harness;
mod pictures;
mod records;
mod s3;

fn main() -> std::process::ExitCode {
    if let Some(code) = pictures::decode_and_report() {
        return code;
    }
    let mut trials = Vec::new();
    trials.extend(events::trials());
    trials.extend(pictures::trials());
    trials.extend(records::trials());
    trials.extend(s3::trials());
    harness::run(trials)
}
