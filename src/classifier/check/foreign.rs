//! Files of other formats that people call `model.onnx`.

/// What the file is, and how one gets an ONNX file of it; `None` where nothing speaks against ONNX.
pub(super) fn format(bytes: &[u8]) -> Option<(&'static str, &'static str)> {
    const PYTORCH: &str = "Load it in Python and export it: torch.onnx.export(model.eval(), torch.zeros(SHAPE), \"model.onnx\", opset_version=17, dynamo=False)";
    const EXPORT: &str = "Export the network to ONNX where it was trained (opset 17), in one file with its weights";
    const CONVERT: &str = "Convert it: pip install tf2onnx, then python -m tf2onnx.convert --opset 17 --tflite FILE (or --saved-model FOLDER) --output model.onnx";
    if bytes.is_empty() {
        return Some(("is empty", "Copy it again: its download or its export did not end"));
    }
    if bytes.starts_with(b"version https://git-lfs.github.com/spec/") {
        return Some(("is a pointer of Git LFS, not the file itself", "Fetch what it points to: git lfs pull"));
    }
    if is_html(bytes) {
        return Some((
            "is an HTML page, not a network",
            "The download gave a page, perhaps one that asks to sign in: download the file itself",
        ));
    }
    if bytes.starts_with(b"PK\x03\x04") {
        return Some(if contains(bytes, b"data.pkl") || contains(bytes, b"/data/") {
            ("is a PyTorch checkpoint (.pt, a zip with a pickle in it)", PYTORCH)
        } else if contains(bytes, b"config.json") && contains(bytes, b".weights.h5") {
            ("is a Keras file (.keras)", CONVERT)
        } else {
            ("is a zip archive", "Unpack it: the folder needs the model.onnx that may be in it")
        });
    }
    if matches!(bytes, [0x80, 2..=5, ..]) {
        return Some(("is a Python pickle (.pt, .pth or .pkl)", PYTORCH));
    }
    if bytes.get(4..8) == Some(b"TFL3") {
        return Some(("is a TensorFlow Lite file (.tflite)", CONVERT));
    }
    if is_safetensors(bytes) {
        return Some(("is a safetensors file: weights without a network", PYTORCH));
    }
    if bytes.starts_with(b"\x89HDF\r\n\x1a\n") {
        return Some(("is an HDF5 file (Keras .h5)", CONVERT));
    }
    if bytes.starts_with(b"GGUF") {
        return Some(("is a GGUF file, a language model's weights", EXPORT));
    }
    if bytes.starts_with(b"\x1f\x8b") {
        return Some(("is compressed with gzip", "Decompress it: gunzip"));
    }
    if bytes.starts_with(b"ORTM") || bytes.get(4..8) == Some(b"ORTM") {
        return Some(("is onnxruntime's own format (.ort)", "Use the .onnx file that it was made of"));
    }
    let beginning = &bytes[..bytes.len().min(512)];
    let is_text =
        std::str::from_utf8(beginning).map_or_else(|error| error.valid_up_to() + 4 > beginning.len(), |_| true);
    let printable = beginning.iter().all(|byte| matches!(byte, b'\t' | b'\n' | b'\r' | 0x20..=0x7e | 0x80..));
    (is_text && printable).then_some(("is text, not a network", EXPORT))
}

fn is_html(bytes: &[u8]) -> bool {
    let beginning: Vec<u8> = bytes.iter().take(256).map(u8::to_ascii_lowercase).collect();
    let text = beginning.trim_ascii_start();
    text.starts_with(b"<!doctype html") || text.starts_with(b"<html") || text.starts_with(b"<?xml")
}

/// <https://huggingface.co/docs/safetensors/index#format>: the header's length in 8 bytes, then JSON.
fn is_safetensors(bytes: &[u8]) -> bool {
    let Some((length, rest)) = bytes.split_first_chunk::<8>() else { return false };
    rest.starts_with(b"{\"") && u64::from_le_bytes(*length) <= rest.len() as u64
}

fn contains(bytes: &[u8], what: &[u8]) -> bool {
    bytes.windows(what.len()).any(|window| window == what)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // a panic is a failed test

    use super::*;

    #[test]
    fn files_of_others_are_named() {
        let safetensors = [&30u64.to_le_bytes()[..], b"{\"w\":{\"dtype\":\"F32\"}}      ", &[0; 8]].concat();
        for (bytes, says) in [
            (&b""[..], "empty"),
            (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n", "Git LFS"),
            (b"\n<!DOCTYPE html><html>", "HTML"),
            (b"<html><title>Sign in", "HTML"),
            (b"PK\x03\x04....archive/data.pkl", "PyTorch"),
            (b"PK\x03\x04....model.onnx", "zip archive"),
            (b"\x80\x02}q\x00", "pickle"),
            (b"\x1c\0\0\0TFL3....", "TensorFlow Lite"),
            (&safetensors, "safetensors"),
            (b"\x89HDF\r\n\x1a\n", "HDF5"),
            (b"GGUF\x03", "GGUF"),
            (b"\x1f\x8b\x08", "gzip"),
            (b"{\"model\": 1}", "text"),
            ("Das hier ist kein Netz, nur Text über eines".as_bytes(), "text"),
        ] {
            let (what, _) = format(bytes).unwrap();
            assert!(what.contains(says), "{what}");
        }
        assert_eq!(format(include_bytes!("../../../model/digits/model.onnx")), None);
    }
}
