//! Stories made by hand, for the tests of the renderings.

use crate::story::{Actor, Change, Held, StepKind, Story, ToldHazard, ToldStep, Waiting};

/// Builds a story step by step.
pub(super) struct Teller {
    pub(super) story: Story,
    stacks: Vec<Vec<String>>,
}

impl Teller {
    pub(super) fn new(actors: &[&str]) -> Self {
        let actors: Vec<Actor> = actors.iter().map(|name| Actor { name: (*name).to_owned() }).collect();
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
        self.stacks[actor] = stack.split(" > ").map(str::to_owned).collect();
        self
    }

    /// A step; its kind follows from its words.
    pub(super) fn does(&mut self, actor: usize, does: &str) -> &mut Self {
        let kind = match does.split(' ').next().unwrap_or("") {
            "lock" => StepKind::Lock,
            "unlock" => StepKind::Unlock,
            "one" => StepKind::Choice,
            "schedule" | "start" => StepKind::Spawn,
            _ => StepKind::Read,
        };
        self.story.steps.push(ToldStep {
            actor,
            stack: self.stacks[actor].clone(),
            kind,
            does: does.to_owned(),
            note: None,
            needed: true,
            observed: None,
            changes: vec![],
            started: None,
            at: format!("model/program.rs:{}", 10 + self.story.steps.len()),
        });
        self
    }

    fn last(&mut self) -> &mut ToldStep {
        self.story.steps.last_mut().expect("a step")
    }

    pub(super) fn sees(&mut self, observed: &str) -> &mut Self {
        self.last().observed = Some(observed.to_owned());
        self
    }

    pub(super) fn starts(&mut self, actor: usize) -> &mut Self {
        self.last().started = Some(actor);
        self
    }

    pub(super) fn changes(&mut self, cell: &str, from: &str, to: &str) -> &mut Self {
        let step = self.last();
        if step.kind == StepKind::Read {
            step.kind = StepKind::Write;
        }
        step.changes.push(Change {
            cell: cell.to_owned(),
            from: from.to_owned(),
            to: to.to_owned(),
            needed: true,
        });
        self
    }

    /// `cell = to`, in place of `from`.
    pub(super) fn sets(&mut self, actor: usize, cell: &str, from: &str, to: &str) -> &mut Self {
        self.does(actor, &format!("{cell} = {to}")).changes(cell, from, to)
    }

    pub(super) fn waits(&mut self, actor: usize, on: &str, by: &[usize], deadlocked: bool) -> &mut Self {
        let stack = self.stacks[actor].clone();
        let wait = Waiting { actor, stack, on: on.to_owned(), by: by.to_vec(), deadlocked };
        self.story.waiting.push(wait);
        self
    }

    pub(super) fn holds(&mut self, actor: usize, lock: &str) -> &mut Self {
        self.story.held.push(Held { lock: lock.to_owned(), actor });
        self
    }

    pub(super) fn ends(&mut self, id: &str, text: &str, at_last_step: bool) -> Story {
        self.story.hazard = Some(ToldHazard { id: id.to_owned(), text: text.to_owned(), at_last_step });
        self.story.clone()
    }
}

/// A helper uses what was unregistered while it was queued.
pub(super) fn stale() -> Story {
    let helper = "__attach_async_helper(pmem0) > attach_one(nd_pmem, pmem0) > really_probe(pmem0, nd_pmem)";
    let mut t = Teller::new(&["insmod", "rmmod", "kworker (async)"]);
    t.goes(0, "load_module(nd_pmem) > register(nd_pmem)");
    t.does(0, "read nd.autoprobe").sees("true");
    t.does(0, "add nd_pmem to nd.klist").changes("nd.klist", "[]", "[nd_pmem]");
    t.goes(0, "load_module(nd_pmem) > register(nd_pmem) > attach(nd_pmem)");
    t.does(0, "next of nd.members").sees("pmem0");
    t.goes(0, "load_module(nd_pmem) > register(nd_pmem) > attach(nd_pmem) > __attach(pmem0, nd_pmem)");
    t.does(0, "lock pmem0.mutex");
    t.does(0, "read pmem0.bound").sees("NULL");
    t.does(0, "get pmem0.refs").changes("pmem0.refs", "2", "3");
    t.sets(0, "pmem0.p.async", "NULL", "nd_pmem");
    t.does(0, "schedule __attach_async_helper(pmem0)").starts(2).changes("async", "0", "1");
    t.does(0, "unlock pmem0.mutex");
    t.goes(0, "load_module(nd_pmem)");
    t.sets(0, "nd_pmem.module.state", "COMING", "LIVE");
    t.goes(1, "delete_module(nd_pmem)");
    t.sets(1, "nd_pmem.module.state", "LIVE", "GOING");
    t.goes(1, "delete_module(nd_pmem) > unregister(nd_pmem)");
    t.does(1, "delete nd_pmem from nd.klist").changes("nd.klist", "[nd_pmem]", "[]");
    t.does(1, "nd_pmem is unregistered").changes("nd_pmem", "alive", "unregistered");
    t.goes(2, "__attach_async_helper(pmem0)");
    t.does(2, "lock pmem0.mutex");
    t.does(2, "read pmem0.p.async").sees("nd_pmem");
    t.goes(2, helper);
    t.does(2, "use nd_pmem");
    t.holds(2, "pmem0.mutex");
    t.ends("stale-pointer", "nd_pmem is used after it has been unregistered", true)
}

/// The same with two tasks only.
pub(super) fn use_after_free() -> Story {
    let mut t = Teller::new(&["rmmod", "kworker (async)"]);
    t.goes(1, "__attach_async_helper(pmem0)");
    t.does(1, "read pmem0.p.async").sees("nd_pmem");
    t.goes(0, "delete_module(nd_pmem) > unregister(nd_pmem)");
    t.sets(0, "pmem0.p.async", "nd_pmem", "NULL");
    t.goes(0, "delete_module(nd_pmem)");
    t.does(0, "free nd_pmem").changes("nd_pmem", "alive", "freed");
    t.does(0, "queue deferred_work").changes("deferred_work", "idle", "pending");
    t.goes(1, "__attach_async_helper(pmem0) > probe_one(pmem0, nd_pmem)");
    t.does(1, "use nd_pmem");
    t.ends("use-after-free", "nd_pmem is used after it has been freed", true)
}

/// Two tasks, two locks.
pub(super) fn deadlock() -> Story {
    let mut t = Teller::new(&["insmod", "rmmod"]);
    t.goes(0, "register(v) > attach(v)");
    t.does(0, "lock region0.mutex");
    t.goes(1, "del(pmem0)");
    t.does(1, "lock pmem0.mutex");
    t.goes(1, "del(pmem0) > put_parent(region0)");
    t.goes(0, "register(v) > attach(v) > probe(pmem0)");
    t.does(0, "get v.refs").changes("v.refs", "1", "2");
    t.waits(0, "lock pmem0.mutex", &[1], true).waits(1, "lock region0.mutex", &[0], true);
    t.holds(0, "region0.mutex").holds(1, "pmem0.mutex");
    let text = "insmod waits for pmem0.mutex, which depends on rmmod; \
                rmmod waits for region0.mutex, which depends on insmod";
    t.ends("deadlock", text, true)
}

/// A flush under a lock that the flushed work needs: only one wait is for a lock.
pub(super) fn flush_deadlock() -> Story {
    let mut t = Teller::new(&["rmmod", "kworker"]);
    t.goes(0, "unregister(v)");
    t.does(0, "lock pmem0.mutex").does(0, "flush deferred_work");
    t.goes(1, "work_fn()");
    t.does(1, "take deferred_work off the queue").changes("deferred_work", "pending", "running");
    t.does(1, "take the first of pending under list.mutex").sees("pmem0");
    t.changes("pending", "[pmem0, pmem1]", "[pmem1]");
    t.waits(0, "the run of deferred_work", &[1], true).waits(1, "lock pmem0.mutex", &[0], true);
    t.holds(0, "pmem0.mutex");
    t.ends("deadlock", "two tasks wait for each other", true)
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
    t.goes(0, "register(a)").does(0, "schedule helper(x)").starts(2);
    t.goes(0, "register(b)").does(0, "schedule helper(x)").starts(3);
    t.goes(2, "helper(x)").does(2, "add x to pending").changes("pending", "[]", "[x]");
    t.goes(4, "work_fn()").does(4, "move pending to active").changes("pending", "[x]", "[]");
    t.changes("active", "[]", "[x]");
    t.goes(4, "work_fn() > probe(x)").does(4, "one of several outcomes").sees("1");
    t.goes(3, "helper(x)").does(3, "lock x.mutex").does(3, "put x.refs").changes("x.refs", "1", "0");
    t.does(3, "free x").changes("x", "alive", "freed");
    t.goes(1, "del(x) > release(x)").does(1, "wait for all async entries");
    t.does(1, "x.bound = NULL under x.mutex");
    t.waits(4, "lock x.mutex", &[], false).holds(3, "x.mutex");
    t.ends("use-after-free", "x is used after it has been freed", true)
}

/// One task alone; the hazard is one of the last state.
pub(super) fn single() -> Story {
    let mut t = Teller::new(&["set-up"]);
    t.goes(0, "register(v)");
    t.does(0, "get v.refs").changes("v.refs", "1", "2");
    t.does(0, "read v.flag").sees("false").does(0, "read v.flag").sees("false");
    t.does(0, "read v.other").sees("false");
    t.goes(0, "register(v) > attach(v)").does(0, "use v");
    t.goes(0, "register(v)").does(0, "increment v.generation").changes("v.generation", "1", "2");
    t.does(0, "read v.flag").sees("false").does(0, "use v").does(0, "read v.flag").sees("false");
    t.ends("refcount-leak", "v.refs is 2, but only 1 holder remains", false)
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
    t.goes(0, &path("load_module(nd_pmem)")).does(0, "lock pmem0.mutex");
    t.sets(0, "pmem0.bound_to", "NULL", "nd_pmem").does(0, "one of several outcomes").sees("1");
    t.goes(1, &path("load_module(nd_blk)")).does(1, "read pmem0.bound_to").sees("nd_pmem");
    t.goes(2, &path("__attach_async_helper(pmem0)")).does(2, "pmem0.data = nd_pmem");
    t.sets(0, "pmem0.bound_to", "nd_pmem", "NULL").does(0, "unlock pmem0.mutex");
    t.does(2, "read pmem0.bound_to");
    t.ends("null-dereference", "pmem0.bound_to is NULL and is dereferenced", true)
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
            0 => t.sets(actor, &name(n), "NULL", &name(n + 1)),
            1 => t.does(actor, &format!("lock {}.mutex", name(n))),
            2 => t.does(actor, "add a to list").changes("list", "[]", &format!("[{}]", name(n))),
            _ => t.does(actor, &format!("read {}", name(n))).sees("NULL"),
        };
    }
    t.waits(0, &format!("lock {}", name(3)), &[1], true).holds(1, &name(3));
    t.ends("use-after-free", &format!("{} is used after it has been freed", name(199)), true)
}
