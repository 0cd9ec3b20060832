//! `.idx`: the index of a sealed segment. It can always be made again from the segment.
//!
//! ```text
//! header    magic · format · counts · first and last offset · times · segment bytes · CRCs
//! places    one per batch: base offset, recorded time, byte, last delta, count    (one CRC)
//! ids       one per record: hash, offset, event time; by hash; blocks of 128, a CRC behind each
//! ```
//!
//! Places are read as a whole. Ids are looked up on the disk, a block or two each: hashes are spread
//! evenly, so the place of one is guessed and hardly missed. All numbers are big-endian.

use std::{io, path::Path, sync::Arc};

use rustix::io::Errno;

use crate::{
    Offset,
    disk::{self, Disk, File},
};

const MAGIC: &[u8; 8] = b"pluvioix";
const FORMAT: u32 = 1;
const HEADER_BYTES: usize = 80;
const PLACE_BYTES: usize = 28;
const ID_BYTES: usize = 24;
/// Ids in a block.
const BLOCK: usize = 128;
const BLOCK_BYTES: usize = BLOCK * ID_BYTES + 4;
/// Blocks looked at beside the guessed one before the rest is halved.
const PROBES_BESIDE: u32 = 4;
/// What stands for the time of an event that has none.
const NO_TIME: i64 = i64::MIN;

/// Where a batch lies in its segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct BatchLocation {
    pub(super) base: Offset,
    /// When its records were appended, in milliseconds since 1970.
    pub(super) time: i64,
    /// Its first byte.
    pub(super) at: u32,
    /// From its base to its last offset.
    pub(super) last_delta: u32,
    /// Records.
    pub(super) count: u32,
}

impl BatchLocation {
    pub(super) fn last(&self) -> Offset {
        Offset::new(self.base.get().saturating_add(i64::from(self.last_delta))).unwrap_or(self.base)
    }
}

/// One record in the id index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Id {
    pub(super) hash: u64,
    pub(super) offset: Offset,
    /// The event's own time in microseconds since 1970.
    pub(super) time: Option<i64>,
}

/// What the header tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Summary {
    /// Of the first and of the last record.
    pub(super) first: Offset,
    pub(super) last: Offset,
    pub(super) records: u64,
    /// Of the segment's batches.
    pub(super) bytes: u64,
    /// Of the last batch, in milliseconds since 1970.
    pub(super) time: i64,
    batches: u32,
    places_crc: u32,
}

/// Why an index cannot be used: it is missing, or not what was written.
#[derive(Debug)]
pub(super) enum Unusable {
    Disk(io::Error),
    /// This says nothing about the index, such as a shortage of files to open: the same call may work later,
    /// and nobody may do without the index for it.
    Passing(io::Error),
    Damaged(&'static str),
}

/// Whether the index is missing, too short, or on a part of the disk that cannot be read.
fn is_lasting(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::UnexpectedEof)
        || Errno::from_io_error(error) == Some(Errno::IO)
}

impl From<io::Error> for Unusable {
    fn from(error: io::Error) -> Self {
        if is_lasting(&error) { Self::Disk(error) } else { Self::Passing(error) }
    }
}

impl std::fmt::Display for Unusable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Disk(error) | Self::Passing(error) => error.fmt(f),
            Self::Damaged(what) => f.write_str(what),
        }
    }
}

/// Writes the index of a segment that is complete; its `places` are not empty.
pub(super) fn write(
    disk: &dyn Disk,
    path: &Path,
    places: &[BatchLocation],
    mut ids: Vec<Id>,
    segment_bytes: u64,
) -> io::Result<Summary> {
    ids.sort_unstable();
    let mut content = Vec::with_capacity(
        HEADER_BYTES + places.len() * PLACE_BYTES + ids.len().div_ceil(BLOCK) * BLOCK_BYTES,
    );
    content.resize(HEADER_BYTES, 0);
    for place in places {
        content.extend_from_slice(&place.base.get().to_be_bytes());
        content.extend_from_slice(&place.time.to_be_bytes());
        content.extend_from_slice(&place.at.to_be_bytes());
        content.extend_from_slice(&place.last_delta.to_be_bytes());
        content.extend_from_slice(&place.count.to_be_bytes());
    }
    let (first, last) = (places.first(), places.last());
    let summary = Summary {
        first: first.map_or(Offset::ZERO, |place| place.base),
        last: last.map_or(Offset::ZERO, BatchLocation::last),
        records: places.iter().map(|place| u64::from(place.count)).sum(),
        bytes: segment_bytes,
        time: last.map_or(0, |place| place.time),
        batches: places.len() as u32,
        places_crc: crc32c::crc32c(&content[HEADER_BYTES..]),
    };
    for block in ids.chunks(BLOCK) {
        let start = content.len();
        for id in block {
            content.extend_from_slice(&id.hash.to_be_bytes());
            content.extend_from_slice(&id.offset.get().to_be_bytes());
            content.extend_from_slice(&id.time.unwrap_or(NO_TIME).to_be_bytes());
        }
        let crc = crc32c::crc32c(&content[start..]);
        content.extend_from_slice(&crc.to_be_bytes());
    }
    content[..HEADER_BYTES].copy_from_slice(&header(&summary, ids.len() as u64));
    disk::replace(disk, path, &content)?;
    Ok(summary)
}

fn header(summary: &Summary, ids: u64) -> [u8; HEADER_BYTES] {
    let mut header = [0; HEADER_BYTES];
    header[..8].copy_from_slice(MAGIC);
    header[8..12].copy_from_slice(&FORMAT.to_be_bytes());
    header[12..16].copy_from_slice(&summary.batches.to_be_bytes());
    header[16..24].copy_from_slice(&summary.records.to_be_bytes());
    header[24..32].copy_from_slice(&summary.first.get().to_be_bytes());
    header[32..40].copy_from_slice(&summary.last.get().to_be_bytes());
    header[40..48].copy_from_slice(&summary.time.to_be_bytes());
    header[48..56].copy_from_slice(&summary.bytes.to_be_bytes());
    header[56..64].copy_from_slice(&ids.to_be_bytes());
    header[64..68].copy_from_slice(&summary.places_crc.to_be_bytes());
    let crc = crc32c::crc32c(&header[..76]);
    header[76..].copy_from_slice(&crc.to_be_bytes());
    header
}

/// An index on the disk.
#[derive(Clone, Debug)]
pub(super) struct Index {
    file: Arc<dyn File>,
    pub(super) summary: Summary,
    ids: u64,
}

impl Index {
    /// Reads and checks the header.
    pub(super) fn open(disk: &dyn Disk, path: &Path) -> Result<Self, Unusable> {
        let file = disk.open(path)?;
        let mut header = [0; HEADER_BYTES];
        file.read_at(&mut header, 0)?;
        if &header[..8] != MAGIC {
            return Err(Unusable::Damaged("it does not begin as an index does"));
        }
        if number(&header[76..]) != u64::from(crc32c::crc32c(&header[..76])) {
            return Err(Unusable::Damaged("its header's checksum is wrong"));
        }
        if number(&header[8..12]) != u64::from(FORMAT) {
            return Err(Unusable::Damaged("it has another format"));
        }
        let summary = Summary {
            batches: number(&header[12..16]) as u32,
            records: number(&header[16..24]),
            first: offset(&header[24..32])?,
            last: offset(&header[32..40])?,
            time: number(&header[40..48]) as i64,
            bytes: number(&header[48..56]),
            places_crc: number(&header[64..68]) as u32,
        };
        Ok(Self { file, summary, ids: number(&header[56..64]) })
    }

    /// All batches of the segment.
    pub(super) fn places(&self) -> Result<Vec<BatchLocation>, Unusable> {
        let mut content = vec![0; self.summary.batches as usize * PLACE_BYTES];
        self.file.read_at(&mut content, HEADER_BYTES as u64)?;
        if crc32c::crc32c(&content) != self.summary.places_crc {
            return Err(Unusable::Damaged("the checksum of its places is wrong"));
        }
        let place = |raw: &[u8]| {
            Ok(BatchLocation {
                base: offset(&raw[..8])?,
                time: number(&raw[8..16]) as i64,
                at: number(&raw[16..20]) as u32,
                last_delta: number(&raw[20..24]) as u32,
                count: number(&raw[24..28]) as u32,
            })
        };
        content.chunks_exact(PLACE_BYTES).map(place).collect()
    }

    /// Blocks of ids.
    pub(super) fn blocks(&self) -> u64 {
        self.ids.div_ceil(BLOCK as u64)
    }

    /// All records with this hash, ascending.
    pub(super) fn find(&self, hash: u64, drift: &mut Drift) -> Result<Vec<Id>, Unusable> {
        let blocks = self.blocks();
        let even = ((u128::from(hash) * u128::from(blocks)) >> 64) as u64;
        let mut probe = even.saturating_add_signed(drift.0).min(blocks.saturating_sub(1));
        // The first block that does not end below the hash lies in low..=high.
        let (mut low, mut high) = (0, blocks);
        let mut probes = 0;
        while low < high {
            let block = self.block(probe)?;
            let (Some(first), Some(last)) = (block.first_hash(), block.last_hash()) else { break };
            probes += 1;
            if last < hash {
                low = probe + 1;
                probe = if probes < PROBES_BESIDE { low } else { low + (high - low) / 2 };
            } else if first < hash {
                drift.0 = probe.cast_signed() - even.cast_signed();
                return self.gather(probe, block, hash);
            } else {
                high = probe;
                let beside = high.saturating_sub(1);
                probe = if probes < PROBES_BESIDE { beside } else { low + (high - low) / 2 };
            }
            probe = probe.clamp(low, high.saturating_sub(1).max(low));
        }
        if low < blocks { self.gather(low, self.block(low)?, hash) } else { Ok(Vec::new()) }
    }

    /// Records of one hash may go on in the next block.
    fn gather(&self, mut at: u64, mut block: Block, hash: u64) -> Result<Vec<Id>, Unusable> {
        let mut found = Vec::new();
        loop {
            block.of_hash(hash, &mut found)?;
            at += 1;
            let goes_on = block.last_hash().is_some_and(|last| last <= hash);
            if !goes_on || at * BLOCK as u64 >= self.ids {
                return Ok(found);
            }
            block = self.block(at)?;
        }
    }

    /// How many ids there are.
    pub(super) fn count(&self) -> u64 {
        self.ids
    }

    /// All hashes of ids, ascending, a block in memory at a time.
    pub(super) fn hashes(&self, mut each: impl FnMut(u64)) -> Result<(), Unusable> {
        for number in 0..self.blocks() {
            self.block(number)?.raw().map(hash_of).for_each(&mut each);
        }
        Ok(())
    }

    /// All ids, by hash.
    pub(super) fn ids(&self) -> Result<Vec<Id>, Unusable> {
        let mut ids = Vec::new();
        for number in 0..self.blocks() {
            for raw in self.block(number)?.raw() {
                ids.push(id(raw)?);
            }
        }
        Ok(ids)
    }

    fn block(&self, number_of: u64) -> Result<Block, Unusable> {
        let ids = self.ids.saturating_sub(number_of * BLOCK as u64).min(BLOCK as u64) as usize;
        let mut content = vec![0; ids * ID_BYTES + 4];
        let places = u64::from(self.summary.batches) * PLACE_BYTES as u64;
        let at = HEADER_BYTES as u64 + places + number_of * BLOCK_BYTES as u64;
        self.file.read_at(&mut content, at)?;
        let crc = number(&content[ids * ID_BYTES..]);
        content.truncate(ids * ID_BYTES);
        if crc != u64::from(crc32c::crc32c(&content)) {
            return Err(Unusable::Damaged("the checksum of a block of ids is wrong"));
        }
        Ok(Block(content))
    }
}

/// By how many blocks the last hash lay apart from where it would if all were spread evenly. The next
/// one, if it is not much greater, lies about as far apart: so many are looked up in their order.
#[derive(Debug, Default)]
pub(super) struct Drift(i64);

/// Ids as they lie on the disk, ascending: a look-up reads few of them.
struct Block(Vec<u8>);

impl Block {
    fn raw(&self) -> impl DoubleEndedIterator<Item = &[u8]> {
        self.0.chunks_exact(ID_BYTES)
    }

    fn first_hash(&self) -> Option<u64> {
        self.raw().next().map(hash_of)
    }

    fn last_hash(&self) -> Option<u64> {
        self.raw().next_back().map(hash_of)
    }

    /// Adds all with this hash.
    fn of_hash(&self, hash: u64, found: &mut Vec<Id>) -> Result<(), Unusable> {
        let (mut low, mut high) = (0, self.0.len() / ID_BYTES);
        while low < high {
            let middle = low + (high - low) / 2;
            if hash_of(&self.0[middle * ID_BYTES..]) < hash {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        for raw in self.0[low * ID_BYTES..].chunks_exact(ID_BYTES) {
            if hash_of(raw) != hash {
                break;
            }
            found.push(id(raw)?);
        }
        Ok(())
    }
}

fn hash_of(raw: &[u8]) -> u64 {
    number(&raw[..8])
}

fn id(raw: &[u8]) -> Result<Id, Unusable> {
    let time = number(&raw[16..24]) as i64;
    let time = (time != NO_TIME).then_some(time);
    Ok(Id { hash: hash_of(raw), offset: offset(&raw[8..16])?, time })
}

fn number(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

fn offset(bytes: &[u8]) -> Result<Offset, Unusable> {
    Offset::new(number(bytes) as i64).ok_or(Unusable::Damaged("an offset in it is negative"))
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use proptest::prelude::*;

    use super::*;
    use crate::disk::SimulatedDisk;

    fn written(hashes: &[u64]) -> Index {
        let disk = SimulatedDisk::new(1);
        disk.create_folder(Path::new("/d")).unwrap_or_else(|e| unreachable!("{e}"));
        let ids = hashes.iter().zip(0..).map(|(hash, at)| Id {
            hash: *hash,
            offset: Offset::new(at).unwrap_or_default(),
            time: (at % 3 != 0).then_some(at * 1000),
        });
        let path = PathBuf::from("/d/x.idx");
        let place = BatchLocation {
            base: Offset::ZERO,
            time: 5,
            at: 0,
            last_delta: 9,
            count: hashes.len() as u32,
        };
        let summary = write(&disk, &path, &[place], ids.collect(), 1000);
        let index = Index::open(&disk, &path).unwrap_or_else(|e| unreachable!("{e}"));
        assert_eq!(Some(index.summary), summary.ok());
        assert_eq!(index.places().unwrap_or_default(), [place]);
        index
    }

    fn offsets(index: &Index, hash: u64) -> Vec<i64> {
        let found = index.find(hash, &mut Drift::default()).unwrap_or_else(|e| unreachable!("{e}"));
        found.iter().map(|id| id.offset.get()).collect()
    }

    proptest! {
        #[test]
        fn every_id_is_found_and_no_other(
            spread in proptest::collection::vec(any::<u64>(), 0..600),
            narrow in proptest::collection::vec(0_u64..40, 0..600),
            missing in any::<u64>(),
        ) {
            let hashes: Vec<u64> = spread.iter().chain(&narrow).copied().collect();
            let index = written(&hashes);
            let mut drift = Drift::default();
            for hash in hashes.iter().chain([&missing, &0, &u64::MAX]) {
                let expected: Vec<i64> =
                    (0..).zip(&hashes).filter(|(_, h)| *h == hash).map(|(at, _)| at).collect();
                prop_assert_eq!(offsets(&index, *hash), expected.clone());
                let found = index.find(*hash, &mut drift).unwrap_or_else(|e| unreachable!("{e}"));
                prop_assert_eq!(found.len(), expected.len(), "with the drift of another");
            }
            prop_assert_eq!(index.ids().map_or(0, |ids| ids.len()), hashes.len());
        }
    }
}
