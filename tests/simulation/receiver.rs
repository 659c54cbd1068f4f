//! Who is told of records, behind a network that loses requests and answers.

use std::collections::BTreeMap;

use aws_sdk_s3::primitives::SdkBody;
use aws_smithy_runtime_api::client::http::{HttpConnector, HttpConnectorFuture};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use spotter::record::Record;

use super::wire::{Fault, send};
use super::world::{Shared, World};

/// How often each message was heard.
#[derive(Default)]
pub struct Told(BTreeMap<String, u32>);

impl Told {
    pub fn heard(&self, record: &Record) -> bool {
        serde_json::to_string(record).is_ok_and(|body| self.0.contains_key(&body))
    }
}

pub struct Network(pub Shared);

impl std::fmt::Debug for Network {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Network")
    }
}

impl HttpConnector for Network {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let body = String::from_utf8_lossy(request.body().bytes().unwrap_or_default()).into_owned();
        let call = send(&self.0, || "tell".to_owned(), move |world, fault| answer(world, fault, body));
        HttpConnectorFuture::new(async move {
            let status = call.await.map_err(|why| ConnectorError::io(why.into()))?;
            Ok(HttpResponse::new(status.try_into().expect("a status"), SdkBody::empty()))
        })
    }
}

fn answer(world: &mut World, fault: Fault, body: String) -> Result<u16, &'static str> {
    if fault != Fault::Before {
        if !world.tables.is_acknowledged(&body) {
            world.broken.push(format!("told of a record that is not written: {body}"));
        }
        world.note("told", || body.clone());
        *world.told.0.entry(body).or_default() += 1;
    }
    let refused = world.chance.bool();
    match fault {
        Fault::None => Ok(200),
        _ if refused => Ok(503),
        _ => Err("connection reset"),
    }
}
