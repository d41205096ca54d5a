//! Those who wait for news of an address: a new pod's first request may be ahead of the news about it.
//!
//! Runtimes have no place here: who waits is a [`Future`] that anybody may poll, with any clock beside it.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use crate::net::plain;
use crate::store::Store;

/// Who waits at a time, at most. One more is decided about at once, by what is known.
pub const WAITING_MAX: usize = 1024;
/// The same for one address, so that nobody takes all places.
pub const WAITING_OF_ADDRESS_MAX: usize = 32;
/// Addresses that were waited for in vain and are remembered; the oldest goes.
const IN_VAIN_MAX: usize = 4096;
/// How long they are, in milliseconds.
const IN_VAIN_FOR_MS: u64 = 60_000;

/// Who waits, and who was waited for in vain.
#[derive(Debug, Default)]
pub(crate) struct Waiting {
    places: Mutex<Places>,
    in_vain: Mutex<InVain>,
    begun: AtomicU64,
    refused: AtomicU64,
}

#[derive(Debug, Default)]
struct Places {
    next: u64,
    taken: BTreeMap<u64, (IpAddr, Option<Waker>)>,
    of_address: HashMap<IpAddr, usize>,
}

#[derive(Debug, Default)]
struct InVain {
    since: HashMap<IpAddr, u64>,
    oldest_first: BTreeMap<u64, Vec<IpAddr>>,
}

/// How many wait, for metrics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WaitingNow {
    /// Who waits now.
    pub waiting: usize,
    /// Who has waited, or waits.
    pub begun: u64,
    /// Who would have waited, had there been a place.
    pub refused: u64,
}

/// What a store knows of an address, as a number that changes when that does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Knowledge(pub(crate) u64);

impl Waiting {
    pub(crate) fn now(&self) -> WaitingNow {
        WaitingNow {
            waiting: lock(&self.places).taken.len(),
            begun: self.begun.load(Ordering::Relaxed),
            refused: self.refused.load(Ordering::Relaxed),
        }
    }

    /// Wakes all who wait; those whom the change does not concern go on waiting.
    pub(crate) fn wake(&self) {
        let wakers: Vec<Waker> =
            lock(&self.places).taken.values_mut().filter_map(|(_, waker)| waker.take()).collect();
        wakers.into_iter().for_each(Waker::wake);
    }

    fn take_place(&self, address: IpAddr) -> Option<u64> {
        let mut places = lock(&self.places);
        let of_address = places.of_address.get(&address).copied().unwrap_or_default();
        if places.taken.len() >= WAITING_MAX || of_address >= WAITING_OF_ADDRESS_MAX {
            self.refused.fetch_add(1, Ordering::Relaxed);
            return None;
        }
        self.begun.fetch_add(1, Ordering::Relaxed);
        let place = places.next;
        places.next += 1;
        places.taken.insert(place, (address, None));
        places.of_address.insert(address, of_address + 1);
        Some(place)
    }

    /// Notes that nobody has told of an address while it was waited for. Times are milliseconds of any clock.
    pub(crate) fn note_in_vain(&self, address: IpAddr, now: u64) {
        let mut in_vain = lock(&self.in_vain);
        in_vain.forget_until(now.saturating_sub(IN_VAIN_FOR_MS));
        if in_vain.since.len() >= IN_VAIN_MAX
            && let Some((oldest, _)) = in_vain.oldest_first.first_key_value()
        {
            let oldest = *oldest;
            in_vain.forget_until(oldest);
        }
        let address = plain(address);
        if in_vain.since.insert(address, now).is_none() {
            in_vain.oldest_first.entry(now).or_default().push(address);
        }
    }

    /// Whether an address was waited for in vain not long ago.
    pub(crate) fn was_in_vain(&self, address: IpAddr, now: u64) -> bool {
        let in_vain = lock(&self.in_vain);
        in_vain.since.get(&plain(address)).is_some_and(|since| now.saturating_sub(*since) < IN_VAIN_FOR_MS)
    }
}

impl InVain {
    /// Forgets those that were first noted then or before.
    fn forget_until(&mut self, then: u64) {
        while let Some(entry) = self.oldest_first.first_entry()
            && *entry.key() <= then
        {
            for address in entry.remove() {
                self.since.remove(&address);
            }
        }
    }
}

/// Ready when the store knows something else of an address than it did. Keeps a place until it is dropped.
#[derive(Debug)]
pub struct Awaited {
    store: Arc<Store>,
    address: IpAddr,
    known: Knowledge,
    place: u64,
}

impl Awaited {
    /// Takes a place; `None` where there is none left.
    pub(crate) fn new(store: &Arc<Store>, address: IpAddr, known: Knowledge) -> Option<Self> {
        let address = plain(address);
        let place = store.waiting().take_place(address)?;
        Some(Self { store: store.clone(), address, known, place })
    }
}

impl Future for Awaited {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        // First the waker, then the look: a change in between wakes.
        if let Some((_, waker)) = lock(&self.store.waiting().places).taken.get_mut(&self.place) {
            *waker = Some(cx.waker().clone());
        }
        if self.store.knowledge(self.address) == self.known { Poll::Pending } else { Poll::Ready(()) }
    }
}

impl Drop for Awaited {
    fn drop(&mut self) {
        let mut places = lock(&self.store.waiting().places);
        places.taken.remove(&self.place);
        if let Some(count) = places.of_address.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                places.of_address.remove(&self.address);
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing in here can leave it half changed.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;
    use std::task::Wake;

    use super::*;
    use crate::flow::Feed;
    use crate::form::{Member, Update};
    use crate::net::Net;
    use crate::store::News;

    #[derive(Default)]
    struct Woken(AtomicUsize);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn address(number: u32) -> IpAddr {
        std::net::Ipv4Addr::from(0x0a00_0000 + number).into()
    }

    #[test]
    fn news_of_an_address_end_the_wait_for_it_and_no_other() {
        let store = Arc::new(Store::new(Feed::Compiled));
        store.take(News::Anew(vec![Update::InSync]));
        let add = |number| Update::SetDelta {
            name: "s".into(),
            added: vec![Member::Net(Net::of(address(number)))],
            removed: vec![],
        };
        let woken = Arc::new(Woken::default());
        let waker = woken.clone().into();
        let mut cx = Context::from_waker(&waker);
        let known = store.knowledge(address(1));
        let mut awaited = Awaited::new(&store, address(1), known).unwrap();
        assert!(Pin::new(&mut awaited).poll(&mut cx).is_pending());
        store.take(News::Updates(vec![add(2)]));
        assert_eq!(woken.0.load(Ordering::Relaxed), 1);
        assert!(Pin::new(&mut awaited).poll(&mut cx).is_pending(), "it was somebody else");
        store.take(News::Updates(vec![add(1)]));
        assert!(Pin::new(&mut awaited).poll(&mut cx).is_ready());
        assert_eq!(store.waiting_now(), WaitingNow { waiting: 1, begun: 1, refused: 0 });
        drop(awaited);
        assert_eq!(store.waiting_now().waiting, 0);
        // A swap is news of everybody.
        let known = store.knowledge(address(1));
        store.take(News::Anew(vec![add(1), Update::InSync]));
        assert_ne!(store.knowledge(address(1)), known);
    }

    #[test]
    fn places_are_few_and_come_back() {
        let store = Arc::new(Store::new(Feed::Compiled));
        let wait = |number| Awaited::new(&store, address(number), Knowledge::default());
        let mut all: Vec<Awaited> = (0..WAITING_OF_ADDRESS_MAX).map(|_| wait(0).unwrap()).collect();
        assert!(wait(0).is_none(), "one address");
        all.extend((1..=(WAITING_MAX - WAITING_OF_ADDRESS_MAX) as u32).map(|number| wait(number).unwrap()));
        assert!(wait(5000).is_none(), "all addresses");
        assert_eq!(store.waiting_now().refused, 2);
        drop(all);
        assert!(wait(0).is_some());
    }

    #[test]
    fn what_was_waited_for_in_vain_is_remembered_for_a_while() {
        let waiting = Waiting::default();
        waiting.note_in_vain(address(1), 1_000);
        assert!(waiting.was_in_vain(address(1), 1_500) && !waiting.was_in_vain(address(2), 1_500));
        assert!(!waiting.was_in_vain(address(1), 1_000 + IN_VAIN_FOR_MS));
        for number in 0..3 * IN_VAIN_MAX as u32 {
            waiting.note_in_vain(address(number), 2_000 + u64::from(number));
        }
        let in_vain = waiting.in_vain.lock().unwrap();
        assert!(in_vain.since.len() <= IN_VAIN_MAX && in_vain.since.len() > IN_VAIN_MAX / 2);
        let listed: usize = in_vain.oldest_first.values().map(Vec::len).sum();
        assert_eq!(listed, in_vain.since.len());
    }
}
