//! What the integration tests share: skips that are seen, and the parts that they run against.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, ExitCode};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use libtest_mimic::{Arguments, Failed, Trial};

pub mod browser;
pub mod cassandra;
pub mod localstack;
mod part;
pub mod stack;

pub use part::{Part, output};

/// The trials of every module, run as `cargo test` would.
pub fn run(trials: Vec<Trial>) -> ExitCode {
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

/// A test of a part that may be missing here: listed as ignored with its reason, or, where
/// `SPOTTER_REQUIRE_STACK=1` says that every part must be there, a failure.
pub fn needs<T: Send + 'static>(
    name: &str,
    part: Result<T, String>,
    test: impl FnOnce(T) -> Result<(), Failed> + Send + 'static,
) -> Trial {
    match part {
        Ok(part) => Trial::test(name, move || test(part)),
        Err(reason) => {
            let required = std::env::var_os("SPOTTER_REQUIRE_STACK").is_some_and(|value| value == "1");
            let message = format!("skipped: {reason}");
            Trial::test(format!("{name} ({message})"), move || Err(message.into())).with_ignored_flag(!required)
        }
    }
}

/// A trial whose body is async.
pub fn on_runtime<F>(test: F) -> Result<(), Failed>
where
    F: Future<Output = Result<(), Failed>>,
{
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?.block_on(test)
}

/// Far enough for a slow machine; what hangs still ends.
pub fn deadline() -> Instant {
    Instant::now() + Duration::from_secs(60)
}

/// Waits until it holds, or says `what` does not.
pub async fn until(
    end: Instant,
    what: &str,
    mut holds: impl AsyncFnMut() -> Result<bool, Failed>,
) -> Result<(), Failed> {
    let began = Instant::now();
    while !holds().await? {
        if Instant::now() > end {
            return Err(format!("{what}, after {} s", began.elapsed().as_secs()).into());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}

/// The lines of a child as they come.
pub fn lines(child: &mut Child) -> Result<Receiver<String>, Failed> {
    let lines = BufReader::new(child.stdout.take().ok_or("no output")?).lines();
    let (sender, receiver) = channel();
    std::thread::spawn(move || lines.map_while(Result::ok).try_for_each(|line| sender.send(line)));
    Ok(receiver)
}

/// The repository's root.
pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}
