//! A bucket in the process, and pictures for it, for the programs beside this one.

use std::error::Error;
use std::future::pending;
use std::net::SocketAddr;

use spotter::event::make::EventName;
use spotter::local::{Attributes, Condition, Credentials, Endpoint, Store};

pub(crate) type Failure = Box<dyn Error + Send + Sync>;

/// Drawn PNGs of 28×28 under these keys, no two alike.
pub(crate) async fn load(store: &Store, bucket: &str, keys: impl Iterator<Item = String>) -> Result<(), Failure> {
    store.create_bucket(bucket)?;
    for (at, key) in keys.enumerate() {
        let mut staging = store.stage(Default::default()).await?;
        staging.write(&picture(at)?).await?;
        let staged = staging.finish().await?;
        let attributes = Attributes { content_type: Some("image/png".into()), ..Attributes::default() };
        store.put(bucket, &key, &staged, &attributes, &Condition::Always, EventName::Put)?;
    }
    Ok(())
}

/// A stroke, dark on white, another each time: a one that leans, is moved and has a foot.
fn picture(at: usize) -> Result<Vec<u8>, Failure> {
    let mut random = fastrand::Rng::with_seed(at as u64);
    let (left, lean) = (random.i32(9..18), random.i32(-4..5));
    let mut pixels = vec![255u8; 28 * 28];
    for y in 4..24 {
        let x = left + lean * (24 - y) / 20;
        for x in x..x + 3 {
            pixels[(y * 28 + x) as usize] = random.u8(0..60);
        }
    }
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, 28, 28);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.write_header()?.write_image_data(&pixels)?;
    Ok(bytes)
}

/// On threads of its own, as another process would be.
pub(crate) fn serve(store: Store, credentials: Credentials) -> Result<SocketAddr, Failure> {
    let (told, address) = std::sync::mpsc::channel();
    std::thread::spawn(move || -> Result<(), Failure> {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
            let endpoint = Endpoint::start(store, listener, &credentials, Vec::new())?;
            told.send(endpoint.address())?;
            pending::<()>().await;
            drop(endpoint);
            Ok(())
        })
    });
    Ok(address.recv()?)
}
