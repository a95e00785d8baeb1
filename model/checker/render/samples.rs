//! Stories made by hand, for the tests of the renderings.

use crate::machine::hazard::{Breach, Told};
use crate::story::{
    Actor, Call, Change, Does, HeldMutex, Life, Member, Saw, Source, StepKind, Story, ToldHazard, ToldStep,
    Value, WaitFor, Waiting,
};

/// Builds a story step by step.
pub(super) struct Teller {
    pub(super) story: Story,
    stacks: Vec<Vec<Call>>,
}

/// An object.
pub(super) fn object(name: &str) -> Value {
    Value::Object(name.to_owned())
}

/// The members of a list.
pub(super) fn members(names: &[&str]) -> Value {
    let member = |name: &&str| Member { name: (*name).to_owned(), dead: false };
    Value::Members(names.iter().map(member).collect())
}

/// A call as C has it, its arguments objects.
pub(super) fn call(text: &str) -> Call {
    let (name, args) = text.strip_suffix(')').and_then(|text| text.split_once('(')).unwrap_or((text, ""));
    let args = args.split(", ").filter(|arg| !arg.is_empty()).map(object).collect();
    Call { name: name.to_owned(), args, note: None }
}

fn lock(name: &str) -> Does {
    Does::Lock(name.to_owned())
}

fn unlock(name: &str) -> Does {
    Does::Unlock(name.to_owned())
}

fn read(name: &str) -> Does {
    Does::Read(name.to_owned())
}

fn uses(name: &str) -> Does {
    Does::Use(name.to_owned())
}

fn free(name: &str) -> Does {
    Does::Free(name.to_owned())
}

fn get(name: &str) -> Does {
    Does::Get(name.to_owned())
}

fn put(name: &str) -> Does {
    Does::Put(name.to_owned())
}

fn add(member: &str, list: &str) -> Does {
    Does::Add { member: member.to_owned(), list: list.to_owned() }
}

fn delete(member: &str, list: &str) -> Does {
    Does::Delete { member: member.to_owned(), list: list.to_owned() }
}

const ALIVE: Value = Value::Life(Life::Alive);

impl Teller {
    pub(super) fn new(actors: &[&str]) -> Self {
        let actors: Vec<Actor> = actors
            .iter()
            .map(|name| Actor { name: (*name).to_owned(), number: 1 + usize::from(name.ends_with("#2")) })
            .collect();
        let stacks = vec![Vec::new(); actors.len()];
        let story = Story {
            actors,
            steps: vec![],
            hazard: None,
            waiting: vec![],
            held: vec![],
            cycle: None,
            racing: vec![],
        };
        Teller { story, stacks }
    }

    /// From now on the actor is in these functions, separated by ` > `.
    pub(super) fn goes(&mut self, actor: usize, stack: &str) -> &mut Self {
        self.stacks[actor] = stack.split(" > ").map(call).collect();
        self
    }

    /// A step; its kind follows from what it does.
    pub(super) fn does(&mut self, actor: usize, does: Does) -> &mut Self {
        let kind = match does {
            Does::Lock(_) => StepKind::Lock,
            Does::Unlock(_) => StepKind::Unlock,
            Does::Choose => StepKind::Choice,
            Does::Schedule(_) => StepKind::Spawn,
            _ => StepKind::Read,
        };
        self.story.steps.push(ToldStep {
            actor,
            stack: self.stacks[actor].clone(),
            kind,
            does: Some(does),
            under: None,
            note: None,
            needed: true,
            observed: None,
            changes: vec![],
            started: None,
            at: Source::new("model/program.rs", 10 + self.story.steps.len() as u32),
        });
        self
    }

    fn last(&mut self) -> &mut ToldStep {
        self.story.steps.last_mut().expect("a step")
    }

    pub(super) fn under(&mut self, mutex: &str) -> &mut Self {
        self.last().under = Some(mutex.to_owned());
        self
    }

    pub(super) fn sees(&mut self, observed: Value) -> &mut Self {
        self.last().observed = Some(Saw::Value(observed));
        self
    }

    pub(super) fn starts(&mut self, actor: usize) -> &mut Self {
        self.last().started = Some(actor);
        self
    }

    pub(super) fn changes(&mut self, cell: &str, from: Value, to: Value) -> &mut Self {
        let step = self.last();
        if step.kind == StepKind::Read {
            step.kind = StepKind::Write;
        }
        step.changes.push(Change { cell: cell.to_owned(), from, to, needed: true });
        self
    }

    /// `cell = to`, in place of `from`.
    pub(super) fn sets(&mut self, actor: usize, cell: &str, from: Value, to: Value) -> &mut Self {
        self.does(actor, Does::Write(cell.to_owned(), to.clone())).changes(cell, from, to)
    }

    pub(super) fn waits(&mut self, actor: usize, on: WaitFor, by: &[usize], deadlocked: bool) -> &mut Self {
        let stack = self.stacks[actor].clone();
        self.story.waiting.push(Waiting { actor, stack, on, by: by.to_vec(), deadlocked });
        self
    }

    fn waits_for_lock(&mut self, actor: usize, lock: &str, by: &[usize], deadlocked: bool) -> &mut Self {
        self.waits(actor, WaitFor::Lock(lock.to_owned()), by, deadlocked)
    }

    pub(super) fn holds(&mut self, actor: usize, lock: &str) -> &mut Self {
        self.story.held.push(HeldMutex { lock: lock.to_owned(), actor });
        self
    }

    pub(super) fn ends(&mut self, id: &str, breach: Breach<String, String>, at_last_step: bool) -> Story {
        self.story.hazard = Some(ToldHazard { id: id.to_owned(), breach, at_last_step });
        self.story.clone()
    }
}

/// A helper uses what was unregistered while it was queued.
pub(super) fn stale() -> Story {
    let helper = "__attach_async_helper(pmem0) > attach_one(nd_pmem, pmem0) > really_probe(pmem0, nd_pmem)";
    let mut t = Teller::new(&["insmod", "rmmod", "kworker (async)"]);
    t.goes(0, "load_module(nd_pmem) > register(nd_pmem)");
    t.does(0, read("nd.autoprobe")).sees(Value::Bool(true));
    t.does(0, add("nd_pmem", "nd.klist")).changes("nd.klist", members(&[]), members(&["nd_pmem"]));
    t.goes(0, "load_module(nd_pmem) > register(nd_pmem) > attach(nd_pmem)");
    t.does(0, Does::Next { list: "nd.members".to_owned(), after: None }).sees(object("pmem0"));
    t.goes(0, "load_module(nd_pmem) > register(nd_pmem) > attach(nd_pmem) > __attach(pmem0, nd_pmem)");
    t.does(0, lock("pmem0.mutex"));
    t.does(0, read("pmem0.bound")).sees(Value::Null);
    t.does(0, get("pmem0.refs")).changes("pmem0.refs", Value::References(2), Value::References(3));
    t.sets(0, "pmem0.p.async", Value::Null, object("nd_pmem"));
    t.does(0, Does::Schedule(call("__attach_async_helper(pmem0)"))).starts(2).changes(
        "async",
        Value::Number(0),
        Value::Number(1),
    );
    t.does(0, unlock("pmem0.mutex"));
    t.goes(0, "load_module(nd_pmem)");
    t.sets(0, "nd_pmem.module.state", Value::Name("COMING".to_owned()), Value::Name("LIVE".to_owned()));
    t.goes(1, "delete_module(nd_pmem)");
    t.sets(1, "nd_pmem.module.state", Value::Name("LIVE".to_owned()), Value::Name("GOING".to_owned()));
    t.goes(1, "delete_module(nd_pmem) > unregister(nd_pmem)");
    t.does(1, delete("nd_pmem", "nd.klist")).changes("nd.klist", members(&["nd_pmem"]), members(&[]));
    t.does(1, Does::Retire("nd_pmem".to_owned())).changes("nd_pmem", ALIVE, Value::Life(Life::Retired));
    t.goes(2, "__attach_async_helper(pmem0)");
    t.does(2, lock("pmem0.mutex"));
    t.does(2, read("pmem0.p.async")).sees(object("nd_pmem"));
    t.goes(2, helper);
    t.does(2, uses("nd_pmem"));
    t.holds(2, "pmem0.mutex");
    t.ends("stale-pointer", Breach::UsedAfterRetire("nd_pmem".to_owned()), true)
}

/// The same with two tasks only.
pub(super) fn use_after_free() -> Story {
    let mut t = Teller::new(&["rmmod", "kworker (async)"]);
    t.goes(1, "__attach_async_helper(pmem0)");
    t.does(1, read("pmem0.p.async")).sees(object("nd_pmem"));
    t.goes(0, "delete_module(nd_pmem) > unregister(nd_pmem)");
    t.sets(0, "pmem0.p.async", object("nd_pmem"), Value::Null);
    t.goes(0, "delete_module(nd_pmem)");
    t.does(0, free("nd_pmem")).changes("nd_pmem", ALIVE, Value::Life(Life::Freed));
    t.does(0, Does::Queue("deferred_work".to_owned())).changes(
        "deferred_work",
        Value::Work { pending: false, running: false },
        Value::Work { pending: true, running: false },
    );
    t.goes(1, "__attach_async_helper(pmem0) > probe_one(pmem0, nd_pmem)");
    t.does(1, uses("nd_pmem"));
    t.ends("use-after-free", Breach::UsedAfterFree("nd_pmem".to_owned()), true)
}

/// Two tasks, two locks.
pub(super) fn deadlock() -> Story {
    let mut t = Teller::new(&["insmod", "rmmod"]);
    t.goes(0, "register(v) > attach(v)");
    t.does(0, lock("region0.mutex"));
    t.goes(1, "del(pmem0)");
    t.does(1, lock("pmem0.mutex"));
    t.goes(1, "del(pmem0) > put_parent(region0)");
    t.goes(0, "register(v) > attach(v) > probe(pmem0)");
    t.does(0, get("v.refs")).changes("v.refs", Value::References(1), Value::References(2));
    t.waits_for_lock(0, "pmem0.mutex", &[1], true).waits_for_lock(1, "region0.mutex", &[0], true);
    t.holds(0, "region0.mutex").holds(1, "pmem0.mutex");
    let wanted = ["pmem0.mutex", "region0.mutex"].map(str::to_owned);
    t.ends("deadlock", Breach::Deadlock(wanted.to_vec()), true)
}

/// A flush under a lock that the flushed work needs: only one wait is for a lock.
pub(super) fn flush_deadlock() -> Story {
    let mut t = Teller::new(&["rmmod", "kworker"]);
    t.goes(0, "unregister(v)");
    t.does(0, lock("pmem0.mutex")).does(0, Does::Flush("deferred_work".to_owned()));
    t.goes(1, "work_fn()");
    t.does(1, Does::Take("deferred_work".to_owned())).changes(
        "deferred_work",
        Value::Work { pending: true, running: false },
        Value::Work { pending: false, running: true },
    );
    t.does(1, Does::Pop("pending".to_owned())).under("list.mutex").sees(object("pmem0"));
    t.changes("pending", members(&["pmem0", "pmem1"]), members(&["pmem1"]));
    t.waits(0, WaitFor::Run("deferred_work".to_owned()), &[1], true).waits_for_lock(
        1,
        "pmem0.mutex",
        &[0],
        true,
    );
    t.holds(0, "pmem0.mutex");
    t.ends("deadlock", Breach::Deadlock(vec!["deferred_work".to_owned(), "pmem0.mutex".to_owned()]), true)
}

/// One more task than there are columns, and one more.
pub(super) fn five() -> Story {
    let mut t = Teller::new(&[
        "insmod",
        "rmmod",
        "kworker (async)",
        "kworker (async) #2",
        "kworker (deferred probe)",
    ]);
    t.goes(0, "register(a)").does(0, Does::Schedule(call("helper(x)"))).starts(2);
    t.goes(0, "register(b)").does(0, Does::Schedule(call("helper(x)"))).starts(3);
    t.goes(2, "helper(x)").does(2, add("x", "pending")).changes("pending", members(&[]), members(&["x"]));
    t.goes(4, "work_fn()")
        .does(4, Does::Splice { from: "pending".to_owned(), to: "active".to_owned() })
        .changes("pending", members(&["x"]), members(&[]));
    t.changes("active", members(&[]), members(&["x"]));
    t.goes(4, "work_fn() > probe(x)").does(4, Does::Choose).sees(Value::Number(1));
    t.goes(3, "helper(x)").does(3, lock("x.mutex")).does(3, put("x.refs")).changes(
        "x.refs",
        Value::References(1),
        Value::References(0),
    );
    t.does(3, free("x")).changes("x", ALIVE, Value::Life(Life::Freed));
    t.goes(1, "del(x) > release(x)").does(1, Does::Wait(WaitFor::AsyncEntries));
    t.does(1, Does::Write("x.bound".to_owned(), Value::Null)).under("x.mutex");
    t.waits_for_lock(4, "x.mutex", &[], false).holds(3, "x.mutex");
    t.ends("use-after-free", Breach::UsedAfterFree("x".to_owned()), true)
}

/// One task alone; the hazard is one of the last state.
pub(super) fn single() -> Story {
    let mut t = Teller::new(&["set-up"]);
    t.goes(0, "register(v)");
    t.does(0, get("v.refs")).changes("v.refs", Value::References(1), Value::References(2));
    t.does(0, read("v.flag")).sees(Value::Bool(false)).does(0, read("v.flag")).sees(Value::Bool(false));
    t.does(0, read("v.other")).sees(Value::Bool(false));
    t.goes(0, "register(v) > attach(v)").does(0, uses("v"));
    t.goes(0, "register(v)").does(0, Does::Increment("v.generation".to_owned())).changes(
        "v.generation",
        Value::Number(1),
        Value::Number(2),
    );
    t.does(0, read("v.flag"))
        .sees(Value::Bool(false))
        .does(0, uses("v"))
        .does(0, read("v.flag"))
        .sees(Value::Bool(false));
    let mut told = Told::new("v.refs is 2, but only 1 holder remains");
    told.cells.push("v.refs".to_owned());
    t.ends("refcount-leak", Breach::Program(Box::new(told)), false)
}

/// Three tasks as deep as the kernel goes, so that no column can have what it wants.
pub(super) fn deep() -> Story {
    let path = |top: &str| {
        format!(
            "{top} > bus_add(nd_pmem) > attach(nd_pmem) > bus_for_each(nd) > __attach(pmem0, nd_pmem) > \
             attach_one(nd_pmem, pmem0) > probe_one(nd_pmem, pmem0) > really_probe(pmem0, nd_pmem)"
        )
    };
    let mut t = Teller::new(&["insmod", "modprobe", "kworker (async)"]);
    t.goes(0, &path("load_module(nd_pmem)")).does(0, lock("pmem0.mutex"));
    t.sets(0, "pmem0.bound_to", Value::Null, object("nd_pmem")).does(0, Does::Choose).sees(Value::Number(1));
    t.goes(1, &path("load_module(nd_blk)")).does(1, read("pmem0.bound_to")).sees(object("nd_pmem"));
    t.goes(2, &path("__attach_async_helper(pmem0)"))
        .does(2, Does::Write("pmem0.data".to_owned(), object("nd_pmem")));
    t.sets(0, "pmem0.bound_to", object("nd_pmem"), Value::Null).does(0, unlock("pmem0.mutex"));
    t.does(2, read("pmem0.bound_to"));
    t.ends("null-dereference", Breach::NullFollowed("pmem0.bound_to".to_owned()), true)
}

/// Two hundred steps of very long names.
pub(super) fn long() -> Story {
    let name = |n: usize| format!("a_{}_{n}", "very_long_name_".repeat(7));
    let mut t = Teller::new(&[&name(0), &format!("w\u{f6}rker {}", "with words ".repeat(12)), "c"]);
    for n in 0..200 {
        let actor = n % 3;
        let depth = n % 23;
        let stack: Vec<String> = (0..=depth).map(|d| format!("{}(\u{3b1}, b)", name(d))).collect();
        t.goes(actor, &stack.join(" > "));
        match n % 4 {
            0 => t.sets(actor, &name(n), Value::Null, object(&name(n + 1))),
            1 => t.does(actor, lock(&format!("{}.mutex", name(n)))),
            2 => t.does(actor, add("a", "list")).changes("list", members(&[]), members(&[&name(n)])),
            _ => t.does(actor, read(&name(n))).sees(Value::Null),
        };
    }
    t.waits_for_lock(0, &name(3), &[1], true).holds(1, &name(3));
    t.ends("use-after-free", Breach::UsedAfterFree(name(199)), true)
}
