//! The codes of a sequential JPEG's scan (T.81, annexes C and F), and the bits that they are read from.

/// Bits that one look into a table decides about.
const LOOK: u32 = 13;
const LOOKS: usize = 1 << LOOK;

/// Bits in which most codes are whole.
const SHORT: u32 = 9;
const SHORTS: usize = 1 << SHORT;

/// Coefficients of a block.
const BLOCK: usize = 64;

/// Longest code of a DC coefficient's size, by T.81 of 8-bit samples.
const LARGEST_DC: u8 = 11;

/// Huffman codes, by their lengths.
struct Codes {
    /// The first code of each length that is none of it, shifted up to 16 bits.
    ends: [u32; 17],
    /// What is added to a code of each length to get to its value.
    offsets: [i32; 17],
    values: Vec<u8>,
    /// For each beginning that has a whole code in it: its value, and above that its length; else 0.
    short: [u16; SHORTS],
}

impl Codes {
    /// `None` if there are more codes than fit.
    fn new(lengths: &[u8; 16], values: &[u8]) -> Option<Codes> {
        let mut codes = Codes { ends: [0; 17], offsets: [0; 17], values: values.to_vec(), short: [0; SHORTS] };
        let (mut code, mut at) = (0_i32, 0_i32);
        for length in 1..=16 {
            let count = i32::from(lengths[length - 1]);
            codes.offsets[length] = at - code;
            (code, at) = (code + count, at + count);
            // No code is of ones alone.
            if count > 0 && code >= 1 << length {
                return None;
            }
            codes.ends[length] = (code as u32) << (16 - length);
            code <<= 1;
        }
        for beginning in 0..SHORTS {
            if let Some((value, length @ 1..=SHORT)) = codes.find_any((beginning as u32) << (16 - SHORT)) {
                codes.short[beginning] = u16::from(value) | (length as u16) << 8;
            }
        }
        Some(codes)
    }

    /// The value that the first of these 16 bits are the code of, and its length.
    #[inline]
    fn find(&self, bits: u32) -> Option<(u8, u32)> {
        match self.short[(bits >> (16 - SHORT)) as usize % SHORTS] {
            0 => self.find_any(bits),
            short => Some((short as u8, u32::from(short >> 8))),
        }
    }

    fn find_any(&self, bits: u32) -> Option<(u8, u32)> {
        let length = (1..=16).find(|&length| bits < self.ends[length])?;
        let at = (bits >> (16 - length)) as i32 + self.offsets[length];
        Some((*self.values.get(at as usize)?, length as u32))
    }
}

/// Codes of the first coefficient of a block.
pub(super) struct DcCodes(Codes);

impl DcCodes {
    pub(super) fn new(lengths: &[u8; 16], values: &[u8]) -> Option<DcCodes> {
        let usual = values.iter().all(|&size| size <= LARGEST_DC);
        Codes::new(lengths, values).filter(|_| usual).map(DcCodes)
    }

    /// The difference to the block before.
    #[inline]
    pub(super) fn read(&self, bits: &mut Bits) -> Option<i32> {
        bits.refill();
        let (size, length) = self.0.find(bits.peek(16))?;
        bits.drop(length);
        Some(bits.take_signed(size.into()))
    }
}

/// Codes of the other coefficients.
pub(super) struct AcCodes {
    codes: Codes,
    /// For each beginning: bits of all whole coefficients in it (low 4 bits), positions that they take (7 bits), and whether a block's
    /// end is the last of it.
    passes: Box<[u16; LOOKS]>,
}

const POSITIONS: u32 = 4;
const ENDS: u32 = 11;

impl AcCodes {
    pub(super) fn new(lengths: &[u8; 16], values: &[u8]) -> Option<AcCodes> {
        let codes = Codes::new(lengths, values)?;
        // Of each beginning the first coefficient, then what is behind it, which is a shorter beginning.
        let first: Vec<(u32, u32, bool)> = (0..LOOKS as u32)
            .map(|look| {
                let Some((value, length)) = codes.find(look << (16 - LOOK)) else { return (LOOK + 1, 0, false) };
                let (run, size) = (u32::from(value >> 4), u32::from(value & 15));
                match (run, size) {
                    (0, 0) => (length, 0, true),
                    (15, 0) | (_, 1..) => (length + size, run + 1, false),
                    _ => (LOOK + 1, 0, false),
                }
            })
            .collect();
        let passes = (0..LOOKS).map(|look| {
            let (mut used, mut positions, mut ends) = (0, 0, false);
            while !ends {
                let (bits, more, end) = first[(look << used) % LOOKS];
                if used + bits > LOOK || positions + more > BLOCK as u32 {
                    break;
                }
                (used, positions, ends) = (used + bits, positions + more, end);
            }
            (used | positions << POSITIONS | u32::from(ends) << ENDS) as u16
        });
        let passes: Box<[u16; LOOKS]> = passes.collect::<Vec<u16>>().into_boxed_slice().try_into().ok()?;
        Some(AcCodes { codes, passes })
    }

    /// Passes over the coefficients from position `at` to the end of the block.
    #[inline]
    pub(super) fn pass(&self, bits: &mut Bits, mut at: usize) -> Option<()> {
        while at < BLOCK {
            bits.refill();
            let pass = u32::from(self.passes[bits.peek(LOOK) as usize]);
            let (used, positions, ends) = (pass & 15, (pass >> POSITIONS & 127) as usize, pass >> ENDS);
            // What lies behind the last position is the next block's.
            if used == 0 || at + positions + ends as usize > BLOCK {
                at = self.read_one(bits, at)?.0;
                continue;
            }
            bits.drop(used);
            if ends == 1 {
                return Some(());
            }
            at += positions;
        }
        Some(())
    }

    /// Reads the first coefficients, from the second on; gives the position behind the last one that was read.
    #[inline]
    pub(super) fn read(&self, bits: &mut Bits, first: &mut [i32]) -> Option<usize> {
        let mut at = 1;
        while at < first.len() {
            bits.refill();
            let (behind, value) = self.read_one(bits, at)?;
            if let Some(coefficient) = first.get_mut(behind - 1) {
                *coefficient = value;
            }
            at = behind;
        }
        Some(at)
    }

    /// The position behind the next coefficient, and its value; behind all at the block's end.
    fn read_one(&self, bits: &mut Bits, at: usize) -> Option<(usize, i32)> {
        let (value, length) = self.codes.find(bits.peek(16))?;
        bits.drop(length);
        let (run, size) = (usize::from(value >> 4), u32::from(value & 15));
        let behind = match (run, size) {
            (0, 0) => return Some((BLOCK, 0)),
            (15, 0) | (_, 1..) => at + run + 1,
            _ => return None,
        };
        (behind <= BLOCK).then(|| (behind, bits.take_signed(size)))
    }
}

/// The bits of a scan's data, without what is stuffed; behind the end, and before a marker, endless ones.
pub(super) struct Bits<'a> {
    data: &'a [u8],
    at: usize,
    /// The next bits, from the highest on.
    buffer: u64,
    count: u32,
    /// Of these, the last ones that are not in the data.
    added: u32,
    restarts: u8,
}

impl<'a> Bits<'a> {
    pub(super) fn new(data: &'a [u8]) -> Bits<'a> {
        Bits { data, at: 0, buffer: 0, count: 0, added: 0, restarts: 0 }
    }

    /// Afterwards there are 32 bits at least: a code and its value.
    #[inline]
    fn refill(&mut self) {
        if self.count >= 32 {
            return;
        }
        if let Some(next) = self.data.get(self.at..).and_then(<[u8]>::first_chunk) {
            let word = u64::from_be_bytes(*next);
            let inverted = !word;
            // A byte of ones, somewhere: a zero in the inverted word.
            if inverted.wrapping_sub(0x0101_0101_0101_0101) & word & 0x8080_8080_8080_8080 == 0 {
                let bytes = (63 - self.count) / 8;
                self.buffer |= word >> self.count;
                self.at += bytes as usize;
                self.count += 8 * bytes;
                return;
            }
        }
        self.refill_slowly();
    }

    #[cold]
    fn refill_slowly(&mut self) {
        while self.count <= 56 {
            let byte = match self.data.get(self.at..) {
                Some([0xff, 0, ..]) => {
                    self.at += 2;
                    0xff
                }
                None | Some([] | [0xff, ..]) => {
                    self.added += 8;
                    0xff
                }
                Some([byte, ..]) => {
                    self.at += 1;
                    *byte
                }
            };
            self.buffer |= u64::from(byte) << (56 - self.count);
            self.count += 8;
        }
    }

    #[inline]
    fn peek(&self, bits: u32) -> u32 {
        (self.buffer >> (64 - bits)) as u32
    }

    #[inline]
    fn drop(&mut self, bits: u32) {
        self.buffer <<= bits;
        self.count -= bits;
    }

    /// A value of so many bits (T.81, F.2.2.1): the lower half of them is negative.
    #[inline]
    fn take_signed(&mut self, size: u32) -> i32 {
        if size == 0 {
            return 0;
        }
        let value = self.peek(size) as i32;
        self.drop(size);
        if value < 1 << (size - 1) { value - (1 << size) + 1 } else { value }
    }

    pub(super) fn are_overread(&self) -> bool {
        self.count < self.added
    }

    /// Whether all data were read, but for what fills the last byte.
    pub(super) fn are_at_end(&self) -> bool {
        self.are_read() && self.at == self.data.len()
    }

    fn are_read(&self) -> bool {
        (self.added..self.added + 8).contains(&self.count)
    }

    /// Goes on behind the next restart marker, which must follow.
    pub(super) fn restart(&mut self) -> Option<()> {
        let marker = self.data.get(self.at..)?.iter().position(|&byte| byte != 0xff)?;
        if !self.are_read() || marker == 0 || self.data[self.at + marker] != 0xd0 + self.restarts {
            return None;
        }
        *self = Bits { at: self.at + marker + 1, restarts: (self.restarts + 1) % 8, ..Bits::new(self.data) };
        Some(())
    }
}
