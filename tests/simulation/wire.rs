//! Requests under way. Each reaches its server at one step of the simulation and is answered at a later one, so that
//! anything can happen between; what it does there does not depend on whether somebody still waits for the answer.

use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use super::world::{Shared, World, lock};

/// What goes wrong with a request, decided when it reaches its server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    None,
    /// Nothing is done, and an error is given.
    Before,
    /// It is done, and an error is given; of a body, some of it came.
    After,
}

pub(super) type Effect = Box<dyn FnOnce(&mut World, Fault) + Send>;

/// A request that is not done with.
pub struct Flight {
    pub task: u64,
    pub what: String,
    pub stage: Stage,
    /// Whether somebody waits for the answer.
    pub awaited: bool,
    waker: Option<Waker>,
}

pub enum Stage {
    Sent(Effect),
    Reached,
    /// Never answered.
    Hung,
    Answered,
}

impl Flight {
    /// Sent by nobody that is there still.
    pub fn late(what: String, effect: Effect) -> Flight {
        Flight { task: 0, what, stage: Stage::Sent(effect), awaited: false, waker: None }
    }

    /// Whether a step can bring it on.
    pub fn moves(&self) -> bool {
        match self.stage {
            Stage::Sent(_) => true,
            Stage::Reached => self.awaited,
            Stage::Hung | Stage::Answered => false,
        }
    }

    pub fn answer(&mut self) {
        self.stage = Stage::Answered;
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}

/// The client's side of a request.
pub struct Call<A> {
    world: Shared,
    flight: u64,
    answer: Arc<Mutex<Option<A>>>,
}

/// Sends a request. In a calm world it is answered at once.
pub fn send<A: Send + 'static>(
    world: &Shared,
    what: impl FnOnce() -> String,
    effect: impl FnOnce(&mut World, Fault) -> A + Send + 'static,
) -> Call<A> {
    let answer = Arc::new(Mutex::new(None));
    let slot = Arc::clone(&answer);
    let effect = move |world: &mut World, fault| {
        let answer = effect(world, fault);
        *slot.lock().unwrap() = Some(answer);
    };
    let mut held = lock(world);
    let flight = held.next_id();
    if held.calm {
        effect(&mut held, Fault::None);
    } else {
        let (task, what) = (held.task, what());
        let stage = Stage::Sent(Box::new(effect));
        held.flights.insert(flight, Flight { task, what, stage, awaited: true, waker: None });
    }
    drop(held);
    Call { world: Arc::clone(world), flight, answer }
}

impl<A> Future for Call<A> {
    type Output = A;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<A> {
        let mut world = lock(&self.world);
        if let Some(flight) = world.flights.get_mut(&self.flight) {
            if !matches!(flight.stage, Stage::Answered) {
                flight.waker = Some(context.waker().clone());
                return Poll::Pending;
            }
            world.flights.remove(&self.flight);
        }
        Poll::Ready(self.answer.lock().unwrap().take().expect("an answered request has its answer"))
    }
}

/// Who waited is gone. What was sent may still arrive, or not.
impl<A> Drop for Call<A> {
    fn drop(&mut self) {
        let mut world = lock(&self.world);
        let Some(flight) = world.flights.get_mut(&self.flight) else { return };
        flight.awaited = false;
        let sent = matches!(flight.stage, Stage::Sent(_));
        if !sent || world.chance.bool() {
            world.flights.remove(&self.flight);
        }
    }
}
