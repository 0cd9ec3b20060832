//! Identifiers of events, computed from their number: no table of them is ever stored.
//!
//! The first 48 bits are a permutation of the number, so an identifier leads back to its event; the
//! rest is noise from the same seed. To a client it is a random UUID like any other, and tells
//! nothing about order.

use uuid::Uuid;

const HALF_BITS: u32 = 24;
const HALF: u64 = (1 << HALF_BITS) - 1;
const ROUNDS: u64 = 4;

/// The identifiers of one cloud's events.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ids {
    seed: u64,
}

impl Ids {
    pub(crate) fn new(seed: u64) -> Self {
        Self { seed: mix(seed ^ 0x6576_656e_7473) }
    }

    /// The identifier of the event with that number.
    pub(crate) fn id(self, number: u32) -> Uuid {
        let number = u64::from(number);
        let front = self.permute(number).to_be_bytes();
        let back = mix(self.seed.wrapping_add(number));
        let [a, b, c, d, e, f, g, h] = back.to_be_bytes();
        let extra = mix(back).to_be_bytes();
        let [_, _, p, q, r, s, t, u] = front;
        let bytes = [p, q, r, s, t, u, a, b, c, d, e, f, g, h, extra[0], extra[1]];
        uuid::Builder::from_random_bytes(bytes).into_uuid()
    }

    /// The number of the event with that identifier, if there can be such an event.
    pub(crate) fn number(self, id: Uuid) -> Option<u32> {
        let [p, q, r, s, t, u, ..] = *id.as_bytes();
        let value = u64::from_be_bytes([0, 0, p, q, r, s, t, u]);
        let number = u32::try_from(self.restore(value)).ok()?;
        (self.id(number) == id).then_some(number)
    }

    fn permute(self, value: u64) -> u64 {
        let (mut left, mut right) = (value >> HALF_BITS, value & HALF);
        for round in 0..ROUNDS {
            (left, right) = (right, left ^ self.scramble(right, round));
        }
        left << HALF_BITS | right
    }

    fn restore(self, value: u64) -> u64 {
        let (mut left, mut right) = (value >> HALF_BITS, value & HALF);
        for round in (0..ROUNDS).rev() {
            (left, right) = (right ^ self.scramble(left, round), left);
        }
        left << HALF_BITS | right
    }

    fn scramble(self, half: u64, round: u64) -> u64 {
        mix(self.seed ^ half << 8 ^ round) & HALF
    }
}

/// Spreads every bit over all others.
pub(crate) fn mix(value: u64) -> u64 {
    let mut x = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::Ids;

    #[test]
    fn an_identifier_leads_back_to_its_event_and_a_foreign_one_nowhere() {
        let ids = Ids::new(7);
        for number in [0, 1, 2, 1_000_000, u32::MAX] {
            assert_eq!(ids.number(ids.id(number)), Some(number));
        }
        assert_eq!(ids.number(Ids::new(8).id(1)), None);
        assert_eq!(ids.number(Uuid::nil()), None);
        assert_eq!(ids.id(3).get_version_num(), 4);
    }
}
