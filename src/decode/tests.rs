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
    canvas.into_picture().pixels
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
