//! Commands for people to type: as this process goes to AWS, so should they.

use crate::objects::S3Settings;

pub(super) struct Command {
    /// Flags that were given here; what comes from the environment, the AWS CLI reads itself.
    flags: String,
    /// But not for SQS: its version 1 goes to AWS whatever `AWS_ENDPOINT_URL` says.
    of_queues: String,
}

impl Command {
    pub(super) fn of(settings: &S3Settings, queue_endpoint_in_env: Option<&str>) -> Command {
        let flags = [
            ("--endpoint-url", &settings.endpoint_url),
            ("--region", &settings.region),
            ("--profile", &settings.profile),
        ];
        let given = flags.iter().filter_map(|(flag, value)| Some(format!(" {flag} {}", quoted(value.as_ref()?))));
        let endpoint = queue_endpoint_in_env.filter(|_| settings.endpoint_url.is_none());
        let of_queues = endpoint.map(|url| format!(" --endpoint-url {}", quoted(url))).unwrap_or_default();
        Command { flags: given.collect(), of_queues }
    }

    /// `aws --profile x s3 …`
    pub(super) fn aws(&self, rest: &str) -> String {
        let of_queues = if rest.starts_with("sqs ") { &*self.of_queues } else { "" };
        format!("aws{}{of_queues} {rest}", self.flags)
    }
}

/// For a shell.
pub(super) fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@=,+".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_go_along_and_nothing_breaks_out_of_its_word() {
        let settings = S3Settings {
            endpoint_url: Some("http://127.0.0.1:4566".into()),
            profile: Some("my account; rm -rf ~'".into()),
            ..S3Settings::default()
        };
        assert_eq!(
            Command::of(&settings, Some("http://other")).aws("sqs list-queues"),
            r"aws --endpoint-url http://127.0.0.1:4566 --profile 'my account; rm -rf ~'\''' sqs list-queues"
        );
        let in_env = Command::of(&S3Settings::default(), Some("http://127.0.0.1:4566"));
        assert_eq!(in_env.aws("s3 ls"), "aws s3 ls");
        assert_eq!(in_env.aws("sqs list-queues"), "aws --endpoint-url http://127.0.0.1:4566 sqs list-queues");
    }
}
