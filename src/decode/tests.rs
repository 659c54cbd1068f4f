use super::*;

#[test]
fn what_is_no_picture_is_told_by_its_content() {
    let cases: [(&[u8], RejectionKind, &str); 9] = [
        (b"", RejectionKind::NotAnImage, "empty object"),
        (b"Milk, eggs, 7 apples\n", RejectionKind::NotAnImage, "text, not a picture"),
        ("fünf".as_bytes(), RejectionKind::NotAnImage, "text, not a picture"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", RejectionKind::Unsupported, "HEIC (iPhone); upload as JPEG"),
        (b"\0\0\0\x18ftypmif1\0\0\0\0mif1avif", RejectionKind::Unsupported, "AVIF; upload as JPEG"),
        (b"\xff\x0a\xfa\x7f", RejectionKind::Unsupported, "JPEG XL; upload as JPEG"),
        (b"<?xml version='1.0'?><svg/>", RejectionKind::Unsupported, "SVG; upload as PNG"),
        (b"PK\x03\x04rest", RejectionKind::NotAnImage, "ZIP archive, not a picture"),
        (b"\x01\x02\x03", RejectionKind::NotAnImage, "not a picture: no known format begins with 01 02 03"),
    ];
    for (bytes, kind, sentence) in cases {
        let rejection = decode(bytes, Channels::Luma, Limits::default()).unwrap_err();
        assert_eq!((rejection.kind, rejection.sentence.as_str()), (kind, sentence));
    }
}

#[test]
fn orientations_turn_a_picture_of_six_pixels_upright() {
    // Stored rows `stored`, `w` wide, are upright `abc/def`.
    let cases: [(u8, &str, u32); 8] = [
        (1, "abcdef", 3),
        (2, "cbafed", 3),
        (3, "fedcba", 3),
        (4, "defabc", 3),
        (5, "adbecf", 2),
        (6, "cfbead", 2),
        (7, "fcebda", 2),
        (8, "daebfc", 2),
    ];
    for (orientation, stored, width) in cases {
        let upright = orientation::upright(orientation, width, 6 / width, 1, stored.bytes().collect());
        assert_eq!(upright, (3, 2, b"abcdef".to_vec()), "orientation {orientation}");
        let stored: Vec<u8> = stored.bytes().flat_map(|b| [b, b + 32, b + 64]).collect();
        let rgb: Vec<u8> = b"abcdef".iter().flat_map(|b| [*b, b + 32, b + 64]).collect();
        assert_eq!(orientation::upright(orientation, width, 6 / width, 3, stored).2, rgb);
    }
}

#[test]
fn luma_is_that_of_pillow() {
    // Pillow 13: Image.new("RGB", (1, 1), colour).convert("L").
    for (rgb, grey) in [([255, 0, 0], 76), ([0, 255, 0], 150), ([0, 0, 255], 29), ([255; 3], 255), ([1, 2, 3], 2)] {
        assert_eq!(colour::luma(rgb[0], rgb[1], rgb[2]), grey);
    }
}

fn composited(ink: u8, opaque_of_ten: usize) -> Vec<u8> {
    let mut canvas = Canvas::new(10, 1, Channels::Luma, true);
    for i in 0..opaque_of_ten {
        canvas.put(i, [ink; 3]);
    }
    canvas.into_picture().picture.pixels
}

#[test]
fn ink_on_a_transparent_ground_stays_visible() {
    assert_eq!(composited(20, 2)[5], 255, "dark ink on white");
    assert_eq!(composited(235, 2)[5], 0, "chalk on black");
    assert_eq!(composited(235, 9)[9], 255, "a corner missing of white paper");
    assert_eq!(composited(20, 9)[9], 0, "a corner missing of a blackboard");
    assert_eq!(composited(20, 0), [255; 10], "nothing drawn");
}

#[test]
fn the_size_over_the_limit_never_looks_like_the_limit() {
    assert_eq!(budget::megapixels(25_000_001), "25.1");
    let budget = Budget::new(Channels::Luma, Limits::default());
    assert!(budget.check_size("PNG", 5_000, 5_000).is_ok());
    let rejection = budget.check_size("PNG", 5_200, 5_000).unwrap_err();
    assert_eq!(rejection.sentence, "26.0 megapixels, and the limit is 25");
    assert_eq!((rejection.kind, rejection.dimensions), (RejectionKind::TooLarge, Some((5_200, 5_000))));
    assert_eq!(budget.check_size("PNG", 0, 7).unwrap_err().kind, RejectionKind::Broken);
    assert_eq!(budget.check_size("PNG", 70_000, 2).unwrap_err().kind, RejectionKind::TooLarge);
    assert_eq!(Budget::new(Channels::Luma, Limits { pixels: u64::MAX }).memory(), u64::MAX);
}

/// Blank last rows of a JPEG take a few bits, all of which the decoder has read ahead when it begins them.
#[test]
fn a_small_jpeg_with_little_in_its_last_rows_is_whole() {
    for (width, height) in (1..=64).flat_map(|side| [(side, side), (8, side), (side, 8), (28, side)]) {
        let pixels: Vec<u8> =
            (0..width * height).map(|at| if at < 8 * width && at % 3 == 0 { 20 } else { 250 }).collect();
        let mut jpeg = Vec::new();
        image::codecs::jpeg::JpegEncoder::new_with_quality(&mut jpeg, 90)
            .encode(&pixels, width, height, image::ExtendedColorType::L8)
            .unwrap();
        let picture = decode(&jpeg, Channels::Luma, Limits::default());
        assert!(picture.is_ok(), "{width} x {height}: {picture:?}");
    }
}

/// All bits of a blank picture's codes, filled up with ones (T.81, F.1.2.3).
fn blank(bits: usize) -> Vec<u8> {
    let rest = (!bits.is_multiple_of(8)).then_some(0xff >> (bits % 8));
    vec![0; bits / 8].into_iter().chain(rest).collect()
}

/// Blank, in as few bits as can be: a bit of each block and scan. DC, AC, and a refinement of each, of which the one of DC
/// lacks `missing` bytes.
fn progressive(width: u16, height: u16, sampling: &[usize], missing: usize) -> Vec<u8> {
    let segment =
        |marker: u8, body: &[u8]| [&[0xff, marker], &(body.len() as u16 + 2).to_be_bytes()[..], body].concat();
    let frame = [&[8][..], &height.to_be_bytes(), &width.to_be_bytes(), &[sampling.len() as u8]].concat();
    let components = sampling.iter().zip(1..).flat_map(|(factor, id)| [id, (factor << 4 | factor) as u8, 0]);
    let code = |kind: u8| segment(0xc4, &[vec![kind, 1], vec![0; 16]].concat());
    let mut file =
        [&[0xff, 0xd8][..], &segment(0xdb, &[vec![0], vec![1; 64]].concat()), &code(0x00), &code(0x10)].concat();
    file.extend(segment(0xc2, &frame.into_iter().chain(components).collect::<Vec<_>>()));

    let unit = 8 * sampling[0];
    let units = usize::from(width).div_ceil(unit) * usize::from(height).div_ceil(unit);
    let dc = units * if sampling.len() > 1 { sampling.iter().map(|factor| factor * factor).sum() } else { 1 };
    let mut scan = |ids: &[u8], last: u8, bits: u8, mut data: Vec<u8>, missing: usize| {
        let first = last.min(1);
        let ids: Vec<u8> = ids.iter().flat_map(|id| [*id, 0]).collect();
        file.extend(segment(0xda, &[&[ids.len() as u8 / 2][..], &ids, &[first, last, bits]].concat()));
        data.truncate(data.len() - missing);
        file.extend(data);
    };
    let all: Vec<u8> = (1..=sampling.len() as u8).collect();
    for (bits, missing) in [(0x01, 0), (0x10, missing)] {
        scan(&all, 0, bits, blank(dc), missing);
        for (id, factor) in all.iter().zip(sampling) {
            let blocks = |side: u16| (usize::from(side) * factor).div_ceil(unit);
            scan(&[*id], 63, bits, blank(blocks(width) * blocks(height)), 0);
        }
    }
    file.extend([0xff, 0xd9]);
    file
}

#[test]
fn a_progressive_jpeg_is_whole_or_is_not() {
    let decode = |file: Vec<u8>| decode(&file, Channels::Luma, Limits::default());
    for sampling in [&[1][..], &[1, 1, 1], &[2, 1, 1], &[1, 1, 1, 1]] {
        for (width, height) in (1..=64).flat_map(|side| [(side, side), (8, side), (side, 8), (28, side)]) {
            let picture = decode(progressive(width, height, sampling, 0));
            assert!(picture.is_ok(), "{width} x {height}, {sampling:?}: {picture:?}");
        }
        // The decoder reads eight bytes ahead.
        assert!(decode(progressive(128, 128, sampling, 9)).is_err(), "{sampling:?}");
    }
}

#[test]
fn only_a_small_png_of_few_bytes_is_brief() {
    let png = |width: u32, height: u32, length: usize| {
        let mut png = b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR".to_vec();
        png.extend(width.to_be_bytes().into_iter().chain(height.to_be_bytes()));
        png.resize(length, 0);
        png
    };
    assert!(is_brief(&png(28, 28, 300)) && is_brief(&png(100, 100, 16_384)));
    assert!(
        !is_brief(&png(100, 101, 300)) && !is_brief(&png(u32::MAX, u32::MAX, 300)) && !is_brief(&png(28, 28, 16_385))
    );
    assert!(!is_brief(&png(28, 28, 24)[1..]) && !is_brief(&png(28, 28, 20)) && !is_brief(b"\xff\xd8\xff"));
}
