//! Which partition a record goes to: as Kafka's own clients choose by key, so that a topic that
//! several producers write to keeps one key in one place. Pure.

use pluvio_log::Offset;

/// So many records without a key, by their offsets, go to one partition before the next has its turn:
/// small pieces for every partition would cost a request each. By offset, because whatever is handed
/// over again must come to the same place.
const RUN: u64 = 1024;

/// The partition, of `count`, for a record.
pub(super) fn partition(key: Option<&[u8]>, offset: Offset, count: i32) -> i32 {
    let count = count.max(1).unsigned_abs();
    let chosen = match key {
        // Java makes the hash positive by taking the sign away.
        Some(key) => (murmur2(key) & 0x7fff_ffff) % count,
        None => ((offset.get().unsigned_abs() / RUN) % u64::from(count)) as u32,
    };
    chosen as i32
}

/// Murmur2 as `org.apache.kafka.common.utils.Utils` computes it.
fn murmur2(key: &[u8]) -> u32 {
    const SEED: u32 = 0x9747_b28c;
    const M: u32 = 0x5bd1_e995;
    let mut hash = SEED ^ key.len() as u32;
    let (words, rest) = key.as_chunks::<4>();
    for word in words {
        let mut k = u32::from_le_bytes(*word).wrapping_mul(M);
        k ^= k >> 24;
        hash = hash.wrapping_mul(M) ^ k.wrapping_mul(M);
    }
    if !rest.is_empty() {
        for (at, byte) in rest.iter().enumerate() {
            hash ^= u32::from(*byte) << (8 * at);
        }
        hash = hash.wrapping_mul(M);
    }
    hash ^= hash >> 13;
    hash = hash.wrapping_mul(M);
    hash ^ (hash >> 15)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_the_one_of_kafkas_own_tests() {
        // UtilsTest.testMurmur2
        for (key, hash) in [
            ("21", -973_932_308),
            ("foobar", -790_332_482),
            ("a-little-bit-long-string", -985_981_536),
            ("a-little-bit-longer-string", -1_486_304_829),
            ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971),
            ("abc", 479_470_107),
        ] {
            assert_eq!(murmur2(key.as_bytes()) as i32, hash, "{key}");
        }
    }

    #[test]
    fn records_without_a_key_stay_together_and_find_their_place_again() {
        let at = |offset: i64| partition(None, Offset::new(offset).unwrap_or_default(), 3);
        assert_eq!((at(0), at(1023), at(1024), at(2048), at(3072)), (0, 0, 1, 2, 0));
    }
}
