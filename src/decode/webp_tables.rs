//! What the prefix codes of lossless WebP data cost in memory (RFC 9649, section 3).
//!
//! A picture may bring 65,536 groups of five codes. Four megabytes of them become more than a gigabyte of tables in the
//! decoder, whatever the size of the picture, so they are counted before it sees them. No pixels are made: what is
//! between the codes is read past, and of the picture that names the groups only the greatest number matters.

/// Symbols of the codes for green with lengths, red, blue, alpha, and distances.
const ALPHABETS: [usize; 5] = [280, 256, 256, 256, 40];

/// The order in which the lengths of the code for lengths are stored.
const LENGTH_ORDER: [usize; 19] = [17, 18, 0, 1, 2, 3, 4, 5, 16, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];

/// Of the decoder for one group, beside its tables, while its list grows.
const GROUP_BYTES: u64 = 600;

/// Bits that the decoder's tables resolve at once; longer codes add nodes of a tree.
const TABLE_BITS: usize = 10;
const NODE_BYTES: u64 = 16;

/// Bytes of tables for the data after the five bytes of a lossless header, or more than `most`, where counting ends.
/// Damaged data are counted as far as they can be read: the decoder gets no further.
pub(super) fn bytes(data: &[u8], (width, height): (u32, u32), most: u64) -> u64 {
    let mut skim = Skim { data, at: 0, bytes: 0, most };
    // `None` is the end of what can be, or need be, read.
    let _ = skim.picture(width as usize, height as usize);
    skim.bytes
}

struct Skim<'a> {
    data: &'a [u8],
    /// In bits.
    at: usize,
    bytes: u64,
    most: u64,
}

/// A canonical code: how many symbols have each length, and all symbols in their order.
struct Code {
    counts: [usize; 16],
    symbols: Vec<u16>,
}

impl Skim<'_> {
    /// Least significant bits first; 24 at most.
    fn bits(&mut self, count: usize) -> Option<usize> {
        let mut value = 0;
        for i in 0..count {
            value |= usize::from(self.data.get(self.at / 8)? >> (self.at % 8) & 1) << i;
            self.at += 1;
        }
        Some(value)
    }

    /// Transforms, then the codes of the main picture.
    fn picture(&mut self, mut width: usize, height: usize) -> Option<()> {
        let mut seen = [false; 4];
        while self.bits(1)? == 1 {
            let transform = self.bits(2)?;
            if std::mem::replace(&mut seen[transform], true) {
                return None;
            }
            match transform {
                0 | 1 => {
                    let side = 1 << (self.bits(3)? + 2);
                    self.small_picture(width.div_ceil(side), height.div_ceil(side))?;
                }
                3 => {
                    let colours = self.bits(8)? + 1;
                    self.small_picture(colours, 1)?;
                    let packed = match colours {
                        0..=2 => 8,
                        3..=4 => 4,
                        5..=16 => 2,
                        _ => 1,
                    };
                    width = width.div_ceil(packed);
                }
                _ => {}
            }
        }
        let cache = self.cache()?;
        let mut groups = 1;
        if self.bits(1)? == 1 {
            let side = 1 << (self.bits(3)? + 2);
            groups = self.small_picture(width.div_ceil(side), height.div_ceil(side))? + 1;
        }
        for _ in 0..groups {
            self.group(cache)?;
        }
        Some(())
    }

    /// Symbols of a colour cache.
    fn cache(&mut self) -> Option<usize> {
        match self.bits(1)? {
            0 => Some(0),
            _ => Some(self.bits(4)?).filter(|bits| (1..=11).contains(bits)).map(|bits| 1 << bits),
        }
    }

    /// Reads past a picture that belongs to the header. Gives the greatest number in its red and green.
    fn small_picture(&mut self, width: usize, height: usize) -> Option<usize> {
        let before = self.bytes;
        let cache = self.cache()?;
        let [green, red, blue, alpha, distance] = self.group(cache)?;
        let (mut index, mut greatest) = (0, 0);
        while index < width * height {
            match usize::from(self.symbol(&green)?) {
                literal @ 0..=255 => {
                    let number = usize::from(self.symbol(&red)?) << 8 | literal;
                    self.symbol(&blue)?;
                    self.symbol(&alpha)?;
                    greatest = greatest.max(number);
                    index += 1;
                }
                // What is copied was counted when it was first read.
                length @ 256..=279 => {
                    index += self.copied(length - 256)?;
                    let symbol = self.symbol(&distance)?.into();
                    self.copied(symbol)?;
                }
                _ => index += 1,
            }
        }
        self.bytes = before;
        Some(greatest)
    }

    /// A length or distance.
    fn copied(&mut self, symbol: usize) -> Option<usize> {
        if symbol < 4 {
            return Some(symbol + 1);
        }
        let extra = (symbol - 2) >> 1;
        Some(((2 + (symbol & 1)) << extra) + self.bits(extra)? + 1)
    }

    fn group(&mut self, cache: usize) -> Option<[Code; 5]> {
        self.bytes += GROUP_BYTES;
        let [green, red, blue, alpha, distance] = ALPHABETS;
        let codes = [green + cache, red, blue, alpha, distance].map(|alphabet| self.code(alphabet));
        let [Some(green), Some(red), Some(blue), Some(alpha), Some(distance)] = codes else { return None };
        (self.bytes <= self.most).then_some([green, red, blue, alpha, distance])
    }

    fn code(&mut self, alphabet: usize) -> Option<Code> {
        let mut lengths = vec![0; alphabet];
        if self.bits(1)? == 1 {
            let two = self.bits(1)? == 1;
            let width = if self.bits(1)? == 1 { 8 } else { 1 };
            *lengths.get_mut(self.bits(width)?)? = 1;
            if two {
                *lengths.get_mut(self.bits(8)?)? = 1;
            }
        } else {
            self.lengths(&mut lengths)?;
        }
        let code = Code::new(&lengths)?;
        self.bytes += code.table_bytes();
        Some(code)
    }

    fn lengths(&mut self, lengths: &mut [usize]) -> Option<()> {
        let mut of_lengths = [0; 19];
        for slot in 0..4 + self.bits(4)? {
            of_lengths[*LENGTH_ORDER.get(slot)?] = self.bits(3)?;
        }
        let code = Code::new(&of_lengths)?;
        let mut most = lengths.len();
        if self.bits(1)? == 1 {
            let width = 2 + 2 * self.bits(3)?;
            most = 2 + self.bits(width)?;
        }
        let (mut previous, mut at) = (8, 0);
        while at < lengths.len() && most > 0 {
            most -= 1;
            let (length, times) = match self.symbol(&code)? {
                16 => (previous, 3 + self.bits(2)?),
                17 => (0, 3 + self.bits(3)?),
                18 => (0, 11 + self.bits(7)?),
                length => (usize::from(length), 1),
            };
            if length > 0 {
                previous = length;
            }
            lengths.get_mut(at..at + times)?.fill(length);
            at += times;
        }
        Some(())
    }

    fn symbol(&mut self, code: &Code) -> Option<u16> {
        if let [only] = code.symbols[..] {
            return Some(only);
        }
        let (mut value, mut first, mut index) = (0, 0, 0);
        for count in &code.counts[1..] {
            value |= self.bits(1)?;
            if value < first + count {
                return code.symbols.get(index + value - first).copied();
            }
            index += count;
            first = (first + count) << 1;
            value <<= 1;
        }
        None
    }
}

impl Code {
    /// `None` without symbols.
    fn new(lengths: &[usize]) -> Option<Code> {
        let mut counts = [0; 16];
        let mut symbols: Vec<u16> = (0..lengths.len()).filter(|&i| lengths[i] > 0).map(|i| i as u16).collect();
        symbols.sort_by_key(|&symbol| lengths[usize::from(symbol)]);
        for &symbol in &symbols {
            *counts.get_mut(lengths[usize::from(symbol)])? += 1;
        }
        (!symbols.is_empty()).then_some(Code { counts, symbols })
    }

    fn table_bytes(&self) -> u64 {
        if self.symbols.len() < 2 {
            return 0;
        }
        let longest = self.counts.iter().rposition(|&count| count > 0).unwrap_or(0);
        let long: usize = self.counts[(TABLE_BITS + 1).min(16)..].iter().sum();
        // The table of four-byte entries, two nodes for each longer code, and the allocator's share.
        (4 << longest.min(TABLE_BITS)) + long as u64 * 2 * NODE_BYTES + 32
    }
}

#[cfg(test)]
mod tests {
    use super::super::webp_container::{self, Image};
    use super::super::{Channels, Limits, RejectionKind, decode};
    use super::Skim;

    #[test]
    fn the_codes_of_real_pictures_are_read_to_their_end() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/pictures");
        let mut read = 0;
        for entry in folder.read_dir().unwrap().map(Result::unwrap) {
            if entry.path().extension().is_none_or(|extension| extension != "webp") {
                continue;
            }
            let bytes = std::fs::read(entry.path()).unwrap();
            let first = webp_container::read(&bytes).unwrap();
            let data = match (first.image, first.alpha) {
                (Image::Lossless(data), _) => &data[5..],
                (_, Some([flags, data @ ..])) if flags & 3 == 1 => data,
                _ => continue,
            };
            let mut skim = Skim { data, at: 0, bytes: 0, most: u64::MAX };
            let (width, height) = first.size;
            assert_eq!(skim.picture(width as usize, height as usize), Some(()), "{}", entry.path().display());
            read += 1;
        }
        assert!(read >= 12, "{read} pictures");
    }

    #[derive(Default)]
    struct Bits {
        bytes: Vec<u8>,
        count: usize,
    }

    impl Bits {
        fn push(&mut self, value: usize, count: usize) {
            for i in 0..count {
                if self.count.is_multiple_of(8) {
                    self.bytes.push(0);
                }
                *self.bytes.last_mut().unwrap() |= ((value >> i & 1) as u8) << (self.count % 8);
                self.count += 1;
            }
        }

        /// A code of one symbol.
        fn single(&mut self, symbol: usize) {
            self.push(0b101, 3);
            self.push(symbol, 8);
        }

        /// A code of lengths 1 to 10 and 10, which becomes a table of 4,096 bytes.
        fn long(&mut self) {
            self.push(0, 1);
            self.push(15, 4);
            for symbol in super::LENGTH_ORDER {
                self.push(if symbol < 16 { 4 } else { 0 }, 3);
            }
            self.push(1, 1);
            self.push(1, 3);
            self.push(9, 4);
            for length in (1..=10_usize).chain([10]) {
                // Codes are written from their most significant bit.
                (0..4).rev().for_each(|bit| self.push(length >> bit & 1, 1));
            }
        }
    }

    /// 28×28 pixels with so many groups of codes.
    fn picture(groups: usize) -> Vec<u8> {
        let mut bits = Bits::default();
        bits.push(27 | 27 << 14, 32);
        // No transform, no cache; groups by squares of four pixels, which have no cache either.
        bits.push(0b100, 3);
        bits.push(0, 4);
        for symbol in [(groups - 1) & 255, (groups - 1) >> 8, 0, 0, 0] {
            bits.single(symbol);
        }
        (0..groups * 5).for_each(|_| bits.long());
        let data = [&[0x2f], bits.bytes.as_slice(), &[0; 28 * 28]].concat();
        let size = |length: usize| (length as u32).to_le_bytes();
        let padding = vec![0; data.len() % 2];
        let all = 12 + data.len() + padding.len();
        [b"RIFF".as_slice(), &size(all), b"WEBPVP8L", &size(data.len()), &data, &padding].concat()
    }

    #[test]
    fn a_small_picture_with_large_tables_is_refused() {
        let limits = Limits { pixels: 100_000 };
        assert_eq!(decode(&picture(10), Channels::Luma, limits).map(|picture| picture.width), Ok(28));
        let rejection = decode(&picture(1_000), Channels::Luma, limits).unwrap_err();
        assert_eq!(rejection.kind, RejectionKind::TooLarge, "{rejection}");
    }
}
