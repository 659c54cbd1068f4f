//! Lambda's runtime and nothing else, which no function in Rust can start faster than: benches/cold_start.py holds `bootstrap` against it.

use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use serde_json::{Value, json};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    run(service_fn(async |_: LambdaEvent<Value>| Ok::<_, Error>(json!({})))).await
}
