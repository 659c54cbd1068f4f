//! One picture's way again, step by step, as people can look at it: the functions that the pipeline calls, timed.

use std::borrow::Cow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use serde::Serialize;

use super::answer::{Failure, json};
use super::query::{Asked, Params};
use super::rows::Row;
use super::{PageState, Shared};
use crate::classifier::Model;
use crate::decode::{Channels, Limits, Picture, decode};
use crate::encoding::{base64, grouped};
use crate::objects::{FetchError, Object, Pinned};
use crate::preprocess::thumbnail;
use crate::record::{self, Guess, Look, Reason, Record, Status, Verdict};
use crate::records;

/// Longest side of a step's picture, in pixels.
const PICTURE_SIDE: u32 = 320;

#[derive(Default, Serialize)]
struct Journey {
    steps: Vec<Step>,
    refused: Option<Refused>,
}

#[derive(Default, Serialize)]
struct Step {
    name: &'static str,
    /// Milliseconds of the step itself, without drawing it for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    ms: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<String>,
    /// A PNG in base64.
    #[serde(skip_serializing_if = "Option::is_none")]
    picture: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    classes: Option<Vec<Guess>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    record: Option<Row>,
}

#[derive(Serialize)]
struct Refused {
    step: &'static str,
    /// A record's reason, or why there is nothing to look at: `deleted`, `superseded`.
    reason: &'static str,
    why: String,
}

pub(super) async fn journey(
    State(shared): State<Arc<Shared>>,
    headers: HeaderMap,
    asked: Asked,
) -> Result<Response, Failure> {
    let params = Params::of(asked)?;
    let (bucket, key) = params.object()?;
    let page = &shared.page;
    let row = records::get(&*page.records, bucket, key, &shared.model).await?;
    // Closed by nobody.
    let turn =
        Arc::clone(&shared.journeys).acquire_owned().await.map_err(|error| Failure::internal(error.to_string()))?;
    let mut journey = Journey::default();
    if let Some(bytes) = journey.fetch(page, bucket, key, row.as_ref()).await? {
        let (model, limits) = (Arc::clone(&page.model), page.limits);
        let looked = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            journey.look_or_give_up(&bytes, &model, limits);
            journey
        });
        journey = looked.await.map_err(|error| Failure::internal(format!("The journey stopped: {error}.")))?;
    }
    if let Some(row) = row {
        journey.steps.push(Step { name: "record", record: Some(Row::new(row).with_seen()), ..Step::default() });
    }
    json(&headers, &journey)
}

impl Journey {
    /// The bytes of the version that the record is about; of what is there, if there is no record yet.
    async fn fetch(
        &mut self,
        page: &PageState,
        bucket: &str,
        key: &str,
        row: Option<&Record>,
    ) -> Result<Option<Vec<u8>>, Failure> {
        if let Some(row) = row.filter(|row| row.status == Status::Deleted) {
            let why = format!("s3://{bucket}/{key} was deleted at {}", row.order.event_time);
            return Ok(self.refuse("fetch", None, "deleted", why));
        }
        let pinned = Pinned {
            bucket: bucket.to_owned(),
            key: key.to_owned(),
            version_id: row.and_then(|row| row.version_id.clone()),
            etag: row.and_then(|row| row.etag.clone()),
        };
        let started = Instant::now();
        let fetched = page.objects.get(&pinned, page.max_bytes).await;
        let took = started.elapsed();
        let (reason, why) = match fetched {
            Ok(Object { head, bytes }) => {
                let content_type = head.content_type.as_deref().unwrap_or("no content type");
                let note = format!("{} bytes, {content_type}", grouped(bytes.len() as u64));
                self.step("fetch", took, Some(note), None);
                return Ok(Some(bytes));
            }
            Err(gone @ (FetchError::Superseded(_) | FetchError::Gone { .. })) => ("superseded", gone.to_string()),
            Err(FetchError::TooLarge { head, max_bytes }) => {
                let Verdict { why, .. } = record::too_large(head.size, max_bytes);
                (Reason::TooLarge.as_str(), why)
            }
            Err(FetchError::Unaddressable(why)) => (Reason::Unsupported.as_str(), why),
            Err(FetchError::Denied(why) | FetchError::Retry(why) | FetchError::Overloaded(why)) => {
                return Err(Failure::unavailable(format!("The object cannot be fetched now: {why}.")));
            }
        };
        Ok(self.refuse("fetch", Some(took), reason, why))
    }

    /// What fails on one picture fails on it each time: an answer, as it is to the pipeline.
    fn look_or_give_up(&mut self, bytes: &[u8], model: &Model, limits: Limits) {
        if catch_unwind(AssertUnwindSafe(|| self.look(bytes, model, limits))).is_err() {
            let why = format!("model {} gave up on this picture", model.id());
            self.refuse::<()>("classify", None, Reason::Broken.as_str(), why);
        }
    }

    fn look(&mut self, bytes: &[u8], model: &Model, limits: Limits) {
        let started = Instant::now();
        let looked = record::look(bytes, model, limits);
        let took = started.elapsed();
        let Look { found, dimensions: (width, height) } = match looked {
            Ok(look) => look,
            Err(rejection) => {
                let Verdict { reason, why, .. } = rejection.into();
                self.refuse::<()>("decode", Some(took), reason.map_or("broken", Reason::as_str), why);
                return;
            }
        };
        let picture = found.picture();
        let finding = Instant::now();
        model.find(Cow::Borrowed(picture));
        let finding = finding.elapsed();
        let took = took.saturating_sub(finding);
        let note = format!("{width} × {height} pixels");
        // People see it in its colours, whatever the model takes.
        let channels = picture.channels;
        let colours = match channels {
            Channels::Luma => decode(bytes, Channels::Rgb, limits).ok(),
            Channels::Rgb => None,
        };
        self.step("decode", took, Some(note), colours.as_ref().or(Some(picture)));
        if found.is_ink() {
            let ink = found.ink();
            let note = match &ink {
                Some(ink) => format!("cropped to {} × {} pixels", ink.width, ink.height),
                None => "no ink was found".to_owned(),
            };
            self.step("ink", finding, Some(note), ink.as_ref());
        }
        let started = Instant::now();
        let prepared = found.prepared();
        let took = started.elapsed();
        let (width, height) = (prepared.tensor.width, prepared.tensor.height);
        let seen = Picture { width: width as u32, height: height as u32, channels, pixels: prepared.seen.clone() };
        self.step("seen", took, Some(format!("{width} × {height} pixels")), Some(&seen));

        let started = Instant::now();
        let read = model.classify(prepared);
        let took = started.elapsed();
        match read {
            Ok(reading) => {
                let several = model.manifest().output.is_multi_label();
                self.step("classify", took, several.then(|| "each class by itself: several may hold".into()), None);
                if let Some(step) = self.steps.last_mut() {
                    step.classes = Some(model.confidences(&reading.logits));
                }
                if let Some(doubt) = &reading.doubt {
                    let reason = Reason::from(doubt).as_str();
                    self.refused = Some(Refused { step: "classify", reason, why: doubt.to_string() });
                }
            }
            Err(error) => {
                self.refuse::<()>("classify", Some(took), Reason::Broken.as_str(), error.to_string());
            }
        }
    }

    fn step(&mut self, name: &'static str, took: Duration, note: Option<String>, picture: Option<&Picture>) {
        let picture = picture.and_then(drawn);
        self.steps.push(Step { name, ms: Some(milliseconds(took)), note, picture, ..Step::default() });
    }

    /// The last step that was taken, and nothing to go on with.
    fn refuse<T>(
        &mut self,
        step: &'static str,
        took: Option<Duration>,
        reason: &'static str,
        why: String,
    ) -> Option<T> {
        self.steps.push(Step { name: step, ms: took.map(milliseconds), ..Step::default() });
        self.refused = Some(Refused { step, reason, why });
        None
    }
}

fn drawn(picture: &Picture) -> Option<String> {
    let small = thumbnail(picture, PICTURE_SIDE);
    let png = record::png(&small.pixels, small.width as usize, small.channels.count()).ok()?;
    Some(base64(&png))
}

/// To the microsecond.
fn milliseconds(took: Duration) -> f64 {
    took.as_micros() as f64 / 1e3
}
