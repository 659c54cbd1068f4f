//! The only place that reads the environment. A bad value is an error that names its variable.

#[cfg(test)]
mod documented;
mod notify;

use std::ffi::OsString;
use std::net::Ipv6Addr;
use std::path::PathBuf;

use crate::decode::Limits;
use crate::event::EventBridgeKeys;
use crate::filter::{Filter, Glob};
use crate::model_source::ModelSource;
use crate::notify::NotifyConfig;
use crate::objects::S3Settings;
use crate::records::cassandra::{CassandraConfig, KEYSPACE_RULE, Login, Tls, is_keyspace};

pub use crate::records::cassandra::{
    CA_VARIABLE as CASSANDRA_CA, DATACENTER_VARIABLE as CASSANDRA_DC, TLS_VARIABLE as CASSANDRA_TLS,
};
use crate::secret::Secret;
use crate::telemetry::{Lines, Sample};

/// The binary's name, and the data folder's.
pub const PROGRAM: &str = "spotter";

pub const MODEL: &str = "SPOTTER_MODEL";
pub const CASSANDRA: &str = "SPOTTER_CASSANDRA";
pub const KEYSPACE: &str = "SPOTTER_KEYSPACE";
pub const CASSANDRA_USER: &str = "SPOTTER_CASSANDRA_USER";
pub const CASSANDRA_PASSWORD: &str = "SPOTTER_CASSANDRA_PASSWORD";
pub const DATA: &str = "SPOTTER_DATA";
pub const EVENTBRIDGE_KEYS: &str = "SPOTTER_EVENTBRIDGE_KEYS";
pub const S3_ADDRESSING: &str = "SPOTTER_S3_ADDRESSING";
pub const MAX_PIXELS: &str = "SPOTTER_MAX_PIXELS";
pub const MAX_BYTES: &str = "SPOTTER_MAX_BYTES";
pub const NOTIFY: &str = "SPOTTER_NOTIFY";
pub const NOTIFY_ONLY: &str = "SPOTTER_NOTIFY_ONLY";
pub const NOTIFY_SECRET: &str = "SPOTTER_NOTIFY_SECRET";
pub const TAG: &str = "SPOTTER_TAG";
pub const LOG_FORMAT: &str = "SPOTTER_LOG_FORMAT";
pub const LOG_SAMPLE: &str = "SPOTTER_LOG_SAMPLE";
pub const INCLUDE: &str = "SPOTTER_INCLUDE";
pub const EXCLUDE: &str = "SPOTTER_EXCLUDE";
pub const QUEUE: &str = "SPOTTER_QUEUE";
pub const WEBHOOK_TOKEN: &str = "SPOTTER_WEBHOOK_TOKEN";
pub const PAGE_TOKEN: &str = "SPOTTER_PAGE_TOKEN";
pub const PAGE_BUCKET: &str = "SPOTTER_PAGE_BUCKET";
pub const PAGE_PREFIX: &str = "SPOTTER_PAGE_PREFIX";
/// The AWS SDK reads these itself; that one is set decides the default of `SPOTTER_S3_ADDRESSING`.
const ENDPOINTS: [&str; 2] = ["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"];
/// The SDK reads these, too; where one is set, a queue's URL does not say where the queue is.
const QUEUE_ENDPOINTS: [&str; 2] = ["AWS_ENDPOINT_URL_SQS", "AWS_ENDPOINT_URL"];

/// Lambda says where it has unpacked the function's zip.
/// <https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html>
const TASK_ROOT: &str = "LAMBDA_TASK_ROOT";

pub const DEFAULT_KEYSPACE: &str = "spotter";
const DEFAULT_CASSANDRA_PORT: u16 = 9042;
/// No picture of 25 million pixels that people take is larger.
const DEFAULT_MAX_BYTES: u64 = 64_000_000;
/// Characters: a shorter token of a page that everybody reaches could be guessed.
const SHORTEST_PAGE_TOKEN: usize = 16;

/// What the environment says; flags of the command line replace single fields.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The one in the binary, or what replaces it.
    pub model: ModelSource,
    /// The command line named it: what asks takes it, whichever model is served.
    pub model_is_asked_for: bool,
    /// The system's folder for what may be lost, such as a fetched model.
    pub temp: PathBuf,
    pub cassandra: Option<CassandraConfig>,
    /// Folder of the embedded home of records and of `serve`.
    pub data: Option<PathBuf>,
    pub eventbridge_keys: EventBridgeKeys,
    pub s3: S3Settings,
    pub limits: Limits,
    /// Larger objects are not fetched.
    pub max_bytes: u64,
    /// Who is told of what was recorded.
    pub notify: Option<NotifyConfig>,
    /// Whether objects are tagged with their labels.
    pub tag: bool,
    /// Other objects are not looked at.
    pub filter: Filter,
    /// What is logged of what went well.
    pub logged: Sample,
    /// URL or name of the queue that `worker` consumes.
    pub queue: Option<String>,
    /// The custom endpoint that the SDK finds for the queue in the environment.
    pub queue_endpoint_in_env: Option<String>,
    /// What whoever calls the webhook must know.
    pub webhook_token: Option<Secret>,
    /// What whoever asks the page's function must know.
    pub page_token: Option<Secret>,
    /// Where the page's function uploads to; its keys begin with the prefix.
    pub page_bucket: Option<String>,
    pub page_prefix: String,
}

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{variable}={value:?}: {problem}")]
pub struct ConfigError {
    variable: &'static str,
    value: String,
    problem: String,
}

/// The value of a variable; `None` where it is not set.
trait Variables: Fn(&'static str) -> Option<OsString> {}
impl<F: Fn(&'static str) -> Option<OsString>> Variables for F {}

impl Settings {
    /// Reads the process's environment; `cassandra` replaces what it says of the nodes.
    ///
    /// # Errors
    /// The first variable whose value cannot be used.
    pub fn from_env(cassandra: Option<String>) -> Result<Settings, ConfigError> {
        Settings::read(|name| match &cassandra {
            Some(nodes) if name == CASSANDRA => Some(nodes.into()),
            _ => std::env::var_os(name),
        })
    }

    fn read(variables: impl Variables) -> Result<Settings, ConfigError> {
        // An empty value counts as none, as in `VAR= command`.
        let get = |name| variables(name).filter(|value| !value.is_empty());
        let keys = [("plain", EventBridgeKeys::Plain), ("encoded", EventBridgeKeys::Encoded)];
        Ok(Settings {
            model: model(&get)?,
            model_is_asked_for: false,
            temp: std::env::temp_dir(),
            cassandra: cassandra(&get)?,
            data: get(DATA).map(PathBuf::from),
            eventbridge_keys: choice(&get, EVENTBRIDGE_KEYS, &keys)?.unwrap_or_default(),
            s3: S3Settings {
                path_style: choice(&get, S3_ADDRESSING, &[("path", true), ("virtual", false)])?,
                endpoint_in_env: first(&get, ENDPOINTS),
                ..S3Settings::default()
            },
            limits: number(&get, MAX_PIXELS)?.map_or_else(Limits::default, |pixels| Limits { pixels }),
            max_bytes: number(&get, MAX_BYTES)?.unwrap_or(DEFAULT_MAX_BYTES),
            notify: notify::notify(&get)?,
            tag: choice(&get, TAG, &[("on", true), ("off", false)])?.unwrap_or(false),
            filter: Filter { include: globs(&get, INCLUDE)?, exclude: globs(&get, EXCLUDE)? },
            logged: sample(&get)?,
            queue: text(&get, QUEUE)?,
            queue_endpoint_in_env: first(&get, QUEUE_ENDPOINTS),
            webhook_token: secret(&get, WEBHOOK_TOKEN)?,
            page_token: page_token(&get)?,
            page_bucket: text(&get, PAGE_BUCKET)?,
            page_prefix: text(&get, PAGE_PREFIX)?.unwrap_or_default(),
        })
    }
}

/// Whether a terminal may be written to in colours: <https://no-color.org>, and no `TERM=dumb`.
pub fn colours_wanted() -> bool {
    colours(std::env::var_os)
}

/// How a command logs.
///
/// # Errors
/// A format that there is not.
pub fn log_lines() -> Result<Lines, ConfigError> {
    let get = |name: &'static str| std::env::var_os(name).filter(|value| !value.is_empty());
    let pretty = Lines::Pretty { colours: colours_wanted() };
    Ok(choice(&get, LOG_FORMAT, &[("text", pretty), ("json", Lines::Json)])?.unwrap_or(pretty))
}

fn colours(variables: impl Variables) -> bool {
    variables("NO_COLOR").is_none_or(|value| value.is_empty()) && variables("TERM").is_none_or(|term| term != "dumb")
}

fn first(get: &impl Variables, variables: [&'static str; 2]) -> Option<String> {
    variables.into_iter().find_map(get).map(|value| value.to_string_lossy().into_owned())
}

fn text(get: &impl Variables, variable: &'static str) -> Result<Option<String>, ConfigError> {
    let text = |value: OsString| {
        value.into_string().map_err(|value| error(variable, &value.to_string_lossy(), "must be UTF-8 text"))
    };
    get(variable).map(text).transpose()
}

/// Unlike [`text`], its errors do not repeat the value.
fn secret(get: &impl Variables, variable: &'static str) -> Result<Option<Secret>, ConfigError> {
    let text = |value: OsString| value.into_string().map_err(|_| error(variable, "…", "must be UTF-8 text"));
    Ok(get(variable).map(text).transpose()?.map(Secret::from))
}

fn page_token(get: &impl Variables) -> Result<Option<Secret>, ConfigError> {
    match secret(get, PAGE_TOKEN)? {
        Some(token) if token.expose().chars().count() < SHORTEST_PAGE_TOKEN => {
            Err(error(PAGE_TOKEN, "…", format!("must have at least {SHORTEST_PAGE_TOKEN} characters")))
        }
        token => Ok(token),
    }
}

fn sample(get: &impl Variables) -> Result<Sample, ConfigError> {
    let Some(value) = text(get, LOG_SAMPLE)? else {
        return Ok(Sample::default());
    };
    Sample::parse(&value).ok_or_else(|| error(LOG_SAMPLE, &value, "must be a share from 0 to 1, such as 0.01"))
}

fn model(get: &impl Variables) -> Result<ModelSource, ConfigError> {
    let Some(value) = get(MODEL) else {
        return Ok(ModelSource::default());
    };
    let source = ModelSource::parse(&value).map_err(|problem| error(MODEL, &value.to_string_lossy(), problem))?;
    Ok(match get(TASK_ROOT) {
        Some(root) => source.relative_to(root),
        None => source,
    })
}

fn globs(get: &impl Variables, variable: &'static str) -> Result<Vec<Glob>, ConfigError> {
    let Some(list) = text(get, variable)? else {
        return Ok(Vec::new());
    };
    Glob::list(&list).map_err(|problem| error(variable, &list, problem.to_string()))
}

fn cassandra(get: &impl Variables) -> Result<Option<CassandraConfig>, ConfigError> {
    let Some(nodes) = text(get, CASSANDRA)? else {
        return Ok(None);
    };
    let login = match (text(get, CASSANDRA_USER)?, secret(get, CASSANDRA_PASSWORD)?) {
        (Some(user), Some(password)) => Some(Login { user, password }),
        (None, None) => None,
        (Some(user), None) => {
            return Err(error(CASSANDRA_USER, &user, format!("{CASSANDRA_PASSWORD} must be set too")));
        }
        (None, Some(_)) => return Err(error(CASSANDRA_USER, "", format!("{CASSANDRA_PASSWORD} is set without it"))),
    };
    let keyspace = text(get, KEYSPACE)?.unwrap_or_else(|| DEFAULT_KEYSPACE.into());
    if !is_keyspace(&keyspace) {
        return Err(error(KEYSPACE, &keyspace, KEYSPACE_RULE));
    }
    let (tls, datacenter) = (tls(get)?, text(get, CASSANDRA_DC)?);
    Ok(Some(CassandraConfig { nodes: nodes_of(&nodes)?, keyspace, login, tls, datacenter }))
}

/// A CA's file is enough to ask for TLS.
fn tls(get: &impl Variables) -> Result<Option<Tls>, ConfigError> {
    let on = choice(get, CASSANDRA_TLS, &[("on", true), ("off", false)])?;
    match (on, get(CASSANDRA_CA).map(PathBuf::from)) {
        (Some(false), Some(_)) => Err(error(CASSANDRA_TLS, "off", format!("{CASSANDRA_CA} is set as well"))),
        (_, Some(file)) => Ok(Some(Tls::Ca(file))),
        (Some(true), None) => Ok(Some(Tls::System)),
        (_, None) => Ok(None),
    }
}

/// `host`, `host:port`, `[v6]:port`, comma-separated; the port is 9042 if not said.
fn nodes_of(text: &str) -> Result<Vec<String>, ConfigError> {
    if text.contains('@') {
        // Not repeated: it is a password.
        let problem = format!("a login goes into {CASSANDRA_USER} and {CASSANDRA_PASSWORD}");
        return Err(error(CASSANDRA, "…@…", problem));
    }
    let bad = || error(CASSANDRA, text, "must be host:port, or several with commas between");
    let node = |part: &str| {
        let part = part.trim();
        if let Ok(address) = part.parse::<Ipv6Addr>() {
            return Ok(format!("[{address}]:{DEFAULT_CASSANDRA_PORT}"));
        }
        let (host, port) = match part.rsplit_once(':') {
            Some((host, port)) if !part.ends_with(']') => (host, port.parse().map_err(|_| bad())?),
            _ => (part, DEFAULT_CASSANDRA_PORT),
        };
        let plain = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '_');
        let bracketed = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        let known = bracketed.map_or(host.chars().all(plain), |host| host.parse::<Ipv6Addr>().is_ok());
        if host.is_empty() || !known { Err(bad()) } else { Ok(format!("{host}:{port}")) }
    };
    text.split(',').map(node).collect()
}

fn choice<T: Copy>(
    get: &impl Variables,
    variable: &'static str,
    choices: &[(&str, T)],
) -> Result<Option<T>, ConfigError> {
    let Some(value) = text(get, variable)? else {
        return Ok(None);
    };
    let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
    match choices.iter().find(|(name, _)| *name == value) {
        Some((_, choice)) => Ok(Some(*choice)),
        None => Err(error(variable, &value, format!("must be {}", names.join(" or ")))),
    }
}

fn number(get: &impl Variables, variable: &'static str) -> Result<Option<u64>, ConfigError> {
    let parse = |value: String| match value.parse() {
        Ok(number) if number > 0 => Ok(number),
        _ => Err(error(variable, &value, "must be a whole number above 0")),
    };
    text(get, variable)?.map(parse).transpose()
}

fn error(variable: &'static str, value: &str, problem: impl Into<String>) -> ConfigError {
    ConfigError { variable, value: value.to_owned(), problem: problem.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<Settings, String> {
        let get = |name: &'static str| variables.iter().find(|(n, _)| *n == name).map(|(_, v)| OsString::from(v));
        Settings::read(get).map_err(|error| error.to_string())
    }

    #[test]
    fn nothing_set_is_the_embedded_default() {
        let settings = read(&[]).unwrap();
        assert!(
            settings.cassandra.is_none() && settings.model == ModelSource::Embedded && !settings.s3.uses_path_style()
        );
        assert_eq!((settings.limits.pixels, settings.max_bytes), (25_000_000, 64_000_000));
    }

    #[test]
    fn a_custom_endpoint_is_addressed_by_path_unless_told() {
        assert!(read(&[("AWS_ENDPOINT_URL", "http://x")]).unwrap().s3.uses_path_style());
        assert!(!read(&[("AWS_ENDPOINT_URL", "http://x"), (S3_ADDRESSING, "virtual")]).unwrap().s3.uses_path_style());
    }

    #[test]
    fn colours_are_left_out_where_they_are_not_wanted() {
        let wanted = |name: &'static str, value: &'static str| colours(move |n| (n == name).then(|| value.into()));
        assert!(wanted("TERM", "xterm-256color") && wanted("NO_COLOR", "") && wanted("OTHER", "1"));
        assert!(!wanted("NO_COLOR", "1") && !wanted("NO_COLOR", "0") && !wanted("TERM", "dumb"));
    }

    #[test]
    fn a_model_is_a_folder_or_pinned_in_a_bucket() {
        let model = |variables: &[(&str, &str)]| read(variables).map(|settings| settings.model.to_string());
        assert_eq!(model(&[(MODEL, "fruit")]).as_deref(), Ok("fruit"));
        assert_eq!(model(&[(MODEL, "fruit"), (TASK_ROOT, "/var/task")]).as_deref(), Ok("/var/task/fruit"));
        let pinned = format!("s3://models/fruit#sha256={}", "0f".repeat(32));
        assert_eq!(model(&[(MODEL, &pinned), (TASK_ROOT, "/var/task")]).as_deref(), Ok("s3://models/fruit"));
        let error = model(&[(MODEL, "s3://models/fruit")]).unwrap_err();
        assert!(error.starts_with("SPOTTER_MODEL=\"s3://models/fruit\": ") && error.contains("#sha256="), "{error}");
    }

    #[test]
    fn nodes_get_the_usual_port() {
        let nodes = read(&[(CASSANDRA, "a, b:1,[::1]:2,::1")]).unwrap().cassandra.unwrap().nodes;
        assert_eq!(nodes, ["a:9042", "b:1", "[::1]:2", "[::1]:9042"]);
    }

    #[test]
    fn bad_values_are_named() {
        let error = |variables: &[(&str, &str)]| read(variables).unwrap_err();
        assert_eq!(error(&[(EVENTBRIDGE_KEYS, "raw")]), "SPOTTER_EVENTBRIDGE_KEYS=\"raw\": must be plain or encoded");
        assert_eq!(error(&[(MAX_PIXELS, "many")]), "SPOTTER_MAX_PIXELS=\"many\": must be a whole number above 0");
        for nodes in ["a:b", "a:1:2", "a/b", "", " ,", "[x]:1", "a b"] {
            assert!(nodes.is_empty() || error(&[(CASSANDRA, nodes)]).contains("host:port"), "{nodes}");
        }
        let login = error(&[(CASSANDRA, "bob:hunter2@db:9042")]);
        assert!(login.contains(CASSANDRA_PASSWORD) && !login.contains("hunter2"), "{login}");
        assert!(error(&[(CASSANDRA, "a"), (KEYSPACE, "x; DROP")]).contains("SPOTTER_KEYSPACE"));
        assert_eq!(
            error(&[(LOG_SAMPLE, "1%")]),
            "SPOTTER_LOG_SAMPLE=\"1%\": must be a share from 0 to 1, such as 0.01"
        );
        assert_eq!(error(&[(TAG, "yes")]), "SPOTTER_TAG=\"yes\": must be on or off");
        assert!(read(&[(TAG, "on")]).unwrap().tag && !read(&[]).unwrap().tag);
        assert!(error(&[(CASSANDRA, "a"), (CASSANDRA_PASSWORD, "p")]).contains("SPOTTER_CASSANDRA_USER"));
    }

    #[test]
    fn globs_are_lists_and_a_bad_one_is_named() {
        let filter = read(&[(INCLUDE, "*.png,photos/**"), (EXCLUDE, "*.{tmp,part}")]).unwrap().filter;
        assert!(filter.allows("photos/7.jpg") && !filter.allows("7.jpg") && !filter.allows("photos/7.part"));
        let error = read(&[(EXCLUDE, "*.png,[")]).unwrap_err();
        assert!(error.starts_with("SPOTTER_EXCLUDE=\"*.png,[\": \"[\" is not a glob"), "{error}");
    }

    #[test]
    fn a_ca_asks_for_tls() {
        let tls = |variables: &[(&str, &str)]| {
            read(&[&[(CASSANDRA, "a")], variables].concat()).map(|settings| settings.cassandra.unwrap().tls)
        };
        assert_eq!(tls(&[]), Ok(None));
        assert_eq!(tls(&[(CASSANDRA_TLS, "off")]), Ok(None));
        assert_eq!(tls(&[(CASSANDRA_TLS, "on")]), Ok(Some(Tls::System)));
        for on in [&[(CASSANDRA_CA, "ca.pem")][..], &[(CASSANDRA_CA, "ca.pem"), (CASSANDRA_TLS, "on")]] {
            assert_eq!(tls(on), Ok(Some(Tls::Ca("ca.pem".into()))));
        }
        let both = tls(&[(CASSANDRA_CA, "ca.pem"), (CASSANDRA_TLS, "off")]).unwrap_err();
        assert!(both.contains("SPOTTER_CASSANDRA_TLS") && both.contains("SPOTTER_CASSANDRA_CA"), "{both}");
        assert!(tls(&[(CASSANDRA_TLS, "yes")]).unwrap_err().contains("must be on or off"));
    }

    #[cfg(unix)]
    #[test]
    fn text_must_be_utf_8_and_a_folder_need_not() {
        use std::os::unix::ffi::OsStringExt;
        let bytes = || OsString::from_vec(vec![b'x', 0xff]);
        let set = |variable| Settings::read(move |name| (name == variable).then(bytes));
        assert_eq!(set(DATA).unwrap().data, Some(PathBuf::from(bytes())));
        assert!(set(MAX_BYTES).unwrap_err().to_string().contains("SPOTTER_MAX_BYTES"));
    }

    #[test]
    fn a_password_is_never_shown() {
        let login = [(CASSANDRA, "a"), (CASSANDRA_USER, "u"), (CASSANDRA_PASSWORD, "hunter2")];
        let variables = [&login[..], &[(WEBHOOK_TOKEN, "hunter2"), (PAGE_TOKEN, "hunter2hunter2hunter2")]].concat();
        assert!(!format!("{:?}", read(&variables).unwrap()).contains("hunter2"));
        assert!(!error_of_short_login().contains("hunter2"));
    }

    #[test]
    fn a_page_has_no_token_or_a_long_one() {
        assert_eq!(read(&[(PAGE_TOKEN, "")]).unwrap().page_token, None);
        let sixteen = "0123456789abcdeü";
        assert_eq!(read(&[(PAGE_TOKEN, sixteen)]).unwrap().page_token, Some(Secret::from(sixteen)));
        let error = read(&[(PAGE_TOKEN, "0123456789abcde")]).unwrap_err();
        assert_eq!(error, "SPOTTER_PAGE_TOKEN=\"…\": must have at least 16 characters");
    }

    #[cfg(unix)]
    #[test]
    fn a_secret_that_is_not_utf_8_is_not_repeated() {
        use std::os::unix::ffi::OsStringExt;
        for secret in [CASSANDRA_PASSWORD, WEBHOOK_TOKEN, PAGE_TOKEN, NOTIFY] {
            let bytes = || OsString::from_vec(b"hunter2\xff".to_vec());
            let get = move |name| if name == CASSANDRA { Some("a".into()) } else { (name == secret).then(bytes) };
            let error = Settings::read(get).unwrap_err().to_string();
            assert!(error.contains(secret) && !error.contains("hunter2"), "{error}");
        }
    }

    fn error_of_short_login() -> String {
        read(&[(CASSANDRA, "a"), (CASSANDRA_PASSWORD, "hunter2")]).unwrap_err()
    }
}
