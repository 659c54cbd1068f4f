//! The codes of a sequential JPEG's scan (T.81, annexes C and F), and the bits that they are read from.

/// Bits that one look into a table decides about.
const LOOK: u32 = 13;
const LOOKS: usize = 1 << LOOK;

/// Bits that there are after each refill.
const REFILLED: u32 = 56;

/// Bits in which most codes are whole.
const SHORT: u32 = 9;
const SHORTS: usize = 1 << SHORT;

/// Bytes that are looked at together.
const PIECE: usize = 16;

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
    passes: Box<[Pass; LOOKS]>,
}

/// All whole coefficients in a beginning, up to a block's end: their bits (low 4), and the positions that they take, of which a
/// block's end takes 64.
#[derive(Clone, Copy)]
struct Pass(u16);

/// More positions than any: there is no whole coefficient.
const NONE_WHOLE: u32 = 2 * BLOCK as u32;

impl Pass {
    fn new(bits: u32, positions: u32) -> Pass {
        Pass((bits | positions << 4) as u16)
    }

    #[inline]
    fn bits(self) -> u32 {
        u32::from(self.0 & 15)
    }

    #[inline]
    fn positions(self) -> usize {
        usize::from(self.0 >> 4)
    }
}

impl AcCodes {
    pub(super) fn new(lengths: &[u8; 16], values: &[u8]) -> Option<AcCodes> {
        let codes = Codes::new(lengths, values)?;
        // Of each beginning the first coefficient, then what is behind it, which is a shorter beginning.
        let first: Vec<(u32, u32)> = (0..LOOKS as u32)
            .map(|look| {
                let Some((value, length)) = codes.find(look << (16 - LOOK)) else { return (LOOK + 1, 0) };
                let (run, size) = (u32::from(value >> 4), u32::from(value & 15));
                match (run, size) {
                    (0, 0) => (length, BLOCK as u32),
                    (15, 0) | (_, 1..) => (length + size, run + 1),
                    _ => (LOOK + 1, 0),
                }
            })
            .collect();
        let passes = (0..LOOKS).map(|look| {
            let (mut used, mut positions) = (0, 0);
            while positions < BLOCK as u32 {
                let (bits, more) = first[(look << used) % LOOKS];
                // A block's end may follow, nothing else that would be behind it.
                if used + bits > LOOK || positions + more % BLOCK as u32 >= BLOCK as u32 {
                    break;
                }
                (used, positions) = (used + bits, positions + more);
            }
            Pass::new(used, if used == 0 { NONE_WHOLE } else { positions })
        });
        let passes: Box<[Pass; LOOKS]> = passes.collect::<Vec<Pass>>().into_boxed_slice().try_into().ok()?;
        Some(AcCodes { codes, passes })
    }

    /// Passes over the coefficients from position `at` to the end of the block.
    #[inline]
    pub(super) fn pass(&self, bits: &mut Bits, mut at: usize) -> Option<()> {
        'refilled: while at < BLOCK {
            bits.refill();
            for _ in 0..REFILLED / LOOK {
                let pass = self.passes[bits.peek(LOOK) as usize];
                let behind = at + pass.positions();
                if behind < BLOCK {
                    bits.drop(pass.bits());
                    at = behind;
                    continue;
                }
                let ends = pass.positions() >= BLOCK && behind < 2 * BLOCK;
                if ends || behind == BLOCK {
                    bits.drop(pass.bits());
                    return Some(());
                }
                // What lies behind the last position is the next block's.
                bits.refill();
                at = self.read_one(bits, at)?.0;
                continue 'refilled;
            }
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
    /// Behind the marker at which this stretch ends.
    rest: &'a [u8],
    /// From the last restart marker to the next, without what is stuffed.
    stretch: Vec<u8>,
    /// Bytes of it that are in the buffer or were.
    at: usize,
    /// The next bits, from the highest on; those behind the last that counts are the ones that follow.
    buffer: u64,
    count: u32,
    restarts: u8,
}

impl<'a> Bits<'a> {
    pub(super) fn new(data: &'a [u8]) -> Bits<'a> {
        let mut bits =
            Bits { rest: data, stretch: Vec::with_capacity(data.len()), at: 0, buffer: 0, count: 0, restarts: 0 };
        bits.unstuff();
        bits
    }

    /// The next stretch: up to a byte of ones that no zero follows.
    fn unstuff(&mut self) {
        self.stretch.clear();
        (self.at, self.buffer, self.count) = (0, 0, 0);
        loop {
            // Most pieces have no byte of ones.
            while let Some((piece, rest)) = self.rest.split_first_chunk::<PIECE>() {
                if piece.iter().fold(false, |any, byte| any | (*byte == 0xff)) {
                    break;
                }
                self.stretch.extend_from_slice(piece);
                self.rest = rest;
            }
            let ones = self.rest.iter().position(|&byte| byte == 0xff).unwrap_or(self.rest.len());
            let (before, rest) = self.rest.split_at(ones);
            self.stretch.extend_from_slice(before);
            self.rest = rest;
            match rest {
                [0xff, 0, rest @ ..] => {
                    self.stretch.push(0xff);
                    self.rest = rest;
                }
                _ => return,
            }
        }
    }

    /// Afterwards there are `REFILLED` bits at least: a code and its value, or several.
    #[inline]
    fn refill(&mut self) {
        let next = self.stretch.get(self.at..).and_then(<[u8]>::first_chunk);
        let word = next.map_or_else(|| self.last_word(), |next| u64::from_be_bytes(*next));
        self.buffer |= word >> self.count;
        self.at += (63 - self.count) as usize / 8;
        self.count |= REFILLED;
    }

    #[cold]
    fn last_word(&self) -> u64 {
        let left = self.stretch.get(self.at..).unwrap_or_default();
        left.iter().chain(std::iter::repeat(&0xff)).take(8).fold(0, |word, byte| word << 8 | u64::from(*byte))
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
        let value = (self.buffer >> 1 >> (63 - size)) as i32;
        self.drop(size);
        let is_lower = (value - (1 << size >> 1)) >> 31;
        value + (is_lower & (1 - (1 << size)))
    }

    pub(super) fn are_overread(&self) -> bool {
        self.read() > 8 * self.stretch.len()
    }

    /// Whether all data were read, but for what fills the last byte.
    pub(super) fn are_at_end(&self) -> bool {
        self.are_read() && self.rest.is_empty()
    }

    fn are_read(&self) -> bool {
        self.read().div_ceil(8) == self.stretch.len()
    }

    fn read(&self) -> usize {
        8 * self.at - self.count as usize
    }

    /// Goes on behind the next restart marker, which must follow.
    pub(super) fn restart(&mut self) -> Option<()> {
        let marker = self.rest.iter().position(|&byte| byte != 0xff)?;
        if !self.are_read() || marker == 0 || self.rest[marker] != 0xd0 + self.restarts {
            return None;
        }
        self.rest = &self.rest[marker + 1..];
        self.restarts = (self.restarts + 1) % 8;
        self.unstuff();
        Some(())
    }
}
