//! Whom to tell, and of what.

use super::{ConfigError, NOTIFY, NOTIFY_ONLY, NOTIFY_SECRET, Variables, error, secret, text};
use crate::notify::{NotifyConfig, Only, Target};

pub(super) fn notify(get: &impl Variables) -> Result<Option<NotifyConfig>, ConfigError> {
    // A URL may be a secret.
    let Some(told) = secret(get, NOTIFY)? else {
        let idle = [NOTIFY_ONLY, NOTIFY_SECRET].into_iter().find(|name| get(name).is_some());
        return match idle {
            Some(name) => Err(error(NOTIFY, "", format!("{name} is set without it"))),
            None => Ok(None),
        };
    };
    let target = |word: &str| {
        let word = word.trim();
        // So only ARNs are repeated.
        let shown = if word.starts_with("arn:") { word } else { "…" };
        word.parse().map_err(|problem: String| error(NOTIFY, shown, problem))
    };
    let targets = told.expose().split(',').map(target).collect::<Result<Vec<Target>, _>>()?;
    let only = match text(get, NOTIFY_ONLY)? {
        Some(words) => words.parse().map_err(|problem: String| error(NOTIFY_ONLY, &words, problem))?,
        None => Only::default(),
    };
    let secret = secret(get, NOTIFY_SECRET)?;
    if secret.is_some() && !targets.iter().any(|target| matches!(target, Target::Url(_))) {
        return Err(error(NOTIFY_SECRET, "…", format!("signs what goes to URLs, and {NOTIFY} names none")));
    }
    Ok(Some(NotifyConfig { targets, only, secret }))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // a panic is a failed test

    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<Option<NotifyConfig>, String> {
        let get = |name: &'static str| variables.iter().find(|(n, _)| *n == name).map(|(_, value)| value.into());
        notify(&get).map_err(|error| error.to_string())
    }

    #[test]
    fn nobody_is_told_unless_named() {
        assert!(read(&[]).unwrap().is_none());
        let (queue, url) = ("arn:aws:sqs:eu-central-1:111122223333:seen", "https://example.com/token");
        let told = format!("{queue}, {url}");
        let notify = read(&[(NOTIFY, &told), (NOTIFY_ONLY, "unsure,label:7"), (NOTIFY_SECRET, "hunter2")]);
        let notify = notify.unwrap().unwrap();
        assert_eq!(format!("{:?}", notify.targets), format!("[{queue}, https://example.com]"));
        assert!(notify.names_queue(queue) && !notify.names_queue("arn:aws:sqs:eu-central-1:111122223333:in"));
        assert!(!format!("{notify:?}").contains("hunter2") && !format!("{notify:?}").contains("token"));
    }

    #[test]
    fn bad_words_of_whom_to_tell_are_named_and_secrets_are_not() {
        let error = |variables: &[(&str, &str)]| read(variables).unwrap_err();
        assert!(error(&[(NOTIFY, "arn:aws:s3:::b")]).starts_with("SPOTTER_NOTIFY=\"arn:aws:s3:::b\": must be the ARN"));
        let plain = error(&[(NOTIFY, "http://example.com/token")]);
        assert!(plain.contains("use https") && !plain.contains("token"), "{plain}");
        assert!(error(&[(NOTIFY, "https://x"), (NOTIFY_ONLY, "seven")]).contains("SPOTTER_NOTIFY_ONLY=\"seven\""));
        assert_eq!(error(&[(NOTIFY_ONLY, "unsure")]), "SPOTTER_NOTIFY=\"\": SPOTTER_NOTIFY_ONLY is set without it");
        let idle = error(&[(NOTIFY, "arn:aws:sqs:r:1:q"), (NOTIFY_SECRET, "hunter2")]);
        assert!(idle.contains(NOTIFY_SECRET) && !idle.contains("hunter2"), "{idle}");
    }
}
