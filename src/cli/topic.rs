//! Topic filters with MQTT's wildcards (MQTT 5.0 section 4.7): `+` stands for one level, a last `#` for any number.

/// Whether a filter is well formed.
pub(crate) fn is_filter(filter: &str) -> bool {
    let levels: Vec<&str> = filter.split('/').collect();
    !filter.is_empty()
        && levels.iter().enumerate().all(|(at, level)| match *level {
            "#" => at.saturating_add(1) == levels.len(),
            "+" => true,
            other => !other.contains(['+', '#']),
        })
}

/// Whether a well-formed filter matches a topic.
pub(crate) fn matches(filter: &str, topic: &str) -> bool {
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
    fn misplaced_wildcards_are_refused() {
        for filter in ["", "sport/tennis#", "sport/tennis/#/ranking", "sport+", "a/b+/c"] {
            assert!(!is_filter(filter), "{filter}");
        }
    }
}
