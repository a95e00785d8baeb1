//! What a story is made of: calls, values, what a step does and sees, what a task waits for.
//!
//! Objects and cells stand here by their names. The name of a cell begins with that of its object and a
//! dot, so a name is part of another one as a directory is of a path.

use serde::{Deserialize, Serialize};

/// A function that a task is in, with its arguments.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Call {
    /// The function.
    pub name: String,
    /// Its arguments.
    pub args: Vec<Value>,
    /// What the program notes of it, such as that it is going to fail.
    #[serde(default)]
    pub note: Option<String>,
}

/// A line of source: the model's, or of the text that it interprets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// The file.
    pub file: String,
    /// The line, from 1 on.
    pub line: u32,
    /// What stands there, if the story is of a text that is interpreted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Whether a change under review has added the line.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub added: bool,
}

impl Source {
    /// A line of which only the place is told.
    #[must_use]
    pub fn new(file: &str, line: u32) -> Self {
        Source { file: file.to_owned(), line, text: None, added: false }
    }
}

/// A value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Value {
    /// Nothing that a reader could see.
    Nothing,
    /// NULL.
    Null,
    /// A truth value.
    Bool(bool),
    /// A number.
    Number(u32),
    /// So many references.
    References(u8),
    /// A constant or an error by its name, such as `LIVE`, or another word.
    Name(String),
    /// An object.
    Object(String),
    /// What has become of an object.
    Life(Life),
    /// The members of a list.
    Members(Vec<Member>),
    /// The state of a work item.
    Work {
        /// It is on a queue.
        pending: bool,
        /// Its function runs.
        running: bool,
    },
}

/// What has become of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Life {
    /// It has not been allocated.
    Absent,
    /// It may be used.
    Alive,
    /// Its memory has been freed.
    Freed,
    /// Its memory is there, but it may no longer be used.
    Retired,
}

/// A member of a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// The object.
    pub name: String,
    /// It has been deleted and is still linked.
    pub dead: bool,
}

/// What a step does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Does {
    /// It reads a cell.
    Read(String),
    /// It writes a value to a cell.
    Write(String, Value),
    /// It writes the third to a cell if it has the second.
    WriteIf(String, Value, Value),
    /// It makes the statement true that a flag's name is.
    Establish(String),
    /// It uses an object.
    Use(String),
    /// It allocates an object.
    Allocate(String),
    /// It frees an object.
    Free(String),
    /// From now on an object may no longer be used.
    Retire(String),
    /// It acquires a mutex.
    Lock(String),
    /// It acquires a mutex if that is free.
    TryLock(String),
    /// It releases a mutex.
    Unlock(String),
    /// It takes a reference.
    Get(String),
    /// It drops a reference.
    Put(String),
    /// It increments a counter.
    Increment(String),
    /// It decrements a counter.
    Decrement(String),
    /// It counts itself in or out, for those that wait.
    Hold(String),
    /// It looks whether what a flag stands for is there.
    Enter(String),
    /// It waits.
    Wait(WaitFor),
    /// It adds an object to a list.
    Add {
        /// The object.
        member: String,
        /// The list.
        list: String,
    },
    /// It removes an object from a list.
    Remove {
        /// The object.
        member: String,
        /// The list.
        list: String,
    },
    /// It removes the first member of a list.
    Pop(String),
    /// It looks at the first member of a list.
    First(String),
    /// It looks at the last node of a list.
    Peek(String),
    /// It looks whether an object is on a list.
    Has {
        /// The object.
        member: String,
        /// The list.
        list: String,
    },
    /// It moves all members of a list to another one.
    Splice {
        /// From this list.
        from: String,
        /// To this one.
        to: String,
    },
    /// An iterator goes to the next member.
    Next {
        /// The list.
        list: String,
        /// Where it stands.
        after: Option<String>,
    },
    /// A walk backward goes to the member before this one.
    Previous {
        /// The list.
        list: String,
        /// Where it stands.
        before: String,
    },
    /// An iterator is given up.
    Leave {
        /// The list.
        list: String,
        /// Where it stands.
        after: Option<String>,
    },
    /// It marks a member of a list as deleted.
    Delete {
        /// The object.
        member: String,
        /// The list.
        list: String,
    },
    /// It takes a reference on the last member of a list.
    Last(String),
    /// It looks for a member of a list.
    Find {
        /// The object.
        member: String,
        /// The list.
        list: String,
    },
    /// It schedules an async entry that runs this.
    Schedule(Call),
    /// An async entry ends.
    EndEntry,
    /// It starts a task of this name.
    Start(String),
    /// A spawned task ends.
    EndTask,
    /// It queues a work item.
    Queue(String),
    /// A worker takes an item off its queue.
    Take(String),
    /// The function of a work item has returned.
    EndWork(String),
    /// It flushes a work item.
    Flush(String),
    /// It cancels a work item.
    Cancel(String),
    /// From here on a work item cannot be queued, or can be again.
    Disable(String, bool),
    /// It has one of several outcomes.
    Choose,
    /// It samples a counter.
    Sample(String),
    /// It compares a counter with its sample.
    Compare(String),
    /// It forgets its sample of a counter.
    Forget(String),
}

/// What a task waits for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WaitFor {
    /// A mutex.
    Lock(String),
    /// A counter to be zero.
    Zero(String),
    /// A cell to have another value than this one.
    Not(String, Value),
    /// One of several cells to have another value than this one.
    Any(Vec<(String, Value)>),
    /// A flag to be set.
    Flag(String),
    /// All iterators to leave a member of a list.
    LetGo {
        /// The member.
        member: String,
        /// The list.
        list: String,
    },
    /// All async entries.
    AsyncEntries,
    /// The run of a work item.
    Run(String),
    /// The end of the task of this name.
    End(String),
}

/// What a step saw.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Saw {
    /// A value.
    Value(Value),
    /// The value of a cell that it read besides.
    Besides(String, Value),
    /// No further member of the list.
    EndOfList,
    /// Whether a counter moved since its sample.
    Moved(bool),
    /// The item is on its queue already.
    QueuedAlready,
    /// There is nothing to wait for.
    NothingToWaitFor,
    /// The object is not on the list.
    NotThere,
    /// The object is on a list already.
    OnListAlready,
    /// The list is empty.
    Empty,
    /// The flag is not set.
    No,
    /// There are no async entries.
    NoEntries,
    /// There is nothing to move.
    NothingToMove,
}

/// What a step means to the program.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// In the program's words, for people only.
    pub text: String,
    /// The objects that its event is about.
    pub objects: Vec<String>,
}

impl Saw {
    /// The value, if it is one.
    #[must_use]
    pub fn value(&self) -> Option<&Value> {
        if let Saw::Value(value) | Saw::Besides(_, value) = self { Some(value) } else { None }
    }
}

impl Value {
    /// Whether it is a number or a truth value.
    #[must_use]
    pub fn is_number(&self) -> bool {
        matches!(self, Value::Bool(_) | Value::Number(_) | Value::References(_))
    }

    /// Whether it is this object.
    #[must_use]
    pub fn is_object(&self, name: &str) -> bool {
        matches!(self, Value::Object(object) if object == name)
    }

    fn names(&self) -> Option<&str> {
        if let Value::Object(name) = self { Some(name) } else { None }
    }
}

impl Does {
    /// The objects and cells that it names.
    #[must_use]
    pub fn names(&self) -> Vec<&str> {
        match self {
            Does::Read(cell)
            | Does::Establish(cell)
            | Does::Use(cell)
            | Does::Allocate(cell)
            | Does::Free(cell)
            | Does::Retire(cell)
            | Does::Lock(cell)
            | Does::TryLock(cell)
            | Does::Unlock(cell)
            | Does::Get(cell)
            | Does::Put(cell)
            | Does::Increment(cell)
            | Does::Decrement(cell)
            | Does::Hold(cell)
            | Does::Enter(cell)
            | Does::Pop(cell)
            | Does::First(cell)
            | Does::Peek(cell)
            | Does::Last(cell)
            | Does::Queue(cell)
            | Does::Take(cell)
            | Does::EndWork(cell)
            | Does::Flush(cell)
            | Does::Cancel(cell)
            | Does::Disable(cell, _)
            | Does::Sample(cell)
            | Does::Compare(cell)
            | Does::Forget(cell) => vec![cell],
            Does::Write(cell, value) => [cell.as_str()].into_iter().chain(value.names()).collect(),
            Does::WriteIf(cell, from, to) => {
                [cell.as_str()].into_iter().chain(from.names()).chain(to.names()).collect()
            }
            Does::Wait(wait) => wait.names(),
            Does::Add { member, list }
            | Does::Remove { member, list }
            | Does::Delete { member, list }
            | Does::Has { member, list }
            | Does::Find { member, list }
            | Does::Previous { list, before: member } => vec![member, list],
            Does::Splice { from, to } => vec![from, to],
            Does::Next { list, after } | Does::Leave { list, after } => {
                [list.as_str()].into_iter().chain(after.as_deref()).collect()
            }
            Does::Schedule(call) => call.args.iter().filter_map(Value::names).collect(),
            Does::EndEntry | Does::Start(_) | Does::EndTask | Does::Choose => Vec::new(),
        }
    }
}

impl WaitFor {
    /// The objects and cells that it names.
    #[must_use]
    pub fn names(&self) -> Vec<&str> {
        match self {
            WaitFor::Lock(cell) | WaitFor::Zero(cell) | WaitFor::Flag(cell) | WaitFor::Run(cell) => {
                vec![cell]
            }
            WaitFor::Not(cell, value) => [cell.as_str()].into_iter().chain(value.names()).collect(),
            WaitFor::Any(all) => all
                .iter()
                .flat_map(|(cell, value)| [cell.as_str()].into_iter().chain(value.names()))
                .collect(),
            WaitFor::LetGo { member, list } => vec![member, list],
            WaitFor::AsyncEntries | WaitFor::End(_) => Vec::new(),
        }
    }
}

/// Whether a name is another one or the beginning of its path.
#[must_use]
pub fn is_part_of(whole: &str, name: &str) -> bool {
    name.strip_prefix(whole).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}
