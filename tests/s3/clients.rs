//! Other people's clients: boto3, AWS CLI version 1, rclone.
use libtest_mimic::Trial;
pub fn trials() -> Vec<Trial> { Vec::new() }
