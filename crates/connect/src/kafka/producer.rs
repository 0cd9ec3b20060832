//! Who produced a batch: the producer as the cluster knows it, and its place in a batch's header.
//!
//! A batch is encoded without one, because it may be sent again by another. It refuses to number: sequences are the
//! [lane's](super::lane).

use bytes::{Bytes, BytesMut};
use pluvio_log::batch;

/// An idempotent or transactional producer, as the cluster knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    pub(super) id: i64,
    pub(super) epoch: i16,
}

/// Puts the producer into a batch's header, and the checksum right.
pub(super) fn stamp(
    batch: Bytes,
    producer: Identity,
    sequence: i32,
    is_transactional: bool,
) -> Bytes {
    const CRC: std::ops::Range<usize> = 17..21;
    const TRANSACTIONAL: u8 = 1 << 4;
    let mut batch = BytesMut::from(batch);
    if batch.len() < batch::HEADER_BYTES {
        return batch.freeze();
    }
    if is_transactional {
        batch[22] |= TRANSACTIONAL;
    }
    batch[43..51].copy_from_slice(&producer.id.to_be_bytes());
    batch[51..53].copy_from_slice(&producer.epoch.to_be_bytes());
    batch[53..57].copy_from_slice(&sequence.to_be_bytes());
    let crc = crc32c::crc32c(&batch[CRC.end..]);
    batch[CRC].copy_from_slice(&crc.to_be_bytes());
    batch.freeze()
}

#[cfg(test)]
mod tests {
    use pluvio_log::batch::{BatchError, Builder, Compression, Header};

    use super::*;

    fn plain() -> Bytes {
        let mut body = Vec::new();
        batch::body(&mut body, Some(b"vm-1"), b"{}", &[]);
        let mut builder = Builder::new(0, 1000);
        builder.push(0, 1000, &body);
        builder.push(1, 1001, &body);
        builder.finish(Compression::None).encoded
    }

    #[test]
    fn a_stamped_batch_names_its_producer_and_is_whole() {
        let producer = Identity { id: 77, epoch: 3 };
        let stamped = stamp(plain(), producer, 41, false);
        let header = batch::verify(&stamped).ok();
        let told = header.map(|it| (it.producer_id, it.producer_epoch, it.base_sequence, it.count));
        assert_eq!(told, Some((77, 3, 41, 2)));
        let again = stamp(stamped, Identity { id: 78, epoch: 0 }, 0, false);
        assert!(batch::verify(&again).is_ok_and(|header| header.producer_id == 78));
    }

    #[test]
    fn a_batch_of_a_transaction_says_so() {
        let stamped = stamp(plain(), Identity { id: 1, epoch: 0 }, 0, true);
        assert_eq!(stamped[22] & 0x10, 0x10);
        // The log itself takes none: this is the only thing that it finds wrong.
        let refused = Header::parse(&stamped).err();
        assert!(matches!(refused, Some(BatchError::Attributes { attributes: 16 })), "{refused:?}");
    }
}
