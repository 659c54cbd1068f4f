//! One `serve`, one browser that looks at it, and the hands and eyes of a person.

use std::panic::AssertUnwindSafe;
use std::time::{Duration, Instant};

use aws_sdk_s3::Client;
use aws_sdk_s3::primitives::ByteStream;
use fantoccini::Locator;
use fantoccini::actions::{Actions, InputSource, KeyAction, KeyActions};
use fantoccini::elements::Element;
use futures_util::FutureExt;
use libtest_mimic::Failed;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::Tried;
use crate::harness::browser::{Browser, Driver};
use crate::harness::{Part, on_runtime};
use crate::serve::Served;

/// The bucket that `serve` has.
pub(super) const BUCKET: &str = "pictures";
/// Names the folder for the README's screenshots; nobody wants them where it is not set.
pub(super) const SCREENSHOTS: &str = "SPOTTER_SCREENSHOTS";
const NETWORK_CHANGED: &str = "ERR_NETWORK_CHANGED";
const PATIENCE: Duration = Duration::from_secs(60);

pub(super) struct Bench {
    pub(super) home: TempDir,
    pub(super) served: Served,
    pub(super) s3: Client,
    pub(super) browser: Browser,
}

/// Runs a test at a bench of its own, and looks afterwards whether the browser had anything to complain about.
pub(super) fn on(driver: Part<Driver>, test: impl FnOnce(&mut Bench) -> Tried<'_>) -> Result<(), Failed> {
    on_runtime(async {
        let home = TempDir::new()?;
        let served = Served::start(&home)?;
        let s3 = served.client(&home)?;
        let browser = driver.get()?.open().await?;
        let mut bench = Bench { home, served, s3, browser };
        bench.size(1280, 800).await?;
        let tested = AssertUnwindSafe(test(&mut bench)).catch_unwind().await;
        let result = match tested {
            Ok(Ok(())) => bench.no_complaint().await,
            Ok(Err(failed)) => Err(failed),
            Err(panic) => Err(said(panic.as_ref()).into()),
        };
        let result = match result {
            Err(failed) => Err(bench.with_evidence(failed).await),
            Ok(()) => Ok(()),
        };
        let _ = bench.browser.client.clone().close().await; // it ends with the driver, too
        result
    })
}

fn said(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_else(|| "a panic".into())
}

impl Bench {
    pub(super) async fn open(&self, query: &str) -> Result<(), Failed> {
        let url = format!("{}/{query}", self.served.page_url);
        let mut opened = self.browser.client.goto(&url).await;
        // A container that starts or ends elsewhere on the machine is a new network to the browser.
        for _ in 0..5 {
            match &opened {
                Err(error) if error.to_string().contains(NETWORK_CHANGED) => {}
                _ => break,
            }
            opened = self.browser.client.goto(&url).await;
        }
        opened?;
        self.until("document.readyState === 'complete' && document.getElementById('live').textContent !== ''").await?;
        Ok(())
    }

    /// Evaluates an expression in the page; a promise is waited for.
    pub(super) async fn eval(&self, expression: &str) -> Result<Value, Failed> {
        Ok(self.browser.client.execute(&format!("return ({expression});"), Vec::new()).await?)
    }

    /// Waits until an expression is true in JavaScript's sense; its value.
    pub(super) async fn until(&self, expression: &str) -> Result<Value, Failed> {
        let end = Instant::now() + PATIENCE;
        loop {
            // A document that is on its way lacks what the expression is about: its error counts as not yet.
            let value = self.eval(expression).await;
            let no = [Value::Null, json!(false), json!(0), json!("")];
            let value = match value {
                Ok(value) if !no.contains(&value) => return Ok(value),
                Ok(value) => value.to_string(),
                Err(error) => error.message().unwrap_or_default().to_owned(),
            };
            if Instant::now() > end {
                return Err(format!("{value} after {} s: {expression}", PATIENCE.as_secs()).into());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    pub(super) async fn text(&self, css: &str) -> Result<String, Failed> {
        let text = self.eval(&format!("document.querySelector({}).innerText", json!(css))).await?;
        Ok(text.as_str().unwrap_or_default().to_owned())
    }

    pub(super) async fn find(&self, css: &str) -> Result<Element, Failed> {
        let found = self.browser.client.wait().at_most(PATIENCE).for_element(Locator::Css(css)).await;
        Ok(found.map_err(|error| format!("{css}: {error}"))?)
    }

    /// A click with the mouse, where the element is: something over it gets it instead, and that is an error.
    pub(super) async fn click(&self, css: &str) -> Result<(), Failed> {
        self.until(&format!("document.querySelector({})?.checkVisibility()", json!(css))).await?;
        Ok(self.find(css).await?.click().await.map_err(|error| format!("{css}: {error}"))?)
    }

    /// The gallery, which is drawn only where somebody looks.
    pub(super) async fn look_at_gallery(&self) -> Result<(), Failed> {
        self.eval("document.getElementById('results').scrollIntoView({ behavior: 'instant' })").await.map(drop)
    }

    /// Presses keys one after the other, wherever the focus is. Keys without a character are in `fantoccini::key::Key`.
    pub(super) async fn press(&self, keys: impl IntoIterator<Item = char>) -> Result<(), Failed> {
        let press = |keys: KeyActions, value| keys.then(KeyAction::Down { value }).then(KeyAction::Up { value });
        let keys = keys.into_iter().fold(KeyActions::new("keyboard".into()), press);
        Ok(self.browser.client.perform_actions(Actions::from(keys)).await?)
    }

    pub(super) async fn size(&self, width: u32, height: u32) -> Result<(), Failed> {
        let mobile = width < 600;
        let metrics = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": mobile });
        self.browser.devtools("Emulation.setDeviceMetricsOverride", metrics).await?;
        let touch = json!({ "enabled": mobile, "maxTouchPoints": 5 });
        self.browser.devtools("Emulation.setTouchEmulationEnabled", touch).await?;
        Ok(())
    }

    pub(super) async fn colours(&self, scheme: &str) -> Result<(), Failed> {
        let feature = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        self.browser.devtools("Emulation.setEmulatedMedia", feature).await?;
        self.still().await
    }

    /// Waits until what is there is drawn, and nothing changes its colour or place any more.
    pub(super) async fn still(&self) -> Result<(), Failed> {
        self.eval("Promise.all([...document.images].map((image) => image.decode().catch(() => {}))).then(() => true)")
            .await?;
        let frame = "new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(() => drawn(true))))";
        self.eval(frame).await?;
        let ends = "(animation) => animation.effect.getTiming().iterations !== Infinity";
        self.until(&format!("!document.getAnimations().some({ends})")).await?;
        Ok(())
    }

    /// Another client's upload.
    pub(super) async fn put(&self, key: &str, bytes: Vec<u8>) -> Result<(), Failed> {
        self.s3.put_object().bucket(BUCKET).key(key).body(ByteStream::from(bytes)).send().await?;
        Ok(())
    }

    /// What the command line says in JSON, about the same folder.
    pub(super) fn spotter(&self, arguments: &[&str]) -> Result<Value, Failed> {
        let output = crate::cli::spotter(&self.home).args(arguments).arg("--json").output()?;
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        Ok(serde_json::from_slice(&output.stdout)?)
    }

    /// What the API answers to the page.
    pub(super) async fn api(&self, way: &str) -> Result<Value, Failed> {
        self.eval(&format!("fetch({}).then((answer) => answer.json())", json!(way))).await
    }

    /// Waits until the API's records satisfy a condition on `records`; they.
    pub(super) async fn records(&self, query: &str, condition: &str) -> Result<Vec<Value>, Failed> {
        let way = json!(format!("/api/records?{query}"));
        let found = self
            .until(&format!(
                "fetch({way}).then((answer) => answer.json()).then(({{ records }}) => {condition} && records)"
            ))
            .await?;
        Ok(found.as_array().cloned().unwrap_or_default())
    }

    /// Errors in the console, requests to other origins, dialogs of the browser: what was there since this was asked
    /// last, and should not have been.
    pub(super) async fn complaints(&self) -> Result<Vec<String>, Failed> {
        Ok(self.complaints_and_requests().await?.0)
    }

    /// Takes what the browser says of requests that are meant to fail; anything else is an error.
    pub(super) async fn only_complains(&self, of: &[&str]) -> Result<(), Failed> {
        let complaints = self.complaints().await?;
        let other = complaints.iter().find(|complaint| !of.iter().any(|expected| complaint.contains(expected)));
        other.map_or(Ok(()), |other| Err(other.clone().into()))
    }

    /// The same, and the URL of every request.
    pub(super) async fn complaints_and_requests(&self) -> Result<(Vec<String>, Vec<String>), Failed> {
        let severe = |entry: &Value| (entry["level"] == "SEVERE").then(|| entry["message"].to_string());
        let said = self.browser.log("browser").await?;
        let of_page = |complaint: &String| !complaint.contains(NETWORK_CHANGED);
        let mut complaints: Vec<String> = said.iter().filter_map(severe).filter(of_page).collect();
        let mut requests = Vec::new();
        for entry in self.browser.log("performance").await? {
            let event: Value = serde_json::from_str(entry["message"].as_str().unwrap_or_default())?;
            let (method, parameters) = (&event["message"]["method"], &event["message"]["params"]);
            if method == "Page.javascriptDialogOpening" {
                complaints.push(format!("a dialog opened: {parameters}"));
            }
            if method == "Network.requestWillBeSent" {
                let url = parameters["request"]["url"].as_str().unwrap_or_default();
                if !self.may_be_asked(url) {
                    complaints.push(format!("a request left the two origins: {url}"));
                }
                requests.push(url.to_owned());
            }
        }
        Ok((complaints, requests))
    }

    fn may_be_asked(&self, url: &str) -> bool {
        let origins = [self.served.page_url.as_str(), self.served.s3_url.as_str()];
        let within = |origin: &&str| url.strip_prefix(*origin).is_some_and(|rest| rest.starts_with('/'));
        origins.iter().any(within) || ["data:", "blob:", "about:", "chrome:"].iter().any(|own| url.starts_with(own))
    }

    async fn no_complaint(&self) -> Result<(), Failed> {
        let complaints = self.complaints().await?;
        if complaints.is_empty() { Ok(()) } else { Err(complaints.join("\n").into()) }
    }

    /// What the page looked like, and what the browser said, when a test failed.
    async fn with_evidence(&self, failed: Failed) -> Failed {
        let path = std::env::temp_dir().join(format!("spotter-failed-{}.png", fastrand::u32(..)));
        let saved = self.browser.save_screenshot(&path).await;
        let shot = saved.map_or_else(|_| "no screenshot".to_owned(), |()| path.display().to_string());
        let complaints = self.complaints().await.unwrap_or_default().join("\n");
        format!("{}\n{shot}\n{complaints}", failed.message().unwrap_or("a failure")).into()
    }
}

/// A CSS selector of an object's tile.
pub(super) fn tile(key: &str) -> String {
    format!("#gallery button.tile[data-key={}]", json!(key))
}
