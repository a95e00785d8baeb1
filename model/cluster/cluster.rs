//! A process among others, for a search.

use std::collections::VecDeque;
use std::panic;
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, channel, sync_channel};
use std::thread::{self, JoinHandle, Thread};
use std::time::Duration;

use raddle_checker::search::peers::{Gone, Peers};
use serde::{Deserialize, Serialize};
use timely::communication::Hooks;
use timely::communication::allocator::zero_copy::bytes_slab::BytesRefill;
use timely::execute::execute_from;
use timely::worker::Worker;
use timely::{CommunicationConfig, WorkerConfig};

use crate::dataflow::{Content, Event, Packet, Request, run};
use crate::hosts::Hosts;
use crate::quiet::quietly;

/// Requests that wait for the dataflow. The search waits when there are more: each may hold a message.
const WANTED: usize = 16;

/// A process that is connected with the others.
#[derive(Debug)]
pub struct Cluster {
    index: usize,
    hosts: Hosts,
    requests: SyncSender<Request>,
    events: Receiver<Event>,
    /// The thread of the dataflow, which sleeps while nothing is wanted and nothing comes.
    worker: Thread,
    /// The thread that waits until all that was sent is on its way.
    ending: JoinHandle<()>,
    /// The epoch that is open, and whether it has been closed meanwhile.
    epoch: u64,
    closed: bool,
    arrived: Vec<Vec<u8>>,
    /// What came before its epoch: others may be ahead.
    early: VecDeque<(u64, Packet)>,
    said: Vec<Option<Vec<u8>>>,
    load: Load,
    /// Set when nothing more can be searched together; which process is gone, if that is why and it is known.
    lost: Option<Option<usize>>,
}

/// What a process has had to do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Load {
    /// States that it has sent to others.
    pub states: u64,
    /// The bytes of these.
    pub bytes: u64,
    /// Bytes of what else it has told them.
    pub others: u64,
    /// The agreements.
    pub agreements: u64,
    /// The most memory that it had, in bytes, where the system tells.
    pub peak: Option<u64>,
}

/// What a process is about to search.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// Which raddle it is: the hash of the program file, for example.
    pub program: u64,
    /// What is searched, such as the text of a scenario and a revision.
    pub searched: u64,
    /// How: all options that matter to what comes of it.
    pub options: u64,
    /// What it is, for messages.
    pub name: String,
}

/// Why processes do not search together.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// The connections were not made.
    #[error("{0}")]
    NoConnection(String),
    /// A process is gone.
    #[error(transparent)]
    Gone(#[from] Gone),
    /// Another process is about to search something else.
    #[error("{0}")]
    Differs(String),
}

impl Cluster {
    /// Connects a process with all others, and waits so long for them.
    ///
    /// # Errors
    ///
    /// They are not there in time, or an address cannot be used.
    pub fn join(hosts: &Hosts, index: usize, patience: Duration) -> Result<Self, ClusterError> {
        let no_connection = |why: String| ClusterError::NoConnection(why);
        if index >= hosts.count() {
            let last = hosts.count() - 1;
            return Err(no_connection(format!("there is no process {index}: the last is process {last}")));
        }
        let (to_worker, requests) = sync_channel(WANTED);
        let (to_search, events) = channel();
        listen(to_search.clone());
        let config = CommunicationConfig::Cluster {
            threads: 1,
            process: index,
            addresses: hosts.addresses().to_vec(),
            report: false,
            zerocopy: false,
        };
        let ends = Mutex::new(Some((requests, to_search)));
        let (connected, wait) = channel();
        let connect = move || {
            let work = move |worker: &mut Worker| {
                let ends = ends.lock().ok().and_then(|mut ends| ends.take());
                let (requests, events) = ends.expect("internal: one worker a process");
                run(worker, &requests, &events);
            };
            let built = config.try_build_with(frugal());
            let guards = built
                .and_then(|(workers, others)| execute_from(workers, others, WorkerConfig::default(), work));
            let thread = guards.as_ref().map(|guards| guards.guards()[0].thread().clone());
            // Nobody waits any more if it took too long.
            let _ = connected.send(thread.map_err(Clone::clone));
            // All that was sent is on its way when they are joined.
            drop(guards.map(|guards| guards.join()));
        };
        let made = quietly(|| {
            let ending = thread::Builder::new().name(format!("{TIMELY}join")).spawn(connect)?;
            Ok((ending, wait.recv_timeout(patience)))
        });
        let failed = |error: std::io::Error| no_connection(error.to_string());
        let (ending, connected) = made.and_then(|made| made).map_err(failed)?;
        let seconds = patience.as_secs_f64();
        match connected {
            Ok(Ok(worker)) => Ok(Cluster {
                index,
                hosts: hosts.clone(),
                requests: to_worker,
                events,
                worker,
                ending,
                epoch: 0,
                closed: false,
                arrived: Vec::new(),
                early: VecDeque::new(),
                said: vec![None; hosts.count()],
                load: Load::default(),
                lost: None,
            }),
            Ok(Err(why)) => {
                Err(no_connection(format!("process {index} at {}: {why}", hosts.addresses()[index])))
            }
            Err(RecvTimeoutError::Timeout) => {
                Err(no_connection(format!("not all processes were there after {seconds} s")))
            }
            Err(RecvTimeoutError::Disconnected) => {
                Err(no_connection("somebody else than a process of this search has connected".to_owned()))
            }
        }
    }

    /// Tells the others what comes next, `None` if nothing does, and hears whether it is the same for all. Whether
    /// anything comes is what process 0 says.
    ///
    /// # Errors
    ///
    /// They are about to search something else, or a process is gone.
    pub fn begin(&mut self, row: Option<&Row>) -> Result<bool, ClusterError> {
        let said = postcard::to_stdvec(&row).map_err(|error| ClusterError::Differs(error.to_string()))?;
        let said = self.agree(said)?;
        let heard = |said: &Vec<u8>| postcard::from_bytes::<Option<Row>>(said).ok();
        let heard: Vec<Option<Option<Row>>> = said.iter().map(heard).collect();
        let Some(first) = heard[0].clone().flatten() else { return Ok(false) };
        for (process, row) in heard.into_iter().enumerate() {
            let differs = match row {
                None => Some("is another raddle than process 0".to_owned()),
                Some(None) => Some(format!("has nothing more to check; process 0 has {}", first.name)),
                Some(Some(row)) => difference(&first, &row),
            };
            if let Some(how) = differs {
                self.lost = Some(None);
                return Err(ClusterError::Differs(format!("process {process} {how}")));
            }
        }
        Ok(true)
    }

    /// Tells what it has had to do, and hears it of all.
    ///
    /// # Errors
    ///
    /// A process is gone.
    pub fn loads(&mut self) -> Result<Vec<Load>, ClusterError> {
        self.load.peak = peak();
        let said =
            postcard::to_stdvec(&self.load).map_err(|error| ClusterError::Differs(error.to_string()))?;
        let said = self.agree(said)?;
        Ok(said.iter().map(|load| postcard::from_bytes(load).unwrap_or_default()).collect())
    }

    /// Leaves the others, who are to leave too. What was sent arrives.
    pub fn leave(self) {
        let Cluster { requests, worker, ending, .. } = self;
        drop(requests);
        worker.unpark();
        // If it has panicked, a process is gone, and nobody is left who would care.
        let _ = ending.join();
    }

    /// Whether nothing more can be searched together. Which process is gone, if that is why and it is known.
    #[must_use]
    pub fn lost(&self) -> Option<Option<usize>> {
        self.lost
    }

    /// Says something to all and waits until each has said something. Returns what, by process.
    fn agree(&mut self, said: Vec<u8>) -> Result<Vec<Vec<u8>>, Gone> {
        self.say(said)?;
        loop {
            if let Some(said) = self.wait()? {
                return Ok(said);
            }
        }
    }

    /// Some process is gone.
    fn lose(&mut self, process: Option<usize>, why: &str) -> Gone {
        self.lost = Some(process);
        Gone(why.to_owned())
    }

    fn want(&mut self, request: Request) -> Result<(), Gone> {
        let sent = self.requests.send(request);
        self.worker.unpark();
        // Who is gone is told before the dataflow ends.
        match sent {
            Ok(()) => Ok(()),
            Err(_) => loop {
                self.hear_next()?;
            },
        }
    }

    /// Waits for what the dataflow tells next.
    fn hear_next(&mut self) -> Result<(), Gone> {
        match self.events.recv() {
            Ok(event) => self.hear(event),
            Err(_) => Err(self.lose(None, "the connection with the other processes is broken")),
        }
    }

    /// Takes in what the dataflow tells.
    fn hear(&mut self, event: Event) -> Result<(), Gone> {
        match event {
            Event::Arrived(epoch, packet) if epoch == self.epoch => self.take(packet),
            Event::Arrived(epoch, packet) => self.early.push_back((epoch, packet)),
            Event::Closed(epoch) => self.closed |= epoch == self.epoch,
            Event::Gone(process) => {
                let (count, address) = (self.hosts.count(), &self.hosts.addresses()[process]);
                let why = format!("process {process} of {count} is gone ({address})");
                return Err(self.lose(Some(process), &why));
            }
        }
        Ok(())
    }

    fn take(&mut self, packet: Packet) {
        match packet.content {
            Content::Data(bytes) => self.arrived.push(bytes),
            Content::Said(bytes) => self.said[packet.from] = Some(bytes),
        }
    }
}

impl Peers for Cluster {
    fn index(&self) -> usize {
        self.index
    }

    fn count(&self) -> usize {
        self.hosts.count()
    }

    fn send(&mut self, to: usize, bytes: Vec<u8>, states: usize) -> Result<(), Gone> {
        let sent = if states > 0 { &mut self.load.bytes } else { &mut self.load.others };
        *sent += bytes.len() as u64;
        self.load.states += states as u64;
        self.want(Request::Send(Packet { to, from: self.index, content: Content::Data(bytes) }))
    }

    fn arrived(&mut self) -> Result<Vec<Vec<u8>>, Gone> {
        while let Ok(event) = self.events.try_recv() {
            self.hear(event)?;
        }
        Ok(std::mem::take(&mut self.arrived))
    }

    fn say(&mut self, said: Vec<u8>) -> Result<(), Gone> {
        self.load.agreements += 1;
        self.load.others += (said.len() * (self.count() - 1)) as u64;
        for to in 0..self.count() {
            let content = Content::Said(said.clone());
            self.want(Request::Send(Packet { to, from: self.index, content }))?;
        }
        self.want(Request::Close)
    }

    fn wait(&mut self) -> Result<Option<Vec<Vec<u8>>>, Gone> {
        if !self.closed {
            self.hear_next()?;
        }
        if !std::mem::take(&mut self.closed) {
            return Ok(None);
        }
        let said: Option<Vec<_>> = self.said.iter_mut().map(Option::take).collect();
        let said = said.ok_or_else(|| self.lose(None, "a process has said nothing: it is another raddle"))?;
        self.epoch += 1;
        for (epoch, packet) in std::mem::take(&mut self.early) {
            self.hear(Event::Arrived(epoch, packet))?;
        }
        Ok(Some(said))
    }
}

/// How what a process is about to search differs from what process 0 is.
fn difference(first: &Row, row: &Row) -> Option<String> {
    if row.program != first.program {
        Some("is another raddle than process 0".to_owned())
    } else if row.name != first.name {
        Some(format!("is about to check {}; process 0 has {}", row.name, first.name))
    } else if row.searched != first.searched {
        Some(format!("has another text of {} than process 0", row.name))
    } else if row.options != first.options {
        Some("was started with other options than process 0".to_owned())
    } else {
        None
    }
}

/// Timely is to give back the memory of messages that were read. By itself it keeps as much as it ever had.
fn frugal() -> Hooks {
    let Hooks { log_fn, refill, spill } = Hooks::default();
    Hooks { log_fn, refill: BytesRefill { limit: Some(0), ..refill }, spill }
}

/// How the names of timely's threads begin. `timely:recv-2` is one that reads from process 2.
const TIMELY: &str = "timely:";

/// A thread of timely that loses a connection panics. That is told to the search instead of to the user.
fn listen(events: Sender<Event>) {
    let before = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        #[allow(
            clippy::disallowed_methods,
            reason = "the name says whose thread it is, and no result depends on it"
        )]
        let thread = thread::current();
        let Some(name) = thread.name().and_then(|name| name.strip_prefix(TIMELY)) else {
            return before(info);
        };
        let connection = name.strip_prefix("recv-").or_else(|| name.strip_prefix("send-"));
        if let Some(process) = connection.and_then(|process| process.parse().ok()) {
            let _ = events.send(Event::Gone(process));
        }
    }));
}

/// The most memory that this process had, in bytes.
fn peak() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kilobytes: u64 = line.trim().strip_suffix(" kB")?.trim().parse().ok()?;
    Some(kilobytes * 1024)
}
