//! One seed's run: at each step one thing happens, and chance says which.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

use aws_smithy_runtime_api::client::http::SharedHttpConnector;
use futures_util::future::BoxFuture;
use spotter::classifier::Model;
use spotter::decode::Limits;
use spotter::event::EventBridgeKeys;
use spotter::function::{Answer, Function};
use spotter::notify::{Notifier, NotifyConfig, Only};
use spotter::pipeline::{After, Pipeline};
use tokio::runtime::Runtime;

use super::acts;
use super::home::Home;
use super::mend::Mending;
use super::pictures::MAX_BYTES;
use super::plan::Plan;
use super::queue::Transport;
use super::receiver::Network;
use super::store::Store;
use super::truth;
use super::wire::{Effect, Fault, Stage};
use super::world::{Shared, World, lock};

/// Far more than any seed takes: what does not end is a failure.
const MOST_STEPS: u32 = 20_000;
/// Nobody's deadline passes before a step says so.
const NEVER: Duration = Duration::from_secs(100_000);

/// What all seeds share.
pub struct Lab {
    runtime: Runtime,
    model: Arc<Model>,
}

impl Lab {
    /// One thread classifies, one picture after the other, so that seeds do not depend on how many processors there are.
    pub fn new(model: Model) -> std::io::Result<Lab> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().max_blocking_threads(1).build()?;
        Ok(Lab { runtime, model: Arc::new(model) })
    }

    /// What happened, and what was wrong with it.
    pub fn run(&self, seed: u64, traced: bool) -> (Shared, Result<(), String>) {
        let world = Arc::new(Mutex::new(World::new(seed, traced)));
        let run = AssertUnwindSafe(|| Run::new(self, Arc::clone(&world)).go());
        let outcome = catch_unwind(run).unwrap_or_else(|panic| {
            let words = panic.downcast_ref::<String>().map(String::as_str);
            let words = words.or_else(|| panic.downcast_ref::<&str>().copied());
            Err(format!("panic: {}", words.unwrap_or("without words")))
        });
        (world, outcome)
    }
}

struct Run<'a> {
    lab: &'a Lab,
    world: Shared,
    plan: Plan,
    function: Arc<Function>,
    mending: Arc<Mending>,
    tasks: BTreeMap<u64, Task>,
}

/// An invocation of the function, or a backfill.
struct Task {
    future: BoxFuture<'static, Done>,
    woken: Arc<Woken>,
    polls: u32,
    /// The process ends instead of this poll.
    crash_at: Option<u32>,
    /// A deadline that passes when a step says so.
    doom: Option<Instant>,
    messages: Vec<u64>,
}

enum Done {
    Answered(Box<Answer>),
    Mended(Result<(), String>),
}

#[derive(Default)]
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Relaxed);
    }
}

enum Step {
    Act,
    Receive(usize),
    Advance(u64),
    Mend,
    TimeUp(u64),
    Clock,
}

impl<'a> Run<'a> {
    fn new(lab: &'a Lab, world: Shared) -> Run<'a> {
        let plan = Plan::make(&mut lock(&world));
        let pipeline = |tag| {
            let targets = vec!["https://receiver.example/".parse().expect("a URL")];
            let config = NotifyConfig { targets, only: Only::default(), secret: None };
            let network = SharedHttpConnector::new(Network(Arc::clone(&world)));
            let after = After::new(tag, Some(Notifier::new(config, None).over(&network)));
            let (objects, records) = (Arc::new(Store(Arc::clone(&world))), Arc::new(Home(Arc::clone(&world))));
            let model = Arc::clone(&lab.model);
            Pipeline::new(objects, records, model, Limits::default(), MAX_BYTES).followed_by(after)
        };
        let mending = Arc::new(Mending::new(Arc::clone(&world), pipeline(false), lab.model.id()));
        let of_events = pipeline(plan.tags);
        let function = Arc::new(Function::new(of_events, EventBridgeKeys::Plain));
        Run { lab, world, plan, function, mending, tasks: BTreeMap::new() }
    }

    fn go(mut self) -> Result<(), String> {
        let _entered = self.lab.runtime.enter();
        for _ in 0..MOST_STEPS {
            match self.choose() {
                Some(step) => self.take(step)?,
                None => return self.settle(),
            }
            if let Some(broken) = lock(&self.world).broken.pop() {
                return Err(broken);
            }
        }
        Err(format!("not settled after {MOST_STEPS} steps"))
    }

    /// `None` once nothing is left to happen.
    fn choose(&mut self) -> Option<Step> {
        let world = &mut *lock(&self.world);
        let flights: Vec<u64> = world.flights.iter().filter(|(_, flight)| flight.moves()).map(|(id, _)| *id).collect();
        let messages: Vec<usize> = world.queue.visible().collect();
        let doomed = self.tasks.iter().find(|(_, task)| task.doom.is_some()).map(|(id, _)| *id);
        let stuck = flights.is_empty();
        let mut steps: Vec<(u32, Step)> = Vec::new();
        if self.plan.acts > 0 {
            steps.push((self.plan.haste, Step::Act));
            steps.push((1, Step::Clock));
        }
        if self.plan.mendings > 0 {
            steps.push((1, Step::Mend));
        }
        if !messages.is_empty() && self.tasks.len() < self.plan.concurrency {
            let at = messages[world.chance.usize(0..messages.len())];
            steps.push((self.plan.hunger, Step::Receive(at)));
        }
        if !flights.is_empty() {
            steps.push((8, Step::Advance(flights[world.chance.usize(0..flights.len())])));
        }
        if let Some(task) = doomed.filter(|_| stuck || world.odds(20)) {
            steps.push((2, Step::TimeUp(task)));
        }
        let sum: u32 = steps.iter().map(|(weight, _)| weight).sum();
        let mut ball = if sum == 0 { return None } else { world.chance.u32(0..sum) };
        steps.into_iter().find_map(|(weight, step)| {
            let hit = ball < weight;
            ball = ball.wrapping_sub(weight);
            hit.then_some(step)
        })
    }

    fn take(&mut self, step: Step) -> Result<(), String> {
        match step {
            Step::Act => {
                self.plan.acts -= 1;
                acts::act(&mut lock(&self.world), &self.plan);
            }
            Step::Clock => {
                let world = &mut *lock(&self.world);
                let ahead = [7, 900, 61_000, 86_400_000][world.chance.usize(0..4)];
                world.clock += ahead;
                world.note("clock", || format!("{ahead} ms on"));
            }
            Step::Receive(at) => self.receive(at),
            Step::Advance(flight) => return self.advance(flight),
            Step::Mend => {
                self.plan.mendings -= 1;
                let doom = None;
                let crash_at = self.chance_of_crash(40);
                let mending = Arc::clone(&self.mending);
                let future = Box::pin(async move { Done::Mended(mending.run().await) });
                return self.start(Task::new(future, crash_at, doom, Vec::new()), "backfill");
            }
            Step::TimeUp(task) => return self.time_up(task),
        }
        Ok(())
    }

    fn chance_of_crash(&self, polls: u32) -> Option<u32> {
        let world = &mut *lock(&self.world);
        world.trouble().then(|| world.chance.u32(0..polls))
    }

    fn receive(&mut self, at: usize) {
        let (crash_at, doom) = match self.chance_of_crash(14) {
            Some(poll) if lock(&self.world).chance.bool() => (Some(poll), None),
            // Timers are all one driver's: one at a time.
            Some(_) if self.tasks.values().all(|task| task.doom.is_none()) => {
                (None, Some(Instant::now() + Duration::from_millis(2)))
            }
            _ => (None, None),
        };
        let (messages, payload) = {
            let world = &mut *lock(&self.world);
            let mut batch = vec![at];
            if let Transport::Queue(_) = world.queue.messages[at].transport {
                let others: Vec<usize> = world.queue.visible().filter(|other| *other != at).collect();
                for other in others {
                    let fits = world.queue.messages[other].transport == world.queue.messages[at].transport;
                    if fits && batch.len() < self.plan.batch && world.chance.bool() {
                        batch.push(other);
                    }
                }
            }
            let received = world.queue.receive(&batch);
            let whats: Vec<String> = batch.iter().map(|at| world.queue.messages[*at].what.clone()).collect();
            world.note("receive", || whats.join(", "));
            received
        };
        let deadline = doom.unwrap_or_else(|| Instant::now() + NEVER);
        let function = Arc::clone(&self.function);
        let future = Box::pin(async move { Done::Answered(Box::new(function.answer(&payload, deadline).await)) });
        // An invocation's first poll can only fail by a crash, which `start` reports as none.
        let _ = self.start(Task::new(future, crash_at, doom, messages), "invocation");
    }

    fn start(&mut self, task: Task, kind: &'static str) -> Result<(), String> {
        let id = {
            let world = &mut *lock(&self.world);
            let id = world.next_id();
            world.note(kind, || format!("task {id}, crash {:?}, doomed {}", task.crash_at, task.doom.is_some()));
            id
        };
        self.tasks.insert(id, task);
        self.drive(id)
    }

    /// A request reaches its server, or its answer comes back.
    fn advance(&mut self, id: u64) -> Result<(), String> {
        let answered = {
            let world = &mut *lock(&self.world);
            let Some(flight) = world.flights.get_mut(&id) else { return Ok(()) };
            let (task, what) = (flight.task, flight.what.clone());
            match std::mem::replace(&mut flight.stage, Stage::Reached) {
                Stage::Sent(effect) => {
                    self.reach(world, id, task, &what, effect);
                    None
                }
                stage => {
                    flight.stage = stage;
                    flight.answer();
                    world.note("answer", || format!("task {task}: {what}"));
                    Some(task)
                }
            }
        };
        answered.map_or(Ok(()), |task| self.drive(task))
    }

    fn reach(&self, world: &mut World, id: u64, task: u64, what: &str, effect: Effect) {
        // A backfill waits in true time before it tries again: it meets crashes and races, but no errors.
        let client = self.tasks.get(&task).filter(|task| !task.messages.is_empty());
        let fault = match client {
            Some(_) if world.trouble() => [Fault::Before, Fault::After][world.chance.usize(0..2)],
            _ => Fault::None,
        };
        let hangs = client.is_some_and(|task| task.doom.is_some()) && world.odds(40);
        let kind = match fault {
            Fault::None => "reach",
            Fault::Before => "fail before",
            Fault::After => "fail after",
        };
        world.note(kind, || format!("task {task}: {what}{}", if hangs { ", and never an answer" } else { "" }));
        effect(world, fault);
        if let Some(flight) = world.flights.get_mut(&id)
            && hangs
        {
            flight.stage = Stage::Hung;
            world.note("hang", || what.to_owned());
        }
        if world.flights.get(&id).is_some_and(|flight| !flight.awaited) {
            world.flights.remove(&id);
        }
    }

    /// Polls a task for as long as it has something to do.
    fn drive(&mut self, id: u64) -> Result<(), String> {
        let Some(mut task) = self.tasks.remove(&id) else { return Ok(()) };
        let waker = Waker::from(Arc::clone(&task.woken));
        loop {
            lock(&self.world).task = id;
            if task.crash_at == Some(task.polls) {
                self.crash(id, task);
                return Ok(());
            }
            task.polls += 1;
            task.woken.0.store(false, Relaxed);
            let turn = self.classifiers_turn();
            let polled = Pin::new(&mut task.future).poll(&mut Context::from_waker(&waker));
            self.classified(turn);
            if let Poll::Ready(done) = polled {
                return self.finish(id, task, done);
            }
            if !task.woken.0.load(Relaxed) {
                self.tasks.insert(id, task);
                return Ok(());
            }
        }
    }

    /// Nothing is classified until it is, or a picture might be ready within the poll that began it.
    fn classifiers_turn(&self) -> mpsc::Sender<()> {
        let (turn, wait) = mpsc::channel();
        self.lab.runtime.spawn_blocking(move || wait.recv());
        turn
    }

    /// Waits until the one classifying thread has done what it was given meanwhile.
    fn classified(&self, turn: mpsc::Sender<()>) {
        let (done, classified) = mpsc::channel();
        self.lab.runtime.spawn_blocking(move || done.send(()));
        drop(turn);
        let _ = classified.recv();
    }

    fn crash(&mut self, id: u64, task: Task) {
        let Task { future, messages, polls, .. } = task;
        drop(future);
        let world = &mut *lock(&self.world);
        world.note("crash", || format!("task {id} at poll {polls}"));
        if messages.is_empty() {
            self.plan.mending_crashed = true;
        }
        // Their visibility ends.
        for message in messages {
            world.queue.give_back(message);
        }
    }

    fn finish(&mut self, id: u64, task: Task, done: Done) -> Result<(), String> {
        let world = &mut *lock(&self.world);
        let answer = match done {
            Done::Mended(mended) => {
                world.note("backfilled", || format!("task {id}"));
                return mended;
            }
            Done::Answered(answer) => answer,
        };
        for (event, handled) in &answer.objects {
            let (kind, why) = truth::outcome(&handled.outcome);
            world.note(kind, || format!("task {id}: {} {why}", event.key));
        }
        let failed: Vec<u64> = match &answer.body {
            Err(_) => task.messages.clone(),
            Ok(body) => {
                let failures = body["batchItemFailures"].as_array().into_iter().flatten();
                failures.filter_map(|failure| failure["itemIdentifier"].as_str()?.parse().ok()).collect()
            }
        };
        for message in task.messages {
            if failed.contains(&message) || world.trouble() {
                world.note("comes again", || format!("message {message}"));
                world.queue.give_back(message);
            } else {
                world.queue.delete(message);
            }
        }
        Ok(())
    }

    /// Tokio's timers stand still but for here: nobody else turns their driver.
    fn time_up(&mut self, id: u64) -> Result<(), String> {
        let Some(task) = self.tasks.get_mut(&id) else { return Ok(()) };
        let Some(doom) = task.doom.take() else { return Ok(()) };
        let left = doom.saturating_duration_since(Instant::now());
        self.lab.runtime.block_on(tokio::time::sleep(left + Duration::from_millis(2)));
        lock(&self.world).note("time up", || format!("task {id}"));
        self.drive(id)
    }

    /// Nothing more happens: what was lost is mended, then the answers are held against the truth.
    fn settle(mut self) -> Result<(), String> {
        if let Some((id, _)) = self.tasks.first_key_value() {
            return Err(format!("task {id} waits for nothing"));
        }
        lock(&self.world).land();
        if self.plan.lossy {
            lock(&self.world).calm = true;
            for _ in 0..2 {
                let mending = Arc::clone(&self.mending);
                let future = Box::pin(async move { Done::Mended(mending.run().await) });
                self.start(Task::new(future, None, None, Vec::new()), "last backfill")?;
            }
            if !self.tasks.is_empty() {
                return Err("the last backfill does not end".into());
            }
            if let Some(gap) = self.mending.last_gap() {
                return Err(format!("a backfill found what the one before it left: {gap}"));
            }
        }
        lock(&self.world).calm = true;
        truth::check(&self.world, &self.plan, &self.lab.model.id())
    }
}

impl Task {
    fn new(future: BoxFuture<'static, Done>, crash_at: Option<u32>, doom: Option<Instant>, messages: Vec<u64>) -> Task {
        Task { future, woken: Arc::default(), polls: 0, crash_at, doom, messages }
    }
}
