//! The threads that sign and verify.
//!
//! Jobs of one sender go to one thread, so their results come back in the order of asking; signatures to be made go to
//! the first thread, ahead of what it has to verify. A thread takes everything that waits at once and answers in
//! batches. Nodes of one process can share a pool. Threads start with their first job.

use std::sync::{Arc, OnceLock};

use crosscast_core::{Input, SignJob, VerifyJob};
use crosscast_port::OpId;
use crosscast_wire::SecretKey;

use super::NodeCrypto;
use super::signer::Signer;
use crate::intake::Intake;
use crate::work::WorkQueue;

/// Most threads of a pool. 4: two saturated links; more would only compete with the application.
const THREADS_MAX: usize = 4;
/// Results after which a thread answers, in the middle of a batch too. 8: a quarter of a millisecond of work against a
/// few microseconds for a wake-up.
const ANSWERS: usize = 8;
/// Jobs under way of one node, from which on it takes no more from its links. 1,024: 30 ms of one thread's work.
const JOBS_MAX: usize = 1_024;

/// Threads for signatures; cheap to clone, ends with its last clone.
#[derive(Clone, Debug)]
pub struct CryptoPool {
    workers: Arc<Workers>,
}

#[derive(Debug)]
struct Workers(Vec<Worker>);

#[derive(Debug, Default)]
struct Worker {
    queue: Arc<WorkQueue<Job>>,
    started: OnceLock<bool>,
}

/// One node's place in a pool: to whom its results go, and its key.
#[derive(Debug)]
struct Place {
    intake: Arc<Intake>,
    signer: Signer,
}

#[derive(Debug)]
struct Job {
    place: Arc<Place>,
    op: OpId,
    task: Task,
}

#[derive(Debug)]
enum Task {
    Sign(SignJob),
    Verify(VerifyJob),
}

impl CryptoPool {
    /// A pool of so many threads, at least one and at most 4.
    #[must_use]
    pub fn new(threads: usize) -> Self {
        let workers = (0..threads.clamp(1, THREADS_MAX)).map(|_| Worker::default()).collect();
        Self { workers: Arc::new(Workers(workers)) }
    }

    /// A pool with as many threads as the machine runs at once, at most 4.
    #[must_use]
    pub fn for_this_machine() -> Self {
        Self::new(std::thread::available_parallelism().map_or(1, std::num::NonZero::get))
    }

    /// A node's end of the pool.
    pub(crate) fn hand(&self, key: SecretKey, intake: Arc<Intake>) -> CryptoHand {
        let lists = self.workers.0.iter().map(|_| Vec::new()).collect();
        CryptoHand {
            pool: self.clone(),
            place: Arc::new(Place { intake, signer: Signer::new(key) }),
            lists,
            under_way: 0,
        }
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        for worker in &self.0 {
            worker.queue.close();
        }
    }
}

impl Worker {
    /// Hands jobs to the thread; false when the system gives no thread.
    fn push_all(&self, jobs: &mut Vec<Job>) -> bool {
        let started = *self.started.get_or_init(|| {
            let queue = Arc::clone(&self.queue);
            let thread = std::thread::Builder::new().name("crosscast-crypto".to_owned());
            thread.spawn(move || work(&queue)).is_ok()
        });
        if started {
            self.queue.push_all(jobs);
        }
        started
    }
}

fn work(queue: &WorkQueue<Job>) {
    let (mut jobs, mut answers) = (Vec::new(), Vec::new());
    while queue.take_all(&mut jobs) {
        // A signature holds up a whole message of ours; a verification holds up one of many.
        jobs.sort_by_key(|job: &Job| matches!(job.task, Task::Verify(_)));
        let mut to: Option<Arc<Place>> = None;
        for job in jobs.drain(..) {
            let same = to.as_ref().is_some_and(|place| Arc::ptr_eq(place, &job.place));
            if let Some(place) = to.as_ref()
                && (!same || answers.len() >= ANSWERS)
            {
                place.intake.results(&mut answers);
            }
            answers.push(job.task.run(job.op, &job.place));
            if !same {
                to = Some(job.place);
            }
        }
        if let Some(place) = to {
            place.intake.results(&mut answers);
        }
    }
}

impl Task {
    fn run(&self, op: OpId, place: &Place) -> Input {
        match self {
            Self::Sign(job) => Input::Signed(op, place.signer.sign(job)),
            Self::Verify(job) => Input::Verified(op, job.run(&NodeCrypto)),
        }
    }
}

/// A node's end of a pool.
#[derive(Debug)]
pub(crate) struct CryptoHand {
    pool: CryptoPool,
    place: Arc<Place>,
    /// Jobs sorted by thread, empty between calls.
    lists: Vec<Vec<Job>>,
    under_way: usize,
}

impl CryptoHand {
    /// Whether so much is under way that the links should wait.
    pub(crate) const fn is_full(&self) -> bool {
        self.under_way >= JOBS_MAX
    }

    /// Says that so many jobs were answered.
    pub(crate) const fn answered(&mut self, jobs: usize) {
        self.under_way = self.under_way.saturating_sub(jobs);
    }

    /// Does the only job there is on the caller's thread, when no other is under way.
    ///
    /// A single job costs 14 to 32 microseconds, and waking a thread and being woken costs 10 to 50 more, on a busy
    /// machine of two cores more than the job itself: a lone message is through sooner, and cheaper, without. Under
    /// load there is more than one job at a time, and then the threads have them all, so no order is broken.
    pub(crate) fn run_only(
        &self,
        signs: &mut Vec<(OpId, SignJob)>,
        verifies: &mut Vec<(OpId, VerifyJob)>,
    ) -> Option<Input> {
        if self.under_way > 0 || signs.len().saturating_add(verifies.len()) != 1 {
            return None;
        }
        let sign = signs.pop().map(|(op, job)| Task::Sign(job).run(op, &self.place));
        sign.or_else(|| verifies.pop().map(|(op, job)| Task::Verify(job).run(op, &self.place)))
    }

    /// Hands jobs to the threads, with one wake-up for each thread, and empties the lists.
    pub(crate) fn submit(&mut self, signs: &mut Vec<(OpId, SignJob)>, verifies: &mut Vec<(OpId, VerifyJob)>) {
        self.under_way = self.under_way.saturating_add(signs.len()).saturating_add(verifies.len());
        let threads = self.lists.len().max(1);
        for (op, job) in signs.drain(..) {
            let job = Job { place: Arc::clone(&self.place), op, task: Task::Sign(job) };
            if let Some(list) = self.lists.first_mut() {
                list.push(job);
            }
        }
        for (op, job) in verifies.drain(..) {
            let at = shard(&job, threads);
            let job = Job { place: Arc::clone(&self.place), op, task: Task::Verify(job) };
            if let Some(list) = self.lists.get_mut(at) {
                list.push(job);
            }
        }
        for (worker, jobs) in self.pool.workers.0.iter().zip(&mut self.lists) {
            if !jobs.is_empty() && !worker.push_all(jobs) {
                // Without a thread the driver does it itself: slower, but nothing is lost.
                let mut answers = jobs.drain(..).map(|job| job.task.run(job.op, &job.place)).collect();
                self.place.intake.results(&mut answers);
            }
        }
    }
}

/// Keys are evenly spread already, so a few of their bytes choose the thread.
fn shard(job: &VerifyJob, threads: usize) -> usize {
    let [a, b, ..] = job.sender();
    usize::from(u16::from_le_bytes([a, b])).checked_rem(threads).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
    use std::collections::BTreeMap;
    use std::task::{Context, Waker};

    use bytes::Bytes;
    use crosscast_core::{SignKey, SignatureCheck, Verdict};
    use crosscast_wire::{Crypto as _, Domain};

    use super::*;
    use crate::intake::Batch;

    fn verify(key: &SecretKey, body: &[u8], good: bool) -> VerifyJob {
        let mut signature = NodeCrypto.sign(key, Domain::Message, body);
        signature[0] ^= u8::from(!good);
        let body = Bytes::copy_from_slice(body);
        let check = SignatureCheck { key: key.public(), domain: Domain::Message, body, signature };
        VerifyJob { signatures: vec![check], payload: None }
    }

    fn sign(body: &'static [u8]) -> SignJob {
        SignJob { key: SignKey::Node, domain: Domain::Message, body: Bytes::from_static(body) }
    }

    fn wait_for(intake: &Intake, count: usize) -> Vec<Input> {
        let (mut results, mut batch) = (Vec::new(), Batch::default());
        for _ in 0..20_000 {
            if intake.take(&Context::from_waker(Waker::noop()), &mut batch) {
                results.append(&mut batch.results);
            }
            if results.len() >= count {
                return results;
            }
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        panic!("{} of {count} results", results.len());
    }

    #[test]
    fn verdicts_of_one_sender_come_in_the_order_of_asking_whatever_the_load() {
        let intake = Arc::new(Intake::new());
        let mut hand = CryptoPool::new(3).hand(SecretKey::new([9; 32]), Arc::clone(&intake));
        let senders: Vec<SecretKey> = (0..7).map(|seed| SecretKey::new([seed; 32])).collect();
        let (mut wanted, mut asked, mut id) = (BTreeMap::<usize, Vec<OpId>>::new(), 0, 0);
        for round in 0..20u64 {
            let mut verifies = Vec::new();
            for _ in 0..=round {
                id += 1;
                let who = (id % 7) as usize;
                verifies.push((OpId(id), verify(&senders[who], &id.to_le_bytes(), id % 5 != 0)));
                wanted.entry(who).or_default().push(OpId(id));
            }
            asked += verifies.len();
            hand.submit(&mut Vec::new(), &mut verifies);
            assert!(verifies.is_empty());
        }
        let mut got = BTreeMap::<usize, Vec<OpId>>::new();
        for result in wait_for(&intake, asked) {
            let Input::Verified(op, verdict) = result else { panic!("{result:?}") };
            assert_eq!(verdict, if op.0 % 5 == 0 { Verdict::BadSignature } else { Verdict::Good }, "{op:?}");
            got.entry((op.0 % 7) as usize).or_default().push(op);
        }
        assert_eq!(got, wanted);
    }

    #[test]
    fn signatures_are_the_nodes_and_only_a_lone_job_is_done_in_passing() {
        let intake = Arc::new(Intake::new());
        let key = SecretKey::new([9; 32]);
        let mut hand = CryptoPool::new(2).hand(key.clone(), Arc::clone(&intake));
        let wanted = NodeCrypto.sign(&key, Domain::Message, b"a");
        let Some(Input::Signed(OpId(1), signature)) = hand.run_only(&mut vec![(OpId(1), sign(b"a"))], &mut Vec::new())
        else {
            panic!("a lone job was not done")
        };
        assert_eq!(signature, wanted);
        let mut two = vec![(OpId(2), sign(b"a")), (OpId(3), sign(b"b"))];
        assert!(hand.run_only(&mut two, &mut Vec::new()).is_none());
        hand.submit(&mut two, &mut Vec::new());
        // With jobs under way a lone one must queue behind them, or it would overtake its sender's.
        assert!(hand.run_only(&mut vec![(OpId(4), sign(b"c"))], &mut Vec::new()).is_none());
        let results = wait_for(&intake, 2);
        assert!(matches!(results[0], Input::Signed(OpId(2), signature) if signature == wanted));
        hand.answered(2);
        assert!(hand.run_only(&mut vec![(OpId(4), sign(b"c"))], &mut Vec::new()).is_some());
    }
}
