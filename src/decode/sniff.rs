//! What the bytes are, by content and never by name.

use super::Rejection;

/// The formats that are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Jpeg,
    Png,
    Gif,
    WebP,
    Bmp,
    Tiff,
}

impl Format {
    pub(super) fn name(self) -> &'static str {
        match self {
            Format::Jpeg => "JPEG",
            Format::Png => "PNG",
            Format::Gif => "GIF",
            Format::WebP => "WebP",
            Format::Bmp => "BMP",
            Format::Tiff => "TIFF",
        }
    }
}

/// Beginnings of files that are recognised to be refused by name.
const UNSUPPORTED: &[(&[u8], &str)] = &[
    (b"\0\0\0\x0cJXL \r\n\x87\n", "JPEG XL; upload as JPEG"),
    (b"\xff\x0a", "JPEG XL; upload as JPEG"),
    (b"\0\0\0\x0cjP  \r\n\x87\n", "JPEG 2000; upload as JPEG"),
    (b"\xff\x4f\xff\x51", "JPEG 2000; upload as JPEG"),
    (b"%PDF-", "PDF; upload its page as PNG or JPEG"),
    (b"8BPS", "Photoshop document; upload as PNG or JPEG"),
    (b"gimp xcf", "GIMP document; upload as PNG or JPEG"),
    (b"\0\0\x01\0", "icon (ICO); upload as PNG"),
    (b"\0\0\x02\0", "cursor (CUR); upload as PNG"),
    (b"icns", "icon (ICNS); upload as PNG"),
    (b"qoif", "QOI; upload as PNG"),
    (b"DDS ", "DirectDraw texture; upload as PNG"),
    (b"\x76\x2f\x31\x01", "OpenEXR; upload as PNG"),
    (b"#?RADIANCE", "Radiance HDR; upload as PNG"),
    (b"FUJIFILMCCD-RAW", "camera raw (Fujifilm); upload as JPEG"),
    (b"IIRO", "camera raw (Olympus); upload as JPEG"),
    (b"IIU\0", "camera raw (Panasonic); upload as JPEG"),
    (b"II\xbc\x01", "JPEG XR; upload as JPEG"),
    (b"AT&TFORM", "DjVu; upload its page as PNG or JPEG"),
    (b"%!PS", "PostScript; upload its page as PNG or JPEG"),
    (b"\xd7\xcd\xc6\x9a", "Windows metafile; upload as PNG"),
];

/// Beginnings of well-known files that are no pictures.
const NOT_IMAGES: &[(&[u8], &str)] = &[
    (b"PK\x03\x04", "ZIP archive, not a picture"),
    (b"PK\x05\x06", "ZIP archive, not a picture"),
    (b"\x1f\x8b", "gzip file, not a picture"),
    (b"\x28\xb5\x2f\xfd", "Zstandard file, not a picture"),
    (b"7z\xbc\xaf\x27\x1c", "7-Zip archive, not a picture"),
    (b"Rar!", "RAR archive, not a picture"),
    (b"\x7fELF", "program, not a picture"),
    (b"MZ", "program, not a picture"),
    (b"\x1a\x45\xdf\xa3", "Matroska or WebM video, not a picture"),
    (b"OggS", "Ogg sound or video, not a picture"),
    (b"ID3", "MP3 sound, not a picture"),
    (b"fLaC", "FLAC sound, not a picture"),
    (b"SQLite format 3", "SQLite database, not a picture"),
    (b"PAR1", "Parquet file, not a picture"),
];

/// Bytes that are looked at to tell text from data.
const TEXT_SAMPLE: usize = 1_024;

pub(super) fn sniff(bytes: &[u8]) -> Result<Format, Rejection> {
    if bytes.is_empty() {
        return Err(Rejection::not_an_image("empty object"));
    }
    if let Some(brand) = iso_media_brand(bytes) {
        return Err(brand);
    }
    if bytes.starts_with(b"II*\0") && bytes.get(8..10) == Some(b"CR") {
        return Err(Rejection::unsupported("camera raw (Canon CR2); upload as JPEG"));
    }
    if let Some(format) = readable(bytes) {
        return Ok(format);
    }
    if let Some((_, sentence)) = UNSUPPORTED.iter().find(|(magic, _)| bytes.starts_with(magic)) {
        return Err(Rejection::unsupported(*sentence));
    }
    if let Some((_, sentence)) = NOT_IMAGES.iter().find(|(magic, _)| bytes.starts_with(magic)) {
        return Err(Rejection::not_an_image(*sentence));
    }
    Err(text(bytes).unwrap_or_else(|| {
        let head: Vec<String> = bytes.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
        Rejection::not_an_image(format!("not a picture: no known format begins with {}", head.join(" ")))
    }))
}

fn readable(bytes: &[u8]) -> Option<Format> {
    let starts = |magic: &[u8]| bytes.starts_with(magic);
    if starts(b"\xff\xd8\xff") {
        Some(Format::Jpeg)
    } else if starts(b"\x89PNG\r\n\x1a\n") {
        Some(Format::Png)
    } else if starts(b"GIF87a") || starts(b"GIF89a") {
        Some(Format::Gif)
    } else if starts(b"RIFF") && bytes.get(8..12) == Some(b"WEBP") {
        Some(Format::WebP)
    } else if starts(b"BM") && bytes.get(14..18).is_some_and(is_bmp_header) {
        Some(Format::Bmp)
    } else if starts(b"II*\0") || starts(b"MM\0*") || starts(b"II+\0") || starts(b"MM\0+") {
        Some(Format::Tiff)
    } else {
        None
    }
}

/// "BM" alone also begins words; the header's length says more.
fn is_bmp_header(length: &[u8]) -> bool {
    matches!(length, [12 | 16 | 40 | 52 | 56 | 64 | 108 | 124, 0, 0, 0])
}

/// Files of ISO 14496-12 name their brands in a first box `ftyp`.
fn iso_media_brand(bytes: &[u8]) -> Option<Rejection> {
    if bytes.get(4..8)? != b"ftyp" {
        return None;
    }
    let length = u32::from_be_bytes(bytes.get(..4)?.try_into().ok()?) as usize;
    let brands = bytes.get(8..length.clamp(12, 256).min(bytes.len()))?;
    let has = |names: &[&[u8]]| brands.chunks_exact(4).any(|brand| names.contains(&brand));
    Some(if has(&[b"avif", b"avis"]) {
        Rejection::unsupported("AVIF; upload as JPEG")
    } else if has(&[b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"]) {
        Rejection::unsupported("HEIC (iPhone); upload as JPEG")
    } else if has(&[b"jxl "]) {
        Rejection::unsupported("JPEG XL; upload as JPEG")
    } else if has(&[b"crx "]) {
        Rejection::unsupported("camera raw (Canon CR3); upload as JPEG")
    } else {
        Rejection::not_an_image("video or sound (MP4, QuickTime), not a picture")
    })
}

fn text(bytes: &[u8]) -> Option<Rejection> {
    let sample = &bytes[..bytes.len().min(TEXT_SAMPLE)];
    let sample = match std::str::from_utf8(sample) {
        Ok(text) => text,
        // The sample may have cut a character in two.
        Err(error) if error.error_len().is_none() => std::str::from_utf8(&sample[..error.valid_up_to()]).ok()?,
        Err(_) => return None,
    };
    if sample.is_empty() || sample.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t' | '\u{c}')) {
        return None;
    }
    let start = sample.trim_start_matches('\u{feff}').trim_start();
    Some(if start.starts_with('<') && sample.contains("<svg") {
        Rejection::unsupported("SVG; upload as PNG")
    } else if matches!(start.as_bytes(), [b'P', b'1'..=b'7', b' ' | b'\n' | b'\r' | b'\t', ..]) {
        Rejection::unsupported("Netpbm; upload as PNG")
    } else if start.starts_with('<') {
        Rejection::not_an_image("HTML or XML, not a picture")
    } else {
        Rejection::not_an_image("text, not a picture")
    })
}
