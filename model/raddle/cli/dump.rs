//! `raddle check --dump` and `raddle replay`.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use indexmap::{IndexMap, IndexSet};
use raddle::dumped::DumpedTrace;
use raddle::engine;
use raddle::formats::FORMATS;
use raddle::{Options, Report, Scenario};
use raddle_checker::render::DiagramOptions;

use super::agree::this_program;
use super::inputs::INPUT_ERROR;
use super::out::{Out, complain, shown};

/// What the dumps of each file of a run are called: its stem, and if several share that, before it the
/// names of their directories, as many as it takes to tell them apart: `bart-unregister-pending`.
pub fn names<'f>(files: impl Iterator<Item = &'f Path>) -> IndexMap<&'f Path, String> {
    // Of one file given in two ways, both are called the same.
    let mut names: IndexMap<&Path, (PathBuf, usize)> =
        files.map(|file| (file, (file.canonicalize().unwrap_or_else(|_| file.to_owned()), 0))).collect();
    loop {
        let mut takers: IndexMap<String, IndexSet<PathBuf>> = IndexMap::new();
        for (place, directories) in names.values() {
            takers.entry(name(place, *directories)).or_default().insert(place.clone());
        }
        let mut changed = false;
        for (place, directories) in names.values_mut() {
            let shared = takers[&name(place, *directories)].len() > 1;
            // The root has no name.
            if shared && *directories + 2 < place.components().count() {
                *directories += 1;
                changed = true;
            }
        }
        if !changed {
            return names.into_iter().map(|(file, (place, n))| (file, name(&place, n))).collect();
        }
    }
}

/// A file's stem, after the names of so many of the directories that it is in.
fn name(place: &Path, directories: usize) -> String {
    let stem = place.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let above = place.ancestors().skip(1).take(directories).filter_map(Path::file_name);
    above.fold(stem, |name, directory| format!("{}-{name}", directory.to_string_lossy()))
}

/// The files that a run has dumped.
#[derive(Default)]
pub struct Dumps {
    /// By name without its ending: the row that it is of.
    written: IndexMap<String, (PathBuf, String)>,
}

impl Dumps {
    /// Writes each violation of a row as `SCENARIO.REVISION.HAZARD.` and the format's ending. What another
    /// row of this run has written stays: then the name gets a number.
    pub fn write(
        &mut self,
        dir: &Path,
        (file, stem): (&Path, &str),
        scenario: &Scenario,
        report: &Report,
        shown: DiagramOptions,
    ) -> io::Result<()> {
        fs::create_dir_all(dir)?;
        let row = (file.canonicalize().unwrap_or_else(|_| file.to_owned()), report.revision.clone());
        for violation in &report.violations {
            let plain = format!("{stem}.{}.{}", report.revision, violation.id);
            let numbered = (2..).map(|number| format!("{plain}-{number}"));
            let mut names = std::iter::once(plain.clone()).chain(numbered);
            let mine = |name: &String| self.written.get(name).is_none_or(|other| *other == row);
            let name = names.find(mine).expect("internal: there are more numbers than rows");
            self.written.insert(name.clone(), row.clone());
            let path = |ending: &str| dir.join(format!("{name}.{ending}"));
            for (format, ending) in FORMATS.iter().filter_map(|format| Some((format, format.ending?))) {
                write(&path(ending), &format.violation(report, violation, shown))?;
            }
            let trace = DumpedTrace::new(scenario, report, violation);
            let json = serde_json::to_string_pretty(&trace).map_err(io::Error::other)?;
            write(&path("json"), &format!("{json}\n"))?;
        }
        Ok(())
    }
}

/// Writes a file anew. It replaces files only, and follows no link: it is neither written into one, nor
/// into a device.
pub fn write(path: &Path, text: &str) -> io::Result<()> {
    let about = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", shown(path)));
    match fs::symlink_metadata(path) {
        Ok(there) if there.is_file() => fs::remove_file(path).map_err(about)?,
        Ok(_) => return Err(about(io::Error::other("it is there, and is no regular file"))),
        Err(_) => {}
    }
    File::create_new(path).and_then(|mut file| file.write_all(text.as_bytes())).map_err(about)
}

/// No trace is longer than this, in bytes.
const TRACE_LIMIT: u64 = 64 << 20;

/// Reads a dumped trace.
pub fn read(path: &Path) -> Result<DumpedTrace, String> {
    let mut text = String::new();
    let file = File::open(path).map_err(|error| error.to_string())?;
    file.take(TRACE_LIMIT + 1).read_to_string(&mut text).map_err(|error| error.to_string())?;
    if text.len() as u64 > TRACE_LIMIT {
        return Err("this is no trace: it is larger than 64 MiB".to_owned());
    }
    DumpedTrace::parse(&text)
}

/// Re-runs a dumped trace.
pub fn replay(path: &Path, under_shuttle: bool, out: &mut Out) -> u8 {
    let trace = read(path);
    if under_shuttle {
        return match trace.and_then(|trace| follow(&trace)) {
            Ok((true, text)) => {
                out.line(text);
                0
            }
            Ok((false, text)) => {
                out.line(text);
                1
            }
            Err(error) => {
                complain(format_args!("{}: {error}", shown(path)));
                INPUT_ERROR
            }
        };
    }
    match trace.and_then(|trace| trace.replay().map(|result| (trace, result))) {
        Ok((trace, result)) => {
            out.line(&result.text);
            if result.shows {
                out.line(format_args!("The trace still shows {} on {}.", trace.hazard, trace.revision));
                if result.story != trace.story {
                    out.line("Its own words are not those of this run: they, the model or the scenario was changed.");
                }
                if trace.others > 0 {
                    out.line(format_args!(
                        "Not replayed: that {} more objects have the same hazard.",
                        trace.others
                    ));
                }
                0
            } else {
                out.line(format_args!("The trace no longer shows {} on {}.", trace.hazard, trace.revision));
                1
            }
        }
        Err(error) => {
            complain(format_args!("{}: {error}", shown(path)));
            INPUT_ERROR
        }
    }
}

/// Follows a trace on shuttle's threads: whether it shows its hazard there, and that in words.
fn follow(trace: &DumpedTrace) -> Result<(bool, String), String> {
    if trace.in_set_up {
        return Err("the set-up raises the hazard, and it has no schedule to follow".to_owned());
    }
    let scenario = Scenario::parse(&trace.scenario, &trace.text).map_err(|errors| errors[0].to_string())?;
    let mut options = Options::default();
    options.process = this_program();
    let result = engine::follow(&scenario, &trace.revision, &trace.schedule, &options)
        .map_err(|why| why.to_string())?;
    let shows = result.hazards().contains(&trace.hazard.as_str());
    let (hazard, revision, steps) = (&trace.hazard, &trace.revision, trace.schedule.len());
    let word = if shows { "shows" } else { "does not show" };
    Ok((shows, format!("Under shuttle the trace of {steps} steps {word} {hazard} on {revision}.")))
}
