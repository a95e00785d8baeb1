//! Certificates of random programs (those of `search::tests`): there is one only if the reference search finds nothing,
//! and what is changed in one is noticed.

use super::{NoProof, Record, produce, verify};
use crate::machine::program::Program;
use crate::search::reference::{Limits, search};
use crate::search::system::System;

/// A certificate of a program, if the reference search finds nothing in it.
pub(crate) fn certified<P: Program>(program: &P, memory: &[u8]) -> Option<Vec<Record>> {
    let limits = Limits { state_limit: Some(20_000), ..Limits::default() };
    let reference = search(program, memory, limits, |_| {});
    let expected: Vec<&str> = reference.found.iter().map(|found| found.id).collect();
    match produce(program, memory, 20_000) {
        Ok(records) => {
            assert!(reference.cut.is_some() || expected.is_empty(), "{expected:?} are missed");
            let proved = verify(program, memory, &records);
            assert_eq!(proved.map(|proved| proved.states), Ok(records.len()));
            tamper(program, memory, &records);
            Some(records)
        }
        Err(NoProof::Hazard(id)) => {
            assert!(reference.cut.is_some() || expected.contains(&id), "{id} is none of {expected:?}");
            None
        }
        Err(NoProof::Bound(_) | NoProof::Cycle | NoProof::TooLarge(_)) => None,
        Err(other) => panic!("{other}"),
    }
}

/// Changes a certificate in many ways, none of which may prove anything.
fn tamper<P: Program>(program: &P, memory: &[u8], records: &[Record]) {
    let refused = |records: &[Record]| verify(program, memory, records).expect_err("it was changed");
    assert_eq!(refused(&records[1..]), NoProof::OtherState(0));
    let last = records.len() - 1;
    assert_eq!(refused(&records[..last]), NoProof::Missing(last));
    let longer: Vec<Record> = records.iter().chain(&records[..1]).copied().collect();
    assert_eq!(refused(&longer), NoProof::Left(1));
    let changed = |at: usize, change: &dyn Fn(&mut Record)| {
        let mut changed = records.to_vec();
        change(&mut changed[at]);
        changed
    };
    assert_eq!(refused(&changed(last, &|record| record.state ^= 1)), NoProof::OtherState(last));
    if records.len() == 1 {
        // Nothing happens.
        return;
    }
    assert_eq!(refused(&changed(0, &|record| record.set = 0)), NoProof::Nobody(0));
    // Somebody who can go on is said to stand still.
    let mut system = System::new(program);
    let initial = system.initial(memory);
    let mut choices = Vec::new();
    system.enabled(&initial, &mut choices);
    if let Some(choice) = choices.iter().find(|choice| records[0].set >> choice.slot & 1 == 0) {
        let said = changed(0, &|record| record.still |= 1 << choice.slot);
        assert_eq!(refused(&said), NoProof::Moves(0, choice.slot));
    }
}
