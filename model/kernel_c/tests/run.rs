//! The interpreter, on small C of our own: what gets cells by itself, each with a twin that goes wrong; and what it
//! refuses.

mod written;

use raddle_checker::checker::Checker;
use raddle_kernel_c::map::STUCK_ID;
use raddle_kernel_c::subject::KernelC;
use raddle_kernel_c::table::Tables;
use raddle_kernel_c::tree::{Tree, TreeOptions};
use raddle_probing::program::Probing;
use raddle_probing::scenario::{ScenarioFile, Terms};
use written::written;

/// Every test's structures; `FIELDS` stands for what a test adds to a driver.
const HEADER: &str = "
struct device_driver { const char *name; struct module *owner; FIELDS };
struct device { struct device_driver *driver; };
";

/// Two tasks: one registers a driver, the other one unregisters it.
const SCENARIO: &str = "
title = \"two tasks\"
revisions = [\"C\"]
[driver.drv]
[task.insmod]
run = [\"driver_register(drv)\"]
[task.rmmod]
run = [\"driver_unregister(drv)\"]
";

/// A kernel that consists of this, and its driver's fields.
fn kernel(fields: &str, code: &str, tables: &str) -> KernelC {
    let dir = written(&[
        ("drivers/base/base.h", &HEADER.replace("FIELDS", fields)),
        ("drivers/base/dd.c", &format!("{}\n{code}", include_str!("c/core.c"))),
        ("drivers/base/bus.c", "#include \"base.h\"\n"),
    ]);
    let tree = Tree::open(dir.path(), TreeOptions::default()).unwrap();
    let mut ours = Tables::ours();
    ours.add("mine.toml", tables).unwrap();
    KernelC::new(tree, ours)
}

/// The hazards of the two tasks on it; where a task cannot go on, what is not understood.
fn hazards(fields: &str, code: &str) -> Vec<String> {
    run(&kernel(fields, code, ""))
}

fn run(kernel: &KernelC) -> Vec<String> {
    let terms = Terms { revisions: vec!["C"], rules: vec![] };
    let file = ScenarioFile::parse("two.toml", SCENARIO, &terms).unwrap();
    let program = Probing::new(file.world, kernel);
    let report = Checker::new(&program).threads(1).run().unwrap();
    assert!(report.cut.is_none(), "{:?}", report.cut);
    let said = |id: &str| match id {
        STUCK_ID => kernel.all_stuck().iter().map(|stuck| stuck.what.clone()).collect::<Vec<_>>().join("; "),
        id => id.to_owned(),
    };
    report.violations.iter().map(|violation| said(&violation.id)).collect()
}

const NULL: &str = "null-dereference";

// A false BUG_ON stands for an assertion that holds: BUG_ON is a dereference of NULL.

/// A structure with a work item in it, allocated at registration.
const WORK: &str = "
struct job { struct work_struct work; struct device_driver *drv; int done; };

static void job_func(struct work_struct *work)
{
	struct job *job = container_of(work, struct job, work);

	job->done = 1;
}

int on_register(struct device_driver *drv)
{
	drv->job = kzalloc(sizeof(*drv->job), GFP_KERNEL);
	if (!drv->job)
		return -ENOMEM;
	drv->job->drv = drv;
	INIT_WORK(&drv->job->work, job_func);
	queue_work(system_wq, &drv->job->work);
	return 0;
}

void on_unregister(struct device_driver *drv)
{
	flush_work(&drv->job->work);
	BUG_ON(!drv->job->done);
	BUG_ON(drv->job->drv != drv);
	kfree(drv->job);
}
";

#[test]
fn allocated_memory_lives_with_the_work_item_in_it() {
    let fields = "struct job *job;";
    assert_eq!(hazards(fields, WORK), Vec::<String>::new());
    let unflushed = WORK.replace("flush_work(&drv->job->work);", "").replace("BUG_ON(!drv->job->done);", "");
    assert_eq!(hazards(fields, &unflushed), ["use-after-free"]);
    let cancelled = WORK.replace("flush_work", "cancel_work_sync");
    assert_eq!(hazards(fields, &cancelled), [NULL], "a cancelled item may not have run");
    let twice = WORK.replace("kfree(drv->job);", "kfree(drv->job);\n\tkfree(drv->job);");
    assert_eq!(hazards(fields, &twice), ["double-free"]);
    let after = WORK.replace("kfree(drv->job);", "kfree(drv->job);\n\tdrv->job->done = 2;");
    assert_eq!(hazards(fields, &after), ["use-after-free"]);
}

#[test]
fn a_work_item_runs_what_its_last_initialization_says() {
    let code = "
struct job { struct work_struct work; int done; };
static void first(struct work_struct *work)
{
	container_of(work, struct job, work)->done = 1;
}
static void second(struct work_struct *work)
{
	container_of(work, struct job, work)->done = 2;
}
int on_register(struct device_driver *drv)
{
	struct job *job = kzalloc(sizeof(*job), GFP_KERNEL);

	INIT_WORK(&job->work, first);
	schedule_work(&job->work);
	flush_work(&job->work);
	BUG_ON(job->done != 1);
	INIT_WORK(&job->work, second);
	schedule_work(&job->work);
	flush_work(&job->work);
	BUG_ON(job->done != 2);
	return 0;
}
void on_unregister(struct device_driver *drv) { }
";
    assert_eq!(hazards("", code), Vec::<String>::new());
    assert_eq!(hazards("", &code.replace("done != 2", "done != 1")), [NULL]);
}

#[test]
fn a_table_says_that_there_may_be_no_memory() {
    let code = WORK.replace("return -ENOMEM", "BUG_ON(1)");
    assert_eq!(hazards("struct job *job;", &code), Vec::<String>::new());
    let tables = "[stubs.\"it may fail\"]\nkzalloc = \"1 | 0\"\n";
    assert_eq!(run(&kernel("struct job *job;", &code, tables)), [NULL]);
}

#[test]
fn each_allocation_is_another_structure() {
    let code = "
struct job { int n; };
int on_register(struct device_driver *drv)
{
	struct job *one = kzalloc(sizeof(struct job), GFP_KERNEL);
	struct job *two = kzalloc(sizeof(*two), GFP_KERNEL);

	one->n = 1;
	BUG_ON(one == two);
	BUG_ON(two->n);
	kfree(one);
	two->n = 2;
	kfree(two);
	return 0;
}
void on_unregister(struct device_driver *drv) { }
";
    assert_eq!(hazards("", code), Vec::<String>::new());
    assert_eq!(hazards("", &code.replace("kfree(one);", "kfree(two);")), ["use-after-free"]);
}

#[test]
fn lists_of_a_patch_have_their_members() {
    let code = "
static LIST_HEAD(queue);
static DEFINE_MUTEX(queue_mutex);
struct job { struct list_head node; int n; };

int on_register(struct device_driver *drv)
{
	struct job *one = kzalloc(sizeof(*one), GFP_KERNEL);
	struct job *two = kzalloc(sizeof(*two), GFP_KERNEL);

	one->n = 1;
	two->n = 2;
	BUG_ON(!list_empty(&queue));
	list_add_tail(&one->node, &queue);
	list_add_tail(&two->node, &queue);
	BUG_ON(list_first_entry(&queue, struct job, node) != one);
	return 0;
}

void on_unregister(struct device_driver *drv)
{
	struct job *job, *next;
	int sum = 0;

	mutex_lock(&queue_mutex);
	list_for_each_entry(job, &queue, node)
		sum += job->n;
	BUG_ON(sum != 3);
	list_for_each_entry_safe(job, next, &queue, node) {
		list_del(&job->node);
		kfree(job);
	}
	BUG_ON(list_first_entry_or_null(&queue, struct job, node));
	BUG_ON(!list_empty(&queue));
	mutex_unlock(&queue_mutex);
}
";
    assert_eq!(hazards("", code), Vec::<String>::new());
    assert_eq!(hazards("", &code.replace("sum != 3", "sum == 3")), [NULL]);
    // Freed while they are on the list, which leads to them still.
    assert_eq!(hazards("", &code.replace("list_del(&job->node);", "")), [NULL]);
    let unsafe_walk = code.replace("list_for_each_entry_safe(job, next, ", "list_for_each_entry(job, ");
    assert_eq!(hazards("", &unsafe_walk), ["use-after-free"]);
    let head = code.replace("list_add_tail(&two", "list_add(&two");
    assert_eq!(hazards("", &head), [NULL], "the second is the first");
    assert_eq!(hazards("", &head.replace("node) != one", "node) != two")), Vec::<String>::new());
    let last =
        code.replace("node) != one", "node) != one || list_last_entry(&queue, struct job, node) != two");
    assert_eq!(hazards("", &last), Vec::<String>::new());
    assert_eq!(hazards("", &last.replace("node) != two", "node) != one")), [NULL]);
    let backward = code
        .replace(
            "entry(job, &queue, node)\n\t\tsum += job->n",
            "entry_reverse(job, &queue, node)\n\t\tsum = 3 * sum + job->n",
        )
        .replace("entry_safe(job", "entry_safe_reverse(job");
    assert_eq!(hazards("", &backward.replace("sum != 3", "sum != 7")), Vec::<String>::new());
    assert_eq!(hazards("", &backward.replace("sum != 3", "sum != 5")), [NULL], "5 is the sum forward");
    let again = code.replace("list_add_tail(&two", "list_add_tail(&one");
    assert_eq!(hazards("", &again), ["node is put on a list, and is on one"]);
}

#[test]
fn a_macro_may_head_a_loop() {
    let code = "
#define for_each_number(n, last) for (n = 1; n <= last; n++)
int on_register(struct device_driver *drv)
{
	int n, sum = 0;

	for_each_number(n, 4) {
		if (n == 2)
			continue;
		sum += n;
	}
	BUG_ON(sum != 8);
	return 0;
}
void on_unregister(struct device_driver *drv) { }
";
    assert_eq!(hazards("", code), Vec::<String>::new());
    assert_eq!(hazards("", &code.replace("sum != 8", "sum != 10")), [NULL]);
    let no_loop = code.replace("for (n = 1; n <= last; n++)", "if (last)");
    assert_eq!(hazards("", &no_loop), ["the loop for_each_number(..)"]);
}

#[test]
fn what_a_turn_sets_before_it_reads_it_is_not_carried() {
    let code = "
struct job { int n; };
int on_register(struct device_driver *drv)
{
	struct job *job;
	int turns = 0;

	do {
		job = kzalloc(sizeof(*job), GFP_KERNEL);
		BUG_ON(job->n);
		job->n = 1;
		kfree(job);
	} while (++turns < 2);
	BUG_ON(turns != 2);
	return 0;
}
void on_unregister(struct device_driver *drv) { }
";
    assert_eq!(hazards("", code), Vec::<String>::new());
    // Where something else names it, it is there.
    let after = code.replace("return 0;", "BUG_ON(!job);\n\treturn 0;");
    assert_eq!(hazards("", &after), Vec::<String>::new());
    let before = code.replace("job = kzalloc", "BUG_ON(turns && !job);\n\t\tjob = kzalloc");
    assert_eq!(hazards("", &before), Vec::<String>::new());
}

#[test]
fn bit_fields_atomics_statics_and_locks_have_cells() {
    let code = "
static DEFINE_SPINLOCK(lock);
static int counted(void)
{
	static int calls;

	return ++calls;
}
int on_register(struct device_driver *drv)
{
	drv->flag = 1;
	drv->three = 9;
	BUG_ON(drv->three != 1);
	atomic_set(&drv->users, 2);
	BUG_ON(counted() != 1);
	BUG_ON(counted() != 2);
	return 0;
}
void on_unregister(struct device_driver *drv)
{
	spin_lock(&lock);
	BUG_ON(!drv->flag);
	BUG_ON(atomic_dec_and_test(&drv->users));
	BUG_ON(atomic_inc_return(&drv->users) != 2);
	BUG_ON(atomic_read(&drv->users) != 2);
	spin_unlock(&lock);
}
";
    let fields = "unsigned int flag:1; unsigned int three:3; atomic_t users;";
    assert_eq!(hazards(fields, code), Vec::<String>::new());
    assert_eq!(
        hazards(fields, &code.replace("atomic_set(&drv->users, 2)", "atomic_set(&drv->users, 1)")),
        [NULL]
    );
    assert_eq!(hazards(fields, &code.replace("spin_unlock", "spin_lock")), ["deadlock"]);
    assert_eq!(hazards(fields, &code.replace("static int calls", "int calls = 0")), [NULL]);
}

#[test]
fn what_nothing_sets_stays_zero_and_that_is_an_assumption() {
    let code = "
static bool forced;
int on_register(struct device_driver *drv) { BUG_ON(forced); return 0; }
void on_unregister(struct device_driver *drv) { }
";
    let unset = kernel("", code, "");
    assert_eq!(run(&unset), Vec::<String>::new());
    assert_eq!(unset.assumptions(), ["forced is 0: nothing that scenarios reach sets it"]);
    let set = code.replace("drv) { }", "drv) { forced = true; }");
    assert_eq!(run(&kernel("", &set, "")), Vec::<String>::new());
    assert_eq!(
        run(&kernel("", &set.replace("return 0", "forced = 1; BUG_ON(forced); return 0"), "")),
        [NULL]
    );
}

/// Waits in one task, and what ends them in a work item.
const WAIT: &str = "
static bool ready;
static atomic_t left = ATOMIC_INIT(0);
static void func(struct work_struct *work)
{
	ready = true;
	atomic_dec(&left);
}
static DECLARE_WORK(item, func);
int on_register(struct device_driver *drv)
{
	atomic_inc(&left);
	schedule_work(&item);
	return 0;
}
void on_unregister(struct device_driver *drv)
{
	wait_event(queue, ready && atomic_read(&left) == 0);
	BUG_ON(!ready || atomic_read(&left));
}
";

#[test]
fn waits_end_when_all_of_their_condition_holds() {
    assert_eq!(hazards("", WAIT), Vec::<String>::new());
    // A wait for only the first of the two.
    assert_eq!(hazards("", &WAIT.replace(" && atomic_read(&left) == 0", "")), [NULL]);
    assert_eq!(hazards("", &WAIT.replace("atomic_dec(&left);", "")), ["deadlock"]);
    assert_eq!(
        hazards("", &WAIT.replace("atomic_read(&left) == 0", "atomic_read(&left) < 1")),
        Vec::<String>::new()
    );
    assert_eq!(
        hazards("", &WAIT.replace("ready && atomic_read(&left) == 0", "ready || atomic_read(&left) == 7")),
        [NULL]
    );
}

#[test]
fn completions_are_waited_for_once_each() {
    let code = "
static DECLARE_COMPLETION(done);
static void func(struct work_struct *work) { complete(&done); }
static DECLARE_WORK(item, func);
int on_register(struct device_driver *drv) { schedule_work(&item); return 0; }
void on_unregister(struct device_driver *drv) { wait_for_completion(&done); }
";
    assert_eq!(hazards("", code), Vec::<String>::new());
    let twice = code
        .replace("(&done); }\n\";", "")
        .replace("wait_for_completion(&done);", "wait_for_completion(&done); wait_for_completion(&done);");
    assert_eq!(hazards("", &twice), ["deadlock"]);
}

#[test]
fn what_it_cannot_do_is_said() {
    let refused = |code: &str| {
        let code = format!(
            "struct job {{ int n; struct list_head node; }};\nint on_register(struct device_driver *drv)\n{{\n\t{code}\n\treturn 0;\n}}\n\
             void on_unregister(struct device_driver *drv) {{ }}\n"
        );
        hazards("int number;", &code)
    };
    assert_eq!(refused("void *p = kzalloc(drv->number, GFP_KERNEL);"), ["kzalloc of what"]);
    assert_eq!(refused("drv->number = 300;"), ["number gets 300, which no cell holds"]);
    assert_eq!(refused("queue_work(system_wq, &drv->unknown);"), ["queue_work of unknown"]);
    assert_eq!(refused("drv->unknown = 1;"), ["the field unknown of a driver"]);
    assert_eq!(refused("on_missing(drv);"), ["the function on_missing"]);
    assert_eq!(
        refused("int n = 0;\n\twhile (n >= 0)\n\t\tn = n ? 0 : 1;"),
        ["a loop that goes round 10000 times without a step"]
    );
    let calls = "
static int next(int n) { return n ? 0 : 1; }

int on_register(struct device_driver *drv)
{
	int n = 0;

	while (n >= 0)
		n = next(n);
	return 0;
}

void on_unregister(struct device_driver *drv) { }
";
    assert_eq!(hazards("", calls), ["a loop that goes round 10000 times without a step"]);
}

#[test]
fn a_function_that_goes_back_to_a_label_is_a_loop() {
    let code = "
int on_register(struct device_driver *drv)
{
	int n = 0, m;

again:
	m = n;
	n++;
	if (n < 200)
		goto again;
	if (m == 7)
		goto again;
	BUG_ON(m != 199);
	return 0;
}
void on_unregister(struct device_driver *drv)
{
	int turn = 0;

	do {
again:
		turn++;
	} while (turn < 3);
	if (turn == 3)
		goto out;
	goto again;
out:
	BUG_ON(turn != 3);
}
";
    assert_eq!(hazards("", code), Vec::<String>::new());
    assert_eq!(hazards("", &code.replace("m != 199", "m != 198")), [NULL]);
}

#[test]
fn a_wait_looks_again_when_one_of_its_variables_has_changed() {
    let code = "
static int a, b;
static DECLARE_WAIT_QUEUE_HEAD(queue);
static void first_func(struct work_struct *work)
{
	a = 1;
	wake_up(&queue);
}
static void second_func(struct work_struct *work)
{
	b = 2;
	wake_up(&queue);
}
static DECLARE_WORK(first, first_func);
static DECLARE_WORK(second, second_func);

int on_register(struct device_driver *drv)
{
	schedule_work(&first);
	schedule_work(&second);
	return 0;
}

void on_unregister(struct device_driver *drv)
{
	wait_event(queue, CONDITION);
	BUG_ON(!(CONDITION));
}
";
    let of = |condition: &str| hazards("", &code.replace("CONDITION", condition));
    for holds in [
        "a || b",
        "b == 2 || a",
        "!(a == 0 && b == 0)",
        "a && b",
        "a + b > 2",
        "a < b",
        "(a || b) && b >= 2",
        "!!a",
        "a != 0 || b == 7",
        "a == 5 || !!b",
    ] {
        assert_eq!(of(holds), Vec::<String>::new(), "{holds}");
    }
    // What held once need not hold when it is looked at again.
    assert_eq!(of("!a && !b"), ["deadlock", NULL]);
    for never in ["a == 2 || b == 1", "!(a < 2 || b < 2)"] {
        assert_eq!(of(never), ["deadlock"], "{never}");
    }
}

#[test]
fn lists_in_variables_and_what_is_beside_a_node() {
    let code = "
#define LIST_HEAD(name) struct list_head name = LIST_HEAD_INIT(name)
static LIST_HEAD(queue);
struct job { int n; struct list_head node; };

static void all_to(struct list_head *to)
{
	struct list_head *at = queue.next;

	while (at != &queue) {
		struct job *job = list_entry(at, struct job, node);

		at = at->next;
		list_move_tail(&job->node, to);
		BUG_ON(list_empty(&job->node));
	}
}

int on_register(struct device_driver *drv)
{
	struct job *one = kzalloc(sizeof(*one), GFP_KERNEL);
	struct job *two = kzalloc(sizeof(*two), GFP_KERNEL);

	one->n = 1;
	two->n = 2;
	list_add_tail(&one->node, &queue);
	list_add_tail(&two->node, &queue);
	BUG_ON(queue.prev != &two->node);
	BUG_ON(one->node.next != &two->node);
	BUG_ON(one->node.prev != &queue);
	BUG_ON(&list_entry(two->node.next, struct job, node)->node != &queue);
	return 0;
}

void on_unregister(struct device_driver *drv)
{
	struct job *job, *next;
	int sum = 0;
	LIST_HEAD(todo);

	BUG_ON(!list_empty(&todo));
	all_to(&todo);
	BUG_ON(list_empty(&todo));
	BUG_ON(!list_empty(&queue));
	list_for_each_entry(job, &todo, node)
		sum = 3 * sum + job->n;
	BUG_ON(sum != 5);
	list_for_each_entry_safe_reverse(job, next, &todo, node) {
		sum = 3 * sum + job->n;
		list_del(&job->node);
		kfree(job);
	}
	BUG_ON(sum != 52);
	BUG_ON(!list_empty(&todo));
}
";
    assert_eq!(hazards("", code), Vec::<String>::new());
    let changed = |from: &str, to: &str| {
        assert!(code.contains(from), "{from}");
        hazards("", &code.replace(from, to))
    };
    assert_eq!(changed("list_move_tail(", "list_move("), [NULL], "the other way round");
    assert_eq!(changed("sum != 52", "sum != 50"), [NULL], "50 is the sum forward");
    assert_eq!(changed("safe_reverse(job, next", "safe(job, next"), [NULL]);
    assert_eq!(changed("\t\tlist_del(&job->node);\n", ""), [NULL], "they are still on it");
    let unsafe_walk =
        code.replace("list_for_each_entry_safe_reverse(job, next", "list_for_each_entry_reverse(job");
    assert_eq!(hazards("", &unsafe_walk), ["use-after-free"]);
    assert_eq!(
        hazards("", &unsafe_walk.replace("\t\tkfree(job);\n", "")),
        ["a walk over a list in a variable, from a node that is no longer on it"]
    );
    assert_eq!(changed("queue.prev != &two->node", "queue.prev != &one->node"), [NULL]);
    assert_eq!(changed("one->node.prev != &queue", "one->node.prev != &two->node"), [NULL]);
    assert_eq!(changed("at = at->next;", "at = at->prev;"), [NULL], "the second stays");
    let other = "list_splice_tail_init(&todo, &queue);\n\tall_to(&todo);";
    assert_eq!(changed("all_to(&todo);", other), ["list_splice_tail_init of a list in a variable"]);
}

#[test]
fn sizes_of_structures_are_passed_on_and_no_more() {
    let code = "
struct job { int n; };
static size_t with(size_t more)
{
	return 2 * sizeof(struct job) + more;
}
int on_register(struct device_driver *drv)
{
	size_t size = with(8);
	unsigned long flags;
	struct job *job = kzalloc(size, GFP_KERNEL);

	spin_lock_irqsave(&drv->lock, flags);
	job->n = 1;
	spin_unlock_irqrestore(&drv->lock, flags);
	kfree(job);
	return 0;
}
void on_unregister(struct device_driver *drv) { }
";
    let fields = "spinlock_t lock;";
    assert_eq!(hazards(fields, code), Vec::<String>::new());
    let compared = code.replace("\tkfree(job)", "\tBUG_ON(size < 2);\n\tkfree(job)");
    assert_eq!(hazards(fields, &compared), ["the size of a structure is compared"]);
    let twice = code.replace("spin_unlock_irqrestore", "spin_lock_irqsave");
    assert_eq!(hazards(fields, &twice), ["deadlock"]);
}

#[test]
fn a_lock_is_taken_with_what_is_done_first_unless_somebody_tries_it() {
    let code = "
static DEFINE_MUTEX(mutex);
static int begun, done;
static void func(struct work_struct *work)
{
	mutex_lock(&mutex);
	begun = 1;
	done = 1;
	mutex_unlock(&mutex);
}
static DECLARE_WORK(work, func);
int on_register(struct device_driver *drv)
{
	schedule_work(&work);
	return 0;
}
void on_unregister(struct device_driver *drv)
{
	mutex_lock(&mutex);
	BUG_ON(begun != done);
	begun = done = 0;
	mutex_unlock(&mutex);
}
";
    assert_eq!(hazards("", code), Vec::<String>::new());
    let late = code.replace("\tmutex_lock(&mutex);\n\tbegun = 1;", "\tbegun = 1;\n\tmutex_lock(&mutex);");
    assert_eq!(hazards("", &late), [NULL], "what is done before it is not done under it");
    let kept = code.replace("\tdone = 1;\n\tmutex_unlock(&mutex);", "\tdone = 1;");
    assert_eq!(hazards("", &kept), ["deadlock", "unlock-imbalance"]);
    // That it is taken can be seen before anything is done under it.
    let tried = code.replace(
        "\tmutex_lock(&mutex);\n\tBUG_ON(begun != done);",
        "\tif (!mutex_trylock(&mutex)) {\n\t\tBUG_ON(!begun);\n\t\treturn;\n\t}",
    );
    assert_ne!(tried, code);
    assert_eq!(hazards("", &tried), [NULL]);
}
