//! Passwords, tokens and keys.

use std::fmt;

use zeroize::Zeroize;

/// Text that no log, error or `Debug` shows, and whose memory is overwritten when it is dropped: what is freed turns up in
/// core dumps and in other allocations. What cannot be overwritten are the environment that it came from and the copies
/// that libraries make of it for as long as they use it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// For whoever sends or compares it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Secret {
        Secret(text)
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Secret {
        Secret(text.to_owned())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

impl Drop for Secret {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_never_shown() {
        assert_eq!(format!("{:?} {:#?}", Secret::from("hunter2"), Some(Secret::from("hunter2"))), "… Some(\n    …,\n)");
    }

    /// Looks at the freed memory by the file that Linux has of it, since reading it otherwise is undefined.
    #[cfg(target_os = "linux")]
    #[test]
    fn it_is_gone_from_memory_once_it_is_dropped() {
        use std::os::unix::fs::FileExt;
        const LENGTH: usize = 4_000; // longer than what an allocator writes into freed memory
        let memory = std::fs::File::open("/proc/self/mem").unwrap();
        let secret = Secret::from("s3cret".repeat(LENGTH / 6));
        let address = secret.expose().as_ptr() as u64;
        let is_there = || {
            let mut bytes = vec![0; LENGTH / 2];
            memory.read_exact_at(&mut bytes, address + LENGTH as u64 / 4).unwrap();
            bytes.windows(6).any(|window| window == b"s3cret")
        };
        assert!(is_there());
        drop(secret);
        assert!(!is_there());
    }
}
