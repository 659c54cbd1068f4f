//! The integration tests: one binary, so that one link serves them all.

#![allow(unreachable_pub)] // `pub` says what a module offers; a test binary has nobody to offer it to.
#![allow(clippy::unwrap_used)] // A panic is a failed test.

mod architecture;
mod ask;
mod backfill;
mod browser;
mod cli;
mod cloud;
mod convergence;
mod doctor;
mod events;
mod export;
mod faults;
mod filters;
mod function;
mod function_url;
mod guard;
mod harness;
mod hostile;
mod image;
mod links;
mod metrics;
mod model;
mod model_source;
mod notify;
mod page;
mod pictures;
mod prepare;
mod records;
mod s3;
mod serve;
mod simulation;
mod stack;
mod switch;
mod telemetry;
mod upgrade;
mod webhook;
mod worker;

fn main() -> std::process::ExitCode {
    if let Some(code) = pictures::decode_and_report() {
        return code;
    }
    let mut trials = Vec::new();
    trials.extend(architecture::trials());
    trials.extend(ask::trials());
    trials.extend(backfill::trials());
    trials.extend(browser::trials());
    trials.extend(cli::trials());
    trials.extend(convergence::trials());
    trials.extend(doctor::trials());
    trials.extend(events::trials());
    trials.extend(export::trials());
    trials.extend(faults::trials());
    trials.extend(filters::trials());
    trials.extend(function::trials());
    trials.extend(function_url::trials());
    trials.extend(guard::trials());
    trials.extend(hostile::trials());
    trials.extend(image::trials());
    trials.extend(links::trials());
    trials.extend(metrics::trials());
    trials.extend(model::trials());
    trials.extend(model_source::trials());
    trials.extend(notify::trials());
    trials.extend(page::trials());
    trials.extend(pictures::trials());
    trials.extend(prepare::trials());
    trials.extend(records::trials());
    trials.extend(s3::trials());
    trials.extend(serve::trials());
    trials.extend(simulation::trials());
    trials.extend(stack::trials());
    trials.extend(switch::trials());
    trials.extend(telemetry::trials());
    trials.extend(upgrade::trials());
    trials.extend(webhook::trials());
    trials.extend(worker::trials());
    harness::run(trials)
}
