//! What a program that carries much asks of the C library's allocator.

use std::hint::black_box;

/// 2 MiB: eight messages of the largest size. glibc then keeps up to twice as much free at the end of each arena.
const BLOCK: usize = 2 * 1024 * 1024;

/// Has freed memory kept for what comes next, instead of given back to the kernel with every message.
///
/// A message of hundreds of kilobytes lives for milliseconds. glibc starts with giving back all beyond 256 KiB, so that
/// every such message is mapped and cleared anew: 6 % of a link's speed at 64 KiB entries. Freeing a block that was large
/// enough to have its own mapping tells it otherwise (`mallopt(3)`, `M_MMAP_THRESHOLD`: the threshold grows to that size, and
/// `M_TRIM_THRESHOLD` to twice as much). For the start of `main`; with other allocators it does nothing. The price is
/// some hundred kilobytes more at the peak, so the daemon, whose memory is promised, does without.
pub fn keep_freed_memory() {
    drop(black_box(Vec::<u8>::with_capacity(black_box(BLOCK))));
}
