//! A client of this machine's own endpoint. It takes neither endpoint nor credentials from the environment.

use aws_sdk_s3::Client;
use aws_sdk_s3::config::{BehaviorVersion, Region};

use super::Credentials;
use crate::objects::DEFAULT_REGION;

pub fn client(url: &str, credentials: &Credentials) -> Client {
    let key = aws_sdk_s3::config::Credentials::new(
        &credentials.access_key_id,
        &credentials.secret_access_key,
        None,
        None,
        "spotter",
    );
    let config = aws_sdk_s3::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .endpoint_url(url)
        .credentials_provider(key)
        .region(Region::new(DEFAULT_REGION))
        .force_path_style(true);
    Client::from_conf(config.build())
}
