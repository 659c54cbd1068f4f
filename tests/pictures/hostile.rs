//! Small files that ask for much.

use libtest_mimic::{Failed, Trial};
use spotter::decode::RejectionKind::{self, Broken, TooLarge};

use super::rejection;

pub(super) fn trials() -> Vec<Trial> {
    vec![
        Trial::test("pictures::headers_that_ask_for_too_much", headers_that_ask_for_too_much),
        Trial::test("pictures::empty_pictures_are_broken", empty_pictures_are_broken),
        Trial::test("pictures::scans_are_counted", scans_are_counted),
    ]
}

/// A PNG's header and an empty body; the checksums are right.
pub(super) fn png_header(width: u32, height: u32) -> Vec<u8> {
    let mut head = b"IHDR".to_vec();
    head.extend_from_slice(&width.to_be_bytes());
    head.extend_from_slice(&height.to_be_bytes());
    head.extend_from_slice(&[8, 2, 0, 0, 0]);
    let mut file = b"\x89PNG\r\n\x1a\n".to_vec();
    file.extend_from_slice(&png_chunk(&head));
    file.extend_from_slice(&png_chunk(b"IDAT"));
    file.extend_from_slice(&png_chunk(b"IEND"));
    file
}

/// A chunk of its name and body: length before, checksum behind.
pub(super) fn png_chunk(named: &[u8]) -> Vec<u8> {
    let length = (named.len() as u32 - 4).to_be_bytes();
    [&length, named, &crc(named).to_be_bytes()].concat()
}

/// CRC-32 (ISO 3309), bit by bit.
fn crc(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg()))
    })
}

fn gif_header(width: u16, height: u16) -> Vec<u8> {
    let mut file = b"GIF89a".to_vec();
    file.extend_from_slice(&width.to_le_bytes());
    file.extend_from_slice(&height.to_le_bytes());
    file.extend_from_slice(&[0x80, 0, 0, 0, 0, 0, 255, 255, 255]);
    file
}

fn gif_frame(width: u16, height: u16) -> Vec<u8> {
    let mut file = gif_header(width, height);
    file.extend_from_slice(&[0x2c, 0, 0, 0, 0]);
    file.extend_from_slice(&width.to_le_bytes());
    file.extend_from_slice(&height.to_le_bytes());
    file.extend_from_slice(&[0, 2, 1, 0x2c, 0, 0x3b]);
    file
}

fn bmp_header(width: i32, height: i32) -> Vec<u8> {
    let mut file = b"BM\x36\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0".to_vec();
    file.extend_from_slice(&width.to_le_bytes());
    file.extend_from_slice(&height.to_le_bytes());
    file.extend_from_slice(&[1, 0, 24, 0]);
    file.extend_from_slice(&[0; 24]);
    file
}

fn webp_header(width: u32, height: u32) -> Vec<u8> {
    let bits = (width - 1) | (height - 1) << 14;
    let mut file = b"RIFF\x12\0\0\0WEBPVP8L\x05\0\0\0\x2f".to_vec();
    file.extend_from_slice(&bits.to_le_bytes());
    file.push(0);
    file
}

fn jpeg_header(width: u16, height: u16) -> Vec<u8> {
    let ([w1, w0], [h1, h0]) = (width.to_be_bytes(), height.to_be_bytes());
    let mut file = b"\xff\xd8\xff\xc0\0\x0b\x08".to_vec();
    file.extend_from_slice(&[h1, h0, w1, w0, 1, 1, 0x11, 0]);
    file.extend_from_slice(b"\xff\xda\0\x08\x01\x01\0\0\x3f\0\xff\xd9");
    file
}

/// A TIFF of one strip; `rows` may be more than are there.
fn tiff_header(width: u32, height: u32) -> Vec<u8> {
    let entries: [(u16, u32); 7] = [(256, width), (257, height), (258, 8), (262, 1), (273, 8), (278, height), (279, 1)];
    let mut file = b"II*\0\x08\0\0\0\x07\0".to_vec();
    for (tag, value) in entries {
        file.extend_from_slice(&tag.to_le_bytes());
        file.extend_from_slice(&[4, 0, 1, 0, 0, 0]);
        file.extend_from_slice(&value.to_le_bytes());
    }
    file.extend_from_slice(&[0; 4]);
    file
}

fn refused(bytes: &[u8], kind: RejectionKind, sentence: &str) -> Result<(), Failed> {
    let rejection = rejection(bytes)?;
    assert_eq!((rejection.kind, rejection.sentence.as_str()), (kind, sentence));
    Ok(())
}

fn headers_that_ask_for_too_much() -> Result<(), Failed> {
    let limit = "3600.0 megapixels, and the limit is 25";
    refused(&png_header(60_000, 60_000), TooLarge, limit)?;
    refused(&gif_frame(60_000, 60_000), TooLarge, limit)?;
    refused(&bmp_header(60_000, -60_000), TooLarge, limit)?;
    refused(&jpeg_header(60_000, 60_000), TooLarge, limit)?;
    refused(&tiff_header(60_000, 60_000), TooLarge, limit)?;
    refused(&webp_header(16_000, 16_000), TooLarge, "256.0 megapixels, and the limit is 25")?;
    refused(&png_header(u32::MAX, 1), TooLarge, "4295.0 megapixels, and the limit is 25")?;
    refused(&png_header(100_000, 2), TooLarge, "100000×2 pixels, and a side may have 65535 at most")?;
    let known = rejection(&png_header(60_000, 60_000))?.dimensions;
    assert_eq!(known, Some((60_000, 60_000)));
    Ok(())
}

fn empty_pictures_are_broken() -> Result<(), Failed> {
    for bytes in
        [png_header(0, 5), bmp_header(0, 5), jpeg_header(5, 0), tiff_header(0, 5), gif_frame(0, 5), png_header(9, 9)]
    {
        assert_eq!(rejection(&bytes)?.kind, Broken);
    }
    let mut none = gif_header(5, 5);
    none.push(0x3b);
    refused(&none, Broken, "GIF without a frame")?;
    refused(&gif_frame(3_000, 3_000), Broken, "GIF with rows missing")?;
    Ok(())
}

fn scans_are_counted() -> Result<(), Failed> {
    let head = b"\xff\xd8\xff\xc2\0\x0b\x08\0\x10\0\x10\x01\x01\x11\0";
    let scan = b"\xff\xda\0\x08\x01\x01\0\0\0\0";
    let many = [head.as_slice(), &scan.repeat(65), b"\xff\xd9"].concat();
    refused(&many, Broken, "JPEG with more than 64 scans")?;
    Ok(())
}
