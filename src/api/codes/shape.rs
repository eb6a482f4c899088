//! What a row of the table becomes, and how a verb ends.

/// How a verb ends: the process exit codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Exit {
    /// Done.
    Ok = 0,
    /// Not done.
    Failed = 1,
    /// Asked for in a way that cannot work.
    Usage = 2,
    /// The daemon or the peer cannot be reached.
    NotReachable = 3,
    /// The caller may not do this.
    Denied = 4,
    /// It took longer than the caller wanted to wait.
    Timeout = 5,
}

impl Exit {
    /// The process exit code.
    #[must_use]
    pub const fn number(self) -> u8 {
        self as u8
    }
}

macro_rules! codes {
    ($($(#[$doc:meta])* $variant:ident = $word:literal $status:literal $exit:ident, $means:literal, $next:literal;)+) => {
        /// What went wrong, as a closed word.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Code { $($(#[$doc])* $variant),+ }

        impl Code {
            /// Every code.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The word in JSON and messages.
            #[must_use]
            pub const fn word(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }

            /// The code with this word.
            #[must_use]
            pub fn from_word(word: &str) -> Option<Self> {
                match word { $($word => Some(Self::$variant),)+ _ => None }
            }

            /// The HTTP status of an answer with this code.
            #[must_use]
            pub const fn status(self) -> u16 {
                match self { $(Self::$variant => $status),+ }
            }

            /// The exit code of a verb that ends with it.
            #[must_use]
            pub const fn exit(self) -> Exit {
                match self { $(Self::$variant => Exit::$exit),+ }
            }

            /// What it means, in a sentence.
            #[must_use]
            pub const fn means(self) -> &'static str {
                match self { $(Self::$variant => $means),+ }
            }

            /// What to do next, in a sentence.
            #[must_use]
            pub const fn next(self) -> &'static str {
                match self { $(Self::$variant => $next),+ }
            }
        }
    };
}
