//! What is uploaded: pictures of a few bytes, and what the tests' second model says of them.

use spotter::record::{Reason, Record, Status};

/// The limit of the simulated function, in bytes.
pub const MAX_BYTES: u64 = 600;

/// A kind, and a shade that makes it another content of the same answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Picture {
    pub kind: Kind,
    pub shade: u8,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Red,
    Green,
    BlueAbove,
    BlueBelow,
    /// Every colour alike.
    Grey,
    /// Ends in the middle.
    Cut,
    /// No picture.
    Text,
    TooLarge,
}

pub const KINDS: [Kind; 8] =
    [Kind::Red, Kind::Green, Kind::BlueAbove, Kind::BlueBelow, Kind::Grey, Kind::Cut, Kind::Text, Kind::TooLarge];

impl Picture {
    /// Stands for MD5: another content, another ETag.
    pub fn etag(self) -> String {
        format!("{:032x}", (self.kind as u32 + 1) * 256 + u32::from(self.shade))
    }

    pub fn size(self) -> u64 {
        self.bytes().len() as u64
    }

    pub fn bytes(self) -> Vec<u8> {
        let dark = 20 + self.shade;
        let (above, below) = match self.kind {
            Kind::Red => ([230, dark, dark], [230, dark, dark]),
            Kind::Green => ([dark, 230, dark], [dark, 230, dark]),
            Kind::BlueAbove => ([dark, dark, 230], [dark, dark, dark]),
            Kind::BlueBelow => ([dark, dark, dark], [dark, dark, 230]),
            Kind::Grey => ([dark; 3], [dark; 3]),
            Kind::Cut => return bitmap([dark; 3], [dark; 3])[..40].to_vec(),
            Kind::Text => return format!("{dark} notes, and no picture").into_bytes(),
            Kind::TooLarge => return vec![dark; MAX_BYTES as usize + 1],
        };
        bitmap(above, below)
    }

    /// What the record of it must say.
    pub fn verdict(self) -> (Status, Option<Reason>, Option<&'static str>) {
        match self.kind {
            Kind::Red => (Status::Classified, None, Some("red")),
            Kind::Green => (Status::Classified, None, Some("green")),
            Kind::BlueAbove => (Status::Classified, None, Some("blue above")),
            Kind::BlueBelow => (Status::Classified, None, Some("blue below")),
            // Which of them is the guess is arithmetic's secret.
            Kind::Grey => (Status::Unsure, Some(Reason::BelowThreshold), None),
            Kind::Cut => (Status::Rejected, Some(Reason::Broken), None),
            Kind::Text => (Status::Rejected, Some(Reason::NotAnImage), None),
            Kind::TooLarge => (Status::Rejected, Some(Reason::TooLarge), None),
        }
    }

    /// Whether `record` says so.
    pub fn is_said_by(self, record: &Record) -> bool {
        let (status, reason, label) = self.verdict();
        (record.status, record.reason) == (status, reason)
            && (status == Status::Unsure || record.label.as_deref() == label)
            && record.etag == Some(self.etag())
            && record.size == Some(self.size())
    }
}

/// Two pixels, one above the other, as a BMP of 24 bits.
fn bitmap(above: [u8; 3], below: [u8; 3]) -> Vec<u8> {
    let row = |[red, green, blue]: [u8; 3]| [blue, green, red, 0];
    let mut file = b"BM".to_vec();
    let words = [62, 0, 54, 40, 1, 2, 1 | 24 << 16, 0, 8, 2835, 2835, 0, 0_u32];
    file.extend(words.iter().flat_map(|word| word.to_le_bytes()));
    // From the bottom up.
    file.extend([row(below), row(above)].concat());
    file
}
