//! Tests of the reduced search: small programs that a list of steps which "surely" commute gets wrong.
//! Each must show with reduction what it shows without ([`check`] compares the two), and the reduction
//! must be more than nothing where it can be.

use std::ops::ControlFlow::{Break, Continue};

use super::{
    A, ASYNC, B, Bare, CHECKED, COUNT, Check, ENTRIES, FLAG, INSIDE, ITEM, N, OWN, PTR, ROOT, WORK, do_,
    must, refs, schedule, synchronize, telling, thing, toy,
};
use crate::automaton::functions::{Functions, entry};
use crate::certificate::tests::certified;
use crate::export::tests::exported;
use crate::machine::cpu::Cpu;
use crate::machine::hazard::id;
use crate::machine::layout::{Kind, Layout};
use crate::machine::op::{Action, Op};
use crate::machine::step::Bound;
use crate::machine::value::Obs;
use crate::search::reduced::{self, resources::Resources};
use crate::search::reference::{self, Cut, Limits, Outcome};

fn reduced(program: &Functions<'_>, threads: usize) -> (Vec<&'static str>, Outcome) {
    let resources = Resources { threads, ..Resources::default() };
    let found = reduced::search(program, &program.memory(), Limits::default(), &resources, |_| {});
    let found = found.expect("nothing is on disk").expect("the reduced search decides");
    (found.hazards.keys().copied().collect(), found.outcome)
}

/// Whether the reduced search decides, or leaves it to a search of all states.
fn is_decided(program: &Functions<'_>) -> bool {
    let resources = Resources { threads: 1, ..Resources::default() };
    let found = reduced::search(program, &program.memory(), Limits::default(), &resources, |_| {});
    found.expect("nothing is on disk").is_some()
}

/// Compares the searches, and makes sure that the reduced one decides.
pub(super) fn check(program: &Functions<'_>, expected: &[(&str, usize)]) {
    super::check(program, expected);
    certified(program, &program.memory());
    exported(program, &program.memory());
    assert!(is_decided(program), "all states are searched");
}

/// A pointer is published and an entry scheduled that uses it; who sees it published waits for all
/// entries and frees it. A spawn does not commute with the wait for the list that it is put on.
#[test]
fn spawn_against_sync() {
    let program = toy(2, 2, |cpu, task| match task {
        0 => {
            cpu.store(PTR, Some(thing(0)))?;
            schedule(cpu, ENTRIES)
        }
        1 => {
            if cpu.load(PTR)?.is_some() {
                synchronize(cpu)?;
                do_(cpu, Action::Free(thing(0)))?;
            }
            Ok(())
        }
        _ => do_(cpu, Action::Touch(thing(0))),
    });
    check(&program, &[(id::USE_AFTER_FREE, 6)]);
}

/// A mutex inside an object that is freed by whoever has seen what was done under the mutex: the unlock
/// does not commute with the free.
#[test]
fn unlock_against_free() {
    let program = toy(2, 1, |cpu, task| match task {
        0 => {
            cpu.lock(INSIDE)?;
            cpu.store(N, 1)?;
            cpu.unlock(INSIDE)
        }
        _ if cpu.load(N)? == 1 => do_(cpu, Action::Free(thing(0))),
        _ => Ok(()),
    });
    check(&program, &[(id::USE_AFTER_FREE, 5)]);
}

/// A critical section and a task that tries its mutex: what it observes depends on when the mutex is
/// released.
#[test]
fn trylock_against_a_critical_section() {
    let body = |cpu: &Cpu<'_>, task| match task {
        0 => {
            cpu.lock(A)?;
            cpu.store(FLAG, true)?;
            cpu.unlock(A)
        }
        _ => {
            let free: bool = cpu.observe(Action::TryLock(cpu.cell(A)))?;
            if free {
                cpu.unlock(A)?;
                return Ok(());
            }
            must(cpu, false)
        }
    };
    check(&toy(2, 1, body), &[(id::NULL_DEREFERENCE, 3)]);
    // What is done under a mutex that was got by trying is protected as well.
    let count = |cpu: &Cpu<'_>, _| {
        if cpu.observe(Action::TryLock(cpu.cell(A)))? {
            let n: u8 = cpu.load(N)?;
            cpu.store(N, n + 1)?;
            cpu.unlock(A)?;
        }
        Ok(())
    };
    check(&toy(3, 1, count), &[]);
}

/// Two references, each dropped under a mutex of its own: which put is the last depends on their order.
#[test]
fn two_puts() {
    let program = toy(2, 1, |cpu, task| {
        let mutex = if task == 0 { A } else { B };
        cpu.lock(mutex)?;
        let last: bool = cpu.observe(Action::Put(cpu.cell(refs(0))))?;
        cpu.unlock(mutex)?;
        must(cpu, task == 0 || !last)
    });
    check(&program.with(refs(0), 2), &[(id::NULL_DEREFERENCE, 6)]);
}

/// A warning at a step that commutes with all others, after which its task goes on.
#[test]
fn a_warning_on_the_way() {
    let program = toy(2, 0, |cpu, task| match task {
        0 => {
            cpu.step(telling(Action::Load(cpu.cell(N)), Check::Warn))?;
            cpu.store(FLAG, true)
        }
        _ => cpu.load(FLAG).map(|_| ()),
    });
    check(&program, &[(id::WARNING, 1)]);
}

/// A task that ends in one hazard while another one can still reach a different one.
#[test]
fn two_hazards() {
    let program = toy(2, 1, |cpu, task| match task {
        0 => must(cpu, false),
        _ => {
            cpu.store(N, 1)?;
            do_(cpu, Action::Free(thing(0)))?;
            do_(cpu, Action::Touch(thing(0)))
        }
    });
    check(&program, &[(id::NULL_DEREFERENCE, 1), (id::USE_AFTER_FREE, 3)]);
}

/// A task that spawns and then ends with a mutex: what the spawned one does happens in no run in which
/// the other one has come to wait for the mutex before, and the reduced search takes that step first. So it finds the
/// hazard only behind the deadlock, and leaves it to a search of all states.
#[test]
fn what_comes_of_the_step_that_completes_a_deadlock() {
    let program = toy(2, 1, |cpu, task| match task {
        0 => {
            cpu.lock(A)?;
            schedule(cpu, ENTRIES)
        }
        1 => {
            cpu.store(FLAG, true)?;
            cpu.lock(A)?;
            cpu.store(N, 1)?;
            cpu.unlock(A)
        }
        _ if cpu.load(N)? == 0 => cpu.unlock(B),
        _ => Ok(()),
    });
    super::check(&program, &[(id::DEADLOCK, 3), (id::UNLOCK_IMBALANCE, 4)]);
    assert!(!is_decided(&program));
}

/// A loop of which every round has a choice: the states on it are all stored.
#[test]
fn a_loop_through_choices() {
    let program = toy(1, 0, |cpu, _| {
        cpu.repeat((), |()| {
            let again = cpu.choose(2)? == 0;
            Ok(if again { Continue(()) } else { Break(()) })
        })
    });
    assert!(!is_decided(&program));
}

/// More tasks are started than there are workers, but in one order only, which is not explored: what is found holds for
/// any number of workers. In the other program all orders need one more.
#[test]
fn workers_that_run_out() {
    let in_one_order = |workers| {
        toy(2, workers, |cpu, task| match task {
            0 => schedule(cpu, ENTRIES),
            1 => {
                do_(cpu, Action::AwaitNot(cpu.cell(FLAG), Obs::Bool(false)))?;
                schedule(cpu, ENTRIES + 1)
            }
            ENTRIES => cpu.store(FLAG, true),
            // It finds what is to be found with enough workers.
            _ => cpu.unlock(B),
        })
    };
    let (few, enough) = (in_one_order(1), in_one_order(2));
    let plain = reference::search(&few, &few.memory(), Limits::default(), |_| {});
    assert_eq!(plain.cut, Some(Cut::Bound(Bound::Workers)));
    check(&enough, &[(id::UNLOCK_IMBALANCE, 5)]);
    assert_eq!(reduced(&few, 1).0, [id::UNLOCK_IMBALANCE]);
    let in_all = toy(1, 1, |cpu, task| match task {
        0 => schedule(cpu, ENTRIES).and_then(|()| schedule(cpu, ENTRIES + 1)),
        ENTRIES => do_(cpu, Action::AwaitNot(cpu.cell(FLAG), Obs::Bool(false))),
        _ => cpu.store(FLAG, true),
    });
    assert!(!is_decided(&in_all));
}

/// Who queues an item that is pending already sees that it is.
#[test]
fn two_who_queue_and_look() {
    let queue = |cpu: &Cpu<'_>| {
        do_(cpu, Action::AwaitNot(cpu.cell(N), Obs::Int(0)))?;
        cpu.observe::<bool>(Action::QueueWork(cpu.cell(WORK)))
    };
    let program = toy(3, 0, |cpu, task| match task {
        0 => {
            if !queue(cpu)? {
                do_(cpu, Action::Dec(cpu.cell(COUNT)))?;
            }
            cpu.store(FLAG, true)
        }
        1 if !queue(cpu)? => cpu.unlock(B),
        2 => cpu.queue_work(WORK).map(|_| ()),
        ITEM => {
            // The item runs, and is not taken again before the first of them is through.
            cpu.store(N, 1)?;
            do_(cpu, Action::AwaitNot(cpu.cell(FLAG), Obs::Bool(false)))
        }
        _ => Ok(()),
    });
    check(&program, &[(id::REFCOUNT_UNDERFLOW, 8), (id::UNLOCK_IMBALANCE, 8)]);
}

/// A step that waits to see a flag and clears it: the flag is not dead.
#[test]
fn what_a_step_waits_for_and_stores() {
    let program = toy(2, 0, |cpu, task| match task {
        0 => {
            cpu.store(FLAG, true)?;
            // The state before a choice is stored.
            cpu.choose(2).map(|_| ())
        }
        _ => {
            let wait = Action::AwaitNot(cpu.cell(FLAG), Obs::Bool(false));
            cpu.step(vec![wait, Action::Store(cpu.cell(FLAG), Obs::Bool(false))])?;
            cpu.unlock(B)
        }
    });
    check(&program, &[(id::UNLOCK_IMBALANCE, 3)]);
}

/// A task that is started and waits for itself is a deadlock from its start on, although the step that starts
/// it commutes with all others and its task can go on.
#[test]
fn a_spawned_task_that_waits_at_once() {
    let program = toy(2, 1, |cpu, task| match task {
        0 => cpu.lock(A),
        1 => {
            schedule(cpu, ENTRIES)?;
            must(cpu, false)
        }
        _ => synchronize(cpu),
    });
    super::check(&program, &[(id::DEADLOCK, 1)]);
    assert!(!is_decided(&program));
}

/// A mutex in an object that is freed, and who ends while it holds it.
#[test]
fn the_end_of_a_task_with_a_mutex_against_a_free() {
    let program = toy(2, 1, |cpu, task| match task {
        0 => schedule(cpu, ENTRIES),
        1 => do_(cpu, Action::Put(cpu.cell(refs(0)))),
        _ => cpu.lock(INSIDE),
    });
    check(&program, &[(id::UNLOCK_IMBALANCE, 3), (id::USE_AFTER_FREE, 3)]);
}

/// A count that one task lowers to zero and sees it, and another one raises.
#[test]
fn the_last_of_a_count_against_one_more() {
    let program = toy(2, 1, |cpu, task| match task {
        0 => {
            let last: bool = cpu.observe(Action::Dec(cpu.cell(COUNT)))?;
            must(cpu, !last)
        }
        _ => do_(cpu, Action::Get(cpu.cell(COUNT))),
    });
    check(&program.with(COUNT, 1), &[(id::NULL_DEREFERENCE, 2)]);
    let below = toy(2, 1, |cpu, task| match task {
        0 => cpu.observe::<bool>(Action::Dec(cpu.cell(COUNT))).map(|_| ()),
        _ => do_(cpu, Action::Get(cpu.cell(COUNT))),
    });
    check(&below, &[(id::REFCOUNT_UNDERFLOW, 1)]);
}

/// More references than can be told from references without end.
#[test]
fn twenty_references() {
    let twenty = |cpu: &Cpu<'_>| (0..20).try_for_each(|_| do_(cpu, Action::Put(cpu.cell(refs(0)))));
    let program = toy(2, 1, |cpu, task| match task {
        0 => do_(cpu, Action::Touch(thing(0))),
        _ => twenty(cpu),
    });
    check(&program.with(refs(0), 20), &[(id::USE_AFTER_FREE, 21)]);
    let raised = toy(2, 1, |cpu, task| match task {
        0 => do_(cpu, Action::Touch(thing(0))),
        _ => {
            (0..3).try_for_each(|_| do_(cpu, Action::Get(cpu.cell(refs(0)))))?;
            twenty(cpu)
        }
    });
    check(&raised.with(refs(0), 17), &[(id::USE_AFTER_FREE, 24)]);
}

/// The end of a task clears its flag, which a check reads.
#[test]
fn the_end_of_a_task_against_a_check_of_its_flag() {
    let program = toy(2, 1, |cpu, task| match task {
        0 => {
            let (lists, entry) = (cpu.cell(ASYNC), entry(ENTRIES));
            do_(cpu, Action::AsyncSchedule { lists, domain: 0, entry, mark: Some(cpu.cell(OWN)) })
        }
        1 => {
            let load = Action::Load(cpu.cell(N));
            cpu.step(telling(load.clone(), Check::Mark))?;
            cpu.step(telling(load, Check::Unmarked)).map(|_| ())
        }
        _ => Ok(()),
    });
    check(&program, &[(CHECKED, 3)]);
}

/// Who does not get a mutex by trying does not hold it: others get past it.
#[test]
fn a_mutex_that_was_not_got_protects_nothing() {
    let program = toy(2, 1, |cpu, task| match task {
        0 => {
            if cpu.observe(Action::TryLock(cpu.cell(A)))? {
                return cpu.unlock(A);
            }
            cpu.store(COUNT, 1)?;
            cpu.store(FLAG, true)?;
            cpu.store(N, 1)
        }
        _ => {
            cpu.lock(A)?;
            cpu.unlock(A)?;
            // Nobody tries the mutex any more.
            do_(cpu, Action::AwaitNot(cpu.cell(COUNT), Obs::Int(0)))?;
            cpu.lock(A)?;
            let flag = cpu.load(FLAG)?;
            must(cpu, !flag || cpu.load(N)? == 1)
        }
    });
    check(&program, &[(id::DEADLOCK, 4), (id::NULL_DEREFERENCE, 10)]);
}

/// What a task that is started drops counts as dropped by who starts it.
#[test]
fn what_a_spawned_task_drops() {
    let program = toy(2, 1, |cpu, task| match task {
        0 => do_(cpu, Action::Touch(thing(0))),
        1 => schedule(cpu, ENTRIES),
        _ => do_(cpu, Action::Put(cpu.cell(refs(0)))),
    });
    check(&program, &[(id::USE_AFTER_FREE, 3)]);
}

/// A count that was not raised, because the flag was not set.
#[test]
fn a_count_that_was_not_entered() {
    let program = toy(2, 1, |cpu, task| match task {
        0 => do_(cpu, Action::Touch(thing(0))),
        _ => {
            cpu.step(Action::EnterIf(cpu.cell(FLAG), cpu.cell(refs(0))))?;
            do_(cpu, Action::Put(cpu.cell(refs(0))))
        }
    });
    check(&program, &[(id::USE_AFTER_FREE, 3)]);
}

/// The owner of a mutex can enable who waits for it, and so what that one does next.
#[test]
fn who_waits_goes_on_when_the_owner_lets_it() {
    let program = toy(3, 1, |cpu, task| match task {
        0 => {
            cpu.store(N, 1)?;
            cpu.store(PTR, None)
        }
        1 => {
            cpu.lock(A)?;
            cpu.store(FLAG, true)?;
            cpu.load(PTR)?;
            cpu.unlock(A)
        }
        _ => {
            do_(cpu, Action::AwaitNot(cpu.cell(FLAG), Obs::Bool(false)))?;
            cpu.lock(A)?;
            must(cpu, cpu.load(N)? == 1)
        }
    });
    check(&program, &[(id::NULL_DEREFERENCE, 8)]);
}

/// The owner of a mutex lets those go on who wait for it, whatever it waits for meanwhile: one who stands still
/// until then may come first with what it does afterwards.
#[test]
fn the_owner_of_a_mutex_enables_who_waits_for_it() {
    let program = toy(4, 0, |cpu, task| match task {
        0 => {
            cpu.lock(A)?;
            cpu.store(FLAG, true)?;
            cpu.unlock(A)
        }
        1 if cpu.load(FLAG)? => cpu.store(PTR, Some(thing(0))),
        2 => {
            cpu.lock(A)?;
            if cpu.load(PTR)?.is_some() {
                cpu.store(N, 1)?;
            }
            cpu.unlock(A)
        }
        3 if cpu.load(N)? == 1 => cpu.unlock(B),
        _ => Ok(()),
    });
    check(&program, &[(id::UNLOCK_IMBALANCE, 10)]);
}

/// Who frees what a mutex is in, and makes it anew, lets those go on who wait for the mutex, though its owner cannot.
#[test]
fn the_free_of_a_mutex_enables_who_waits_for_it() {
    let program = toy(4, 0, |cpu, task| match task {
        0 => {
            // Whether it holds the mutex is not told by where it is afterwards.
            cpu.call("perhaps", &[], || {
                if cpu.choose(2)? == 0 {
                    cpu.lock(INSIDE)?;
                    cpu.store(COUNT, 1)?;
                }
                Ok(())
            })?;
            do_(cpu, Action::AwaitNot(cpu.cell(FLAG), Obs::Bool(false)))
        }
        1 => {
            do_(cpu, Action::AwaitNot(cpu.cell(COUNT), Obs::Int(0)))?;
            cpu.lock(INSIDE)?;
            cpu.store(N, 1)
        }
        2 if cpu.load(COUNT)? == 1 => {
            do_(cpu, Action::Free(thing(0)))?;
            do_(cpu, Action::Alloc(thing(0)))
        }
        3 => {
            if cpu.load(N)? == 1 {
                cpu.unlock(B)?;
            }
            cpu.store(FLAG, true)
        }
        _ => Ok(()),
    });
    check(&program, &[(id::DEADLOCK, 5), (id::UNLOCK_IMBALANCE, 11), (id::USE_AFTER_FREE, 7)]);
}

/// To say that one holds what others wait for touches nothing in memory, and yet completes a deadlock that somebody
/// else's store would have prevented.
#[test]
fn who_says_that_it_holds_something() {
    let program = toy(4, 0, |cpu, task| match task {
        0 => cpu.store(FLAG, true),
        1 => {
            cpu.lock(A)?;
            cpu.store(PTR, Some(thing(0)))?;
            do_(cpu, Action::AwaitNot(cpu.cell(FLAG), Obs::Bool(false)))?;
            cpu.unlock(A)
        }
        2 => {
            do_(cpu, Action::AwaitNot(cpu.cell(PTR), Obs::None))?;
            cpu.store(N, 1)?;
            do_(cpu, Action::Hold(cpu.cell(FLAG)))?;
            cpu.lock(A)?;
            cpu.unlock(A)
        }
        _ => cpu.load(N).map(|_| ()),
    });
    check(&program, &[(id::DEADLOCK, 5)]);
}

/// A mutex in an object that is freed and made again is free, whoever held it.
#[test]
fn a_mutex_that_is_made_anew() {
    let program = toy(3, 1, |cpu, task| match task {
        0 => {
            cpu.lock(INSIDE)?;
            cpu.store(FLAG, true)?;
            cpu.store(N, 1)
        }
        1 => {
            do_(cpu, Action::AwaitNot(cpu.cell(FLAG), Obs::Bool(false)))?;
            cpu.lock(INSIDE)?;
            must(cpu, cpu.load(N)? == 1)
        }
        _ => {
            do_(cpu, Action::Free(thing(0)))?;
            do_(cpu, Action::Alloc(thing(0)))
        }
    });
    check(&program, &[(id::DEADLOCK, 4), (id::NULL_DEREFERENCE, 8), (id::USE_AFTER_FREE, 2)]);
}

/// A task that starts after another one has ended.
#[test]
fn a_task_that_has_not_started() {
    let bare = Bare::new(|cpu, task| match task.function {
        0 => {
            cpu.store(N, 1)?;
            cpu.store(FLAG, true)
        }
        1 => cpu.load(FLAG).map(|_| ()),
        _ => {
            let n = cpu.load(N)?;
            if n == 1 { Ok(()) } else { cpu.unlock(A) }
        }
    });
    let mut layout = Layout::new();
    layout.immortal(ROOT, "root");
    layout.cell(A, "a", Kind::Lock);
    layout.cell(N, "n", Kind::Int);
    layout.cell(FLAG, "flag", Kind::Bool);
    let program = Functions::new(layout, bare).task("stores", entry(0)).task("before", entry(1));
    check(&program.task_after("after", entry(2), &[1]), &[(id::UNLOCK_IMBALANCE, 3)]);
}

/// It does not start before that, whatever a third one has to do with both.
#[test]
fn a_task_that_starts_when_another_one_has_ended() {
    let bare = Bare::new(|cpu, task| match task.function {
        0 if cpu.load(N)? == 0 => cpu.unlock(A),
        0 => cpu.load(FLAG).map(|_| ()),
        1 => cpu.store(N, 1),
        _ => {
            let store = Action::Store(cpu.cell(FLAG), Obs::Bool(true));
            cpu.step(vec![store, Action::Load(cpu.cell(N))]).map(|_| ())
        }
    });
    let mut layout = Layout::new();
    layout.immortal(ROOT, "root");
    layout.cell(A, "a", Kind::Lock);
    layout.cell(N, "n", Kind::Int);
    layout.cell(FLAG, "flag", Kind::Bool);
    let program = Functions::new(layout, bare).task_after("after", entry(0), &[1]);
    check(&program.task("stores", entry(1)).task("both", entry(2)), &[]);
}

/// Tasks that touch nothing in common, or all of it under one mutex, need one order.
#[test]
fn one_order_is_enough() {
    let apart = toy(2, 1, |cpu, task| {
        for _ in 0..3 {
            if task == 0 { cpu.store(N, 1)? } else { cpu.store(FLAG, true)? }
        }
        Ok(())
    });
    let (hazards, outcome) = reduced(&apart, 1);
    assert_eq!((hazards, outcome.states, outcome.transitions), (vec![], 1, 6));
    let under = toy(2, 1, |cpu, _| {
        cpu.lock(A)?;
        let n: u8 = cpu.load(N)?;
        cpu.store(N, n + 1)?;
        cpu.unlock(A)
    });
    // Whose turn it is is the one thing that is open.
    let (hazards, outcome) = reduced(&under, 1);
    assert_eq!((hazards, outcome.states), (vec![], 1));
}

/// A count that others raise and lower while it stays above zero commutes with itself.
#[test]
fn references_that_are_not_the_last_commute() {
    let program = toy(3, 1, |cpu, _| {
        do_(cpu, Action::Get(cpu.cell(refs(0))))?;
        do_(cpu, Action::Touch(thing(0)))?;
        do_(cpu, Action::Put(cpu.cell(refs(0))))
    });
    let (hazards, outcome) = reduced(&program, 1);
    assert_eq!((hazards, outcome.states, outcome.transitions), (vec![], 1, 9));
    check(&program, &[]);
}

#[test]
fn threads_change_nothing() {
    let program = toy(4, 2, |cpu, task| {
        let op = Op::from(Action::Get(cpu.cell(COUNT))).under(cpu.cell(if task == 0 { A } else { B }));
        do_(cpu, Action::Choose(2))?;
        cpu.step(op).map(|_| ())?;
        let n: u8 = cpu.load(N)?;
        cpu.store(N, n ^ task)?;
        must(cpu, n != 3)
    });
    let one = reduced(&program, 1);
    for threads in [2, 3] {
        assert_eq!(format!("{:?}", reduced(&program, threads)), format!("{one:?}"));
    }
    assert_eq!(one.0, [id::NULL_DEREFERENCE]);
}
