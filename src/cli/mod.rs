//! The command line: one file a command, thin. Data goes to stdout, the rest to stderr.

mod backfill;
mod classify;
mod correct;
mod demo;
mod doctor;
mod env;
mod event;
mod explain;
mod export;
mod failure;
mod filter;
mod findings;
mod get;
mod handled;
mod home;
mod invoke;
mod list;
mod model;
mod model_check;
mod model_diff;
mod model_init;
mod model_prepare;
mod model_switch;
mod object_url;
mod observed;
mod output;
mod question;
mod samples;
mod schema;
mod serve;
mod signals;
mod stats;
mod table;
mod times;
mod watch;
mod webhook;
mod worker;

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::builder::{OsStringValueParser, TypedValueParser};
use clap::{Args, CommandFactory, Parser, Subcommand};

use crate::config::{self, Settings};
use crate::model_source::ModelSource;
use crate::telemetry;
use failure::Failure;

const EXAMPLES: &str = "Examples:
  spotter demo                           the whole way of some pictures, in one process
  spotter classify 7.jpg                 your own picture, no bucket
  spotter serve                          an S3 endpoint and a page, staying up
  eval \"$(spotter env)\"                  credentials for aws, boto3, rclone in this shell
  aws s3 cp 7.png s3://pictures/
  spotter get s3://pictures/7.png --wait 5s
  spotter list s3://pictures/photos --label 7 --since 2h --format json
  spotter watch                          records as they come
  spotter correct s3://pictures/7.png 1  what it shows in truth; stats count it
  spotter invoke events/s3.json --dry-run
  spotter model init resnet.onnx         a first manifest for a network of your own
  spotter worker --queue pictures        classify what an SQS queue announces
  spotter doctor s3://pictures           what is not as it should be, and what mends it

Exit codes: 0 done, 1 failed or no such record, 2 usage.";

#[derive(Debug, Parser)]
#[command(name = "spotter", version, about, after_help = EXAMPLES, max_term_width = 100)]
struct Cli {
    #[command(flatten)]
    globals: Globals,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Upload sample pictures to a bucket in this process, classify them, ask for the records
    Demo,
    /// Run an S3 endpoint and a page, and classify what is uploaded, until Ctrl-C
    Serve(serve::Serve),
    /// Consume an SQS queue outside Lambda, or take webhooks, until Ctrl-C
    Worker(worker::Worker),
    /// Print the shell variables that lead aws, boto3 and spotter to `spotter serve`
    Env,
    /// Classify picture files without a bucket
    Classify(classify::Classify),
    /// What is this object now?
    Get(get::Get),
    /// The newest records
    #[command(visible_alias = "ls")]
    List(list::List),
    /// Records as they come, until Ctrl-C
    Watch(watch::Watch),
    /// How many records of each kind, and how often the model was right
    Stats(stats::Stats),
    /// Say what a picture shows in truth
    Correct(correct::Correct),
    /// Records as a Parquet, CSV or JSON Lines file
    Export(export::Export),
    /// Record what is in a bucket and not in the records, without events
    Backfill(backfill::Backfill),
    /// Handle an event from a file, as the function would
    Invoke(invoke::Invoke),
    /// Make the event that an object's creation would have sent
    Event(event::Event),
    /// The model in use, and how another one differs
    #[command(subcommand)]
    Model(model::Command),
    /// Cassandra's tables
    #[command(subcommand)]
    Schema(schema::Command),
    /// Whether bucket, queue, database, model, clock and disk are as they should be, and what mends each
    Doctor(doctor::Doctor),
    /// Print shell completions
    Completions { shell: clap_complete::Shell },
}

/// Flags that every command takes; each replaces what its variable says.
#[derive(Debug, Args)]
struct Globals {
    /// Records in Cassandra instead of a file: host:port[,host:port…] [env: SPOTTER_CASSANDRA]
    #[arg(long, global = true, value_name = "NODES", help_heading = "Global options")]
    cassandra: Option<String>,
    /// Folder for records and objects [env: SPOTTER_DATA] [default: the platform's data folder]
    #[arg(long, global = true, value_name = "FOLDER", help_heading = "Global options")]
    data: Option<PathBuf>,
    /// Another model: its folder, or s3://bucket/prefix#sha256=…; to ask for its records, its name/version does [env: SPOTTER_MODEL]
    #[arg(long, global = true, help_heading = "Global options")]
    #[arg(value_parser = OsStringValueParser::new().try_map(|text| ModelSource::parse(&text)))]
    model: Option<ModelSource>,
    /// The bucket's endpoint [env: AWS_ENDPOINT_URL]
    #[arg(long, global = true, value_name = "URL", help_heading = "Global options")]
    endpoint_url: Option<String>,
    /// The bucket's region [env: AWS_REGION]
    #[arg(long, global = true, help_heading = "Global options")]
    region: Option<String>,
    /// A profile of the AWS configuration [env: AWS_PROFILE]
    #[arg(long, global = true, help_heading = "Global options")]
    profile: Option<String>,
}

impl Globals {
    fn settings(self) -> Result<Settings, Failure> {
        let mut settings = Settings::from_env(self.cassandra)?;
        settings.data = self.data.or(settings.data);
        settings.model_is_asked_for = self.model.is_some();
        settings.model = self.model.unwrap_or(settings.model);
        settings.s3.endpoint_url = self.endpoint_url;
        settings.s3.region = self.region;
        settings.s3.profile = self.profile;
        Ok(settings)
    }
}

/// Runs the command of this process's arguments.
pub fn main() -> ExitCode {
    let Cli { globals, command } = Cli::parse();
    match config::log_lines() {
        Ok(lines) => telemetry::to_terminal(lines),
        Err(error) => return Failure::from(error).report(),
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return Failure::from(error).report(),
    };
    match runtime.block_on(run(globals, command)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

async fn run(globals: Globals, command: Command) -> Result<(), Failure> {
    if let Command::Completions { shell } = command {
        let mut script = Vec::new();
        clap_complete::generate(shell, &mut Cli::command(), config::PROGRAM, &mut script);
        return Ok(output::stdout().write_all(&script)?);
    }
    let settings = globals.settings()?;
    match command {
        Command::Demo => demo::run(settings).await,
        Command::Serve(serve) => serve.run(settings).await,
        Command::Worker(worker) => worker.run(settings).await,
        Command::Env => env::run(&settings),
        Command::Classify(classify) => classify.run(&settings).await,
        Command::Get(get) => get.run(&settings).await,
        Command::List(list) => list.run(&settings).await,
        Command::Watch(watch) => watch.run(&settings).await,
        Command::Stats(stats) => stats.run(&settings).await,
        Command::Correct(correct) => correct.run(&settings).await,
        Command::Export(export) => export.run(&settings).await,
        Command::Backfill(backfill) => backfill.run(settings).await,
        Command::Invoke(invoke) => invoke.run(settings).await,
        Command::Event(event) => event.run(&settings).await,
        Command::Model(command) => command.run(&settings).await,
        Command::Schema(command) => command.run(&settings).await,
        Command::Doctor(doctor) => doctor.run(&settings).await,
        Command::Completions { .. } => Ok(()),
    }
}
