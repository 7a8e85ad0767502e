//! A bounded mailbox that costs next to nothing while it is empty: there are as many as queues.
//!
//! Whoever finds it full waits in line. One lock guards what lies in it, for a push or a take of
//! some commands; nothing is called under it. A channel of tokio's takes two kilobytes before
//! anything was sent.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

use tokio::sync::Semaphore;
use tokio::task::coop;

/// Both ends of a mailbox that holds so many items.
pub(in crate::runtime) fn mailbox<T>(items_max: usize) -> (Sender<T>, Receiver<T>) {
    let within = Within { items: VecDeque::new(), closed: false, owner: None };
    let shared = Arc::new(Shared { within: Mutex::new(within), room: Semaphore::new(items_max) });
    (Sender(shared.clone()), Receiver(shared))
}

struct Shared<T> {
    within: Mutex<Within<T>>,
    room: Semaphore,
}

struct Within<T> {
    items: VecDeque<T>,
    closed: bool,
    /// Whoever waits for items.
    owner: Option<Waker>,
}

impl<T> Shared<T> {
    fn lock(&self) -> MutexGuard<'_, Within<T>> {
        self.within.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Nothing comes in any more, and nobody waits for room.
    fn close(&self) {
        self.room.close();
        let owner = {
            let mut within = self.lock();
            within.closed = true;
            within.owner.take()
        };
        if let Some(owner) = owner {
            owner.wake();
        }
    }
}

/// Where items are put in. The mailbox closes when it is dropped.
pub(in crate::runtime) struct Sender<T>(Arc<Shared<T>>);

impl<T> Sender<T> {
    /// Puts an item in; waits for room. Items of one sender stay in order.
    ///
    /// # Errors
    /// The item, when the mailbox is closed.
    pub(super) async fn send(&self, item: T) -> Result<(), T> {
        match self.0.room.acquire().await {
            Ok(room) => room.forget(),
            Err(_) => return Err(item),
        }
        let owner = {
            let mut within = self.0.lock();
            if within.closed {
                return Err(item);
            }
            within.items.push_back(item);
            within.owner.take()
        };
        if let Some(owner) = owner {
            owner.wake();
        }
        Ok(())
    }
}

impl<T> Sender<T> {
    /// Whether nobody takes items any more.
    pub(super) fn is_closed(&self) -> bool {
        self.0.lock().closed
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// Where items are taken out. The mailbox closes when it is dropped.
pub(in crate::runtime) struct Receiver<T>(Arc<Shared<T>>);

impl<T> Receiver<T> {
    /// Waits for items and moves up to `most` of them behind those in `to`; says how many, 0: it is
    /// closed and empty. Nothing is lost when the future is dropped.
    pub(in crate::runtime) async fn take(&mut self, to: &mut VecDeque<T>, most: usize) -> usize {
        self.await_items(|items| {
            let taken = items.len().min(most);
            to.extend(items.drain(..taken));
            taken
        })
        .await
    }

    /// Waits for one item; `None`: it is closed and empty.
    pub(in crate::runtime) async fn next(&mut self) -> Option<T> {
        let mut item = None;
        self.await_items(|items| {
            item = items.pop_front();
            1
        })
        .await;
        item
    }

    /// Waits until there is something to take, or nothing will come any more.
    pub(super) async fn filled(&mut self) {
        self.await_items(|_| 0).await;
    }

    /// Whether there is nothing to take now.
    pub(super) fn is_empty(&self) -> bool {
        self.0.lock().items.is_empty()
    }

    /// Gives back the memory that items took, when there are none.
    pub(super) fn shrink(&mut self) {
        let mut within = self.0.lock();
        if within.items.is_empty() {
            within.items = VecDeque::new();
        }
    }

    /// Nothing comes in any more; what lies in it can be taken.
    pub(in crate::runtime) fn close(&mut self) {
        self.0.close();
    }

    /// Calls `take` once there are items, and gives back as much room as it says.
    async fn await_items(&mut self, mut take: impl FnMut(&mut VecDeque<T>) -> usize) -> usize {
        // A mailbox that is never empty would otherwise keep its owner from yielding.
        let taken = coop::cooperative(poll_fn(|context| {
            let mut within = self.0.lock();
            if !within.items.is_empty() {
                return Poll::Ready(take(&mut within.items));
            }
            if within.closed {
                return Poll::Ready(0);
            }
            if !within.owner.as_ref().is_some_and(|owner| owner.will_wake(context.waker())) {
                within.owner = Some(context.waker().clone());
            }
            Poll::Pending
        }))
        .await;
        self.0.room.add_permits(taken);
        taken
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        self.0.close();
        // Dropped outside the lock: whoever waits for an answer hears of it.
        let items = std::mem::take(&mut self.0.lock().items);
        drop(items);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_sender_waits_for_room_and_order_is_kept() {
        let (sender, mut receiver) = mailbox(2);
        let sending = tokio::spawn(async move {
            for number in 0..100 {
                sender.send(number).await.unwrap();
            }
        });
        let (mut taken, mut all) = (VecDeque::new(), Vec::new());
        loop {
            let count = receiver.take(&mut taken, 3).await;
            assert!(count <= 2 && count == taken.len(), "no more than there is room for");
            if count == 0 {
                break;
            }
            all.extend(taken.drain(..));
        }
        sending.await.unwrap();
        assert_eq!(all, Vec::from_iter(0..100));
    }

    #[tokio::test]
    async fn a_closed_mailbox_gives_what_it_holds_and_takes_nothing() {
        let (sender, mut receiver) = mailbox(1);
        sender.send(1).await.unwrap();
        let mut waiting = Box::pin(sender.send(2));
        assert!(futures_util::future::poll_immediate(waiting.as_mut()).await.is_none());
        receiver.close();
        assert_eq!(waiting.await, Err(2), "who waits for room hears of the end");
        assert_eq!(sender.send(3).await, Err(3));
        receiver.filled().await;
        assert_eq!(receiver.next().await, Some(1));
        assert_eq!(receiver.next().await, None);
    }

    #[tokio::test]
    async fn either_end_closes_it_for_the_other() {
        let (sender, mut receiver) = mailbox::<u8>(1);
        drop(sender);
        receiver.filled().await;
        assert_eq!(receiver.next().await, None);

        let (sender, receiver) = mailbox(2);
        let item = Arc::new(());
        sender.send(item.clone()).await.unwrap();
        drop(receiver);
        assert_eq!(Arc::strong_count(&item), 1, "what lay in it is gone");
        assert!(sender.send(item).await.is_err());
    }

    #[tokio::test]
    async fn waiting_takes_nothing_and_an_empty_one_shrinks() {
        let (sender, mut receiver) = mailbox(8);
        sender.send(1).await.unwrap();
        receiver.filled().await;
        receiver.shrink();
        assert!(!receiver.is_empty());
        assert_eq!(receiver.next().await, Some(1));
        assert!(receiver.is_empty());
        receiver.shrink();
        assert_eq!(receiver.0.lock().items.capacity(), 0);
        sender.send(2).await.unwrap();
        assert_eq!(receiver.next().await, Some(2));
    }
}
