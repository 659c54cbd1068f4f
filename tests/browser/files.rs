//! Files that are picked, dropped and pasted, and their names.

use std::path::PathBuf;

use libtest_mimic::Failed;
use serde_json::{Value, json};

use super::bench::{BUCKET, Bench, tile};
use crate::cloud::sample;
use crate::harness::root;

/// The samples that are pictures, and the two that are not.
const PICTURES: [&str; 15] = [
    "0 blue marker.png",
    "1.png",
    "2 red brush.png",
    "2 sixteen bit.png",
    "3+chalk.webp",
    "4 cmyk.jpg",
    "4.gif",
    "8 small.png",
    "8.bmp",
    "9 scan%2Bcopy.tiff",
    "fünf.jpg",
    "scribble.png",
    "五.png",
    "photos/6 on squared paper.jpg",
    "photos/7 phone.jpg",
];
const BROKEN: [(&str, &str); 2] = [("notes.png", "not an image"), ("truncated.jpg", "broken")];

/// Chooses files as the browser's own dialog would.
async fn pick(bench: &Bench, files: &[PathBuf]) -> Result<(), Failed> {
    let paths: Vec<String> = files.iter().map(|file| file.display().to_string()).collect();
    let chooser = bench.find("#files").await?;
    Ok(chooser.send_keys(&paths.join("\n")).await?)
}

fn samples(names: &[&str]) -> Vec<PathBuf> {
    names.iter().map(|name| root().join("samples").join(name)).collect()
}

/// Copies with names of their own, so that there are as many objects as files.
fn copies(bench: &Bench, names: &[(&str, &str)]) -> Result<Vec<PathBuf>, Failed> {
    let copy = |(of, name): &(&str, &str)| {
        let path = bench.home.path().join(name);
        std::fs::write(&path, sample(of)?)?;
        Ok(path)
    };
    names.iter().map(copy).collect()
}

pub(super) async fn of_20_files_2_are_broken(bench: &mut Bench) -> Result<(), Failed> {
    bench.open("").await?;
    let mut files = samples(&PICTURES);
    files.extend(copies(bench, &[("1.png", "one.png"), ("8.bmp", "eight.bmp"), ("4.gif", "#4 100% 'four'.gif")])?);
    files.extend(samples(&BROKEN.map(|(name, _)| name)));
    assert_eq!(files.len(), 20);
    pick(bench, &files).await?;
    let states = "[...document.querySelectorAll('#uploads li')].map((row) => row.dataset.state)";
    let over = format!("{states}.length === 20 && {states}.every((state) => !['sending', 'waiting'].includes(state))");
    bench.until(&over).await?;
    let mut states: Vec<String> = serde_json::from_value(bench.eval(states).await?)?;
    states.sort();
    let expected = ["done"; 18].into_iter().chain(["refused"; 2]);
    assert!(states.iter().map(String::as_str).eq(expected), "{states:?}");

    let records = bench.records("limit=100", "records.length >= 20").await?;
    let rejected = |record: &&Value| record["status"] == "rejected";
    let (bad, good): (Vec<&Value>, Vec<&Value>) = records.iter().partition(rejected);
    assert_eq!((good.len(), bad.len()), (18, 2), "{records:?}");
    let known: Vec<&str> = good.iter().filter_map(|record| record["key"].as_str()).collect();
    for file in &files[..18] {
        let name = file.file_name().and_then(|name| name.to_str()).ok_or("no name")?;
        assert!(known.contains(&name), "{name} keeps its name: {known:?}");
    }
    for (key, reason) in BROKEN {
        let selector = tile(key);
        bench.until(&format!("document.querySelector({})", json!(selector))).await?;
        assert!(bench.text(&selector).await?.contains(reason), "{}", bench.text(&selector).await?);
        let row = format!(
            "[...document.querySelectorAll('#uploads li')].find((row) => row.innerText.includes({}))",
            json!(key)
        );
        let told = bench.eval(&format!("{row}.innerText")).await?;
        assert!(told.as_str().is_some_and(|told| told.contains(reason)), "{told}");
    }
    let truncated = bench.records("status=rejected&prefix=truncated", "records.length").await?;
    let why = truncated[0]["why"].as_str().ok_or("no reason")?;
    bench.click(&tile("truncated.jpg")).await?;
    bench.until(&format!("document.querySelector('#object #journey').innerText.includes({})", json!(why))).await?;
    Ok(())
}

pub(super) async fn dropped_and_pasted_files_go_the_same_way(bench: &mut Bench) -> Result<(), Failed> {
    bench.open("").await?;
    let files: Vec<String> = samples(&["8.bmp", "4.gif"]).iter().map(|file| file.display().to_string()).collect();
    let place = "(({ x, y, width, height }) => [x + width / 2, y + height / 2])(document.getElementById('drop').getBoundingClientRect())";
    let (x, y): (f64, f64) = serde_json::from_value(bench.eval(place).await?)?;
    for kind in ["dragEnter", "dragOver", "drop"] {
        let data = json!({ "items": [], "files": files, "dragOperationsMask": 1 });
        let event = json!({ "type": kind, "x": x, "y": y, "data": data });
        bench.browser.devtools("Input.dispatchDragEvent", event).await?;
    }
    bench.records("label=8", "records.length === 1").await?;
    bench.records("label=4", "records.length === 1").await?;

    // As a screenshot that is pasted; a browser calls every one of them image.png.
    bench
        .eval(
            "new Promise((done) => {
                const canvas = new OffscreenCanvas(60, 100);
                const brush = canvas.getContext('2d');
                brush.fillStyle = 'white';
                brush.fillRect(0, 0, 60, 100);
                brush.fillStyle = 'black';
                brush.fillRect(26, 12, 9, 76);
                canvas.convertToBlob().then((picture) => {
                    const clipboardData = new DataTransfer();
                    clipboardData.items.add(new File([picture], 'image.png', { type: 'image/png' }));
                    done(document.body.dispatchEvent(new ClipboardEvent('paste', { clipboardData, bubbles: true })));
                });
            })",
        )
        .await?;
    let pasted = bench.records("label=1", "records.length === 1").await?;
    assert_eq!((&pasted[0]["status"], &pasted[0]["content_type"]), (&"classified".into(), &"image/png".into()));

    // A format that only browsers read becomes one that everybody does.
    let drawing = bench.home.path().join("seven.svg");
    let seven = "<svg xmlns='http://www.w3.org/2000/svg' width='200' height='200'><rect width='200' height='200' \
                 fill='white'/><path d='M60 50 H140 L95 160' fill='none' stroke='black' stroke-width='14'/></svg>";
    std::fs::write(&drawing, seven)?;
    pick(bench, &[drawing]).await?;
    let drawn = bench.records("label=7", "records.length === 1").await?;
    assert_eq!(drawn[0]["content_type"], "image/png");
    Ok(())
}

pub(super) async fn a_key_is_never_html(bench: &mut Bench) -> Result<(), Failed> {
    const HOSTILE: [&str; 4] = [
        r#""><img src=x onerror=alert(1)>.png"#,
        "</script><script>alert(2)</script>/'onclick='alert(3)'.png",
        "a\u{202e}gnp.exe\u{2066}<b>.png",
        "javascript:alert(4)//${alert(5)}{{alert(6)}}.png",
    ];
    bench.open("").await?;
    for key in HOSTILE {
        bench.put(key, sample("8 small.png")?).await?;
    }
    for key in HOSTILE {
        bench.until(&format!("document.querySelector({})", json!(tile(key)))).await?;
    }
    assert_eq!(
        bench.eval("document.querySelectorAll('[onerror], [onclick], #gallery b, img[src=x]').length").await?,
        0
    );
    let shown = bench.text("#gallery").await?;
    assert!(shown.contains(HOSTILE[0]), "{shown}");
    assert!(!shown.contains('\u{202e}'), "nothing turns the text around: {shown:?}");
    for key in HOSTILE {
        let way = format!(
            "?object={}",
            percent_encoding::utf8_percent_encode(&format!("s3://{BUCKET}/{key}"), percent_encoding::NON_ALPHANUMERIC)
        );
        bench.open(&way).await?;
        bench
            .until("document.querySelector('dialog#object').open && document.querySelector('#history tbody tr')")
            .await?;
        bench.until("document.querySelector('#object #journey li[data-step=record]')").await?;
        assert_eq!(
            bench
                .eval("document.querySelectorAll('#object :is([onerror], [onclick], b, img[src=x], script)').length")
                .await?,
            0
        );
    }
    // And where a person writes it: in the filter and in the address.
    bench
        .open(&format!(
            "?prefix={}&label=%3Cimg%20src%3Dx%20onerror%3Dalert(7)%3E&status=%22%3E%3Cscript%3E",
            "%22%3E%3Cimg%20src%3Dx"
        ))
        .await?;
    assert_eq!(bench.eval("document.querySelectorAll('[onerror], img[src=x], main script').length").await?, 0);
    bench.until("document.querySelector('#error').checkVisibility()").await?;
    bench.only_complains(&["400 (Bad Request)"]).await?;
    bench.open("").await?;
    let name = bench.home.path().join(HOSTILE[0]);
    std::fs::write(&name, sample("8.bmp")?)?;
    pick(bench, &[name]).await?;
    bench.until("document.querySelector('#uploads li')?.dataset.state === 'done'").await?;
    assert!(bench.text("#uploads").await?.contains(HOSTILE[0]));
    // That an `alert` or a request for `x` came of it is looked for after every trial.
    Ok(())
}

pub(super) async fn a_file_that_is_too_large_is_refused_before_it_is_sent(bench: &mut Bench) -> Result<(), Failed> {
    bench.open("").await?;
    let large = bench.home.path().join("large.png");
    std::fs::File::create(&large)?.set_len(64_000_001)?; // one more than SPOTTER_MAX_BYTES
    let text = bench.home.path().join("letter.txt");
    std::fs::write(&text, "Dear Sir or Madam")?;
    pick(bench, &[large, text]).await?;
    bench.until("document.querySelectorAll('#uploads li[data-state=refused]').length === 2").await?;
    let told = bench.text("#uploads").await?;
    assert!(told.replace([',', '.'], "").contains("64000000") || told.contains("64 MB"), "how large it may be: {told}");
    let (complaints, sent) = bench.complaints_and_requests().await?;
    assert!(complaints.iter().all(|line| line.contains("413") || line.contains("415")), "{complaints:?}");
    let s3 = bench.served.s3_url.clone();
    assert!(!sent.iter().any(|url| url.starts_with(&s3)), "nothing went to S3: {sent:?}");
    Ok(())
}
