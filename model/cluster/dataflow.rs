//! The dataflow, which is the same in all processes: what one puts in comes out at the process it is for, and an epoch
//! is closed when all have put in what they have and all of it has come out.

use std::sync::mpsc::{Receiver, Sender, TryRecvError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use timely::container::{ContainerBuilder, LengthPreservingContainerBuilder, PushInto};
use timely::dataflow::InputHandle;
use timely::dataflow::channels::pact::ExchangeCore;
use timely::dataflow::operators::Input;
use timely::dataflow::operators::generic::operator::Operator;
use timely::worker::Worker;

/// What is sent.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Packet {
    pub to: usize,
    pub from: usize,
    pub content: Content,
}

/// What a packet has.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Content {
    /// For the search.
    Data(#[serde(with = "serde_bytes")] Vec<u8>),
    /// What its process says for an agreement.
    Said(#[serde(with = "serde_bytes")] Vec<u8>),
}

/// What the search wants.
#[derive(Debug)]
pub enum Request {
    /// Put this in.
    Send(Packet),
    /// Nothing more is put in this epoch.
    Close,
}

/// What the search is told.
#[derive(Debug)]
pub enum Event {
    /// This came out, of this epoch.
    Arrived(u64, Packet),
    /// All of this epoch has come out.
    Closed(u64),
    /// A process is gone.
    Gone(usize),
}

/// Packets that are for one process go there one by one. Timely would keep them until there are 170, or until the epoch is
/// closed, and put all into one message, which takes as much memory at once, here and there.
#[derive(Default)]
struct Singly {
    next: Vec<Packet>,
    given: Vec<Packet>,
}

impl PushInto<Packet> for Singly {
    fn push_into(&mut self, packet: Packet) {
        self.next.push(packet);
    }
}

impl ContainerBuilder for Singly {
    type Container = Vec<Packet>;

    fn extract(&mut self) -> Option<&mut Vec<Packet>> {
        self.given = std::mem::take(&mut self.next);
        (!self.given.is_empty()).then_some(&mut self.given)
    }

    fn finish(&mut self) -> Option<&mut Vec<Packet>> {
        self.extract()
    }
}

impl LengthPreservingContainerBuilder for Singly {}

/// After so long it looks whether anything is wanted, if nobody has said so.
const LOOK: Duration = Duration::from_millis(100);

/// Does what the search wants until it hangs up.
pub fn run(worker: &mut Worker, requests: &Receiver<Request>, events: &Sender<Event>) {
    let mut input = InputHandle::new();
    let events = events.clone();
    worker.dataflow::<u64, _, _>(|scope| {
        let mut open = 0;
        scope.input_from(&mut input).container::<Vec<Packet>>().sink(
            ExchangeCore::<Singly, _>::new_core(|packet: &Packet| packet.to as u64),
            "arrive",
            move |(input, frontier)| {
                // If nobody listens any more, the search has ended.
                input.for_each_stamp(|time, packets| {
                    for packet in packets.flat_map(|packets| packets.drain(..)) {
                        let _ = events.send(Event::Arrived(*time.stamp().expect_singleton(), packet));
                    }
                });
                while !frontier.less_equal(&open) && !frontier.frontier().is_empty() {
                    let _ = events.send(Event::Closed(open));
                    open += 1;
                }
            },
        );
    });
    loop {
        match requests.try_recv() {
            Ok(Request::Send(packet)) => {
                input.send(packet);
                input.flush();
                worker.step();
            }
            Ok(Request::Close) => input.advance_to(input.time() + 1),
            Err(TryRecvError::Empty) => {
                worker.step_or_park(Some(LOOK));
            }
            Err(TryRecvError::Disconnected) => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::sync::mpsc::channel;

    use super::*;

    /// What waits is memory.
    #[test]
    fn a_packet_waits_neither_for_others_nor_for_the_end_of_its_epoch() {
        let ((to_first, first), (to_second, second)) = (channel(), channel());
        let ((tell, _untold), (tell_second, told)) = (channel(), channel());
        let ends = [Mutex::new(Some((first, tell))), Mutex::new(Some((second, tell_second)))];
        let workers = timely::execute(timely::Config::process(2), move |worker| {
            let ends = ends[worker.index()].lock().expect("nobody panics").take();
            let (requests, events) = ends.expect("each begins once");
            run(worker, &requests, &events);
        });
        let packet = Packet { to: 1, from: 0, content: Content::Data(vec![1, 2, 3]) };
        to_first.send(Request::Send(packet)).expect("it listens");
        let heard = told.recv_timeout(Duration::from_secs(60));
        drop((to_first, to_second));
        drop(workers);
        let Ok(Event::Arrived(0, Packet { content: Content::Data(bytes), .. })) = heard else {
            panic!("it has not arrived: {heard:?}");
        };
        assert_eq!(bytes, [1, 2, 3]);
    }
}
