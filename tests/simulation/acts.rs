//! What people do with their objects meanwhile.

use spotter::event::make::EventName;

use super::bucket::{Sequencers, Versioning};
use super::pictures::{KINDS, Picture};
use super::plan::Plan;
use super::world::World;

/// A bucket's clocks are apart by up to so many milliseconds, where sequencers order and times need not.
const SKEW: i64 = 4_000_000;

/// One change of one object, or of its bucket, and its notification.
pub fn act(world: &mut World, plan: &Plan) {
    let at = world.chance.usize(0..world.buckets.len());
    let keys: Vec<String> = world.buckets[at].keys.keys().cloned().collect();
    let key = &keys[world.chance.usize(0..keys.len())];
    world.clock += world.chance.i64(0..3_000);
    let now = world.clock;
    let skew = match world.buckets[at].sequencers {
        Sequencers::Real => world.chance.i64(-SKEW..SKEW),
        Sequencers::Constant | Sequencers::Absent => world.chance.i64(0..12),
    };
    let picture = Picture { kind: KINDS[world.chance.usize(0..KINDS.len())], shade: world.chance.u8(0..2) };
    let dice = world.chance.u32(0..20);
    let nth = world.chance.usize(0..1_000);
    let bucket = &mut world.buckets[at];
    let key_state = &bucket.keys[key];
    let done = match dice {
        // Never for the first time: an upload whose event is still on its way would be taken for replaced.
        0 if bucket.versioning != Versioning::Never => {
            bucket.versioning = match bucket.versioning {
                Versioning::Suspended => Versioning::Enabled,
                _ => Versioning::Suspended,
            };
            let (name, versioning) = (bucket.name.clone(), bucket.versioning);
            return world.note("versioning", || format!("{name}: {versioning:?}"));
        }
        1 => {
            let (id, name) = (world.next_id(), world.buckets[at].name.clone());
            world.queue.chatter(id, &name, key);
            return world.note("chatter", || name);
        }
        2..=4 => bucket.delete(key, now, skew),
        5..=9 if bucket.versioning != Versioning::Never && !key_state.versions.is_empty() => {
            Some(bucket.remove(key, nth % key_state.versions.len(), now, skew))
        }
        10..=12 if key_state.acts.iter().any(|act| act.picture.is_some()) => {
            // As it was before: an older content again.
            let known: Vec<Picture> = key_state.acts.iter().filter_map(|act| act.picture).collect();
            Some(bucket.put(key, known[nth % known.len()], now, skew))
        }
        _ => Some(bucket.put(key, picture, now, skew)),
    };
    let Some(number) = done else { return };
    let lost = plan.lossy && world.odds(30);
    let bucket = &mut world.buckets[at];
    let act = &mut bucket.keys.get_mut(key).expect("it was changed").acts[number];
    act.lost = lost;
    let act = act.clone();
    let kind = match act.name {
        EventName::Delete if act.version_id.is_some() => "remove a version",
        EventName::Delete => "delete",
        EventName::DeleteMarkerCreated => "mark",
        _ => "put",
    };
    let name = bucket.name.clone();
    world.note(kind, || format!("{name}/{key} {act:?}"));
    if lost {
        return world.note("lost for good", || format!("{name}/{key}"));
    }
    let id = world.next_id();
    world.queue.announce(id, plan.transports[at], &world.buckets[at], key, &act);
    if world.odds(20) {
        let id = world.next_id();
        world.queue.again(id);
        world.note("duplicate", || format!("{name}/{key}"));
    }
}
