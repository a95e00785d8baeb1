//! Several threads that search as processes do find what one finds.

use std::sync::{Barrier, Mutex};

use crate::machine::program::Program;
use crate::search::exhaustive;
use crate::search::peers::{Gone, Peers};
use crate::search::reduced::resources::Resources;
use crate::search::reduced::{Reduced, every_state_among, search, search_among};
use crate::search::reference::{Cut, Limits, Outcome};
use crate::search::tests::counted;

/// Threads that search together.
const COUNT: usize = 3;

/// What they share.
struct Room {
    barrier: Barrier,
    said: Mutex<Vec<Vec<u8>>>,
    /// For each what was sent.
    mail: Mutex<Vec<Mail>>,
}

/// What was sent to a thread, and in which epoch.
type Mail = Vec<(usize, Vec<u8>)>;

/// One of them.
struct Thread<'a> {
    index: usize,
    epoch: usize,
    /// It has been woken while it waits for the others.
    waits: bool,
    room: &'a Room,
}

impl Peers for Thread<'_> {
    fn index(&self) -> usize {
        self.index
    }

    fn count(&self) -> usize {
        COUNT
    }

    fn send(&mut self, to: usize, bytes: Vec<u8>, _states: usize) -> Result<(), Gone> {
        assert_ne!(to, self.index, "nobody sends to himself");
        self.room.mail.lock().expect("nobody panics")[to].push((self.epoch, bytes));
        Ok(())
    }

    fn arrived(&mut self) -> Result<Vec<Vec<u8>>, Gone> {
        let mut mail = self.room.mail.lock().expect("nobody panics");
        let own = std::mem::take(&mut mail[self.index]);
        let (now, later): (Mail, Mail) = own.into_iter().partition(|(epoch, _)| *epoch <= self.epoch);
        mail[self.index] = later;
        Ok(now.into_iter().map(|(_, bytes)| bytes).collect())
    }

    fn say(&mut self, said: Vec<u8>) -> Result<(), Gone> {
        self.room.said.lock().expect("nobody panics")[self.index] = said;
        Ok(())
    }

    fn wait(&mut self) -> Result<Option<Vec<Vec<u8>>>, Gone> {
        // It is woken for nothing once an epoch.
        self.waits = !self.waits;
        if self.waits {
            return Ok(None);
        }
        self.room.barrier.wait();
        let all = self.room.said.lock().expect("nobody panics").clone();
        self.room.barrier.wait();
        self.epoch += 1;
        Ok(Some(all))
    }
}

/// Does the same in all threads. Returns what each comes to.
fn each<T: Send>(work: impl Fn(&mut Thread<'_>) -> T + Sync) -> Vec<T> {
    let room = Room {
        barrier: Barrier::new(COUNT),
        said: Mutex::new(vec![Vec::new(); COUNT]),
        mail: Mutex::new(vec![Vec::new(); COUNT]),
    };
    let (room, work) = (&room, &work);
    std::thread::scope(|scope| {
        let thread = |index| scope.spawn(move || work(&mut Thread { index, epoch: 0, waits: false, room }));
        let threads: Vec<_> = (0..COUNT).map(thread).collect();
        threads.into_iter().map(|thread| thread.join().expect("it ends")).collect()
    })
}

/// What must not depend on the number of processes.
fn counts<P: Program>(found: Option<Reduced<'_, P>>) -> Option<(Outcome, Vec<(&'static str, usize)>)> {
    let found = found?;
    let hazards = counted(&found);
    Some((Outcome { bytes: 0, ..found.outcome }, hazards))
}

/// The reduced search and that of all states, by several as by one.
pub(super) fn among<P: Program>(program: &P, memory: &[u8]) {
    let resources = Resources { threads: 1, ..Resources::default() };
    let limits = Limits::default();
    let alone = search(program, memory, limits, &resources, |_| {}).expect("nothing is on disk");
    let alone = format!("{:?}", counts(alone));
    for found in each(|thread| {
        let found = search_among(program, memory, limits, &resources, thread, |_| {});
        format!("{:?}", counts(found.expect("nobody is gone")))
    }) {
        assert_eq!(found, alone, "by several");
    }
    let all = exhaustive::search(program, memory, limits, |_| {});
    assert!(!matches!(all.cut, Some(Cut::States(_) | Cut::Memory(_) | Cut::Time(_) | Cut::Interrupt)));
    for found in each(|thread| {
        let found = every_state_among(program, memory, limits, &resources, thread, |_| {});
        counts(found.expect("nobody is gone"))
    }) {
        // Livelocks are not looked for where states come back.
        let Some((outcome, hazards)) = found else { continue };
        let expected: Vec<(&str, usize)> =
            all.found.iter().map(|found| (found.id, found.others + 1)).collect();
        assert_eq!(hazards, expected);
        let told = |of: &Outcome| {
            format!(
                "{} {} {} {:?} {:?} {}",
                of.states, of.transitions, of.most_spawned, of.cut, of.never, of.depth
            )
        };
        assert_eq!(told(&outcome), told(&all));
    }
}
