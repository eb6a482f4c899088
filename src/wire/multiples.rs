//! Multiples of one point, kept so that multiplying it is additions alone.
//!
//! A scalar is written in signed digits of six bits; for each place the 32 multiples that a digit can name are kept.
//! A product is then at most 43 additions and no doubling. Digits decide what is read and added, so the time taken tells
//! the scalar: for verifying, where everything is public, and for nothing else.

use std::sync::LazyLock;

use curve25519_dalek::constants::ED25519_BASEPOINT_POINT;
use curve25519_dalek::edwards::EdwardsPoint;
use curve25519_dalek::scalar::Scalar;

/// Bits of a digit. 6: with seven the tables no longer fit a core's cache beside all else, and cost what they save.
const DIGIT_BITS: u32 = 6;
/// Multiples kept for each place: a digit lies between -32 and 32.
const KEPT: usize = 1 << (DIGIT_BITS - 1);
/// Places: scalars are below 2^253, and the last place has room for what the one before carries.
const PLACES: usize = 43;

/// Multiples of the base point, made when first needed.
static BASE: LazyLock<Multiples> = LazyLock::new(|| Multiples::new(ED25519_BASEPOINT_POINT));

/// The multiples of one point, 220 KB.
pub(crate) struct Multiples(Vec<[EdwardsPoint; KEPT]>);

impl Multiples {
    /// Computes them: 1,376 additions, as much as eight verifications.
    pub(crate) fn new(point: EdwardsPoint) -> Self {
        let mut places = Vec::with_capacity(PLACES);
        let mut unit = point;
        for _ in 0..PLACES {
            let mut multiple = unit;
            let mut row = [unit; KEPT];
            for kept in row.iter_mut().skip(1) {
                multiple += unit;
                *kept = multiple;
            }
            unit = multiple + multiple;
            places.push(row);
        }
        Self(places)
    }

    /// `scalar` times the point, plus `other` times the base point; not in constant time.
    pub(crate) fn times_plus_base(&self, scalar: &Scalar, other: &Scalar) -> EdwardsPoint {
        let mut sum = EdwardsPoint::default();
        self.add_to(&mut sum, scalar);
        BASE.add_to(&mut sum, other);
        sum
    }

    fn add_to(&self, sum: &mut EdwardsPoint, scalar: &Scalar) {
        let (mut digits, mut carry) = (Digits::new(scalar), 0);
        for row in &self.0 {
            let digit = digits.next().saturating_add(carry);
            let negative = digit > KEPT;
            carry = usize::from(negative);
            let size = if negative { (2 * KEPT).abs_diff(digit) } else { digit };
            // None for zero, to which nothing is added.
            let Some(multiple) = size.checked_sub(1).and_then(|place| row.get(place)) else { continue };
            *sum = if negative { *sum - multiple } else { *sum + multiple };
        }
    }
}

/// A scalar's digits without sign, lowest first, and zeros after the last.
struct Digits<'a> {
    bytes: core::slice::Iter<'a, u8>,
    held: u32,
    bits: u32,
}

impl<'a> Digits<'a> {
    fn new(scalar: &'a Scalar) -> Self {
        Self { bytes: scalar.as_bytes().iter(), held: 0, bits: 0 }
    }

    fn next(&mut self) -> usize {
        if self.bits < DIGIT_BITS {
            self.held |= self.bytes.next().map_or(0, |byte| u32::from(*byte) << self.bits);
            self.bits += u8::BITS;
        }
        let digit = self.held & ((1 << DIGIT_BITS) - 1);
        self.held >>= DIGIT_BITS;
        self.bits -= DIGIT_BITS;
        usize::try_from(digit).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
    use super::*;

    #[test]
    fn products_are_those_of_the_library_also_where_digits_carry() {
        let point = ED25519_BASEPOINT_POINT * Scalar::from(77u64);
        let multiples = Multiples::new(point);
        let minus_one = Scalar::ZERO - Scalar::ONE;
        let mut scalars = vec![Scalar::ZERO, Scalar::ONE, minus_one, minus_one - Scalar::ONE];
        for byte in [0x00, 0x1f, 0x20, 0x21, 0x3f, 0x55, 0x7f, 0x80, 0x82, 0x83, 0xaa, 0xdf, 0xe0, 0xff] {
            scalars.push(Scalar::from_bytes_mod_order([byte; 32]));
            scalars.push(Scalar::from(u64::from(byte)));
        }
        scalars.extend((0..253).map(|bit| (0..bit).fold(Scalar::ONE, |power, _| power + power)));
        let mut state = Scalar::from(3u64);
        for _ in 0..500 {
            state = state * state + Scalar::ONE;
            scalars.push(state);
        }
        for (scalar, other) in scalars.iter().zip(scalars.iter().rev()) {
            let expected = point * scalar + ED25519_BASEPOINT_POINT * other;
            assert_eq!(multiples.times_plus_base(scalar, other).compress(), expected.compress(), "{scalar:?}");
        }
    }
}
