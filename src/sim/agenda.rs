//! The agenda: what happens next, ordered by time and then by the order in which it was put there.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

/// Virtual time in microseconds since the world began.
pub type Micros = u64;

/// One second.
pub const SECOND: Micros = 1_000_000;
/// One millisecond.
pub const MILLI: Micros = 1_000;

/// Things to happen, each at its time; things of one time keep the order in which they came.
#[derive(Clone, Debug)]
pub(crate) struct Agenda<T> {
    heap: BinaryHeap<Slot<T>>,
    next: u64,
}

#[derive(Clone, Debug)]
struct Slot<T> {
    at: Micros,
    number: u64,
    item: T,
}

impl<T> Agenda<T> {
    pub(crate) const fn new() -> Self {
        Self { heap: BinaryHeap::new(), next: 0 }
    }

    pub(crate) fn push(&mut self, at: Micros, item: T) {
        self.heap.push(Slot { at, number: self.next, item });
        self.next = self.next.saturating_add(1);
    }

    pub(crate) fn next_at(&self) -> Option<Micros> {
        self.heap.peek().map(|slot| slot.at)
    }

    pub(crate) fn pop(&mut self) -> Option<(Micros, T)> {
        self.heap.pop().map(|slot| (slot.at, slot.item))
    }
}

impl<T> PartialEq for Slot<T> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl<T> Eq for Slot<T> {}

impl<T> PartialOrd for Slot<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> Ord for Slot<T> {
    /// Reversed: the standard heap pops its greatest.
    fn cmp(&self, other: &Self) -> Ordering {
        (other.at, other.number).cmp(&(self.at, self.number))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn things_happen_by_time_and_then_in_the_order_they_came() {
        let mut agenda = Agenda::new();
        for (at, item) in [(5, 'c'), (1, 'a'), (5, 'd'), (2, 'b')] {
            agenda.push(at, item);
        }
        assert_eq!(agenda.next_at(), Some(1));
        let order: Vec<_> = std::iter::from_fn(|| agenda.pop()).collect();
        assert_eq!(order, [(1, 'a'), (2, 'b'), (5, 'c'), (5, 'd')]);
    }
}
