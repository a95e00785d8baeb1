//! Bytes in frames with checksums: nothing that was damaged or cut off is ever given out.
//!
//! A frame is its length, a CRC-32 of its number, length and content, and the content. An empty frame is
//! the last.

use std::io::{self, Read, Write};

/// Bytes of a frame, at most.
const FRAME: usize = 1 << 20;

/// The bytes are not those that were written.
#[derive(Debug)]
pub(super) enum Broken {
    /// They end too early, do not end, or a checksum is wrong.
    Damaged(&'static str),
    /// They cannot be read.
    Io(io::Error),
}

/// The checksum of a frame.
fn checksum(number: u64, content: &[u8]) -> u32 {
    let mut crc = crc32fast::Hasher::new();
    crc.update(&number.to_le_bytes());
    crc.update(&(content.len() as u64).to_le_bytes());
    crc.update(content);
    crc.finalize()
}

/// Writes frames.
#[derive(Debug)]
pub(super) struct FrameWriter<W> {
    out: W,
    content: Vec<u8>,
    number: u64,
}

impl<W: Write> FrameWriter<W> {
    /// From here on.
    pub(super) fn new(out: W) -> Self {
        FrameWriter { out, content: Vec::with_capacity(FRAME), number: 0 }
    }

    /// Appends bytes.
    pub(super) fn write(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let (now, later) = bytes.split_at(bytes.len().min(FRAME - self.content.len()));
            self.content.extend_from_slice(now);
            bytes = later;
            if self.content.len() == FRAME {
                self.end_frame()?;
            }
        }
        Ok(())
    }

    /// Appends a number.
    pub(super) fn write_number(&mut self, number: u64) -> io::Result<()> {
        self.write(&number.to_le_bytes())
    }

    /// Writes what is left and the last frame.
    pub(super) fn finish(mut self) -> io::Result<W> {
        if !self.content.is_empty() {
            self.end_frame()?;
        }
        self.end_frame()?;
        Ok(self.out)
    }

    fn end_frame(&mut self) -> io::Result<()> {
        self.out.write_all(&(self.content.len() as u32).to_le_bytes())?;
        self.out.write_all(&checksum(self.number, &self.content).to_le_bytes())?;
        self.out.write_all(&self.content)?;
        self.number += 1;
        self.content.clear();
        Ok(())
    }
}

/// Reads frames.
#[derive(Debug)]
pub(super) struct FrameReader<R> {
    from: R,
    content: Vec<u8>,
    /// Bytes of the content that have been given out.
    given: usize,
    number: u64,
}

impl<R: Read> FrameReader<R> {
    /// From here on.
    pub(super) fn new(from: R) -> Self {
        FrameReader { from, content: Vec::new(), given: 0, number: 0 }
    }

    /// Fills a buffer.
    pub(super) fn read(&mut self, mut bytes: &mut [u8]) -> Result<(), Broken> {
        while !bytes.is_empty() {
            if self.given == self.content.len() {
                self.next_frame()?;
                if self.content.is_empty() {
                    return Err(Broken::Damaged("it ends too early"));
                }
            }
            let now = bytes.len().min(self.content.len() - self.given);
            let (filled, rest) = bytes.split_at_mut(now);
            filled.copy_from_slice(&self.content[self.given..][..now]);
            self.given += now;
            bytes = rest;
        }
        Ok(())
    }

    /// Reads a number.
    pub(super) fn read_number(&mut self) -> Result<u64, Broken> {
        let mut bytes = [0; 8];
        self.read(&mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }

    /// Checks that this is the end.
    pub(super) fn finish(mut self) -> Result<(), Broken> {
        if self.given == self.content.len() {
            self.next_frame()?;
        }
        let beyond = self.from.read(&mut [0]).map_err(Broken::Io)?;
        if !self.content.is_empty() || beyond > 0 {
            return Err(Broken::Damaged("it does not end where it should"));
        }
        Ok(())
    }

    fn next_frame(&mut self) -> Result<(), Broken> {
        let mut head = [0; 8];
        read_exact(&mut self.from, &mut head)?;
        let [a, b, c, d, sum @ ..] = head;
        let len = u32::from_le_bytes([a, b, c, d]) as usize;
        if len > FRAME {
            return Err(Broken::Damaged("a length is wrong"));
        }
        self.content.resize(len, 0);
        self.given = 0;
        read_exact(&mut self.from, &mut self.content)?;
        if checksum(self.number, &self.content) != u32::from_le_bytes(sum) {
            return Err(Broken::Damaged("a checksum is wrong"));
        }
        self.number += 1;
        Ok(())
    }
}

/// Fills a buffer from a reader that has to have so much.
pub(super) fn read_exact(mut from: impl Read, bytes: &mut [u8]) -> Result<(), Broken> {
    from.read_exact(bytes).map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof => Broken::Damaged("it is cut off"),
        _ => Broken::Io(error),
    })
}
