//! Our reader and writer against ciborium: same bytes, same values, and never a second encoding.

use ciborium::Value;
use crosscast_wire::cbor::{CborError, DEPTH_MAX, Reader, Writer};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use crate::make::{cases, change, changes};

/// Draws a value of the profile; a seed of 64 bits is cheaper to shrink and to repeat than a tree of strategies.
struct Dice(u64);

impl Dice {
    /// SplitMix64 (Steele et al. 2014).
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.roll() % end
    }

    fn number(&mut self) -> u64 {
        let bits = self.below(65);
        let value = self.roll();
        let shifted = if bits == 64 { value } else { value & ((1 << bits) - 1) };
        // Every fourth number stands right at a power of two, where heads change their length.
        if self.below(4) == 0 {
            1u64.checked_shl(bits as u32).unwrap_or(0).wrapping_sub(self.below(2))
        } else {
            shifted
        }
    }

    /// Mostly short, now and then beyond a head of one byte, seldom beyond one of two.
    fn len(&mut self) -> usize {
        let end = match self.below(64) {
            0 => 300,
            1..8 => 40,
            _ => 6,
        };
        self.below(end) as usize
    }

    /// Containers are wide at one level only, so that a value has tens of parts rather than thousands.
    fn width(&mut self, depth: usize) -> usize {
        let end = if self.below(32) == 0 && depth == 0 { 40 } else { 5 };
        self.below(end) as usize
    }

    fn value(&mut self, depth: usize) -> Value {
        let choice = match depth {
            // A scalar alone is soon exhausted.
            0 if self.below(8) > 0 => 4 + self.below(2),
            DEPTH_MAX => self.below(4),
            _ => self.below(6),
        };
        match choice {
            0 => Value::Integer(self.number().into()),
            1 => Value::Bool(self.roll() & 1 == 1),
            2 => {
                let len = self.len();
                Value::Bytes((0..len).map(|_| self.roll() as u8).collect())
            }
            3 => {
                let len = self.len();
                let letters = ['a', '\0', 'ß', '€', '\u{10ffff}'];
                Value::Text((0..len).map(|_| letters[self.below(5) as usize]).collect())
            }
            4 => {
                let len = self.width(depth);
                Value::Array((0..len).map(|_| self.value(depth + 1)).collect())
            }
            _ => {
                let len = self.width(depth);
                let keys: std::collections::BTreeSet<u64> = (0..len).map(|_| self.number()).collect();
                Value::Map(keys.into_iter().map(|key| (Value::Integer(key.into()), self.value(depth + 1))).collect())
            }
        }
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "an enum of another library")]
fn write(writer: &mut Writer, value: &Value) {
    match value {
        Value::Integer(number) => {
            writer.uint(u64::try_from(*number).unwrap());
        }
        Value::Bool(bool) => {
            writer.bool(*bool);
        }
        Value::Bytes(bytes) => {
            writer.bytes(bytes);
        }
        Value::Text(text) => {
            writer.text(text);
        }
        Value::Array(values) => {
            writer.array(values.len());
            values.iter().for_each(|value| write(writer, value));
        }
        Value::Map(pairs) => {
            writer.map(pairs.len());
            for (key, value) in pairs {
                write(writer, key);
                write(writer, value);
            }
        }
        other => panic!("not of the profile: {other:?}"),
    }
}

/// Reads any value by the typed methods; the first byte says which.
fn read(reader: &mut Reader<'_>) -> Result<Value, CborError> {
    match reader.rest().first().map(|byte| byte >> 5) {
        Some(0) => Ok(Value::Integer(reader.uint()?.into())),
        Some(2) => Ok(Value::Bytes(reader.bytes()?.to_vec())),
        Some(3) => Ok(Value::Text(reader.text()?.to_owned())),
        Some(4) => {
            let len = reader.array()?;
            Ok(Value::Array((0..len).map(|_| read(reader)).collect::<Result<_, _>>()?))
        }
        Some(5) => {
            let mut map = reader.map()?;
            let mut pairs = Vec::new();
            while let Some(key) = map.next_key(reader)? {
                pairs.push((Value::Integer(key.into()), read(reader)?));
            }
            Ok(Value::Map(pairs))
        }
        _ => Ok(Value::Bool(reader.bool()?)),
    }
}

fn read_all(bytes: &[u8]) -> Result<Value, CborError> {
    let mut reader = Reader::new(bytes);
    let value = read(&mut reader)?;
    reader.finish()?;
    Ok(value)
}

fn skip_all(bytes: &[u8]) -> Result<(), CborError> {
    let mut reader = Reader::new(bytes);
    reader.skip_value()?;
    reader.finish()
}

fn theirs(value: &Value) -> Vec<u8> {
    let mut bytes = Vec::new();
    ciborium::ser::into_writer(value, &mut bytes).unwrap();
    bytes
}

#[test]
fn what_either_side_writes_the_other_reads_alike() {
    let run = |seed: u64| {
        let value = Dice(seed).value(0);
        let mut writer = Writer::new();
        write(&mut writer, &value);
        let ours = writer.into_bytes();
        prop_assert_eq!(&ours, &theirs(&value));
        prop_assert_eq!(read_all(&ours), Ok(value.clone()));
        prop_assert_eq!(skip_all(&ours), Ok(()));
        let back: Value = ciborium::de::from_reader(&ours[..]).unwrap();
        prop_assert_eq!(back, value);
        Ok(())
    };
    TestRunner::new(cases(2_000)).run(&any::<u64>(), run).unwrap();
}

#[test]
fn whatever_is_accepted_has_no_second_encoding() {
    let run = |(seed, changes): (u64, Vec<(u16, u8)>)| {
        let mut bytes = theirs(&Dice(seed).value(0));
        change(&mut bytes, &changes);
        if skip_all(&bytes).is_ok() {
            let value: Value = ciborium::de::from_reader(&bytes[..]).unwrap();
            prop_assert_eq!(theirs(&value), bytes.clone());
        }
        if let Ok(value) = read_all(&bytes) {
            prop_assert_eq!(skip_all(&bytes), Ok(()));
            prop_assert_eq!(theirs(&value), bytes);
        }
        Ok(())
    };
    TestRunner::new(cases(2_000)).run(&(any::<u64>(), changes()), run).unwrap();
}

#[test]
fn random_bytes_are_read_without_harm() {
    let run = |bytes: Vec<u8>| {
        if skip_all(&bytes).is_ok() {
            let value: Value = ciborium::de::from_reader(&bytes[..]).unwrap();
            prop_assert_eq!(theirs(&value), bytes);
        }
        Ok(())
    };
    TestRunner::new(cases(2_000)).run(&proptest::collection::vec(any::<u8>(), 0..24), run).unwrap();
}

#[test]
fn every_proper_prefix_is_truncated() {
    let run = |seed: u64| {
        let bytes = theirs(&Dice(seed).value(0));
        for len in 0..bytes.len().min(200) {
            prop_assert_eq!(skip_all(&bytes[..len]), Err(CborError::Truncated));
        }
        Ok(())
    };
    TestRunner::new(cases(200)).run(&any::<u64>(), run).unwrap();
}
