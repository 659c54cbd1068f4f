//! `spotter env`: what a shell needs to reach `spotter serve`.

use std::path::{Path, PathBuf};

use super::failure::Failure;
use super::home;
use super::output::{line, note};
use crate::config::Settings;
use crate::local::Credentials;
use crate::objects::DEFAULT_REGION;

/// Holds the URL of the endpoint that serves this data folder.
const ENDPOINT_FILE: &str = "endpoint";
const USUAL_ENDPOINT: &str = "http://127.0.0.1:9000";

pub(super) fn run(settings: &Settings) -> Result<(), Failure> {
    let data = home::data_folder(settings)?;
    let credentials = Credentials::load_or_create(&data)?;
    let endpoint = std::fs::read_to_string(endpoint_file(&data)).unwrap_or_else(|_| {
        note(&format!("spotter: `spotter serve` is not running on {}; {USUAL_ENDPOINT} is a guess", data.display()));
        USUAL_ENDPOINT.into()
    });
    line(&format!("export AWS_ENDPOINT_URL={endpoint}"))?;
    line(&format!("export AWS_REGION={DEFAULT_REGION} AWS_DEFAULT_REGION={DEFAULT_REGION}"))?;
    line(&format!("export AWS_ACCESS_KEY_ID={}", credentials.access_key_id))?;
    line(&format!("export AWS_SECRET_ACCESS_KEY={}", credentials.secret_access_key))?;
    // Each of these would win over what was just set.
    line(
        "unset AWS_PROFILE AWS_SESSION_TOKEN AWS_SECURITY_TOKEN AWS_ENDPOINT_URL_S3 AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
    )
}

pub(super) fn endpoint_file(data: &Path) -> PathBuf {
    data.join(ENDPOINT_FILE)
}
