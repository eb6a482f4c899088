//! Topics and their filters with MQTT's wildcards (MQTT 5.0 section 4.7): `+` stands for one level, a last `#` for any
//! number.

use crosscast_wire::limits::TOPIC_MAX;

use crate::{ApiError, Code};

/// Most filters of one reader. 64: as many as groups; more is a reader that wants everything.
const FILTERS: usize = 64;

/// What a reader wants to see; everything when there is no filter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filters(Vec<String>);

impl Filters {
    /// Checks filters.
    ///
    /// # Errors
    /// [`Code::BadTopic`] names the first that is none, or that there are too many.
    pub fn parse<'a>(texts: impl IntoIterator<Item = &'a str>) -> Result<Self, ApiError> {
        let filters: Vec<String> = texts.into_iter().map(str::to_owned).collect();
        if filters.len() > FILTERS {
            return Err(ApiError::new(
                Code::BadTopic,
                format!("{} filters; a reader has at most {FILTERS}", filters.len()),
            ));
        }
        match filters.iter().find(|filter| filter.len() > TOPIC_MAX || !is_filter(filter)) {
            None => Ok(Self(filters)),
            Some(wrong) => {
                let cause = format!("`{}` is no filter of topics", crate::text::shown(wrong));
                Err(ApiError::new(Code::BadTopic, cause))
            }
        }
    }

    /// Whether an entry with this topic, or without one, is wanted.
    #[must_use]
    pub fn want(&self, topic: Option<&str>) -> bool {
        self.0.is_empty() || self.0.iter().any(|filter| matches(filter, topic.unwrap_or_default()))
    }
}

/// Checks the topic of an entry that is to be published.
///
/// # Errors
/// [`Code::BadTopic`] when it is empty, too long, or holds a wildcard.
pub(crate) fn check(topic: &str) -> Result<(), ApiError> {
    if (1..=TOPIC_MAX).contains(&topic.len()) && !topic.contains(['+', '#', '\0']) {
        return Ok(());
    }
    let cause = format!("`{}`: a topic has 1 to {TOPIC_MAX} bytes and no + or #", crate::text::shown(topic));
    Err(ApiError::new(Code::BadTopic, cause))
}

/// Whether a filter is well formed.
fn is_filter(filter: &str) -> bool {
    let levels: Vec<&str> = filter.split('/').collect();
    !filter.is_empty()
        && levels.iter().enumerate().all(|(at, level)| match *level {
            "#" => at.saturating_add(1) == levels.len(),
            "+" => true,
            other => !other.contains(['+', '#']),
        })
}

/// Whether a well-formed filter matches a topic.
fn matches(filter: &str, topic: &str) -> bool {
    // Topics of the system's own are not matched by a leading wildcard.
    if topic.starts_with('$') && filter.starts_with(['+', '#']) {
        return false;
    }
    let mut levels = topic.split('/');
    for wanted in filter.split('/') {
        if wanted == "#" {
            return true;
        }
        match levels.next() {
            Some(level) if wanted == "+" || wanted == level => {}
            // `a/#` matches `a` too: the filter's `#` is looked at before the topic's next level.
            Some(_) | None => return false,
        }
    }
    levels.next().is_none()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
    use super::*;

    #[test]
    fn the_examples_of_the_standard_hold() {
        let yes = [
            ("sport/tennis/player1/#", "sport/tennis/player1"),
            ("sport/tennis/player1/#", "sport/tennis/player1/score/wimbledon"),
            ("sport/#", "sport"),
            ("#", "anything/at/all"),
            ("sport/tennis/+", "sport/tennis/player1"),
            ("sport/+", "sport/"),
            ("+/+", "/finance"),
            ("/+", "/finance"),
            ("$SYS/#", "$SYS/uptime"),
            ("a/+/#", "a/b"),
        ];
        let no = [
            ("sport/tennis/+", "sport/tennis/player1/ranking"),
            ("sport/+", "sport"),
            ("+", "/finance"),
            ("#", "$SYS/uptime"),
            ("+/monitor/Clients", "$SYS/monitor/Clients"),
            ("a/b", "a/b/c"),
            ("a/b", "a"),
            ("Accounts", "accounts"),
        ];
        for (filter, topic) in yes {
            assert!(is_filter(filter) && matches(filter, topic), "{filter} {topic}");
        }
        for (filter, topic) in no {
            assert!(is_filter(filter) && !matches(filter, topic), "{filter} {topic}");
        }
    }

    #[test]
    fn a_reader_without_filters_wants_everything_and_one_with_them_what_any_matches() {
        let all = Filters::default();
        assert!(all.want(None) && all.want(Some("a")));
        let some = Filters::parse(["a/+", "b"]).unwrap();
        assert!(some.want(Some("a/x")) && some.want(Some("b")) && !some.want(Some("c")) && !some.want(None));
        let many = vec!["a"; FILTERS + 1];
        assert_eq!(Filters::parse(many).unwrap_err().code, Code::BadTopic);
        assert_eq!(Filters::parse(["a#"]).unwrap_err().code, Code::BadTopic);
        assert!(check("a/b").is_ok() && check("").is_err() && check("a/+").is_err() && check("#").is_err());
    }

    #[test]
    fn misplaced_wildcards_are_refused() {
        for filter in ["", "sport/tennis#", "sport/tennis/#/ranking", "sport+", "a/b+/c"] {
            assert!(!is_filter(filter), "{filter}");
        }
    }
}
