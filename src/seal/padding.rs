//! Padmé (PURBs, Nikitin et al., PETS 2019, section 4): lengths are rounded so that little can be read from them.
//!
//! A length of at most 2^E keeps only as many significant bits as E has; it grows by at most 12 percent, and
//! O(log log) bits of it show.

/// The padded length of `len` bytes; saturates at the end of the range.
#[must_use]
pub const fn padded_len(len: usize) -> usize {
    if len < 2 {
        return len;
    }
    let exponent = len.ilog2();
    let shown_bits = if exponent == 0 { 1 } else { exponent.ilog2() + 1 };
    let mask = (1usize << exponent.saturating_sub(shown_bits)).saturating_sub(1);
    len.saturating_add(mask) & !mask
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn padding_costs_at_most_twelve_percent_and_hides_most_lengths() {
        let mut shown = std::collections::BTreeSet::new();
        for len in 0..=262_144usize {
            let padded = padded_len(len);
            assert!(padded >= len && (padded - len) * 100 <= len * 12, "{len} {padded}");
            assert_eq!(padded_len(padded), padded, "{len}");
            shown.insert(padded);
        }
        assert!(shown.len() < 240, "{}", shown.len());
    }

    #[test]
    fn padding_agrees_with_the_papers_formula() {
        // E = floor(log2 L), S = floor(log2 E) + 1, the last E - S bits are zero
        for (len, padded) in [(1, 1), (2, 2), (9, 10), (100, 104), (1000, 1024), (1025, 1088), (100_000, 100_352)] {
            assert_eq!(padded_len(len), padded, "{len}");
        }
    }
}
