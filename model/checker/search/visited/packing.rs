//! States without the bits that never differ.
//!
//! A field of a state needs fewer bits than its bytes have: its upper ones are always those of the base,
//! a state that the caller chooses. Eight bytes at a time are compressed by steps of 1, 2, 4, .. bits,
//! prepared for each eight once (Warren, Hacker's Delight, 7-4 "Compress, or Generalized Extract").

/// Steps that take a bit across a word.
const STEPS: usize = 6;

/// A number in a state, little-endian.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::search) struct Field {
    /// Its first byte.
    pub(in crate::search) offset: usize,
    /// Its bytes.
    pub(in crate::search) bytes: usize,
    /// Its lower bits that may differ from those of the base; 0 if it is constant.
    pub(in crate::search) bits: u32,
}

/// Eight bytes of a state.
#[derive(Clone, Copy, Debug)]
struct Word {
    /// The bits that differ between states.
    mask: u64,
    /// How many they are.
    bits: u32,
    /// The bits that move right by 1, 2, 4, .. in each step.
    moves: [u64; STEPS],
    /// What the other bits are.
    base: u64,
}

/// How states of one length are packed.
#[derive(Clone, Debug)]
pub(in crate::search) struct Packing {
    words: Vec<Word>,
    length: usize,
    stride: usize,
}

impl Packing {
    /// For states that differ from a base only in the lower bits of some fields.
    ///
    /// # Panics
    ///
    /// If a field is outside of the base, has more bits than its bytes, or overlaps another.
    pub(in crate::search) fn new(base: &[u8], fields: &[Field]) -> Self {
        let mut differing = vec![0_u8; base.len()];
        for field in fields {
            assert!(field.bits as usize <= 8 * field.bytes, "internal: {field:?} has not so many bits");
            for (at, byte) in differing[field.offset..][..field.bytes].iter_mut().enumerate() {
                let bits = field.bits.saturating_sub(8 * at as u32).min(8);
                assert_eq!(*byte, 0, "internal: {field:?} overlaps another field");
                *byte = ((1_u16 << bits) - 1) as u8;
            }
        }
        let words: Vec<Word> = differing
            .chunks(8)
            .zip(base.chunks(8))
            .map(|(mask, base)| Word::new(load(mask), load(base)))
            .collect();
        let bits: u32 = words.iter().map(|word| word.bits).sum();
        Packing { words, length: base.len(), stride: bits.div_ceil(8) as usize }
    }

    /// The bytes of a packed state.
    pub(in crate::search) fn stride(&self) -> usize {
        self.stride
    }

    /// Appends a state, packed.
    #[inline]
    pub(in crate::search) fn pack(&self, state: &[u8], out: &mut Vec<u8>) {
        debug_assert_eq!(state.len(), self.length, "a state of the base's length");
        let mut chunks = state.chunks_exact(8);
        let (mut ready, mut filled) = (0, 0);
        let mut add = |word: &Word, value: u64| {
            let packed = word.compress(value);
            ready |= packed << filled;
            filled += word.bits;
            if filled >= u64::BITS {
                out.extend_from_slice(&ready.to_le_bytes());
                filled -= u64::BITS;
                ready = packed.checked_shr(word.bits - filled).unwrap_or(0);
            }
        };
        for (word, chunk) in self.words.iter().zip(&mut chunks) {
            add(word, u64::from_le_bytes(chunk.try_into().expect("internal: eight bytes")));
        }
        if !chunks.remainder().is_empty() {
            add(&self.words[self.words.len() - 1], load(chunks.remainder()));
        }
        out.extend_from_slice(&ready.to_le_bytes()[..filled.div_ceil(8) as usize]);
    }

    /// Writes the state that was packed.
    ///
    /// # Panics
    ///
    /// If `packed` has fewer bytes than a packed state or `state` fewer than a state.
    #[inline]
    pub(in crate::search) fn unpack(&self, packed: &[u8], state: &mut [u8]) {
        debug_assert_eq!((packed.len(), state.len()), (self.stride, self.length), "states of these lengths");
        let mut source = packed.chunks(8);
        let (mut ready, mut filled) = (0_u64, 0_u32);
        for (word, chunk) in self.words.iter().zip(state.chunks_mut(8)) {
            let mut value = ready;
            if filled < word.bits {
                let next = load(source.next().expect("internal: a packed state is whole"));
                value |= next << filled;
                let used = word.bits - filled;
                ready = next.checked_shr(used).unwrap_or(0);
                filled = u64::BITS - used;
            } else {
                ready = ready.checked_shr(word.bits).unwrap_or(0);
                filled -= word.bits;
            }
            let bytes = word.expand(value).to_le_bytes();
            match <&mut [u8; 8]>::try_from(&mut *chunk) {
                Ok(whole) => *whole = bytes,
                Err(_) => chunk.copy_from_slice(&bytes[..chunk.len()]),
            }
        }
    }
}

impl Word {
    /// Prepares the steps for a mask.
    fn new(mask: u64, base: u64) -> Self {
        let mut moves = [0; STEPS];
        let mut rest = mask;
        // Bits to the right of which an odd number of zeros was; then those with an odd number of pairs
        // of zeros, and so on.
        let mut zeros = !mask << 1;
        for (step, moved) in moves.iter_mut().enumerate() {
            let mut odd = zeros;
            for shift in 0..STEPS {
                odd ^= odd << (1 << shift);
            }
            *moved = odd & rest;
            rest = (rest ^ *moved) | (*moved >> (1 << step));
            zeros &= !odd;
        }
        Word { mask, bits: mask.count_ones(), moves, base }
    }

    /// The differing bits, moved together to the right.
    #[inline]
    fn compress(&self, value: u64) -> u64 {
        assert_eq!((value ^ self.base) & !self.mask, 0, "a field's value needs more bits: {value:x}");
        let mut bits = value & self.mask;
        for (step, moves) in self.moves.iter().enumerate() {
            let moved = bits & moves;
            bits = (bits ^ moved) | (moved >> (1 << step));
        }
        bits
    }

    /// The word of which these are the differing bits; bits beyond are ignored.
    #[inline]
    fn expand(&self, mut bits: u64) -> u64 {
        for (step, moves) in self.moves.iter().enumerate().rev() {
            let moved = bits << (1 << step);
            bits = (bits & !moves) | (moved & moves);
        }
        (bits & self.mask) | (self.base & !self.mask)
    }
}

/// Up to eight bytes as a number; missing ones are 0.
#[inline]
fn load(bytes: &[u8]) -> u64 {
    let mut whole = [0; 8];
    whole[..bytes.len()].copy_from_slice(bytes);
    u64::from_le_bytes(whole)
}
