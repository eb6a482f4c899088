//! A signed object as bytes: a body in canonical CBOR and the 64 bytes of a signature behind it.
//!
//! What was received is what is verified and forwarded: the bytes are kept, never written anew from their fields.

use bytes::Bytes;

use crate::limits::SIGNATURE_LEN;
use crate::{Crypto, Domain, SecretKey, Signature};

/// What can be read of every signed object; its fields are `fields` and `signed`.
macro_rules! signed_parts {
    ($name:ident, $fields:ident) => {
        impl $name {
            /// What it says.
            #[must_use]
            pub const fn fields(&self) -> &$fields {
                &self.fields
            }

            /// What the signature is over, without the domain's prefix.
            #[must_use]
            pub fn body(&self) -> &[u8] {
                self.signed.body()
            }

            /// The signature.
            #[must_use]
            pub const fn signature(&self) -> &$crate::Signature {
                self.signed.signature()
            }

            /// Body and signature as they travel.
            #[must_use]
            pub const fn bytes(&self) -> &bytes::Bytes {
                self.signed.bytes()
            }
        }
    };
}
pub(crate) use signed_parts;

/// Shows a signed object as what it says.
macro_rules! shown_by_fields {
    ($name:ident) => {
        impl core::fmt::Debug for $name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                f.debug_tuple(stringify!($name)).field(&self.fields).finish()
            }
        }
    };
}
pub(crate) use shown_by_fields;

/// `issue`, `draft`, `parse` and the [`signed_parts`] of an object whose fields have bounds.
///
/// Around it stand, for the fields, `check`, `write`, `read` and `signer_of`; its error has `Length` and `WrongKey`.
/// An object with a name made of its body says so: `name: function of the body`.
macro_rules! signed_object {
    (
        $name:ident($fields:ident $(, $id:ident: $id_of:path)?) or $error:ident,
        $what:literal signed with $key:literal, $domain:expr, $max:expr
    ) => {
        impl $name {
            #[doc = concat!("Writes and signs a ", $what, " with ", $key, ".")]
            ///
            /// # Errors
            #[doc = concat!("The first field outside its bounds, or [`", stringify!($error), "::WrongKey`].")]
            /// Signatures among the fields are not checked.
            pub fn issue(fields: $fields, crypto: &dyn $crate::Crypto, key: &$crate::SecretKey) -> Result<Self, $error> {
                check(&fields)?;
                if key.public() != *signer_of(&fields) {
                    return Err($error::WrongKey);
                }
                let signed = $crate::signed::Signed::seal(write(&fields), $max, $domain, crypto, key);
                Ok(Self::of(fields, signed.ok_or($error::Length)?))
            }

            #[doc = concat!("Writes the body that a ", $what, "'s signature is over, for a signer elsewhere;")]
            /// body and signature together are what [`Self::parse`] reads.
            ///
            /// # Errors
            /// The first field outside its bounds.
            pub fn draft(fields: &$fields) -> Result<Vec<u8>, $error> {
                check(fields)?;
                Ok(write(fields))
            }

            #[doc = concat!("Reads a ", $what, "; no signature is checked yet.")]
            ///
            /// # Errors
            /// The first thing that is not as the format has it.
            pub fn parse(bytes: &[u8]) -> Result<Self, $error> {
                let signed = $crate::signed::Signed::split(bytes, $max).ok_or($error::Length)?;
                let fields = read(signed.body())?;
                check(&fields)?;
                Ok(Self::of(fields, signed))
            }

            fn of(fields: $fields, signed: $crate::signed::Signed) -> Self {
                $(let $id = $id_of(signed.body());)?
                Self { fields, signed $(, $id)? }
            }
        }

        $crate::signed::signed_parts!($name, $fields);
    };
}
pub(crate) use signed_object;

/// Body and signature in one buffer.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Signed {
    bytes: Bytes,
    signature: Signature,
}

impl Signed {
    /// Takes bytes apart; `None` when there are fewer than a signature has or more than `max`.
    pub(crate) fn split(bytes: &[u8], max: usize) -> Option<Self> {
        let (_, signature) = bytes.split_last_chunk::<SIGNATURE_LEN>()?;
        // Records are small and live long: a copy does not pin the buffer they came in.
        (bytes.len() <= max).then(|| Self { bytes: Bytes::copy_from_slice(bytes), signature: *signature })
    }

    /// Signs a body; `None` when the object would be longer than `max`.
    pub(crate) fn seal(
        mut body: Vec<u8>,
        max: usize,
        domain: Domain,
        crypto: &dyn Crypto,
        key: &SecretKey,
    ) -> Option<Self> {
        if body.len().saturating_add(SIGNATURE_LEN) > max {
            return None;
        }
        let signature = crypto.sign(key, domain, &body);
        body.extend_from_slice(&signature);
        Some(Self { bytes: body.into(), signature })
    }

    /// What the signature is over, without the domain's prefix.
    pub(crate) fn body(&self) -> &[u8] {
        self.bytes.split_last_chunk::<SIGNATURE_LEN>().map_or(&[], |(body, _)| body)
    }

    /// The signature.
    pub(crate) const fn signature(&self) -> &Signature {
        &self.signature
    }

    /// Body and signature as they travel.
    pub(crate) const fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// Whether the signature is `key`'s.
    pub(crate) fn verify(&self, crypto: &dyn Crypto, domain: Domain, key: &[u8; 32]) -> bool {
        crypto.verify(key, domain, self.body(), &self.signature)
    }
}
