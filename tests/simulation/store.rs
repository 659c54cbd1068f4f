//! The port to the simulated buckets.

use std::time::Duration;

use async_trait::async_trait;
use spotter::objects::{
    FetchError, Head, ListAfter, ListedPage, Object, Objects, Pinned, Presigned, Tag, TagError, Tagged, Upload,
};

use super::bucket::Bucket;
use super::wire::{Call, Fault, send};
use super::world::{Shared, World};

pub struct Store(pub Shared);

impl Store {
    fn ask<A: Send + 'static>(
        &self,
        what: impl FnOnce() -> String,
        bucket: &str,
        answer: impl FnOnce(&Bucket) -> Result<A, FetchError> + Send + 'static,
    ) -> Call<Result<A, FetchError>> {
        let name = bucket.to_owned();
        send(&self.0, what, move |world, fault| {
            let error = refused(world, fault);
            let bucket = world.buckets.iter().find(|bucket| bucket.name == name);
            let bucket = bucket.ok_or_else(|| FetchError::Retry(format!("{name}: NoSuchBucket")))?;
            match error {
                None => answer(bucket),
                Some(error) => Err(error),
            }
        })
    }
}

fn refused(world: &mut World, fault: Fault) -> Option<FetchError> {
    let kind = world.chance.u32(0..4);
    match (fault, kind) {
        (Fault::None, _) => None,
        (Fault::After, _) => Some(FetchError::Overloaded("the body broke off".into())),
        (Fault::Before, 0) => Some(FetchError::Denied("access denied".into())),
        (Fault::Before, 1) => Some(FetchError::Retry("NoSuchBucket".into())),
        (Fault::Before, _) => Some(FetchError::Overloaded("503 SlowDown".into())),
    }
}

#[async_trait]
impl Objects for Store {
    async fn get(&self, pinned: &Pinned, max_bytes: u64) -> Result<Object, FetchError> {
        let wanted = pinned.clone();
        self.ask(|| format!("GET {pinned}"), &pinned.bucket, move |bucket| bucket.get(&wanted, max_bytes)).await
    }

    async fn head(&self, pinned: &Pinned) -> Result<Head, FetchError> {
        let wanted = pinned.clone();
        self.ask(|| format!("HEAD {pinned}"), &pinned.bucket, move |bucket| bucket.head(&wanted)).await
    }

    async fn list(&self, bucket: &str, prefix: &str, after: Option<&ListAfter>) -> Result<ListedPage, FetchError> {
        let (prefix, after) = (prefix.to_owned(), after.cloned());
        self.ask(|| format!("LIST {bucket}"), bucket, move |bucket| Ok(bucket.list(&prefix, after.as_ref()))).await
    }

    /// As an object that takes any: what is written is nobody's promise.
    async fn tag(&self, pinned: &Pinned, _: &[Tag]) -> Result<Tagged, TagError> {
        let wanted = pinned.clone();
        let tagged = self.ask(|| format!("TAG {pinned}"), &pinned.bucket, move |bucket| bucket.head(&wanted)).await;
        match tagged {
            Ok(_) => Ok(Tagged::Written),
            Err(FetchError::Superseded(_) | FetchError::Gone { .. }) => Ok(Tagged::Gone),
            Err(FetchError::Denied(why)) => Err(TagError::Refused(why)),
            Err(error) => Err(TagError::Retry(error.to_string())),
        }
    }

    async fn presign(&self, _: &Upload, _: Duration) -> Result<Presigned, FetchError> {
        Err(FetchError::Unaddressable("nobody uploads so here".into()))
    }
}
