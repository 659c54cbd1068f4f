//! Buckets as S3 keeps them, with all that ever happened in them: the truth that answers are held against.

use std::collections::BTreeMap;

use spotter::event::Timestamp;
use spotter::event::make::EventName;
use spotter::objects::{FetchError, Head, ListAfter, Listed, ListedPage, Object, Pinned};

use super::pictures::Picture;

/// What S3 gives as a delete marker's ETag.
const ETAG_OF_NOTHING: &str = "d41d8cd98f00b204e9800998ecf8427e";
const NULL: &str = "null";

pub struct Bucket {
    pub name: String,
    pub versioning: Versioning,
    pub sequencers: Sequencers,
    pub keys: BTreeMap<String, Key>,
    changes: i64,
    last_time: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Versioning {
    Never,
    Enabled,
    Suspended,
}

/// How the store numbers its notifications.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sequencers {
    /// As S3: growing hex of different lengths and cases. The times are of several servers, in no order.
    Real,
    /// As LocalStack: only the times tell.
    Constant,
    Absent,
}

#[derive(Default)]
pub struct Key {
    /// All that happened, in the order in which it did.
    pub acts: Vec<Act>,
    /// What is left of it, oldest first: the last one is what is there.
    pub versions: Vec<Version>,
}

#[derive(Debug, Clone)]
pub struct Act {
    pub name: EventName,
    /// Of a put.
    pub picture: Option<Picture>,
    /// As its notification says.
    pub version_id: Option<String>,
    pub sequencer: Option<String>,
    pub time: i64,
    /// Its notification never comes.
    pub lost: bool,
}

#[derive(Debug, Clone)]
pub struct Version {
    /// [`NULL`] while no versions are kept.
    pub id: String,
    /// Which of the acts made it.
    pub act: usize,
    /// A delete marker has none.
    pub picture: Option<Picture>,
    modified: i64,
}

impl Bucket {
    pub fn new(name: &str, versioning: Versioning, sequencers: Sequencers, keys: &[&str]) -> Bucket {
        let keys = keys.iter().map(|key| ((*key).to_owned(), Key::default())).collect();
        Bucket { name: name.into(), versioning, sequencers, keys, changes: 0, last_time: 0 }
    }

    fn key(&mut self, key: &str) -> &mut Key {
        self.keys.get_mut(key).expect("keys are known from the start")
    }

    /// Makes a picture what is there. The number of its act.
    pub fn put(&mut self, key: &str, picture: Picture, now: i64, skew: i64) -> usize {
        let name = if skew % 2 == 0 { EventName::Put } else { EventName::CompleteMultipartUpload };
        self.make(key, name, Some(picture), now, skew)
    }

    /// `None` where there is nothing to delete, which S3 does not announce.
    pub fn delete(&mut self, key: &str, now: i64, skew: i64) -> Option<usize> {
        if self.versioning == Versioning::Never {
            self.key(key).versions.pop()?;
            return Some(self.act(key, EventName::Delete, None, None, now, skew));
        }
        Some(self.make(key, EventName::DeleteMarkerCreated, None, now, skew))
    }

    /// Of one version or marker, for good.
    pub fn remove(&mut self, key: &str, nth: usize, now: i64, skew: i64) -> usize {
        let version = self.key(key).versions.remove(nth);
        self.act(key, EventName::Delete, None, Some(version.id), now, skew)
    }

    /// A new version or marker; where it is the null one, its predecessor goes.
    fn make(&mut self, key: &str, name: EventName, picture: Option<Picture>, now: i64, skew: i64) -> usize {
        let id = match self.versioning {
            Versioning::Enabled => format!("v{}", self.changes + 1),
            Versioning::Never | Versioning::Suspended => NULL.to_owned(),
        };
        let told = (self.versioning != Versioning::Never).then(|| id.clone());
        self.key(key).versions.retain(|version| version.id != id);
        let act = self.act(key, name, picture, told, now, skew);
        self.key(key).versions.push(Version { id, act, picture, modified: now });
        act
    }

    fn act(
        &mut self,
        key: &str,
        name: EventName,
        picture: Option<Picture>,
        version_id: Option<String>,
        now: i64,
        skew: i64,
    ) -> usize {
        self.changes += 1;
        let whole = format!("0055AED6{:06X}00{:02X}00", self.changes, skew.rem_euclid(4));
        let (sequencer, time) = match self.sequencers {
            Sequencers::Real => match skew.rem_euclid(3) {
                0 => (Some(whole), now + skew),
                1 => (Some(whole.trim_end_matches('0').to_owned()), now + skew),
                _ => (Some(whole.to_lowercase()), now + skew),
            },
            Sequencers::Constant => (Some("0055AED6DCD90281E5".to_owned()), now.max(self.last_time + 1)),
            Sequencers::Absent => (None, now.max(self.last_time + 1)),
        };
        self.last_time = time;
        let acts = &mut self.key(key).acts;
        acts.push(Act { name, picture, version_id, sequencer, time, lost: false });
        acts.len() - 1
    }

    /// As `GetObject` answers a request that is pinned as Spotter's are.
    pub fn get(&self, pinned: &Pinned, max_bytes: u64) -> Result<Object, FetchError> {
        let (version, picture) = self.find(pinned)?;
        if let Some(etag) = &pinned.etag
            && pinned.version_id.as_deref().is_none_or(|id| id == NULL)
            && *etag != picture.etag()
        {
            return Err(FetchError::Superseded(format!("{pinned} has been replaced since")));
        }
        let head = self.head_of(version, picture);
        if head.size > max_bytes {
            return Err(FetchError::TooLarge { head: Box::new(head), max_bytes });
        }
        Ok(Object { head, bytes: picture.bytes() })
    }

    pub fn head(&self, pinned: &Pinned) -> Result<Head, FetchError> {
        let (version, picture) = self.find(pinned)?;
        Ok(self.head_of(version, picture))
    }

    fn find(&self, pinned: &Pinned) -> Result<(&Version, Picture), FetchError> {
        let versions = self.keys.get(&pinned.key).map_or(&[][..], |key| &key.versions);
        let gone = |marker| FetchError::Gone { what: pinned.to_string(), marker };
        match &pinned.version_id {
            Some(id) => {
                let version = versions.iter().find(|version| version.id == *id);
                let version = version.ok_or_else(|| FetchError::Superseded(format!("{pinned} is gone")))?;
                let picture = version.picture;
                let picture = picture.ok_or_else(|| FetchError::Superseded(format!("{pinned} is a delete marker")))?;
                Ok((version, picture))
            }
            None => {
                let version = versions.last().ok_or_else(|| gone(None))?;
                let picture = version.picture.ok_or_else(|| gone(Some(version.id.clone())))?;
                Ok((version, picture))
            }
        }
    }

    fn head_of(&self, version: &Version, picture: Picture) -> Head {
        Head {
            size: picture.size(),
            etag: Some(picture.etag()),
            version_id: (self.versioning != Versioning::Never).then(|| version.id.clone()),
            content_type: Some("image/bmp".into()),
            // HTTP's dates have whole seconds.
            last_modified: Some(Timestamp(version.modified).whole_second()),
        }
    }

    /// A page of one object, so that listings are seen to change.
    pub fn list(&self, prefix: &str, after: Option<&ListAfter>) -> ListedPage {
        let after = after.map(|(ListAfter::Token(key) | ListAfter::Key(key))| key);
        let there = self.keys.iter().filter_map(|(name, key)| {
            let version = key.versions.last()?;
            let head = self.head_of(version, version.picture?);
            let Head { size, etag, last_modified, .. } = head;
            Some(Listed { key: name.clone(), size, etag, last_modified })
        });
        let mut rest = there.filter(|listed| {
            listed.key.starts_with(prefix) && after.is_none_or(|after| listed.key.as_str() > after.as_str())
        });
        let objects: Vec<Listed> = rest.next().into_iter().collect();
        let next = rest.next().and_then(|_| objects.last().map(|last| ListAfter::Token(last.key.clone())));
        ListedPage { objects, next }
    }
}

impl Act {
    pub fn etag(&self) -> Option<String> {
        match self.name {
            EventName::DeleteMarkerCreated => Some(ETAG_OF_NOTHING.into()),
            _ => self.picture.map(Picture::etag),
        }
    }

    pub fn size(&self) -> Option<u64> {
        self.picture.map(Picture::size)
    }

    pub fn is_removal_of_a_version(&self) -> bool {
        self.name == EventName::Delete && self.version_id.is_some()
    }
}
